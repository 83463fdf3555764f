/*
 * The local APIC in both its forms: xAPIC, a page of registers for ids up to
 * 254, and x2APIC, machine-specific registers for any id. We keep what the
 * firmware chose unless ids force x2APIC.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/platform.h>
#include <asm/apic.h>
#include <asm/features.h>
#include <arch/mmio.h>
#include <asm/io.h>
#include <asm/port.h>
#include <asm/regs.h>
#include <kernel/bootinfo.h>
#include <kernel/option.h>
#include <kernel/printk.h>

enum {
	XAPIC_MAX_ID = 254, /* 255 means everybody */
	PIC_MASTER_MASK = 0x21,
	PIC_SLAVE_MASK = 0xa1,
};

static bool x2apic;
static paddr_t xapic; /* the page of registers */
static u32 apic_ids[MAX_CPUS];

u32 apic_id_of(unsigned cpu)
{
	return apic_ids[cpu];
}

void apic_set_id(unsigned cpu, u32 apic_id)
{
	apic_ids[cpu] = apic_id;
}

bool apic_can_reach(u64 apic_id)
{
	return x2apic || apic_id <= XAPIC_MAX_ID;
}

/* x2APIC registers have the number of the page's 16-byte slot (SDM vol. 3 table 10-6). */
u32 apic_read(u32 reg)
{
	return x2apic ? (u32)rdmsr(0x800 + (reg >> 4)) : mmio_read32(xapic + reg);
}

void apic_write(u32 reg, u32 value)
{
	if (x2apic)
		wrmsr(0x800 + (reg >> 4), value);
	else
		mmio_write32(xapic + reg, value);
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* The register that MADT entries mean; its mode is the CPU's own, also before apic_init(). */
u64 cpu_hw_id(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	if (base & APIC_BASE_X2APIC)
		return rdmsr(MSR_X2APIC_ID);
	return mmio_read32((base & APIC_BASE_ADDRESS) + APIC_ID) >> 24;
}

/* One write. It would not wait for earlier stores by itself (SDM vol. 3 10.12.3). */
static void x2apic_command(u32 apic_id, u32 command)
{
	asm volatile("mfence; lfence" ::: "memory");
	wrmsr(0x800 + (APIC_ICR_LOW >> 4), (u64)apic_id << 32 | command);
}

/*
 * Two writes, which an interrupt handler that sends as well would tear apart.
 * Uncached, so earlier stores are out before (SDM vol. 3 11.3). The previous
 * command must have left: the local APIC always gets to send it.
 */
static void xapic_command(u32 apic_id, u32 command)
{
	irqflags_t flags = irq_save();

	while (mmio_read32(xapic + APIC_ICR_LOW) & APIC_ICR_BUSY)
		cpu_relax();
	mmio_write32(xapic + APIC_ICR_HIGH, apic_id << 24);
	mmio_write32(xapic + APIC_ICR_LOW, command);
	irq_restore(flags);
}

void apic_command(u32 apic_id, u32 command)
{
	if (x2apic)
		x2apic_command(apic_id, command);
	else
		xapic_command(apic_id, command);
}

static bool apic_ids_need_x2apic(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->cpu_count; i++) {
		if (bi->cpus[i].hw_id > XAPIC_MAX_ID)
			return true;
	}
	return false;
}

BOOT_OPTION(apic, "apic", "auto|x2apic", "x2apic: also where no CPU's id asks for it");

void apic_init(const struct bootinfo *bi)
{
	static const char *const choices[] = {"auto", "x2apic", NULL};
	bool wanted = option_choice("apic", choices, 0) == 1 || apic_ids_need_x2apic(bi);
	bool on = rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;

	/* The mode cannot be left again without a reset: an option comes too late. */
	if (on && !x86_has(X86_X2APIC))
		printk("hw=-x2apic: ignored, the firmware switched it on\n");
	if (bi->x86.has_8259) {
		outb(PIC_MASTER_MASK, 0xff);
		outb(PIC_SLAVE_MASK, 0xff);
	}
	x2apic = on || (x86_has(X86_X2APIC) && wanted);
	if (!x2apic)
		xapic = bi->x86.lapic_base;
	if (!x2apic && wanted)
		printk("apic: no x2APIC: CPUs with ids above %d cannot be started\n", XAPIC_MAX_ID);
}

const char *apic_mode(void)
{
	return x2apic ? "x2APIC" : "xAPIC";
}

/* Local sources that firmware may have set up; LINT1 stays, it is the NMI line of the board. */
static void apic_mask_local(void)
{
	/* Index of the last entry, SDM vol. 3 10.4.8. */
	u32 highest = apic_read(APIC_VERSION) >> 16 & 0xff;

	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	if (highest >= 3)
		apic_write(APIC_LVT_ERROR, APIC_LVT_MASKED);
	if (highest >= 4)
		apic_write(APIC_LVT_PMC, APIC_LVT_MASKED);
	if (highest >= 5)
		apic_write(APIC_LVT_THERMAL, APIC_LVT_MASKED);
}

void apic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base | (x2apic ? APIC_BASE_X2APIC : 0));
	apic_mask_local();
	apic_write(APIC_TPR, APIC_TASK_PRIORITY);
	apic_write(APIC_SVR, 0x100 | VECTOR_SPURIOUS); /* bit 8: software enable */
	apic_set_id(cpu_id(), (u32)cpu_hw_id());
}
