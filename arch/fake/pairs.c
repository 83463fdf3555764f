/*
 * Coverage: of which conflicting accesses have both orders been seen? Two accesses
 * conflict if they are of two CPUs to one place and at least one is a write. Only
 * those count that nothing else orders. Vector clocks tell: each access to a place
 * joins the clocks of the conflicting accesses before it.
 *
 * A pair that was seen in one order only is noted with the step of its first access.
 * An execution that holds this CPU back at that step may show the other order.
 */
#include <fake/machine.h>
#include <stdlib.h>
#include <string.h>

/* Signed: what vector instructions compare. */
typedef s32 clock_lanes __attribute__((vector_size(4 * FAKE_CPUS)));

struct clock {
	union {
		u32 of[FAKE_CPUS];
		clock_lanes lanes;
	};
};

/* A CPU's last access to a place. */
struct last {
	u32 step : 31;
	u32 by_itself : 1; /* the CPU was running then; 0: a store of its that left the buffer later */
};

/* What accesses of an execution left at a place. */
struct place {
	_Alignas(64) struct clock writes, accesses; /* joined clocks of the writers; of everybody */
	struct clock last_write, last; /* each CPU's own time at its last write; access */
	u64 run; /* the clocks are cleared when another execution comes */
	struct last write_at[FAKE_CPUS], access_at[FAKE_CPUS];
};

enum { KNOWN = 4 * FAKE_PLACES, NOTED = 64 };

/* Heap: outlives executions. */
static struct pairs {
	u64 run;
	u8 before[FAKE_PLACES]
		 [FAKE_CPUS]; /* bit c: an access raced with one of c, and came first */
	u16 tried[FAKE_PLACES][FAKE_CPUS][FAKE_CPUS]; /* executions made to reverse it */
	struct place place[FAKE_PLACES];
	struct clock now[FAKE_CPUS];
	struct fake_race noted[NOTED]; /* in this execution */
	unsigned noted_count;
	const void *address[FAKE_PLACES];
	unsigned places;
	const void *last; /* that was asked for, ... */
	unsigned last_place; /* ... several times in a row, mostly */
	struct {
		const void *address;
		unsigned place;
	} known[KNOWN]; /* by hash */
} * pairs;

void fake_pairs_init(void)
{
	pairs = aligned_alloc(64, ALIGN_UP(sizeof(*pairs), 64));
	memset(pairs, 0, sizeof(*pairs));
}

unsigned fake_place_of(const void *at)
{
	const void *addr =
		(const void *)ALIGN_DOWN((u64)at, 4UL); /* halves of a word are one place */
	u64 i = (u64)addr * 0x9e3779b97f4a7c15UL >> 32;

	if (pairs->last == addr)
		return pairs->last_place;
	for (;; i++) {
		i %= KNOWN;
		if (likely(pairs->known[i].address == addr)) {
			pairs->last = addr;
			return pairs->last_place = pairs->known[i].place;
		}
		if (!pairs->known[i].address)
			break;
	}
	if (pairs->places == FAKE_PLACES) /* more than there is room for: some share */
		return (unsigned)(i % FAKE_PLACES);
	pairs->known[i].address = pairs->address[pairs->places] = addr;
	return pairs->known[i].place = pairs->places++;
}

void fake_pairs_begin(void)
{
	pairs->run++;
	pairs->noted_count = 0;
	memset(pairs->now, 0, sizeof(pairs->now));
}

static inline void join(struct clock *to, const struct clock *from)
{
	clock_lanes more = from->lanes > to->lanes;

	to->lanes = (from->lanes & more) | (to->lanes & ~more);
}

/* Lanes in which a is later than b; 0 in all: none. */
static inline bool any_later(const struct clock *a, const struct clock *b)
{
	union {
		clock_lanes lanes;
		u64 half[sizeof(clock_lanes) / sizeof(u64)];
	} later = {.lanes = a->lanes > b->lanes};
	u64 any = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(later.half); i++)
		any |= later.half[i];
	return any;
}

/* A lane alone would be slow: what reads all of them next would wait for it. */
static inline void tick(struct clock *clock, unsigned cpu)
{
	static const struct clock one[FAKE_CPUS] = {
		{{{1, 0, 0, 0}}}, {{{0, 1, 0, 0}}}, {{{0, 0, 1, 0}}}, {{{0, 0, 0, 1}}}};

	clock->lanes += one[cpu].lanes;
}

/* c's access came first, and nothing made it so. */
static void raced(unsigned n, unsigned c, unsigned me, const struct last *at)
{
	pairs->before[n][c] |= (u8)(1U << me);
	if (pairs->before[n][me] >> c & 1 || pairs->noted_count == NOTED)
		return;
	for (unsigned i = 0; i < pairs->noted_count; i++)
		if (pairs->noted[i].place == n && pairs->noted[i].first == c &&
		    pairs->noted[i].second == me)
			return;
	pairs->noted[pairs->noted_count++] =
		(struct fake_race){(u16)n, (u8)c, (u8)me, at->step, at->by_itself};
}

void fake_pairs_note(unsigned n, unsigned me, bool write, bool counted)
{
	struct place *p = &pairs->place[n];
	struct clock *now = &pairs->now[me];
	const struct clock *before = write ? &p->last : &p->last_write;
	const struct last at = {fake_steps, fake_self->id == me};

	if (p->run != pairs->run) {
		p->writes = p->accesses = p->last_write = p->last = (struct clock){{{0}}};
		p->run = pairs->run;
	}
	if (counted && any_later(before, now))
		for (unsigned c = 0; c < fake_config.cpus; c++)
			if (before->of[c] > now->of[c])
				raced(n, c, me, write ? &p->access_at[c] : &p->write_at[c]);
	join(now, write ? &p->accesses : &p->writes);
	tick(now, me);
	join(&p->accesses, now);
	p->last.of[me] = now->of[me];
	p->access_at[me] = at;
	if (write) {
		join(&p->writes, now);
		p->last_write.of[me] = now->of[me];
		p->write_at[me] = at;
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

const struct fake_race *fake_pairs_noted(unsigned *count)
{
	*count = pairs->noted_count;
	return pairs->noted;
}

bool fake_pairs_reversed(const struct fake_race *race)
{
	return pairs->before[race->place][race->second] >> race->first & 1;
}

bool fake_pairs_try(const struct fake_race *race, unsigned at_most)
{
	u16 *tried = &pairs->tried[race->place][race->first][race->second];

	if (fake_pairs_reversed(race) || *tried >= at_most)
		return false;
	++*tried;
	return true;
}

void fake_pairs_each(void (*fn)(const struct fake_pair *pair, void *arg), void *arg)
{
	for (unsigned n = 0; n < FAKE_PLACES; n++)
		for (unsigned a = 0; a < FAKE_CPUS; a++)
			for (unsigned b = a + 1; b < FAKE_CPUS; b++) {
				bool ab = pairs->before[n][a] >> b & 1;
				bool ba = pairs->before[n][b] >> a & 1;

				if (ab || ba)
					fn(&(struct fake_pair){pairs->address[n], ab ? a : b,
							       ab ? b : a, ab && ba},
					   arg);
			}
}
