/* Seeding of the random generator; its steps are inline in the header. */
#include <kernel/rng.h>

void rng_seed(struct rng *rng, u64 seed)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rng->s); i++)
		rng->s[i] = rng_splitmix64(&seed);
}
