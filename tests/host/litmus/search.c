/*
 * Every execution of a litmus test: all that could go otherwise at each step is
 * tried, breadth first, giving up what reaches a state that was there before.
 * What is too large for that is searched by chance as well.
 */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH = 30, /* deviations of a plan that is tried systematically */
	STATES = 1 << 20, /* remembered; a power of two */
	PLANS = 1 << 18, /* waiting to be tried */
};

struct plan {
	u8 count;
	struct fake_deviation deviation[DEPTH];
};

/* Heap: outlives the executions. */
static struct finder {
	const struct litmus_search *search;
	struct litmus_found *found;
	u64 states[STATES]; /* hash set; 0 = free */
	u64 state_count;
	struct plan plan[PLANS]; /* ring */
	u64 head, tail;
	bool left_out; /* something was not tried */
} * finder;

static bool state_seen(u64 key)
{
	u64 i = key % STATES;

	key |= !key;
	while (finder->states[i] && finder->states[i] != key)
		i = (i + 1) % STATES;
	if (finder->states[i])
		return true;
	if (finder->state_count < STATES / 2) {
		finder->state_count++;
		finder->states[i] = key;
	}
	return false;
}

/* ---- one execution --------------------------------------------------------------------- */

static void body(unsigned cpu)
{
	finder->search->test->thread[cpu](finder->search->run);
}

/* False: the model failed. */
static bool run(void)
{
	static void (*const program[FAKE_CPUS])(unsigned) = {body, body, body, body};
	const struct litmus_search *s = finder->search;

	fake_restore();
	fake_abandoned = false;
	if (!fake_run(program))
		return false;
	if (!fake_abandoned && s->test->finish)
		s->test->finish(s->run);
	return true;
}

static void count_outcome(void)
{
	const struct litmus_test *test = finder->search->test;
	struct litmus_found *f = finder->found;
	struct litmus_result *res = &f->result;
	u32 key = litmus_key(test, finder->search->run->out);
	unsigned n = 0;

	if (litmus_key_is_asked(test, key) && !res->asked++)
		fake_plan_print(fake_plan, f->schedule, sizeof(f->schedule));
	while (n < res->states && res->state[n].key != key)
		n++;
	if (n == res->states && n < LITMUS_STATES)
		res->state[res->states++].key = key;
	res->state[MIN(n, LITMUS_STATES - 1U)].count++;
	res->runs++;
}

/* False: no use in going on. */
static bool run_and_count(void)
{
	if (!run()) {
		snprintf(finder->found->failure, sizeof(finder->found->failure), "%s",
			 fake_failure);
		fake_plan_print(fake_plan, finder->found->schedule,
				sizeof(finder->found->schedule));
		return false;
	}
	if (!fake_abandoned)
		count_outcome();
	return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void put(const struct plan *base, u32 step, enum fake_action action, unsigned arg)
{
	struct plan *p = &finder->plan[finder->tail % PLANS];

	if (base->count == DEPTH || finder->tail - finder->head == PLANS - 1) {
		finder->left_out = true;
		return;
	}
	*p = *base;
	p->deviation[p->count++] = (struct fake_deviation){step, (u16)action, (u16)arg};
	finder->tail++;
}

/* Whatever could have been done otherwise behind the plan's last deviation. */
static void put_children(const struct plan *base)
{
	const struct fake_plan *p = fake_plan;
	u32 from = base->count ? base->deviation[base->count - 1].step + 1 : 1;

	for (u32 s = from; s <= p->steps && s < FAKE_RECORDED; s++) {
		if (p->flags[s] & FAKE_IS_CHOICE) {
			for (unsigned i = 1; i < p->options[s]; i++)
				put(base, s, FAKE_CHOOSE, i);
			continue;
		}
		for (unsigned c = 0; c < fake_config.cpus; c++) {
			if (p->others[s] >> c & 1)
				put(base, s, FAKE_SWITCH, c);
			for (unsigned n = 0; n < (p->options[s] >> (2 * c) & 3U); n++)
				put(base, s, FAKE_DRAIN, c * 32 + n);
		}
		if (p->flags[s] & FAKE_CAN_DELAY)
			put(base, s, FAKE_LATE, 0);
		if (p->flags[s] & FAKE_CAN_RUSH)
			put(base, s, FAKE_RUSH, 0);
	}
}

/* Stores stay in the buffer until a deviation takes them out: that is everything that may happen. */
static bool search_all(void)
{
	struct fake_plan *p = fake_plan;
	u64 tried = 0;

	finder->tail = 1; /* the plan without deviations, all zeroes */
	p->lazy = p->record = true;
	p->random = false;
	p->seen = state_seen;
	while (finder->head < finder->tail) {
		const struct plan plan = finder->plan[finder->head++ % PLANS];

		if (tried++ == finder->search->executions) {
			finder->left_out = true;
			return true;
		}
		p->count = plan.count;
		memcpy(p->deviation, plan.deviation, sizeof(plan.deviation));
		if (!run_and_count())
			return false;
		put_children(&plan);
	}
	return true;
}

static bool search_by_chance(void)
{
	static const unsigned gaps[] = {1, 2, 3, 6, 20};
	struct fake_plan *p = fake_plan;
	u64 seed = finder->search->seed * 1000003 + 1;

	p->random = true;
	p->record = false;
	for (u64 i = 0; i < finder->search->executions; i++, seed++) {
		p->lazy = seed & 1;
		p->gap = gaps[seed / 2 % ARRAY_SIZE(gaps)];
		p->seed = seed;
		p->count = 0;
		if (!run_and_count())
			return false;
	}
	return true;
}

static void begin(const struct litmus_search *search, struct litmus_found *found)
{
	finder = calloc(1, sizeof(*finder));
	finder->search = search;
	finder->found = found;
	fake_litmus_begin();
	fake_ignore_invariants = true; /* breaking the rules is the subject */
	fake_snapshot();
}

void litmus_search(const struct litmus_search *search, struct litmus_found *found)
{
	begin(search, found);
	if (search_all() && finder->left_out)
		search_by_chance();
	found->all = !finder->left_out;
}

bool litmus_replay(const struct litmus_search *search, const char *schedule, u32 *key)
{
	static struct litmus_found found;

	begin(search, &found);
	if (!fake_plan_parse(fake_plan, schedule))
		return false;
	if (!run())
		return false;
	*key = litmus_key(search->test, search->run->out);
	return true;
}
