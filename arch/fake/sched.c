/*
 * The scheduler: who takes the next step. Without deviations a CPU runs until
 * it waits; a plan, or chance, makes it otherwise at numbered steps.
 */
#include <fake/machine.h>
#include <kernel/smp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STACK = 256 << 10, /* bytes; the host's printf runs on it too */
	RUSH_TURNS = 4096, /* more than any spin phase of kernel/core/wait.c */
};

struct fake_cpu fake_cpus[FAKE_CPUS];
struct fake_cpu *fake_self;
struct fake_plan *fake_plan;
bool fake_live, fake_abandoned, fake_trace, fake_ignore_invariants, fake_ignore_contents;
unsigned fake_steps;
u64 fake_order;
char fake_failure[512];

static void *main_sp;
static char *stacks; /* heap: survives a restore */
static unsigned next_deviation; /* of the plan */
static u32 next_step; /* at which something happens */
static u64 chance; /* state of the random sequence */

static u64 next_chance(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance * 0x2545f4914f6cdd1dUL;
}

/* ---- ending ---------------------------------------------------------------------- */

static void leave(void)
{
	void *unused;

	fake_live = false;
	context_switch(&unused, main_sp);
}

static bool ignored(const char *text)
{
	if (text[0] == 'I' && text[1] >= '0' && text[1] <= '9')
		return fake_ignore_invariants;
	return fake_ignore_contents && (strstr(text, " reads ") || !strncmp(text, "lost", 4));
}

void fake_fail(const char *fmt, ...)
{
	va_list ap;

	if (ignored(fmt))
		return;

	if (!fake_failure[0]) {
		va_start(ap, fmt);
		vsnprintf(fake_failure, sizeof(fake_failure), fmt, ap);
		va_end(ap);
	}
	if (fake_live)
		leave();
}

/* ---- who can run ------------------------------------------------------------------- */

static bool runnable(const struct fake_cpu *cpu)
{
	switch (cpu->state) {
	case FAKE_READY:
		return true;
	case FAKE_SPIN:
		return cpu->spin_seq != fake_write_seq || (cpu->ipis && !cpu->masked);
	default:
		return cpu->ipis;
	}
}

static unsigned runnable_mask(void)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < fake_config.cpus; i++)
		mask |= (unsigned)runnable(&fake_cpus[i]) << i;
	return mask;
}

static void switch_to(struct fake_cpu *to)
{
	struct fake_cpu *from = fake_self;

	if (to == from)
		return;
	fake_become(to);
	fake_order = fake_mix(fake_order, to->id);
	context_switch(&from->sp, to->sp);
}

/* Returns if some CPU may go on after all. */
static void end_or_deadlock(void)
{
	/* A spinner may only be polite: let it look again, some times, before it counts as stuck. */
	for (unsigned i = 0; i < fake_config.cpus; i++) {
		struct fake_cpu *c = &fake_cpus[i];

		if (c->state != FAKE_SPIN || (c->idle_seq == fake_write_seq && c->idle_turns >= 3))
			continue;
		c->idle_turns = c->idle_seq == fake_write_seq ? c->idle_turns + 1 : 1;
		c->idle_seq = fake_write_seq;
		c->spin_seq = ~0UL;
		return;
	}
	for (unsigned i = 0; i < fake_config.cpus; i++)
		if (fake_cpus[i].state != FAKE_DONE)
			fake_fail("deadlock: CPU %u waits and nothing can end it", i);
	leave();
}

/* This CPU cannot go on. */
static void block(void)
{
	unsigned mask;

	while (!(mask = runnable_mask()))
		if (!fake_drain_some())
			end_or_deadlock();
	unsigned n = (unsigned)__builtin_popcount(mask), skip = n > 1 ? fake_pick(n) : 0;

	/* Alternatives count from the next CPU on. */
	for (unsigned i = 1;; i++) {
		unsigned id = (fake_self->id + i) % fake_config.cpus;

		if (mask >> id & 1 && !skip--) {
			switch_to(&fake_cpus[id]);
			return;
		}
	}
}

/* ---- interrupts ---------------------------------------------------------------------- */

static void interrupts(void)
{
	struct fake_cpu *me = fake_self;

	while (me->ipis && !me->masked && !me->hold) {
		unsigned kind = (unsigned)__builtin_ctz(me->ipis);

		me->ipis &= me->ipis - 1;
		fake_order_by(&me->ipis); /* what was before the sending is before this */
		fake_view_loads_from_now();
		fake_view_walks_from_now();
		me->masked = true;
		ipi_handle((enum ipi)kind);
		me->masked = false;
	}
}

void fake_ipi(unsigned cpu, unsigned kind)
{
	struct fake_cpu *to = &fake_cpus[cpu], *from = fake_self;

	if (fake_live) {
		fake_point(7);
		to->ipis |= 1U << kind;
		fake_order_by(&to->ipis);
		return;
	}
	fake_become(to);
	ipi_handle((enum ipi)kind);
	fake_become(from);
}

bool fake_irq_mask(bool masked)
{
	bool was = fake_self->masked;

	fake_self->masked = masked;
	if (was && !masked && fake_live)
		fake_point(8);
	return was;
}

bool fake_irq_masked(void)
{
	return fake_self->masked;
}

/* ---- deviations ---------------------------------------------------------------------- */

/* Nothing more is planned, and chance goes on. */
static bool chance_may_act(void)
{
	const struct fake_plan *p = fake_plan;

	return p->random && next_deviation >= p->count && p->count < FAKE_DEVIATIONS;
}

static void schedule_next(void)
{
	const struct fake_plan *p = fake_plan;

	if (next_deviation < p->count)
		next_step = p->deviation[next_deviation].step;
	else if (p->random && p->count < FAKE_DEVIATIONS)
		next_step = fake_steps + 1 + (u32)(next_chance() % (2 * p->gap));
	else
		next_step = ~0U;
}

static void note(enum fake_action action, unsigned arg)
{
	struct fake_plan *p = fake_plan;

	p->deviation[p->count++] = (struct fake_deviation){fake_steps, (u16)action, (u16)arg};
	next_deviation = p->count;
}

static void act(enum fake_action action, unsigned arg)
{
	struct fake_cpu *me = fake_self;

	fake_order = fake_mix(fake_order, (u64)fake_steps << 32 | (unsigned)action << 16 | arg);
	switch (action) {
	case FAKE_SWITCH:
		if (arg < fake_config.cpus && runnable(&fake_cpus[arg]))
			switch_to(&fake_cpus[arg]);
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
	case FAKE_CHOOSE:
		break;
	}
}

static void act_at_random(bool waiting)
{
	unsigned r = (unsigned)(next_chance() >> 40), others = runnable_mask();

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

/* The step has come for which something was planned. */
static void deviate(bool waiting)
{
	const struct fake_plan *p = fake_plan;

	if (next_deviation >= p->count) {
		act_at_random(waiting);
		schedule_next();
		return;
	}
	const struct fake_deviation d = p->deviation[next_deviation++];

	schedule_next();
	if (d.step == fake_steps)
		act((enum fake_action)d.action, d.arg);
}

static void record(unsigned options, bool choice, unsigned flags)
{
	struct fake_plan *p = fake_plan;
	u64 key = fake_self->id;

	for (unsigned i = 0; i < fake_config.cpus; i++) {
		const struct fake_cpu *c = &fake_cpus[i];

		key = fake_mix(key + c->history, c->drained + fake_view_key(c) + c->ipis +
							 (c->hold ? 64 : 0) + (c->rush ? 128 : 0));
	}
	if (fake_steps >= FAKE_RECORDED)
		return;
	p->key[fake_steps] = key;
	p->runnable[fake_steps] = choice ? 0 : (u8)runnable_mask();
	p->options[fake_steps] = (u8)options;
	p->flags[fake_steps] = (u8)flags;
	if (next_deviation >= p->count && p->seen && p->seen(key)) {
		fake_abandoned = true;
		leave();
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

static const char *const what_names[] = {
	[1] = "load",
	[2] = "store",
	[3] = "atomic",
	[4] = "compare-and-swap",
	[5] = "entry store",
	[6] = "barrier",
	[7] = "send ipi",
	[8] = "interrupts on",
	[9] = "wait",
	[10] = "halt",
	[11] = "store barrier",
	[12] = "publish",
	[13] = "copy page",
	[14] = "zero page",
	[20] = "flush page",
	[21] = "flush asid",
	[22] = "flush all",
	[23] = "broadcast prepare",
	[24] = "broadcast issue",
	[25] = "broadcast sync",
	[26] = "load root",
	[30] = "fault",
	[31] = "fault done",
	[32] = "workload store",
	[33] = "workload load",
	[40] = "pinned",
	[41] = "before unpin",
	[42] = "lazy",
	[43] = "device store",
};

static inline void step(unsigned what, bool waiting)
{
	if (unlikely(fake_trace))
		printf("%6u cpu %u %s\n", fake_steps + 1, fake_self->id, what_names[what]);
	fake_steps++;
	fake_order = fake_mix(fake_order, what);
	fake_self->history = fake_mix(fake_self->history, what);
	if (unlikely(fake_steps > fake_plan->limit))
		fake_fail("no end in %lu steps", fake_plan->limit);
	if (unlikely(fake_plan->record))
		record(fake_plan->lazy ? drainables() : 0, false,
		       (fake_self->ipis && !fake_self->masked ? FAKE_CAN_DELAY : 0) |
			       (waiting ? FAKE_CAN_RUSH : 0));
	if (unlikely(fake_steps >= next_step))
		deviate(waiting);
}

void fake_point(unsigned what)
{
	if (!fake_live)
		return;
	step(what, false);
	if (unlikely(fake_self->ipis) && !fake_self->masked)
		interrupts();
}

void fake_point_at(unsigned what, unsigned place)
{
	int first;

	if (!fake_live)
		return;
	step(what, false);
	if (chance_may_act() && next_step > fake_steps &&
	    (first = fake_pairs_wanted(place, fake_self->id)) >= 0 && next_chance() >> 63 == 0 &&
	    runnable(&fake_cpus[first])) {
		note(FAKE_SWITCH, (unsigned)first);
		act(FAKE_SWITCH, (unsigned)first);
	}
	if (unlikely(fake_self->ipis) && !fake_self->masked)
		interrupts();
}

unsigned fake_pick(unsigned n)
{
	const struct fake_plan *p = fake_plan;
	unsigned chosen = 0;

	if (!fake_live || n < 2)
		return 0;
	fake_steps++;
	if (unlikely(p->record))
		record(MIN(n, 255U), true, 0);
	if (likely(fake_steps < next_step)) {
		/* Choices are rare beside points, so chance takes each of them. */
		if (chance_may_act() && next_chance() >> 62 == 0) {
			chosen = (unsigned)((next_chance() >> 33) % n);
			if (chosen)
				note(FAKE_CHOOSE, chosen);
		}
	} else if (next_deviation < p->count) {
		const struct fake_deviation d = p->deviation[next_deviation++];

		if (d.step == fake_steps && d.action == FAKE_CHOOSE)
			chosen = d.arg % n;
		schedule_next();
	} else {
		schedule_next();
	}
	fake_order = fake_mix(fake_order, (u64)n << 8 | chosen);
	fake_self->history = fake_mix(fake_self->history, chosen);
	return chosen;
}

/* ---- waiting --------------------------------------------------------------------------- */

void fake_relax(void)
{
	struct fake_cpu *me = fake_self;

	if (!fake_live)
		return;
	if (me->rush && me->rush_seq == fake_write_seq) {
		me->rush--;
		return;
	}
	me->rush = 0;
	fake_view_loads_from_now(); /* no load is ahead by more than a turn */
	me->state = FAKE_SPIN;
	me->spin_seq = fake_write_seq;
	step(9, true);
	/* Waits are rare beside other points: chance takes each, or halts would hardly ever happen. */
	if (chance_may_act() && next_chance() >> 61 == 0) {
		note(FAKE_RUSH, 0);
		act(FAKE_RUSH, 0);
	}
	if (me->rush) {
		me->state = FAKE_READY;
		return;
	}
	if (me->state == FAKE_SPIN && !runnable(me))
		block();
	me->state = FAKE_READY;
	me->hold = false;
	if (me->ipis && !me->masked)
		interrupts();
}

void fake_idle(void)
{
	struct fake_cpu *me = fake_self;

	me->rush = 0;
	me->hold = false;
	if (!fake_live) {
		fake_fail("halt outside an execution");
		return;
	}
	fake_point(10); /* masked: nothing is taken here */
	me->state = FAKE_HALT;
	while (!me->ipis)
		block();
	me->state = FAKE_READY;
	me->masked = me->hold = false;
	interrupts();
	me->masked = true;
}

u64 fake_cycles(void)
{
	return 1 + fake_steps;
}

/* ---- an execution ------------------------------------------------------------------------ */

void fake_sched_init(void)
{
	fake_pairs_init();
	stacks = malloc((size_t)FAKE_CPUS * STACK);
}

bool fake_on_stack(const void *addr)
{
	return (u64)addr - (u64)stacks < (u64)FAKE_CPUS * STACK;
}

static void cpu_main(void)
{
	struct fake_cpu *me = fake_self;

	if (!fake_steps) /* who comes first is a choice, too */
		switch_to(&fake_cpus[fake_pick(fake_config.cpus)]);
	me->program(me->id);
	me->state = FAKE_DONE;
	me->hold = false;
	me->rush = 0;
	for (;;) {
		while (!me->ipis)
			block();
		me->state = FAKE_READY; /* the handler has switching points */
		me->hold = false;
		interrupts();
		me->state = FAKE_DONE;
	}
}

bool fake_run(void (*const program[])(unsigned cpu))
{
	for (unsigned i = 0; i < fake_config.cpus; i++) {
		struct fake_cpu *c = &fake_cpus[i];

		c->state = FAKE_READY;
		c->program = program[i];
		c->sp = context_prepare(stacks + (i + 1) * (size_t)STACK, cpu_main);
	}
	fake_pairs_begin();
	fake_races_begin();
	fake_view_begin();
	fake_steps = 0;
	fake_order = fake_plan->lazy;
	next_deviation = 0;
	chance = fake_plan->seed * 0x9e3779b97f4a7c15UL + 0x1234567;
	schedule_next();
	fake_become(&fake_cpus[0]);
	fake_live = true;
	context_switch(&main_sp, fake_self->sp);
	fake_live = false;
	fake_plan->steps = fake_steps;
	return !fake_failure[0];
}
