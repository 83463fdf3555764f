/*
 * The scheduler: who takes the next step. Without deviations a CPU runs until
 * it waits; a plan, or chance, makes it otherwise at numbered steps.
 */
#include <fake/sched.h>
#include <fake/start.h>
#include <kernel/clock.h>
#include <kernel/smp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	STACK = 256 << 10, /* bytes; the host's printf runs on it too */
	PARKED =
		1000, /* steps that a CPU waits for the others at most: they may retry until it goes on */
	LATE = 256, /* spins of all CPUs after which every buffer is emptied; most executions have fewer */
};

struct fake_cpu fake_cpus[FAKE_CPUS];
struct fake_cpu *fake_self;
struct fake_plan *fake_plan;
bool fake_live, fake_abandoned, fake_trace, fake_ignore_invariants, fake_ignore_contents;
unsigned fake_steps;
u64 fake_order;
char fake_failure[512];
enum fake_fault fake_fault;
unsigned fake_lost;
static unsigned skips; /* how often time was moved on, as no CPU could go on */
static unsigned spins; /* of all CPUs so far */

static void *main_sp;

/* ---- ending ---------------------------------------------------------------------- */

void fake_leave(void)
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
		fake_leave();
}

/* ---- who can run ------------------------------------------------------------------- */

bool fake_runnable(const struct fake_cpu *cpu)
{
	switch (cpu->state) {
	case FAKE_READY:
		return true;
	case FAKE_SPIN:
		return cpu->spin_seq != fake_write_seq || (cpu->ipis && !cpu->masked);
	default:
		return cpu->ipis || cpu->timer;
	}
}

unsigned fake_runnable_mask(void)
{
	unsigned mask = 0, parked = 0;

	for (unsigned i = 0; i < fake_config.cpus; i++) {
		mask |= (unsigned)fake_runnable(&fake_cpus[i]) << i;
		parked |= (unsigned)(fake_cpus[i].parked_until > fake_steps) << i;
	}
	return mask & ~parked ? mask & ~parked : mask;
}

/*
 * Switch to another CPU. Coming back is a step of its own, without alternatives.
 * Otherwise two CPUs could have deviations at the same step, and a replay would mix
 * them up.
 */
void fake_switch_to(struct fake_cpu *to)
{
	struct fake_cpu *from = fake_self;

	if (to == from)
		return;
	fake_become(to);
	fake_order = fake_mix(fake_order, to->id);
	context_switch(&from->sp, to->sp);
	fake_steps++;
	if (unlikely(fake_plan->record))
		fake_record_nothing();
}

/*
 * No CPU can go on, and a lost interrupt may be the reason: let so much time pass that the watchdog
 * of the wait reports it. At most twice, as waits for locks look at the clock only after many spins.
 */
static bool time_passes(void)
{
	if (fake_fault == FAKE_SOUND || skips == 2)
		return false;
	skips++;
	for (unsigned i = 0; i < fake_config.cpus; i++) {
		struct fake_cpu *c = &fake_cpus[i];

		c->timer = c->state == FAKE_HALT;
		if (c->state != FAKE_SPIN)
			continue;
		c->spin_seq = ~0UL;
		c->rush = RUSH_TURNS;
		c->rush_seq = fake_write_seq;
	}
	return true;
}

/* No CPU can go on: ends the execution, as done or as a deadlock. Returns if one may go on after all. */
static void end_or_deadlock(void)
{
	/*
	 * A CPU that spins may not be waiting for anybody: let it look again three times before it
	 * counts as stuck.
	 */
	for (unsigned i = 0; i < fake_config.cpus; i++) {
		struct fake_cpu *c = &fake_cpus[i];

		if (c->state != FAKE_SPIN || (c->idle_seq == fake_write_seq && c->idle_turns >= 3))
			continue;
		c->idle_turns = c->idle_seq == fake_write_seq ? c->idle_turns + 1 : 1;
		c->idle_seq = fake_write_seq;
		c->spin_seq = ~0UL;
		return;
	}
	if (time_passes())
		return;
	for (unsigned i = 0; i < fake_config.cpus; i++)
		if (fake_cpus[i].state != FAKE_DONE)
			fake_fail("deadlock: CPU %u waits and nothing can end it", i);
	fake_leave();
}

/* This CPU cannot go on. */
static void block(void)
{
	unsigned mask;

	while (!(mask = fake_runnable_mask()))
		if (!fake_drain_some())
			end_or_deadlock();
	unsigned n = (unsigned)__builtin_popcount(mask), skip = n > 1 ? fake_pick(n) : 0;

	/* Alternative n is the n-th CPU after this one that can run. */
	for (unsigned i = 1;; i++) {
		unsigned id = (fake_self->id + i) % fake_config.cpus;

		if (mask >> id & 1 && !skip--) {
			fake_switch_to(&fake_cpus[id]);
			return;
		}
	}
}

void fake_park(unsigned first)
{
	struct fake_cpu *me = fake_self;

	me->parked_until = fake_steps + PARKED;
	if (first < fake_config.cpus && fake_runnable(&fake_cpus[first]))
		fake_switch_to(&fake_cpus[first]);
	else if (fake_runnable_mask() & ~(1U << me->id))
		block();
	me->parked_until = 0;
}

/* ---- interrupts ---------------------------------------------------------------------- */

static bool is_deaf(const struct fake_cpu *cpu)
{
	return fake_fault == FAKE_DEAF && cpu->id == 1;
}

/* Only one interrupt per execution is lost, so that it is known which wait it leaves. */
static bool is_lost(unsigned cpu)
{
	if (fake_fault != FAKE_LOST || fake_lost || !fake_pick(2))
		return false;
	fake_lost = 1 + cpu;
	return true;
}

static void interrupts(void)
{
	struct fake_cpu *me = fake_self;

	while (me->ipis && !me->masked && !me->hold) {
		unsigned kind = (unsigned)__builtin_ctz(me->ipis);

		me->ipis &= me->ipis - 1;
		fake_order_by(&me->ipis); /* what was before the sending is before this */
		fake_view_loads_from_now();
		fake_isb();
		me->masked = true;
		ipi_handle((enum ipi)kind);
		me->masked = false;
		if (fake_fault == FAKE_DOUBLED && (me->doubled ^= 1U << kind) & 1U << kind)
			me->ipis |= 1U << kind;
	}
}

void fake_ipi(unsigned cpu, unsigned kind)
{
	struct fake_cpu *to = &fake_cpus[cpu], *from = fake_self;

	if (fake_live) {
		fake_point(7);
		if (is_deaf(to) || is_lost(cpu))
			return;
		to->ipis |= 1U << kind;
		fake_order_by(&to->ipis);
		return;
	}
	fake_become(to);
	bool was = fake_irq_mask(true); /* as a handler runs */

	ipi_handle((enum ipi)kind);
	fake_irq_mask(was);
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

/* ---- switching points ------------------------------------------------------------------ */

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
	[34] = "isb",
	[40] = "pinned",
	[41] = "before unpin",
	[42] = "lazy",
	[43] = "device store",
};

static const char *name_of(unsigned what)
{
	const char *name = what < ARRAY_SIZE(what_names) ? what_names[what] : NULL;

	return name ? name : "point without a name";
}

static inline void step(unsigned what, bool waiting)
{
	if (unlikely(fake_trace))
		printf("%6u cpu %u %s\n", fake_steps + 1, fake_self->id, name_of(what));
	fake_steps++;
	fake_order = fake_mix(fake_order, what);
	fake_self->history = fake_mix(fake_self->history, what);
	/*
	 * A CPU that retries for ever keeps the others from running out: let time pass, so that the
	 * watchdog reports.
	 */
	if (unlikely(fake_steps > fake_plan->limit / 4) && !skips &&
	    (fake_lost || fake_fault == FAKE_DEAF))
		time_passes();
	if (unlikely(fake_steps > fake_plan->limit))
		fake_fail("no end in %lu steps", fake_plan->limit);
	if (unlikely(fake_plan->record))
		fake_record_point(waiting);
	if (unlikely(fake_steps >= fake_plan->next_step))
		fake_deviate(waiting);
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
	if (!fake_live)
		return;
	step(what, false);
	fake_deviate_at(place);
	if (unlikely(fake_self->ipis) && !fake_self->masked)
		interrupts();
}

/* ---- waiting --------------------------------------------------------------------------- */

void fake_relax(void)
{
	struct fake_cpu *me = fake_self;

	if (!fake_live)
		return;
	fake_locks_wait();
	if (me->rush && me->rush_seq == fake_write_seq) {
		me->rush--;
		return;
	}
	me->rush = 0;
	/* No store stays in a buffer for ever, as it would if two CPUs retry while a third waits for it. */
	if (++spins % LATE == 0)
		while (fake_drain_some())
			;
	fake_view_loads_from_now(); /* no load is ahead by more than a spin */
	me->state = FAKE_SPIN;
	me->spin_seq = fake_write_seq;
	step(9, true);
	fake_deviate_wait();
	if (me->rush) {
		me->state = FAKE_READY;
		return;
	}
	if (me->state == FAKE_SPIN && !fake_runnable(me))
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
	while (!me->ipis && !me->timer)
		block();
	me->timer = false;
	me->state = FAKE_READY;
	me->masked = me->hold = false;
	interrupts();
	me->masked = true;
}

u64 fake_cycles(void)
{
	return 1 + fake_steps + skips * 2 * ns_to_cycles(WATCHDOG_NS);
}

/* ---- an execution ------------------------------------------------------------------------ */

void fake_sched_init(void)
{
	fake_pairs_init();
	fake_place((void *)FAKE_STACKS_VA, FAKE_CPUS * STACK);
}

bool fake_on_stack(const void *addr)
{
	return (u64)addr - FAKE_STACKS_VA < (u64)FAKE_CPUS * STACK;
}

static void cpu_main(void)
{
	struct fake_cpu *me = fake_self;

	if (!fake_steps) /* who comes first is a choice, too */
		fake_switch_to(&fake_cpus[fake_pick(fake_config.cpus)]);
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
		c->sp = context_prepare((char *)FAKE_STACKS_VA + (i + 1) * (size_t)STACK, cpu_main);
	}
	fake_pairs_begin();
	fake_races_begin();
	fake_view_begin();
	fake_locks_begin();
	fake_steps = 0;
	fake_order = fake_plan->lazy;
	fake_deviations_begin();
	fake_become(&fake_cpus[0]);
	fake_live = true;
	context_switch(&main_sp, fake_self->sp);
	main_sp =
		NULL; /* stack pointers are no part of the state: two executions that are alike must hash alike */
	for (unsigned i = 0; i < fake_config.cpus; i++)
		fake_cpus[i].sp = NULL;
	fake_live = false;
	fake_plan->steps = fake_steps;
	return !fake_failure[0];
}
