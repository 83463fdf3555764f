/* Firmware calls (PSCI), the end of the run, and what kind of machine executes us. */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/platform.h>
#include <asm/entry.h>
#include <asm/mmu.h>
#include <kernel/bootinfo.h>

/* Arm semihosting, SYS_EXIT: stop reason and sub-code; QEMU makes the sub-code its exit status. */
enum { SYS_EXIT = 0x18, ADP_STOPPED_APPLICATION_EXIT = 0x20026 };
int probe_semihosting(u64 operation, const void *parameters);

/* SMC Calling Convention (Arm DEN 0028): UID of the vendor-specific hypervisor service; KVM's first word. */
#define SMCCC_VENDOR_HYP_UID 0x8600ff01u
#define KVM_UID_0 0xb66fb428u

static enum { CONDUIT_NONE, CONDUIT_HVC, CONDUIT_SMC } conduit;
static bool on_qemu;
static const char *accel = "kvm", *accel_evidence = "";

void psci_init(const struct bootinfo *bi)
{
	static const u8 conduits[] = {
		[BOOT_PSCI_NONE] = CONDUIT_NONE,
		[BOOT_PSCI_HVC] = CONDUIT_HVC,
		[BOOT_PSCI_SMC] = CONDUIT_SMC,
	};

	conduit = conduits[bi->arm64.psci];
	on_qemu = bi->arm64.qemu;
}

long psci_call(u64 function, u64 a, u64 b, u64 c)
{
	register u64 x0 asm("x0") = function;
	register u64 x1 asm("x1") = a;
	register u64 x2 asm("x2") = b;
	register u64 x3 asm("x3") = c;

	/* The callee may change x0 to x17. */
#define FIRMWARE_CALL(instruction)                                                                 \
	asm volatile(instruction " #0"                                                             \
		     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)                                      \
		     :                                                                             \
		     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",      \
		       "x15", "x16", "x17", "memory")
	switch (conduit) {
	case CONDUIT_HVC:
		FIRMWARE_CALL("hvc");
		return (long)x0;
	case CONDUIT_SMC:
		FIRMWARE_CALL("smc");
		return (long)x0;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

/*
 * A hypervisor may look like any board, and keeps EL2 for itself: entry there is the evidence of
 * metal. Where firmware enters at EL1 on metal, times only need a second opinion (host.cpus=).
 */
void accel_init(const struct bootinfo *bi)
{
	u32 uid = (u32)psci_call(SMCCC_VENDOR_HYP_UID, 0, 0, 0);

	accel = "kvm";
	if (uid == KVM_UID_0) {
		accel_evidence = "KVM gives its UID";
	} else if (bi->arm64.qemu) {
		accel = "tcg";
		accel_evidence = "the board is QEMU's, and KVM gives no UID";
	} else if (uid != (u32)PSCI_NOT_SUPPORTED) {
		accel_evidence = "a hypervisor gives its UID";
	} else if (bi->hypervisor[0]) {
		accel_evidence = bi->hypervisor;
	} else if (arm64_entry_el < 2) {
		accel_evidence = "entered below EL2";
	} else {
		accel = "metal";
		accel_evidence = "entered at EL2, and nothing tells of a hypervisor";
	}
}

const char *cpu_accel(void)
{
	return accel;
}

const char *cpu_accel_evidence(void)
{
	return accel_evidence;
}

void cpu_halt_forever(void)
{
	irq_disable();
	for (;;)
		asm volatile("dsb sy\n\twfi" /* what was written to devices has arrived */ ::
				     : "memory");
}

/* Without semihosting the instruction is undefined, and the probe returns. */
static void semihosting_exit(unsigned code)
{
	const u64 block[2] = {ADP_STOPPED_APPLICATION_EXIT, code};

	if (on_qemu)
		probe_semihosting(SYS_EXIT, block);
}

void arch_exit(unsigned code)
{
	irq_disable();
	semihosting_exit(code);
	psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	cpu_halt_forever();
}

void arch_reboot(void)
{
	irq_disable();
	psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
	cpu_halt_forever();
}
