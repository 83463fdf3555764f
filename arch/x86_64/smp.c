/* Starting secondary CPUs: INIT, SIPI, SIPI, one CPU after the other (SDM vol. 3 8.4.4). */
#include <arch/cpu.h>
#include <arch/evidence.h>
#include <arch/platform.h>
#include <arch/smp.h>
#include <arch/tlb.h>
#include <asm/apic.h>
#include <asm/features.h>
#include <asm/port.h>
#include <asm/regs.h>
#include <asm/secondary.h>
#include <kernel/atomic.h>
#include <kernel/error.h>
#include <kernel/smp.h>

enum {
	/* Microseconds until the second SIPI, for a CPU that missed the first; one that runs ignores it. */
	START_AGAIN_US = 1000,
	/* Microseconds between INIT and SIPI, for CPUs older than those that need no pause (family 15 of Intel). */
	START_INIT_OLD_US = 10000,
};

struct secondary_args secondary_args;

static bool cpu_needs_init_pause(void)
{
	struct x86_model model = cpuid_model();

	return model.vendor == X86_INTEL && model.family == 15;
}

/* The awaited CPU needs nothing from us but that we leave its arguments alone. */
static bool secondary_wait(unsigned us)
{
	u64 deadline = cycles_now() + tsc_from_ns(us * 1000UL);

	while (!load_acquire(&secondary_args.arrived)) {
		if (cycles_now() > deadline)
			return false;
		cpu_relax();
	}
	return true;
}

static bool secondary_kick(u32 apic_id)
{
	u32 startup = APIC_ICR_STARTUP | (u32)(secondary_page >> PAGE_SHIFT);

	apic_command(apic_id, APIC_ICR_INIT);
	if (cpu_needs_init_pause())
		tsc_delay_us(START_INIT_OLD_US);
	apic_command(apic_id, startup);
	if (secondary_wait(START_AGAIN_US))
		return true;
	apic_command(apic_id, startup);
	return secondary_wait(CPU_START_TIMEOUT_MS * 1000 - START_AGAIN_US);
}

int cpu_start(unsigned cpu, u64 hw_id, void *stack_top, u64 offset)
{
	int err;

	if (!secondary_page || !apic_can_reach(hw_id))
		return -ENOTSUP;
	err = gdt_alloc_stacks(cpu);
	if (err)
		return err;
	apic_set_id(cpu, (u32)hw_id);
	secondary_args = (struct secondary_args){
		.root = x86_kernel_root,
		.stack_top = stack_top,
		.efer = rdmsr(MSR_EFER) & EFER_NXE,
		.apic_id = (u32)hw_id,
		.cpu = cpu,
		.percpu_offset = offset,
	};
	smp_mb(); /* before the commands, for the loads in trampoline.S and secondary_start() */
	if (secondary_kick((u32)hw_id))
		return 0;
	if (!smp_call_off(cpu)) /* an INIT would stop a CPU that counts as online */
		return 0;
	/* Back to waiting for a SIPI: it must not come later. */
	apic_command((u32)hw_id, APIC_ICR_INIT);
	return -ETIMEDOUT;
}

void secondary_start(void)
{
	unsigned cpu = secondary_args.cpu;

	cpu_set_percpu(cpu, secondary_args.percpu_offset);
	idt_load();
	/* Pairs with the acquire in secondary_wait(): the arguments may be another CPU's now. */
	store_release(&secondary_args.arrived, 1);
	secondary_main(cpu);
}
