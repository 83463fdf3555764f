/*
 * Locks.
 *
 * Spinlocks are for short sections of task context. They leave interrupts as
 * they are: no interrupt handler takes one, so a waiter keeps answering
 * shootdowns by interrupt. A waiter that came with interrupts off serves them
 * by smp_poll(), so nobody waits for an acknowledgement that cannot come.
 *
 * Reader-writer locks wait by the one wait, so they may be held for long.
 */
#pragma once

#include <kernel/atomic.h>
#include <kernel/det.h>
#include <arch/cpu.h>
#include <arch/irq.h>

struct spinlock {
	u32 held; /* 0 or 1; written by atomic exchange and release store only */
};

/*
 * What follows may wait: for an acknowledgement, a page, a lock of the other
 * kind. ASSERT_MAY_WAIT() asks the CPU whether it takes interrupts; MAY_WAIT(),
 * where that would be too much, only the modelled machine. That asks either
 * whether a spinlock is held, too.
 */
#define ASSERT_MAY_WAIT() ASSERT(irqs_enabled())
#define MAY_WAIT()

void spin_lock_contended(struct spinlock *lock);

static inline bool spin_trylock(struct spinlock *lock)
{
	/* Acquire; pairs with the release in spin_unlock(). */
	return !atomic_xchg_acquire(&lock->held, 1);
}

static inline void spin_lock(struct spinlock *lock)
{
	if (unlikely(!spin_trylock(lock)))
		spin_lock_contended(lock);
}

static inline void spin_unlock(struct spinlock *lock)
{
	store_release(&lock->held, 0);
	det_yield_point();
}

static inline bool spin_is_locked(const struct spinlock *lock)
{
	return load_relaxed(&lock->held);
}

/*
 * Many readers (faults, migration) or one writer (map, unmap, protect), in
 * turns: a writer that waits stops new readers, and a writer that leaves lets
 * in the readers that came meanwhile before the next writer. So neither side
 * starves, and a holder of the read side must not take it again. Zero is
 * unlocked. The argument is in kernel/core/rwlock.c.
 */
struct rwlock {
	u32 arrived; /* readers that came, in steps of RWLOCK_READER; below that a writer's bits */
	u32 left; /* readers that left, in the same steps */
	u32 tickets; /* writers that came */
	u32 serving; /* ticket whose turn it is */
	u32 writer; /* CPU that writes, plus 1; 0 = none; for the watchdog only */
};

enum {
	RWLOCK_PHASE = 1, /* parity of the writer's ticket: tells one writer from the next */
	RWLOCK_WRITER = 2, /* a writer holds, or waits for readers to leave */
	RWLOCK_BITS = RWLOCK_PHASE | RWLOCK_WRITER,
	RWLOCK_READER = 4,
};

void rwlock_wait_read(struct rwlock *lock, u32 bits);
void rwlock_wake(struct rwlock *lock);
void write_lock(struct rwlock *lock);
void write_unlock(struct rwlock *lock);

static inline void read_lock(struct rwlock *lock)
{
	/* Acquire; pairs with the clearing of the bits in write_unlock(). */
	u32 bits = atomic_fetch_add_acquire(&lock->arrived, RWLOCK_READER) & RWLOCK_BITS;

	if (unlikely(bits))
		rwlock_wait_read(lock, bits);
}

/*
 * The read side, if no writer holds it or waits for it. False: it was not
 * taken. For who holds the read side of another lock of the same kind: to wait
 * for a second one could close a circle.
 */
static inline bool read_trylock(struct rwlock *lock)
{
	u32 arrived = load_relaxed(&lock->arrived);

	/* Full barrier; pairs as the addition in read_lock(). */
	while (!(arrived & RWLOCK_BITS))
		if (atomic_cmpxchg(&lock->arrived, &arrived, arrived + RWLOCK_READER))
			return true;
	return false;
}

static inline void read_unlock(struct rwlock *lock)
{
	/* Full barrier: orders it before the load below; partner: the addition in write_lock(). */
	atomic_fetch_add(&lock->left, (u32)RWLOCK_READER);
	if (unlikely(load_relaxed(&lock->arrived) & RWLOCK_WRITER))
		rwlock_wake(lock);
	det_yield_point();
}
