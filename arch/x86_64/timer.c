/* The one-shot timer of each CPU: TSC deadline if there is one, else the local APIC's counter. */
#include <arch/irq.h>
#include <arch/platform.h>
#include <asm/apic.h>
#include <asm/features.h>
#include <asm/port.h>
#include <asm/regs.h>
#include <kernel/percpu.h>
#include <kernel/smp.h>

static PERCPU(u64, timer_deadline); /* TSC; 0 = none set */
static u64 cycles_per_tick = 1; /* of the APIC timer, rounded down: it ends late, never early */

void timer_init_cpu(void)
{
	*this_cpu_ptr(timer_deadline) = 0;
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_16);
	if (!x86_has(X86_TSC_DEADLINE)) {
		cycles_per_tick = MAX(cycles_hz() / MAX(apic_timer_hz(), 1UL), 1UL);
		apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
		return;
	}
	apic_write(APIC_LVT_TIMER, APIC_LVT_TIMER_DEADLINE | VECTOR_TIMER);
	/* The mode must have reached the APIC before the first deadline (SDM vol. 3 10.5.4.1). */
	asm volatile("mfence; lfence" ::: "memory");
}

/* Cycles from now, at least 1. The counter has 32 bits; the handler takes up a longer wait. */
static void timer_program(u64 cycles)
{
	if (x86_has(X86_TSC_DEADLINE)) {
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + cycles);
		return;
	}
	apic_write(APIC_TIMER_INITIAL, (u32)MIN(cycles / cycles_per_tick + 1, (u64)UINT32_MAX));
}

static void timer_cancel(void)
{
	if (x86_has(X86_TSC_DEADLINE))
		wrmsr(MSR_TSC_DEADLINE, 0);
	else
		apic_write(APIC_TIMER_INITIAL, 0);
}

void timer_oneshot(u64 ns)
{
	u64 *deadline = this_cpu_ptr(timer_deadline);
	irqflags_t flags = irq_save(); /* the handler uses it, too */
	u64 cycles = tsc_from_ns(ns) + 1;

	if (ns) {
		*deadline = rdtsc() + cycles;
		timer_program(cycles);
	} else {
		*deadline = 0;
		timer_cancel();
	}
	irq_restore(flags);
}

void x86_timer_interrupt(void)
{
	u64 *deadline = this_cpu_ptr(timer_deadline);
	u64 now = rdtsc();

	apic_eoi();
	if (!*deadline)
		return; /* was on its way when it was cancelled */
	if (now < *deadline) {
		timer_program(*deadline - now);
		return;
	}
	*deadline = 0;
	timer_handle();
}
