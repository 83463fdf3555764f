/* Start-up of the port: the boot CPU's two steps, and what every CPU does for itself. */
#include <arch/cpu.h>
#include <arch/platform.h>
#include <arch/tlb.h>
#include <asm/entry.h>
#include <asm/features.h>
#include <asm/mmu.h>
#include <kernel/bootinfo.h>
#include <kernel/printk.h>
#include <kernel/uart.h>

/* Vectors exist now, so SError may be reported where it happens. */
static void vectors_load(void)
{
	sysreg_write(vbar_el1, arm64_vectors);
	isb(); /* before an SError can be taken */
	asm volatile("msr daifclr, #4" ::: "memory");
}

static bool is_mapped(struct bootinfo *bi __unused, const struct boot_console *c)
{
	return mmu_maps(c->base);
}

void arch_init_early(struct bootinfo *bi)
{
	cpu_set_percpu(0, 0); /* the template is the boot CPU's copy for now */
	vectors_load();
	consoles_open_early(bi, is_mapped);
	psci_init(bi);
}

void cpu_set_percpu(unsigned cpu, u64 offset)
{
	sysreg_write(tpidr_el1, offset);
	sysreg_write(tpidrro_el0, cpu);
}

void arch_init(struct bootinfo *bi)
{
	char text[160];

	features_apply_options();
	features_enable_cpu();
	accel_init(bi);
	cpu_describe(text, sizeof(text));
	printk("cpu: %s, entered at EL%u\n", text, arm64_entry_el);
	printk("cpu: features %s\n", cpu_features());
	printk("machine: %s: %s\n", cpu_accel(), cpu_accel_evidence());
	timer_init(bi);
	gic_init(bi);
	gic_init_cpu(0);
	printk("clock: %s, %lu kHz; timer interrupt %u\n", cycles_source(), cycles_hz() / 1000,
	       timer_intid());
}

void arch_init_cpu(unsigned cpu)
{
	vectors_load();
	features_enable_cpu();
	tlb_flush_local_all(); /* now that it can be stamped: what firmware left, and the identity map */
	gic_init_cpu(cpu);
}
