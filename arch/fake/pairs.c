/*
 * Coverage: conflicting accesses (two CPUs, one place, at least one writes)
 * that nothing else ordered, and which of the two came first, over all
 * executions. Vector clocks tell what was ordered: each access to a place
 * joins what the conflicting accesses before it had seen.
 */
#include <fake/machine.h>
#include <stdlib.h>
#include <string.h>

struct clock {
	u32 of[FAKE_CPUS];
};

/* What accesses of an execution left at a place. */
struct place {
	u64 run; /* cleared when another execution comes */
	struct clock writes, accesses; /* joined clocks of the writers; of everybody */
	struct clock last_write, last; /* each CPU's own time at its last write; access */
};

/* Heap: outlives executions. */
static struct pairs {
	u64 run;
	u8 before[FAKE_PLACES]
		 [FAKE_CPUS]; /* bit c: an access raced with one of c, and came first */
	struct place place[FAKE_PLACES];
	struct clock now[FAKE_CPUS];
} * pairs;

void fake_pairs_init(void)
{
	pairs = calloc(1, sizeof(*pairs));
}

void fake_pairs_begin(void)
{
	pairs->run++;
	memset(pairs->now, 0, sizeof(pairs->now));
}

static inline void join(struct clock *to, const struct clock *from)
{
	for (unsigned i = 0; i < FAKE_CPUS; i++)
		to->of[i] = MAX(to->of[i], from->of[i]);
}

void fake_pairs_note(unsigned n, unsigned me, bool write, bool counted)
{
	struct place *p = &pairs->place[n];
	struct clock *now = &pairs->now[me];
	const struct clock *before = write ? &p->last : &p->last_write;

	if (p->run != pairs->run) {
		memset(p, 0, sizeof(*p));
		p->run = pairs->run;
	}
	for (unsigned c = 0; counted && c < FAKE_CPUS; c++)
		if (c != me && before->of[c] > now->of[c])
			pairs->before[n][c] |= (u8)(1U << me);
	join(now, write ? &p->accesses : &p->writes);
	now->of[me]++;
	join(&p->accesses, now);
	p->last.of[me] = now->of[me];
	if (write) {
		join(&p->writes, now);
		p->last_write.of[me] = now->of[me];
	}
}

int fake_pairs_wanted(unsigned n, unsigned me)
{
	unsigned after = pairs->before[n][me];

	for (unsigned c = 0; after && c < FAKE_CPUS; c++)
		if (after >> c & 1 && !(pairs->before[n][c] >> me & 1))
			return (int)c;
	return -1;
}

void fake_pairs_count(u64 *seen, u64 *both)
{
	*seen = *both = 0;
	for (unsigned n = 0; n < FAKE_PLACES; n++)
		for (unsigned a = 0; a < FAKE_CPUS; a++)
			for (unsigned b = a + 1; b < FAKE_CPUS; b++) {
				bool ab = pairs->before[n][a] >> b & 1;
				bool ba = pairs->before[n][b] >> a & 1;

				*seen += ab || ba;
				*both += ab && ba;
			}
}
