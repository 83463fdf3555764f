/*
 * Locks of the modelled machine: the kernel's own, with every place that takes
 * one known to arch/fake/locks.c.
 */
#pragma once

#include_next <kernel/spinlock.h>

struct fake_place {
	const char *file;
	unsigned line;
};

/* spins: a spinlock, so that the CPU must not wait for anything while it has it. */
void fake_lock_wanted(const void *lock, const struct fake_place *place, bool spins);
void fake_lock_taken(void);
/* Taken without waiting for it, so that no order follows. */
void fake_lock_tried(const void *lock, const struct fake_place *place);
void fake_lock_left(const void *lock);
/* This is done by a CPU that may wait now: no spinlock held, interrupts on. */
void fake_may_wait(const struct fake_place *place);

#define fake_take(take, lock, spins)                                                               \
	({                                                                                         \
		static const struct fake_place place_                                              \
			__attribute__((section("fake_places"))) = {__FILE__, __LINE__};            \
		__typeof__(lock) lock_ = (lock);                                                   \
		fake_lock_wanted(lock_, &place_, spins);                                           \
		(take)(lock_);                                                                     \
		fake_lock_taken();                                                                 \
	})
#define fake_try(try, lock)                                                                        \
	({                                                                                         \
		static const struct fake_place place_                                              \
			__attribute__((section("fake_places"))) = {__FILE__, __LINE__};            \
		__typeof__(lock) lock_ = (lock);                                                   \
		bool taken_ = (try)(lock_);                                                        \
		if (taken_)                                                                        \
			fake_lock_tried(lock_, &place_);                                           \
		taken_;                                                                            \
	})
#define fake_leave(leave, lock)                                                                    \
	({                                                                                         \
		__typeof__(lock) lock_ = (lock);                                                   \
		fake_lock_left(lock_);                                                             \
		(leave)(lock_);                                                                    \
	})

#undef MAY_WAIT
#undef ASSERT_MAY_WAIT
#define MAY_WAIT()                                                                                 \
	do {                                                                                       \
		static const struct fake_place place_ = {__FILE__, __LINE__};                      \
		fake_may_wait(&place_);                                                            \
	} while (0)
#define ASSERT_MAY_WAIT() MAY_WAIT()

#ifndef FAKE_LOCKS_THEMSELVES /* kernel/core/rwlock.c, which defines some of these */
#define spin_lock(lock) fake_take(spin_lock, lock, true)
#define spin_unlock(lock) fake_leave(spin_unlock, lock)
#define read_lock(lock) fake_take(read_lock, lock, false)
#define read_trylock(lock) fake_try(read_trylock, lock)
#define read_unlock(lock) fake_leave(read_unlock, lock)
#define write_lock(lock) fake_take(write_lock, lock, false)
#define write_unlock(lock) fake_leave(write_unlock, lock)
#endif
