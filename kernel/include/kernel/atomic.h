/*
 * The one door to state that several CPUs touch without a lock.
 *
 * Neutral code uses these accessors and nothing else (no bare builtins), so
 * that arch/fake can put a modelled store buffer and a scheduler behind them.
 * Memory order is in the name; *_relaxed orders nothing.
 */
#pragma once

#include <kernel/types.h>
#include <arch/barrier.h>

/*
 * One access each, of a word that is aligned. Not the builtins: for those the compiler works out the
 * address in a register of its own on arm64, where plain loads and stores have room for an offset.
 */
#define load_relaxed(p) ((void)0, *(const volatile __typeof__(*(p)) *)(p))
/* Of memory that others may be writing, in whatever way: a value that it had lately, for a guess that is checked. */
#define load_guess(p) load_relaxed(p)
#define store_relaxed(p, v) ((void)(*(volatile __typeof__(*(p)) *)(p) = (v)))
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

/* Read-modify-write, each a full barrier on both sides (on arm64 the builtins alone are not). */
#define atomic_xchg(p, v)                                                                          \
	({                                                                                         \
		arch_before_atomic();                                                              \
		__typeof__(*(p)) old_ = __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);               \
		arch_after_atomic();                                                               \
		old_;                                                                              \
	})
#define atomic_fetch_add(p, v)                                                                     \
	({                                                                                         \
		arch_before_atomic();                                                              \
		__typeof__(*(p)) old_ = __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                \
		arch_after_atomic();                                                               \
		old_;                                                                              \
	})
#define atomic_fetch_or(p, v)                                                                      \
	({                                                                                         \
		arch_before_atomic();                                                              \
		__typeof__(*(p)) old_ = __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);                 \
		arch_after_atomic();                                                               \
		old_;                                                                              \
	})
#define atomic_fetch_and(p, v)                                                                     \
	({                                                                                         \
		arch_before_atomic();                                                              \
		__typeof__(*(p)) old_ = __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST);                \
		arch_after_atomic();                                                               \
		old_;                                                                              \
	})
/* True and *p = new if *p was *expected; else false and *expected = what was there. */
#define atomic_cmpxchg(p, expected, new)                                                           \
	({                                                                                         \
		arch_before_atomic();                                                              \
		bool ok_ = __atomic_compare_exchange_n(p, expected, new, false, __ATOMIC_SEQ_CST,  \
						       __ATOMIC_SEQ_CST);                          \
		arch_after_atomic();                                                               \
		ok_;                                                                               \
	})

/* Acquire / release forms for locks, where the full barrier would be paid for nothing. */
#define atomic_xchg_acquire(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQUIRE)
#define atomic_fetch_add_acquire(p, v) __atomic_fetch_add(p, v, __ATOMIC_ACQUIRE)
#define atomic_fetch_add_relaxed(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define atomic_fetch_add_release(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELEASE)
#define atomic_fetch_and_release(p, v) __atomic_fetch_and(p, v, __ATOMIC_RELEASE)
#define atomic_fetch_and_relaxed(p, v) __atomic_fetch_and(p, v, __ATOMIC_RELAXED)
#define atomic_fetch_or_acquire(p, v) __atomic_fetch_or(p, v, __ATOMIC_ACQUIRE)
#define atomic_fetch_or_relaxed(p, v) __atomic_fetch_or(p, v, __ATOMIC_RELAXED)
#define atomic_cmpxchg_acquire(p, expected, new)                                                   \
	__atomic_compare_exchange_n(p, expected, new, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
