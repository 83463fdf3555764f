/* Spinlocks, contended: wait, stay answerable, and complain when the holder never comes back. */
#include <kernel/clock.h>
#include <kernel/printf.h>
#include <kernel/smp.h>
#include <kernel/spinlock.h>

enum { LOOK_EVERY = 1024 }; /* spins between looks at the clock, which costs more than a spin */

static void spin_watch(const struct spinlock *lock, u64 *deadline)
{
	u64 now = cycles_now();
	char what[48];

	if (!*deadline) {
		*deadline = now + ns_to_cycles(WATCHDOG_NS);
	} else if (now > *deadline) {
		ksnprintf(what, sizeof(what), "the spinlock at %p", (const void *)lock);
		watchdog_bark(what, NULL, NULL);
	}
}

/*
 * The holder is in a short section that waits for nobody but an inner lock of
 * the chain, so it comes back. Meanwhile this CPU answers shootdowns: by
 * interrupt, or here if it came with interrupts off.
 */
void spin_lock_contended(struct spinlock *lock)
{
	bool polls = !irqs_enabled();
	u64 deadline = 0;

	for (unsigned spins = 1; spin_is_locked(lock) || !spin_trylock(lock); spins++) {
		cpu_relax();
		if (polls)
			smp_poll();
		/* Before the clock is calibrated there is one CPU, and nobody to wait for. */
		if (spins % LOOK_EVERY == 0 && ns_to_cycles(WATCHDOG_NS))
			spin_watch(lock, &deadline);
	}
}
