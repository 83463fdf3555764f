/* Random numbers of tests: the same seed gives the same sequence. */
#pragma once

#include <kernel/rng.h>

struct rng { /* xoshiro256** (Blackman, Vigna 2018) */
	u64 s[4];
};

static inline void rng_seed(struct rng *rng, u64 seed)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rng->s); i++)
		rng->s[i] = rng_splitmix64(&seed);
}

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
