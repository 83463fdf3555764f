/* The one-shot timer between a wait and the alarm: see alarm.h. */
#include <kernel/alarm.h>
#include <kernel/clock.h>
#include <kernel/percpu.h>
#include <kernel/atomic.h>
#include <arch/irq.h>
#include <arch/platform.h>

void (*alarm_handler)(void);
static PERCPU(u64,
	      alarm_at); /* cycles; 0 = none. This CPU only, interrupts off where it is written */

/* For the alarm, or for nothing. Interrupts off. */
static void arm(void)
{
	u64 at = *this_cpu_ptr(alarm_at), now = cycles_now();

	if (!at)
		timer_oneshot(0);
	else /* rounded down: the handler takes up what is left */
		timer_oneshot(at > now ? MAX(cycles_to_ns(at - now), 1UL) : 1);
}

void alarm_set(u64 ns)
{
	u64 *at = this_cpu_ptr(alarm_at);

	if (load_relaxed(at))
		return;
	irqflags_t flags = irq_save();

	store_relaxed(at, MAX(cycles_now() + ns_to_cycles(ns), 1UL));
	/* A wait that halts arms anew, for the earlier of the two. */
	arm();
	irq_restore(flags);
}

void alarm_cancel(void)
{
	irqflags_t flags = irq_save();

	store_relaxed(this_cpu_ptr(alarm_at), 0UL);
	arm();
	irq_restore(flags);
}

bool alarm_is_set(void)
{
	return load_relaxed(this_cpu_ptr(alarm_at));
}

void alarm_wait_begin(u64 ns)
{
	u64 at = *this_cpu_ptr(alarm_at), now = cycles_now();

	if (at && at < now + ns_to_cycles(ns))
		arm();
	else
		timer_oneshot(ns);
}

void alarm_wait_end(void)
{
	arm();
}

void alarm_interrupt(void)
{
	u64 *at = this_cpu_ptr(alarm_at);

	if (!*at)
		return;
	if (cycles_now() < *at) { /* this one was the wait's, or came early */
		arm();
		return;
	}
	store_relaxed(at, 0UL);
	alarm_handler();
}
