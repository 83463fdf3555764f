/*
 * Deviations: where an execution departs from the default one. Up to its end the
 * plan says what happens at a step. After that, in plans by chance, a random number
 * decides; what it decides is added to the plan, so that it can be replayed.
 */
#include <fake/sched.h>

_Static_assert(FAKE_STORES <= 32, "a deviation names a store of a CPU by 5 bits");
_Static_assert(FAKE_CPUS <= 4, "drainable stores are noted in 2 bits per CPU");

enum {
	ANY_GAP = 10, /* log2 of the longest stretch by chance: longer than most executions */
	RESTLESS = 4, /* mean steps between deviations, in executions of a few dozen steps */
};

static u64 next_chance(void)
{
	struct fake_plan *p = fake_plan;

	p->chance ^= p->chance << 13;
	p->chance ^= p->chance >> 7;
	p->chance ^= p->chance << 17;
	return p->chance * 0x2545f4914f6cdd1dUL;
}

/* The plan is used up, and this is a plan by chance with room for more. */
static bool chance_may_act(void)
{
	const struct fake_plan *p = fake_plan;

	return p->random && p->next >= p->count && p->count < FAKE_DEVIATIONS;
}

/* Steps until chance acts again, at most. */
static u64 far(const struct fake_plan *p)
{
	return p->gap ? 2 * p->gap : 1UL << next_chance() % ANY_GAP;
}

static void schedule_next(void)
{
	struct fake_plan *p = fake_plan;

	if (p->next < p->count)
		p->next_step = p->deviation[p->next].step;
	else if (p->random && p->count < FAKE_DEVIATIONS)
		p->next_step = fake_steps + 1 + (u32)(next_chance() % far(p));
	else
		p->next_step = ~0U;
}

static void note(enum fake_action action, unsigned arg)
{
	struct fake_plan *p = fake_plan;

	p->deviation[p->count++] = (struct fake_deviation){fake_steps, (u16)action, (u16)arg};
	p->next = p->count;
}

static void act(enum fake_action action, unsigned arg)
{
	struct fake_cpu *me = fake_self;

	fake_order = fake_mix(fake_order, (u64)fake_steps << 32 | (unsigned)action << 16 | arg);
	switch (action) {
	case FAKE_SWITCH:
		if (arg < fake_config.cpus && fake_runnable(&fake_cpus[arg]))
			fake_switch_to(&fake_cpus[arg]);
		break;
	case FAKE_DRAIN:
		if (arg / 32 < fake_config.cpus)
			fake_drain_nth(&fake_cpus[arg / 32], arg % 32);
		break;
	case FAKE_LATE:
		me->hold = true;
		break;
	case FAKE_RUSH:
		me->rush = RUSH_TURNS;
		me->rush_seq = fake_write_seq;
		break;
	case FAKE_PARK:
		fake_park(arg);
		break;
	case FAKE_CHOOSE:
		break;
	}
}

static void act_at_random(bool waiting)
{
	unsigned r = (unsigned)(next_chance() >> 40), others = fake_runnable_mask();

	others &= ~(1U << fake_self->id);
	if (waiting && r % 4 == 0) {
		note(FAKE_RUSH, 0);
		act(FAKE_RUSH, 0);
	} else if (r % 8 == 1) {
		note(FAKE_LATE, 0);
		act(FAKE_LATE, 0);
	} else if (fake_plan->lazy && r % 8 < 4) {
		unsigned cpu = (r >> 8) % fake_config.cpus, n = fake_drainable(&fake_cpus[cpu]);

		if (!n)
			return;
		unsigned arg = cpu * 32 + (r >> 12) % n;

		note(FAKE_DRAIN, arg);
		act(FAKE_DRAIN, arg);
	} else if (others) {
		unsigned skip = (r >> 8) % (unsigned)__builtin_popcount(others);

		while (skip--)
			others &= others - 1;
		note(FAKE_SWITCH, (unsigned)__builtin_ctz(others));
		act(FAKE_SWITCH, (unsigned)__builtin_ctz(others));
	}
}

/*
 * The plan's deviation for this step, NULL: there is none. A shortened plan may name steps that this
 * execution did not have; they are skipped.
 */
static const struct fake_deviation *planned(void)
{
	struct fake_plan *p = fake_plan;

	while (p->next < p->count && p->deviation[p->next].step < fake_steps)
		p->next++;
	if (p->next == p->count || p->deviation[p->next].step != fake_steps)
		return NULL;
	return &p->deviation[p->next++];
}

/*
 * A loop, as a step may have several deviations. One of them may switch to another
 * CPU, which is in a loop of its own and may take the next one.
 */
void fake_deviate(bool waiting)
{
	struct fake_plan *p = fake_plan;

	while (fake_steps >= p->next_step) {
		if (p->next == p->count) {
			if (chance_may_act()) /* a choice may have filled the plan since */
				act_at_random(waiting);
			schedule_next();
			continue;
		}
		const struct fake_deviation *d = planned();

		schedule_next();
		if (d)
			act((enum fake_action)d->action, d->arg);
	}
}

void fake_deviate_at(unsigned place)
{
	int first;

	if (!chance_may_act() || fake_plan->next_step <= fake_steps)
		return;
	first = fake_pairs_wanted(place, fake_self->id);
	if (first >= 0 && next_chance() >> 63 == 0 && fake_runnable(&fake_cpus[first])) {
		note(FAKE_SWITCH, (unsigned)first);
		act(FAKE_SWITCH, (unsigned)first);
	}
}

void fake_deviate_wait(void)
{
	if (chance_may_act() && next_chance() >> 61 == 0) {
		note(FAKE_RUSH, 0);
		act(FAKE_RUSH, 0);
	}
}

void fake_deviations_begin(void)
{
	struct fake_plan *p = fake_plan;

	p->next = 0;
	p->chance = p->seed * 0x9e3779b97f4a7c15UL + 0x1234567;
	schedule_next();
}

/* ---- what could have been done otherwise ------------------------------------------------- */

static void record(unsigned options, unsigned flags)
{
	struct fake_plan *p = fake_plan;
	u64 key;

	/* Before the plan's last deviation this is the execution that the plan was made from. */
	if (p->next < p->count || fake_steps >= FAKE_RECORDED)
		return;
	/* What comes next depends on these, too: they are part of the state. */
	key = fake_self->id + (p->lazy ? FAKE_CPUS : 0) +
	      (flags & FAKE_IS_CHOICE ? 2 * FAKE_CPUS : 0);

	for (unsigned i = 0; i < fake_config.cpus; i++) {
		const struct fake_cpu *c = &fake_cpus[i];

		key = fake_mix(key + c->history, c->drained + fake_view_key(c) + c->ipis +
							 (c->hold ? 64 : 0) + (c->rush ? 128 : 0));
	}
	p->others[fake_steps] =
		flags & FAKE_IS_CHOICE ? 0 : (u8)(fake_runnable_mask() & ~(1U << fake_self->id));
	p->options[fake_steps] = (u8)options;
	p->flags[fake_steps] = (u8)flags;
	if (p->seen && p->seen(key)) {
		fake_abandoned = true;
		fake_record_nothing(); /* from this state on all was tried when it was seen first */
		fake_leave();
	}
}

static unsigned drainables(void)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < fake_config.cpus; i++) {
		unsigned n = fake_drainable(&fake_cpus[i]);

		bits |= MIN(n, 3U) << (2 * i);
	}
	return bits;
}

void fake_record_point(bool waiting)
{
	record(fake_plan->lazy ? drainables() : 0,
	       (fake_self->ipis && !fake_self->masked ? FAKE_CAN_DELAY : 0) |
		       (waiting ? FAKE_CAN_RUSH : 0));
}

void fake_record_nothing(void)
{
	struct fake_plan *p = fake_plan;

	if (fake_steps < FAKE_RECORDED)
		p->others[fake_steps] = p->options[fake_steps] = p->flags[fake_steps] = 0;
}

unsigned fake_pick(unsigned n)
{
	const struct fake_plan *p = fake_plan;
	unsigned chosen = 0;

	if (!fake_live || n < 2)
		return 0;
	fake_steps++;
	if (unlikely(p->record))
		record(MIN(n, 255U), FAKE_IS_CHOICE);
	if (likely(fake_steps < p->next_step)) {
		/*
		 * There are few choices among many points. So chance takes every 4th one, and all
		 * if its gaps are short.
		 */
		if (chance_may_act() &&
		    ((p->gap && p->gap < RESTLESS) || next_chance() >> 62 == 0)) {
			chosen = (unsigned)((next_chance() >> 33) % n);
			if (chosen)
				note(FAKE_CHOOSE, chosen);
		}
	} else {
		const struct fake_deviation *d = planned();

		if (d && d->action == FAKE_CHOOSE)
			chosen = d->arg % n;
		schedule_next();
	}
	fake_order = fake_mix(fake_order, (u64)n << 8 | chosen);
	fake_self->history = fake_mix(fake_self->history, chosen);
	return chosen;
}
