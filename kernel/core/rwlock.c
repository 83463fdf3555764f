/*
 * Reader-writer lock in phases.
 *
 * A reader adds itself to `arrived`. If no writer's bits are set there, it has the
 * lock. Else it waits until these bits change. They are cleared when that writer
 * leaves. The next writer may set them again before the reader looks, but with the
 * other phase, so the reader sees a change. The writer after that would have the
 * first phase again. It cannot come before our reader has left, because the writer
 * before it waits for every reader that had arrived.
 *
 * A writer takes a ticket and waits for its turn. It sets its bits, which stops
 * readers that come later. Then it waits until `left` has reached the number of
 * readers that had arrived. So a reader waits for at most one writer, and a writer
 * for the writers before it and for one group of readers after each of them.
 *
 * Waking. A CPU that waits notes in `rwlock_waited` for which lock. Whoever changes
 * what a waiter looks at then scans for CPUs that wait for this lock. No waiter is
 * missed:
 *   waiter:	waited = lock;  smp_mb() in wait_turn();  look at the lock; halt
 *   leaver:	change the lock;  full barrier;  look at waited; cpu_wake()
 * Either the waiter sees the change or the leaver sees the waiter. The leaver
 * skips the scan only if nobody can be waiting. It can tell, because each waiter
 * changes a counter by an atomic operation before it begins to wait.
 */
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/spinlock.h>

static PERCPU(const struct rwlock *, rwlock_waited); /* NULL: this CPU waits for no such lock */

static void rwlock_blame(void *arg)
{
	const struct rwlock *lock = arg;
	u32 arrived = load_relaxed(&lock->arrived), writer = load_relaxed(&lock->writer);

	printk("rwlock %p: %u readers inside or waiting, %u writers, writer bits %u\n",
	       (const void *)lock, (arrived - load_relaxed(&lock->left)) / RWLOCK_READER,
	       load_relaxed(&lock->tickets) - load_relaxed(&lock->serving), arrived & RWLOCK_BITS);
	if (writer)
		printk("rwlock %p: held by the writer on cpu %u\n", (const void *)lock, writer - 1);
}

/* Holders make progress: they wait only for what comes after this lock in the order of docs/design.md. */
#define rwlock_wait(lock, cond, text)                                                              \
	do {                                                                                       \
		store_relaxed(this_cpu_ptr(rwlock_waited), lock);                                  \
		wait_until_blame(cond, text, rwlock_blame, lock);                                  \
		store_relaxed(this_cpu_ptr(rwlock_waited), NULL);                                  \
	} while (0)

/* After a full barrier that follows the change. */
void rwlock_wake(struct rwlock *lock)
{
	for_each_online_cpu (cpu) {
		if (load_relaxed(cpu_ptr(cpu, rwlock_waited)) == lock)
			cpu_wake(cpu);
	}
}

void rwlock_wait_read(struct rwlock *lock, u32 bits)
{
	/* Acquire; pairs with the clearing of the bits in write_unlock(). */
	rwlock_wait(lock, (load_acquire(&lock->arrived) & RWLOCK_BITS) != bits, "a read lock");
}

void write_lock(struct rwlock *lock)
{
	u32 ticket = atomic_fetch_add_relaxed(&lock->tickets, 1);
	u32 target;

	/* Acquire; pairs with the release of `serving` in write_unlock(). */
	if (load_acquire(&lock->serving) != ticket)
		rwlock_wait(lock, load_acquire(&lock->serving) == ticket, "a write lock");
	/* Full barrier, partner: the addition in read_unlock(). One of the two sees the other. */
	target = atomic_fetch_add(&lock->arrived, RWLOCK_WRITER | (ticket & RWLOCK_PHASE));
	/* Acquire; pairs with the addition in read_unlock(). */
	if (load_acquire(&lock->left) != target)
		rwlock_wait(lock, load_acquire(&lock->left) == target, "readers to leave");
	store_relaxed(&lock->writer, cpu_id() + 1);
}

void write_unlock(struct rwlock *lock)
{
	u32 left = load_relaxed(&lock->left); /* cannot change while we hold */
	u32 next = load_relaxed(&lock->serving) + 1;
	u32 arrived;

	store_relaxed(&lock->writer, 0);
	/* Release, and the full barrier before the scan for readers. */
	arrived = atomic_fetch_and(&lock->arrived, ~(u32)RWLOCK_BITS) & ~(u32)RWLOCK_BITS;
	store_release(&lock->serving, next);
	/* Orders `serving` before the look at `tickets`; partner: smp_mb() in a writer's wait_turn(). */
	smp_mb();
	if (arrived != left || load_relaxed(&lock->tickets) != next)
		rwlock_wake(lock);
	det_yield_point();
}
