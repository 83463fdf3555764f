/*
 * The explorer. First every plan with few deviations from the default
 * execution, breadth first, giving up an execution that reaches a state from
 * which as much was explored already; then plans by chance. A failure is
 * shortened by leaving out deviations while it still fails.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	QUEUED = 1 << 22, /* plans, 28 bytes each */
	ALIVE_EACH = 256, /* executions between two signs of life: some milliseconds */
	REPEAT_EACH = 128, /* one execution in so many is repeated: about one percent of the time */
	REVERSALS =
		256, /* pairs that wait to be seen in the other order; others are noted again later */
	TRIES = 4, /* executions that try to reverse one pair, and one more ... */
	MORE_TRIES = 256, /* ... per so many executions */
	REVERSAL_GAP = 50, /* mean steps between deviations by chance after a reversal */
};

struct short_plan {
	struct fake_deviation deviation[EXPLORE_BOUND];
	u8 count;
	bool lazy;
};

struct reversal {
	struct fake_race race;
	bool lazy;
	unsigned count;
	struct fake_deviation deviation[FAKE_DEVIATIONS];
};

/* Heap: outlives the executions. */
struct explorer {
	const struct explore_order *order;
	struct explore_result *result;
	u64 runs; /* executions, those given up included */
	u64 round_before; /* contexts_round() where every execution begins: of those that have owed */
	struct short_plan *queue;
	u64 queue_len, queue_room;
	bool left_out; /* plans that the queue had no room for */
	struct reversal reversal[REVERSALS]; /* a ring */
	u64 reversals, reversed; /* noted; done with */
	char failure[512], schedule[2048];
};
static struct explorer *ex;

/* ---- generations ------------------------------------------------------------------------ */

/* Of the contexts with the lowest ids, those that have passed the end of the range: a bit each. */
static u64 contexts_round(void)
{
	u64 round = 0;

	for (u16 id = 0; id < 64; id++) {
		const struct tlb_context *ctx = tlb_context_by_id(id);

		if (ctx && load_relaxed(&ctx->gen) != GENERATION_START)
			round |= 1UL << id;
	}
	return round;
}

/* ---- one execution -------------------------------------------------------------------- */

static bool run(void)
{
	const struct scenario *s = ex->order->scenario;
	bool ok;

	if (ex->runs++ % ALIVE_EACH == 0 && ex->order->alive)
		ex->order->alive();
	fake_restore();
	fake_abandoned = false;
	ok = fake_run(s->program);
	if (ok && !fake_abandoned) {
		for (unsigned i = 0; i < fake_config.cpus; i++)
			fake_cpus[i].masked = false;
		fake_become(&fake_cpus[0]);
		if (s->end)
			s->end();
		invariants_at_end();
		ok = !fake_failure[0];
		ex->result->wraps += (u64)__builtin_popcountl(contexts_round() & ~ex->round_before);
	}
	ex->result->steps += fake_steps;
	return ok;
}

/* Run the plan that was noted again. False: the same steps did not lead to the same state. */
static bool repeats(void)
{
	u64 order = fake_order, state = fake_state_hash(true);
	unsigned steps = fake_steps;

	ex->result->digest = fake_mix(ex->result->digest, fake_state_hash(false));
	ex->result->repeated++;
	fake_plan->random = fake_plan->record = false;
	if (run() && !fake_abandoned && fake_order == order && fake_steps == steps &&
	    fake_state_hash(true) == state)
		return true;
	if (!fake_failure[0])
		fake_fail("an execution does not repeat: %u steps and order %lx, then %u and %lx",
			  steps, order, fake_steps, fake_order);
	return false;
}

/* False: a failure. */
static bool count_execution(void)
{
	struct explore_result *r = ex->result;

	if (fake_abandoned) {
		r->duplicates++;
		return true;
	}
	r->distinct += !seen_ordering(fake_order);
	r->digest = fake_mix(r->digest, fake_order);
	return r->executions++ % REPEAT_EACH || repeats();
}

static void report_failure(void);
static void note_reversals(void);

/* One execution of the plan at hand, looked at from all sides. False: a failure. */
static bool run_and_count(void)
{
	if (run()) {
		note_reversals();
		if (count_execution())
			return true;
	}
	report_failure();
	return false;
}

/* ---- failures ------------------------------------------------------------------------------ */

/* Does the plan as it stands fail? What chance would add is off. */
static bool fails(void)
{
	fake_plan->random = fake_plan->record = false;
	return !run();
}

static bool fails_without(unsigned first, unsigned n, struct fake_plan *keep)
{
	struct fake_plan *p = fake_plan;

	*keep = *p;
	memmove(&p->deviation[first], &p->deviation[first + n],
		(p->count - first - n) * sizeof(p->deviation[0]));
	p->count -= n;
	if (fails())
		return true;
	*p = *keep;
	return false;
}

/* Leave out halves, quarters, ... single deviations, as long as something can go. */
static void shorten(void)
{
	struct fake_plan *keep = malloc(sizeof(*keep));

	for (unsigned n = MAX(fake_plan->count / 2, 1U);; n = MAX(n / 2, 1U)) {
		bool gone = false;

		for (unsigned i = 0; i + n <= fake_plan->count;)
			if (fails_without(i, n, keep))
				gone = true;
			else
				i += n;
		if (n == 1 && !gone)
			break;
	}
	free(keep);
}

static void note_failure(const char *text)
{
	ex->result->failed = true;
	snprintf(ex->failure, sizeof(ex->failure), "%s", text);
	fake_plan_print(fake_plan, ex->schedule, sizeof(ex->schedule));
}

static void report_failure(void)
{
	note_failure(fake_failure);
	if (!fails()) {
		/* Something that an execution changes is not put back: a mistake of the explorer. */
		strncat(ex->failure, " (not repeatable)",
			sizeof(ex->failure) - strlen(ex->failure) - 1);
		return;
	}
	shorten();
	fails();
	note_failure(fake_failure);
}

static bool enough(void)
{
	return ex->result->distinct >= ex->order->orderings ||
	       ex->result->executions >= ex->order->executions;
}

/* ---- races the other way round ------------------------------------------------------------ */

/*
 * Make plans for pairs that were seen in one order only: this plan up to the first
 * of the two accesses, where its CPU then waits for the others.
 */
static void note_reversals(void)
{
	const struct fake_plan *p = fake_plan;
	unsigned count;
	const struct fake_race *races = fake_pairs_noted(&count);

	for (unsigned i = 0; i < count; i++) {
		const struct fake_race *race = &races[i];
		struct reversal *r = &ex->reversal[ex->reversals % REVERSALS];

		if (ex->reversals - ex->reversed == REVERSALS ||
		    !fake_pairs_try(race, TRIES + (unsigned)(ex->result->executions / MORE_TRIES)))
			continue;
		r->race = *race;
		r->lazy = p->lazy;
		r->count = 0;
		while (r->count < p->count && p->deviation[r->count].step < race->step)
			r->count++;
		if (r->count == FAKE_DEVIATIONS)
			continue;
		memcpy(r->deviation, p->deviation, r->count * sizeof(r->deviation[0]));
		r->deviation[r->count++] = (struct fake_deviation){
			race->step, race->by_itself ? FAKE_PARK : FAKE_SWITCH, race->second};
		ex->reversals++;
	}
}

/* What was noted, and what that brings to light. False: a failure. */
static bool reverse_races(void)
{
	struct fake_plan *p = fake_plan;

	while (ex->reversed < ex->reversals && !enough()) {
		const struct reversal *r = &ex->reversal[ex->reversed++ % REVERSALS];

		if (fake_pairs_reversed(&r->race))
			continue;
		p->lazy = r->lazy;
		p->count = r->count;
		memcpy(p->deviation, r->deviation, r->count * sizeof(r->deviation[0]));
		/* Every other one goes on by chance: the default may not lead there. */
		p->random = ex->reversed & 1;
		p->gap = REVERSAL_GAP;
		p->seed = ex->order->seed * 1000003 + ex->reversed;
		p->record = false;
		if (!run_and_count())
			return false;
	}
	return true;
}

/* ---- systematic ------------------------------------------------------------------------------- */

static void enqueue(const struct short_plan *base, u32 step, enum fake_action action, unsigned arg)
{
	struct short_plan p = *base;

	if (ex->queue_len == QUEUED) {
		ex->left_out = true;
		return;
	}
	if (ex->queue_len == ex->queue_room) {
		ex->queue_room = MAX(2 * ex->queue_room, 4096UL);
		ex->queue = realloc(ex->queue, ex->queue_room * sizeof(*ex->queue));
	}
	p.deviation[p.count++] = (struct fake_deviation){step, (u16)action, (u16)arg};
	ex->queue[ex->queue_len++] = p;
}

/* Everything that could have been done otherwise after the plan's last deviation. */
static void enqueue_children(const struct short_plan *base)
{
	const struct fake_plan *p = fake_plan;
	u32 from = base->count ? base->deviation[base->count - 1].step + 1 : 1;

	for (u32 s = from; s <= p->steps && s < FAKE_RECORDED; s++) {
		if (p->flags[s] & FAKE_IS_CHOICE) {
			for (unsigned i = 1; i < p->options[s]; i++)
				enqueue(base, s, FAKE_CHOOSE, i);
			continue;
		}
		for (unsigned c = 0; c < fake_config.cpus; c++) {
			if (p->others[s] >> c & 1)
				enqueue(base, s, FAKE_SWITCH, c);
			for (unsigned n = 0; n < (p->options[s] >> (2 * c) & 3U); n++)
				enqueue(base, s, FAKE_DRAIN, c * 32 + n);
		}
		if (p->flags[s] & FAKE_CAN_DELAY)
			enqueue(base, s, FAKE_LATE, 0);
		if (p->flags[s] & FAKE_CAN_RUSH)
			enqueue(base, s, FAKE_RUSH, 0);
	}
}

/* False: a failure. */
static bool run_short(const struct short_plan *s, unsigned bound)
{
	struct fake_plan *p = fake_plan;

	p->lazy = s->lazy;
	p->count = s->count;
	memcpy(p->deviation, s->deviation, sizeof(s->deviation));
	p->random = false;
	p->record = true;
	p->seen = seen_state;
	seen_begin(bound - s->count);
	if (!run_and_count())
		return false;
	if (!s->count && fake_abandoned) {
		/*
		 * It was the first plan of its kind. So two states were taken for one, which is a
		 * mistake of the explorer.
		 */
		note_failure("the plan without deviations was given up for another");
		return false;
	}
	if (s->count < bound)
		enqueue_children(s);
	return reverse_races();
}

/* Half of the orderings are left for chance, which goes where no bound does. */
static bool searched_enough(void)
{
	const struct explore_result *r = ex->result;

	return r->distinct >= ex->order->orderings / 2 ||
	       r->executions + r->duplicates >= ex->order->executions;
}

static bool search(void)
{
	struct explore_result *r = ex->result;
	unsigned bound = ex->order->bound;
	u64 next = 0, level_end;

	for (unsigned lazy = 0; lazy < 2; lazy++) {
		if (ex->queue_len == ex->queue_room) {
			ex->queue_room = 4096;
			ex->queue = realloc(ex->queue, ex->queue_room * sizeof(*ex->queue));
		}
		ex->queue[ex->queue_len++] = (struct short_plan){.lazy = lazy};
	}
	for (unsigned level = 0; level <= bound; level++) {
		for (level_end = ex->queue_len; next < level_end; next++) {
			if (searched_enough())
				return true;
			const struct short_plan plan = ex->queue[next];

			if (!run_short(&plan, bound))
				return false;
		}
		r->bound = level;
	}
	r->exhausted = !ex->left_out;
	return true;
}

/* ---- by chance ---------------------------------------------------------------------------------- */

static bool wander(void)
{
	static const unsigned gaps[] = {0, 20, 0, 300};
	struct fake_plan *p = fake_plan;

	for (u64 seed = ex->order->seed * 1000003 + 1; !enough(); seed++) {
		p->lazy = seed & 1;
		p->gap = gaps[seed / 2 % ARRAY_SIZE(gaps)];
		p->seed = seed;
		p->count = 0;
		p->random = true;
		p->record = false;
		if (!run_and_count() || !reverse_races())
			return false;
	}
	return true;
}

static void count_pair(const struct fake_pair *pair, void *arg)
{
	struct explore_result *r = arg;

	r->pairs++;
	r->both += pair->both;
	if (!pair->both && ex->order->tell_pair)
		ex->order->tell_pair(pair);
}

void explore(const struct explore_order *order, struct explore_result *result)
{
	ex = calloc(1, sizeof(*ex));
	ex->order = order;
	ex->result = result;
	seen_init(order->orderings);
	memset(result, 0, sizeof(*result));
	ex->round_before = contexts_round();
	fake_snapshot();
	if (search())
		wander();
	fake_pairs_each(count_pair, result);
}

const char *explore_failure(void)
{
	return ex->failure;
}

const char *explore_failing_schedule(void)
{
	return ex->schedule;
}

void explore_schedule(char *buf, size_t size)
{
	fake_plan_print(fake_plan, buf, size);
}

bool explore_replay(const struct scenario *scenario, const char *schedule, bool trace)
{
	static struct explore_order order;
	static struct explore_result result;

	order.scenario = scenario;
	ex = calloc(1, sizeof(*ex));
	ex->order = &order;
	ex->result = &result;
	if (!fake_plan_parse(fake_plan, schedule)) {
		printf("%s: not a schedule\n", schedule);
		return false;
	}
	fake_trace = trace;
	fake_snapshot();
	return run();
}
