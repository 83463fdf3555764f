/*
 * The accessors of kernel/include/kernel/atomic.h for the modelled machine.
 * Found first on the include path of host builds, so that mm/ runs unchanged:
 * every access goes through the modelled store buffer and is a switching point.
 */
#pragma once

#include <kernel/types.h>
#include <arch/barrier.h>

/*
 * FAKE_POINTER: a relaxed load of a pointer, through which later accesses are ordered. FAKE_GUESS: one that
 * may race with any store.
 */
enum fake_order { FAKE_RELAXED, FAKE_GUESS, FAKE_POINTER, FAKE_ACQUIRE, FAKE_RELEASE, FAKE_FULL };
enum fake_rmw { FAKE_XCHG, FAKE_ADD, FAKE_OR, FAKE_AND };

u64 fake_load(const void *p, unsigned size, enum fake_order order);
void fake_store(void *p, u64 value, unsigned size, enum fake_order order);
u64 fake_rmw(void *p, enum fake_rmw op, u64 value, unsigned size, enum fake_order order);
bool fake_cmpxchg(void *p, void *expected, u64 value, unsigned size, enum fake_order order);

/* The comma drops const, as the builtins do. */
#define fake_type(p) __typeof__(((void)0, *(p)))
#define fake_rmw_(p, op, v, order)                                                                 \
	({                                                                                         \
		fake_type(p) old_ = (fake_type(p))fake_rmw(p, op, (u64)(v), sizeof(*(p)), order);  \
		old_;                                                                              \
	})

#define fake_is_pointer(p) (__builtin_classify_type(*(p)) == 5)
#define load_relaxed(p)                                                                            \
	((fake_type(p))fake_load(p, sizeof(*(p)), fake_is_pointer(p) ? FAKE_POINTER : FAKE_RELAXED))
#define load_guess(p) ((fake_type(p))fake_load(p, sizeof(*(p)), FAKE_GUESS))
/* For mutants: what is loaded is only compared, so no later access depends on it, pointer or not. */
#define load_compared(p) ((fake_type(p))fake_load(p, sizeof(*(p)), FAKE_RELAXED))
#define store_relaxed(p, v) fake_store(p, (u64)(v), sizeof(*(p)), FAKE_RELAXED)
#define load_acquire(p) ((fake_type(p))fake_load(p, sizeof(*(p)), FAKE_ACQUIRE))
#define store_release(p, v) fake_store(p, (u64)(v), sizeof(*(p)), FAKE_RELEASE)

#define atomic_xchg(p, v) fake_rmw_(p, FAKE_XCHG, v, FAKE_FULL)
#define atomic_fetch_add(p, v) fake_rmw_(p, FAKE_ADD, v, FAKE_FULL)
#define atomic_fetch_or(p, v) fake_rmw_(p, FAKE_OR, v, FAKE_FULL)
#define atomic_fetch_and(p, v) fake_rmw_(p, FAKE_AND, v, FAKE_FULL)
#define atomic_cmpxchg(p, expected, new)                                                           \
	fake_cmpxchg(p, expected, (u64)(new), sizeof(*(p)), FAKE_FULL)

#define atomic_xchg_acquire(p, v) fake_rmw_(p, FAKE_XCHG, v, FAKE_ACQUIRE)
#define atomic_fetch_add_acquire(p, v) fake_rmw_(p, FAKE_ADD, v, FAKE_ACQUIRE)
#define atomic_fetch_add_relaxed(p, v) fake_rmw_(p, FAKE_ADD, v, FAKE_RELAXED)
#define atomic_fetch_add_release(p, v) fake_rmw_(p, FAKE_ADD, v, FAKE_RELEASE)
#define atomic_fetch_and_release(p, v) fake_rmw_(p, FAKE_AND, v, FAKE_RELEASE)
#define atomic_fetch_and_relaxed(p, v) fake_rmw_(p, FAKE_AND, v, FAKE_RELAXED)
#define atomic_fetch_or_acquire(p, v) fake_rmw_(p, FAKE_OR, v, FAKE_ACQUIRE)
#define atomic_fetch_or_relaxed(p, v) fake_rmw_(p, FAKE_OR, v, FAKE_RELAXED)
#define atomic_cmpxchg_acquire(p, expected, new)                                                   \
	fake_cmpxchg(p, expected, (u64)(new), sizeof(*(p)), FAKE_ACQUIRE)
