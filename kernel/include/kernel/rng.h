/*
 * Seeded random numbers: the same seed gives the same sequence on every
 * machine. The state belongs to one user; nothing is shared.
 */
#pragma once

#include <kernel/types.h>

/* splitmix64 (Steele, Lea, Flood 2014): turns any seed, 0 included, into well-mixed words. */
static inline u64 rng_splitmix64(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return z ^ z >> 31;
}

/* The generator of pmbench: 31 random bits per step, so that its patterns can be reproduced. */
static inline u32 rng_pmbench(u64 *state)
{
	*state = *state * 6364136223846793005UL + 1442695040888963407UL;
	return (u32)(*state >> 33);
}
