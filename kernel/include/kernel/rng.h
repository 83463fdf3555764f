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

struct rng { /* xoshiro256** (Blackman, Vigna 2018) */
	u64 s[4];
};

void rng_seed(struct rng *rng, u64 seed);

static inline u64 rng_next(struct rng *rng)
{
	u64 *s = rng->s, t = s[1] << 17, r = s[1] * 5;

	r = (r << 7 | r >> 57) * 9;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return r;
}

/* 0 .. n-1, n > 0. Bias below n / 2^64. */
static inline u64 rng_below(struct rng *rng, u64 n)
{
	return (u64)((unsigned __int128)rng_next(rng) * n >> 64);
}
