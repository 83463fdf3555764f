/*
 * Generations: numbers that only grow, and come round.
 *
 * Flushes of a context are numbered, and payments of a deferral. What is noted of them (in a CPU's slot, in a
 * context, on a frame) is compared later: cookbook rules for such clocks are old, those of Linux's jiffies and of
 * Xen's flush clock among them. So they begin next to their end, and every boot passes it within a few flushes.
 *
 * Of a number, only the low GENERATION_BITS bits count: what is stored is not cut off, but nobody looks at what lies
 * above. Two of them compare rightly if they are less than half the range apart. Every value is a generation, 0 as
 * well: who has none says so elsewhere.
 */
#pragma once

#include <kernel/types.h>

/* make GENERATION_BITS=10: so narrow that half the range is really passed. With 64 it never is. */
#ifndef GENERATION_BITS
#define GENERATION_BITS 64
#endif
_Static_assert(GENERATION_BITS >= 8 && GENERATION_BITS <= 64, "GENERATION_BITS: from 8 to 64");

/* The last one before the end. The first flush has number 0. */
#define GENERATION_START (~0UL)

/* Was a before b? */
static inline bool generation_before(u64 a, u64 b)
{
	return (s64)((a - b) << (64 - GENERATION_BITS)) < 0;
}

static inline bool generation_is(u64 a, u64 b)
{
	return !((a - b) << (64 - GENERATION_BITS));
}
