/* The end of a wait that nobody answers: one CPU says what it waited for and who was silent. */
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

static u32 barking; /* a CPU reports; atomic */

void watchdog_bark(const char *what, void (*blame)(void *arg), void *arg)
{
	/* Waits that hang on one another end at the same time; a second report would tear the first. */
	if (atomic_xchg(&barking, 1)) {
		while (!panic_active())
			cpu_relax();
		panic_stop_this_cpu();
	}
	printk("watchdog: cpu %u has waited %lu s for %s\n", cpu_id(), WATCHDOG_NS / 1000000000,
	       what);
	if (blame)
		blame(arg);
	else
		smp_report(&cpu_online);
	panic("watchdog: cpu %u waited for %s", cpu_id(), what);
}
