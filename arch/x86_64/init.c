/* Start-up of the port: the boot CPU's three steps, and what every CPU does for itself. */
#include <arch/cpu.h>
#include <arch/evidence.h>
#include <arch/platform.h>
#include <arch/tlb.h>
#include <asm/apic.h>
#include <asm/features.h>
#include <asm/port.h>
#include <asm/regs.h>
#include <kernel/bootinfo.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/printk.h>
#include <kernel/uart.h>

PERCPU(u64, x86_percpu_base);
PERCPU(u32, x86_cpu_id);

/* The boot tables map what may be a screen, but are not asked about registers, which they map cached. */
static bool is_in_reach(struct bootinfo *bi, const struct boot_console *c)
{
	if (c->type == BOOT_CONSOLE_SCREEN)
		return bi->screen.base + bi->screen.len <= BOOT_MAP_END;
	return c->type == BOOT_CONSOLE_16550_IO;
}

void arch_init_early(struct bootinfo *bi)
{
	wrmsr(MSR_GS_BASE, 0); /* the template is the boot CPU's copy for now */
	features_detect();
	gdt_load();
	idt_load();
	consoles_open_early(bi, is_in_reach);
}

/* GS is moved last: until then this CPU's segments are those of its old copy, or none. */
void cpu_set_percpu(unsigned cpu, u64 offset)
{
	*(u64 *)((char *)&x86_percpu_base + offset) = offset;
	*(u32 *)((char *)&x86_cpu_id + offset) = cpu;
	wrmsr(MSR_GS_BASE, offset);
	gdt_load();
}

void arch_init(struct bootinfo *bi)
{
	char text[160];

	features_apply_options();
	features_enable_cpu();
	accel_init(bi);
	cpu_describe(text, sizeof(text));
	printk("cpu: %s\n", text);
	printk("cpu: features %s\n", cpu_features());
	printk("machine: %s: %s\n", cpu_accel(), cpu_accel_evidence());
	exit_init(bi);
	apic_init(bi);
	apic_init_cpu();
	tsc_calibrate(bi);
	timer_init_cpu();
	printk("clock: %s, %lu kHz; %s, %s timer, %lu kHz\n", cycles_source(), cycles_hz() / 1000,
	       apic_mode(), apic_timer_hz() ? "counting" : "TSC deadline",
	       (apic_timer_hz() ? apic_timer_hz() : cycles_hz()) / 1000);
	if (gdt_alloc_stacks(0))
		panic("no memory for the boot CPU's exception stacks");
}

void arch_init_cpu(unsigned cpu __unused)
{
	/* The trampoline loaded this root when nothing could be stamped yet. */
	u64 stamp = evidence_begin();

	evidence_root(0, x86_kernel_root);
	features_enable_cpu();
	x86_flush_all();
	evidence_all(stamp);
	evidence_loaded_slot(0);
	apic_init_cpu();
	timer_init_cpu();
}
