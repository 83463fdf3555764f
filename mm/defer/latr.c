/*
 * latr - nobody is interrupted: each CPU flushes itself at its next tick.
 *
 * After LATR, lazy translation coherence (Kumar et al., ASPLOS 2018). A call to
 * migrate posts a state, "these frames, these CPUs", and returns. Every CPU looks
 * through what was posted at its tick and before it loads a space, flushes itself
 * and takes its name off. A state with no names left gives its frames back.
 *
 * Promise   as skeleton.c: nobody reads an older copy of a page than it may.
 * Pays      nothing by itself but where a CPU's states are all in use; all there
 *           is, by interrupts, at the events at which skeleton.c does.
 * Tunables  latr_tick: microseconds from tick to tick on every CPU.
 *
 * Keeps     I1: a frame is freed when each CPU that had its space loaded has
 *           flushed after the entry was taken down. Others flush before they load
 *           the space again (tlb_expire_lazy()).
 *           I2, I5-I7, I9: as skeleton.c, by not deferring what is writable and
 *           by paying before the event.
 * Stale     until the tick or one of those events.
 * Costs     the frames of two ticks; a timer interrupt per CPU and tick, which a
 *           kernel with a scheduler has anyway (timer_irqs).
 * Saves     every interrupt of migrating read-only pages.
 *
 * Not built of the paper: munmap and madvise without a flush, which withhold the
 * address, and a NUMA scanner whose entries the first sweeping CPU changes.
 *
 * A name is taken off by its own CPU alone, and a state is used again only when
 * none is left. So no CPU can take its name off a state that was posted after
 * its flush, and no sequence number is needed. Pairs:
 *   poster   entries taken down; full barrier; names; release of `frames`
 *   sweeper  names; flush; name off (full barrier)
 *   freer    no names; exchange of `frames` (full barrier), which one can win
 *   payer    exchange of `frames`; names, acquire; flush of those that are left
 */
#include <mm/deferral.h>
#include <mm/debt.h>
#include <mm/knob.h>

enum {
	STATES =
		16, /* per CPU, each a call to migrate, of up to 512 pages: the paper has 256 of a range each */
	SWEEP = 32, /* states that one flush is for: bounds the stack used in the interrupt */
};

struct state {
	struct page *frames; /* a chain; whoever exchanges it for NULL frees it */
	struct cpumask cpus; /* that have still to flush themselves */
	u64 owed; /* contexts whose entries led to them */
};

/* Posted by its own CPU in task context, read by all. */
struct ring {
	struct state state[STATES];
	u32 used; /* bit by state: it may hold frames or names. Its own CPU writes it */
	struct page *paying; /* taken from its states, by whoever has `payer` */
};

static PERCPU(struct ring, latr_rings);
static PERCPU(struct debts, latr_open); /* noted by this CPU, not posted yet */
static struct rwlock payer; /* write side: one pays for all rings, others wait until it is paid */
static u32 tick_us;
static PERCPU(u64, latr_posted);
static PERCPU(u64, latr_sweeps);
static PERCPU(u64, latr_ring_full);

/* ---- sweeping: this CPU flushes itself ------------------------------------------ */

/* Up to SWEEP states that name this CPU. */
static unsigned find_mine(struct state *found[SWEEP])
{
	unsigned n = 0, word = cpu_id() / 64, bit = cpu_id() % 64;

	for_each_online_cpu (cpu) {
		struct ring *ring = cpu_ptr(cpu, latr_rings);

		for (u32 used = load_relaxed(&ring->used); used && n < SWEEP; used &= used - 1) {
			struct state *s = &ring->state[__builtin_ctz(used)];

			/* Relaxed: the flush completes earlier loads first, as it does for a request. */
			if (load_relaxed(&s->cpus.bits[word]) >> bit & 1)
				found[n++] = s;
		}
	}
	return n;
}

/*
 * All names are read before the flush: one that appears later stays for the next
 * sweep. Interrupts off, as the tick must not take a name off in between.
 */
static void sweep(void)
{
	struct state *found[SWEEP];
	unsigned n;

	irqflags_t flags = irq_save();

	do {
		n = find_mine(found);
		if (n) {
			tlb_flush_here();
			++*this_cpu_ptr(latr_sweeps);
		}
		for (unsigned i = 0; i < n; i++)
			cpumask_unset_atomic(&found[i]->cpus, cpu_id());
	} while (n == SWEEP);
	irq_restore(flags);
}

/* ---- freeing and posting ----------------------------------------------------------- */

/* Of this CPU: free what every CPU has swept. */
static void reap(void)
{
	struct ring *ring = this_cpu_ptr(latr_rings);

	for (u32 used = ring->used; used; used &= used - 1) {
		unsigned i = (unsigned)__builtin_ctz(used);
		struct state *s = &ring->state[i];

		if (!cpumask_empty(&s->cpus))
			continue;
		/* Full barrier: each flush before the reuse of a frame; pairs with taking a name off. */
		debts_free(this_cpu_ptr(latr_open), atomic_xchg(&s->frames, NULL));
		store_relaxed(&ring->used, ring->used & ~(1U << i));
	}
}

/* Into a state that is free. Payers of this CPU's debts wait meanwhile. */
static void publish(struct page *frames, const struct cpumask *cpus, u64 owed)
{
	struct ring *ring = this_cpu_ptr(latr_rings);
	unsigned i = (unsigned)__builtin_ctz(~ring->used);
	struct state *s = &ring->state[i];

	if (!frames)
		return; /* what was noted was flushed with pages that did not wait */
	++*this_cpu_ptr(latr_posted);
	/* Relaxed: tlb_expire_lazy() was a full barrier after the entries were taken down. */
	for (unsigned w = 0; w < cpu_words; w++)
		store_relaxed(&s->cpus.bits[w], cpus->bits[w]);
	/* Relaxed: a payer that has taken the last frames may read it only now. It is only counted. */
	store_relaxed(&s->owed, owed);
	/* Release: who takes the frames sees the names, or that their CPUs have flushed. */
	store_release(&s->frames, frames);
	/* Relaxed: payers see it by the lock that they wait for. */
	store_relaxed(&ring->used, ring->used | 1U << i);
}

static u64 latr_sources_held(void)
{
	const struct ring *ring = this_cpu_ptr(latr_rings);

	reap();
	if (ring->used == (1U << STATES) - 1) {
		++*this_cpu_ptr(latr_ring_full);
		return debts_pay(this_cpu_ptr(latr_open));
	}
	debts_post(this_cpu_ptr(latr_open), publish);
	return 0;
}

/* ---- hooks --------------------------------------------------------------------------- */

static bool latr_entry_taken(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old)
{
	(void)src, (void)va, (void)old;
	debts_owe(this_cpu_ptr(latr_open), ctx);
	return true;
}

static void latr_frame_held(struct page *src)
{
	debts_hold(this_cpu_ptr(latr_open), src);
}

/* Take the frames of one CPU's states, and add whom their payment has to reach. Returns how much they owed. */
static u64 take_posted(struct ring *ring, struct cpumask *cpus)
{
	u64 owed = 0;

	for (u32 used = load_relaxed(&ring->used); used; used &= used - 1) {
		struct state *s = &ring->state[__builtin_ctz(used)];
		/* Acquire; pairs with the release in publish(). */
		struct page *last = atomic_xchg_acquire(&s->frames, NULL), *first = last;

		if (!first)
			continue;
		/* A name that is off was taken off after its flush; acquire pairs with that. */
		for (unsigned w = 0; w < cpu_words; w++)
			cpus->bits[w] |= load_acquire(&s->cpus.bits[w]);
		owed += load_relaxed(&s->owed);
		while (last->next)
			last = last->next;
		last->next = ring->paying;
		ring->paying = first;
	}
	return owed;
}

/* One shootdown for all. Names stay: each is its CPU's to take off. */
static u64 pay_posted(void)
{
	struct cpumask cpus;
	u64 owed = 0;

	cpumask_clear(&cpus);
	for_each_online_cpu (cpu)
		owed += take_posted(cpu_ptr(cpu, latr_rings), &cpus);
	if (!cpumask_empty(&cpus))
		tlb_flush_cpus(&cpus);
	for_each_online_cpu (cpu) {
		struct ring *ring = cpu_ptr(cpu, latr_rings);

		debts_free(cpu_ptr(cpu, latr_open), ring->paying);
		ring->paying = NULL;
	}
	return owed;
}

/* What is not found open is posted by then. A second payer waits until the first has flushed. */
static u64 pay_all_debts(void)
{
	u64 owed = 0;

	write_lock(&payer);
	for_each_online_cpu (cpu)
		owed += debts_pay(cpu_ptr(cpu, latr_open));
	owed += pay_posted();
	write_unlock(&payer);
	return owed;
}

static u64 latr_pay(enum pay_event why, const struct pay_scope *scope)
{
	if (why == PAY_SWITCH) {
		sweep();
		return 0;
	}
	if (why == PAY_TICK) {
		reap();
		return 0;
	}
	/* Readers of an older copy fall behind only if this one can be written. */
	if (why == PAY_MAP && !(scope->page && scope->write))
		return 0;
	return pay_all_debts();
}

static u64 latr_held(void)
{
	u64 held = 0;

	for_each_online_cpu (cpu)
		held += debts_held(cpu_ptr(cpu, latr_open));
	return held;
}

static struct knob own_knobs[] = {
	{.name = "latr_tick",
	 .unit = "us",
	 .value = &tick_us,
	 .min = 1,
	 .max = 1000000,
	 .def = 1000, /* a scheduler's tick at 1000 Hz, as in the paper */
	 .summary = "defer=latr: from one tick of a CPU to its next",
	 .decided_in = "mm/defer/"},
};

static const struct deferral_counter counters[] = {
	{"latr_posted", &latr_posted}, /* states */
	{"latr_sweeps", &latr_sweeps}, /* that found something: a local flush each */
	{"latr_ring_full", &latr_ring_full}, /* paid by interrupts instead */
};

extern const struct deferral defer_latr;
const struct deferral defer_latr = {
	.name = "latr",
	.summary = "hold read-only sources until each CPU has flushed itself at its tick or switch",
	.entry_taken = latr_entry_taken,
	.frame_held = latr_frame_held,
	.sources_held = latr_sources_held,
	.pay = latr_pay,
	.events = PAY_BIT(PAY_TICK) | PAY_BIT(PAY_SWITCH),
	.tick_us = &tick_us,
	.tick = sweep,
	.ticks_always = true,
	.held = latr_held,
	.knobs = own_knobs,
	.knob_count = sizeof(own_knobs) / sizeof(own_knobs[0]),
	.counters = counters,
	.counter_count = sizeof(counters) / sizeof(counters[0]),
};
