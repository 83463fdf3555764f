/*
 * Generations: numbers that only grow, and come round.
 *
 * Flushes of a context are numbered, and payments of a deferral. What is noted of them (in a CPU's slot, in a
 * context, on a frame) is compared later, by the rules for clocks that wrap, as Linux's jiffies and Xen's flush clock
 * do. They begin next to their end, so every boot passes it within a few flushes.
 *
 * Of a number, only the low GENERATION_BITS bits count: what is stored is not cut off, but nobody looks at what lies
 * above. Two of them compare rightly if they are less than half the range apart; mm/generation.c says why those are
 * that are compared. Every value is a generation, 0 as well: who has none says so elsewhere.
 */
#pragma once

#include <kernel/atomic.h>

/* make GENERATION_BITS=10: so narrow that they really come round. With 64 they never do, but where they begin. */
#ifndef GENERATION_BITS
#define GENERATION_BITS 64
#endif
/* A quarter of the range is more than the threads that step at the same time. */
_Static_assert(GENERATION_BITS >= 10 && GENERATION_BITS <= 64, "GENERATION_BITS: from 10 to 64");
enum { GENERATIONS_NARROW = GENERATION_BITS < 64, GENERATION_UNUSED_BITS = 64 - GENERATION_BITS };

/* The last one before the end. The first flush has number 0. */
#define GENERATION_START (~0UL)

/* Was a before b? */
static inline bool generation_before(u64 a, u64 b)
{
	return (s64)((a - b) << GENERATION_UNUSED_BITS) < 0;
}

static inline bool generation_is(u64 a, u64 b)
{
	return !((a - b) << GENERATION_UNUSED_BITS);
}

/* Are there a quarter of the range or more between b and a, which is later? */
static inline bool generation_is_far(u64 a, u64 b)
{
	return (a - b) << GENERATION_UNUSED_BITS >> 62;
}

/*
 * Raise the newest to this one, if it is older. Others may raise it, too. Nothing depends on the order: acquire is the
 * weakest exchange there is.
 */
static inline void generation_raise(u64 *newest, u64 to)
{
	u64 was = load_relaxed(newest);

	while (generation_before(was, to) && !atomic_cmpxchg_acquire(newest, &was, to))
		; /* somebody else raised it: `was` is theirs now */
}
