/*
 * What the explorer has seen, as hash sets of 64-bit keys: orderings of complete
 * executions, and states, each with the deviations that were left when it was reached.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* Declared by hand: the header's constants have the names of mm's. */
int madvise(void *addr, size_t len, int advice);
enum { HOST_HUGE_PAGES = 14 };

enum {
	STATES = 1 << 21, /* remembered, 16 bytes each; more orderings are then tried twice */
	STATES_EACH = 64, /* of an ordering, in a short run */
	BUDGET = 7, /* bits of a state: 1 and the deviations that were left */
};

struct set {
	u64 *key; /* 0 = free */
	u64 size, used; /* a power of two; entries */
};

/* Heap: outlives the executions. */
static struct seen {
	struct set orderings, states;
	u64 budget; /* of this execution's states */
	u64 asked; /* the state before; 0 = none yet */
} * seen;

/* Looked up at random: large pages of the host keep its own TLB out of that. */
static struct set new_set(u64 entries)
{
	struct set set = {.size = 1024};
	u64 bytes;

	while (set.size < 2 * entries)
		set.size *= 2;
	bytes = set.size * sizeof(u64);
	if (bytes < HUGE_SIZE) {
		set.key = calloc(1, bytes);
		return set;
	}
	set.key = aligned_alloc(HUGE_SIZE, bytes);
	madvise(set.key, bytes, HOST_HUGE_PAGES);
	memset(set.key, 0, bytes);
	return set;
}

void seen_init(u64 orderings)
{
	seen = calloc(1, sizeof(*seen));
	seen->orderings = new_set(orderings);
	seen->states = new_set(MIN(orderings * STATES_EACH, (u64)STATES));
}

/* Where the key is, or would be. `ignored`: bits of an entry that are no part of it. */
static u64 *find(const struct set *set, u64 key, u64 ignored)
{
	u64 i = key & (set->size - 1);

	while (set->key[i] && ((set->key[i] ^ key) & ~ignored))
		i = (i + 1) & (set->size - 1);
	return &set->key[i];
}

bool seen_ordering(u64 key)
{
	u64 *at = find(&seen->orderings, key | !key, 0);

	if (*at)
		return true;
	*at = key | !key;
	return false;
}

void seen_begin(unsigned left)
{
	seen->budget = 1 + left;
	seen->asked = 0;
}

/* The low bits, which decide where it is, give way to the budget, so that one access finds both. */
static bool state_known(u64 key)
{
	struct set *set = &seen->states;
	u64 *at = find(set, key, BUDGET);

	/* The same execution passes each state once, so this is another one. */
	if ((*at & BUDGET) >= seen->budget)
		return true;
	if (!*at && set->used * 2 > set->size)
		return false; /* full: no more pruning */
	set->used += !*at;
	*at = (key & ~(u64)BUDGET) | seen->budget;
	return false;
}

bool seen_state(u64 key)
{
	bool known = seen->asked && state_known(seen->asked);

	seen->asked = key;
	__builtin_prefetch(&seen->states.key[key & (seen->states.size - 1)], 1);
	return known;
}
