/* The deferral in force: a copy of the chosen one in which every hook is set. */
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/migrate_batch.h>
#include <mm/numa.h>
#include <mm/stats.h>
#include <arch/cpu.h>
#include <kernel/context.h>
#include <kernel/panic.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>

const char *const pay_event_names[PAY_EVENT_COUNT] = {
#define X(name, constant) #name,
	PAY_EVENTS(X)
#undef X
};
_Static_assert(PAY_EVENT_COUNT <= 32, "a bit each in pay_heard");

u32 pay_heard;

static bool any_entry(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old)
{
	(void)src, (void)ctx, (void)va, (void)old;
	return true;
}

static bool any_page(const struct page *src, struct page *dst)
{
	(void)src, (void)dst;
	return true;
}

/* A deferral that lets flushes wait must hold the frames. */
static void no_held(struct page *src)
{
	panic("deferral %s deferred frame %#lx but has nowhere to hold it", deferral->name,
	      page_to_phys(src));
}

static struct page *no_frame(u32 node, unsigned order)
{
	(void)node, (void)order;
	return NULL;
}

static u64 no_leave(struct page *first, u64 count)
{
	(void)first, (void)count;
	return 0;
}

static void no_entry(struct tlb_context *ctx)
{
	(void)ctx;
}

static u64 no_payment(void)
{
	return 0;
}

static bool not_owed(u64 payment)
{
	(void)payment;
	return false;
}

static void nothing(void)
{
}

static u64 none_held(void)
{
	return 0;
}

/* A CPU may have seen that payments are heard just before the deferral was replaced by one that hears none. */
static u64 no_pay(enum pay_event why, const struct pay_scope *scope)
{
	(void)why, (void)scope;
	return 0;
}

#define KEEP(hook, otherwise) .hook = wanted->hook ? wanted->hook : (otherwise)

/* A copy with every hook set, so that call sites need no tests. */
static struct deferral active = {.name = "none",
				 .pay = no_pay,
				 .entry_taken = any_entry,
				 .may_defer = any_page,
				 .frame_held = no_held,
				 .sources_held = no_payment,
				 .frame_wanted = no_frame,
				 .frames_leave = no_leave,
				 .entry_left = no_entry,
				 .payment = no_payment,
				 .is_owed = not_owed,
				 .tick = nothing,
				 .held = none_held};
const struct deferral *deferral = &active;

/* Both on each CPU. */
static void start_tick(void *arg __unused)
{
	deferral_tick_later();
}

static void cancel_tick(void *arg __unused)
{
	alarm_cancel();
}

/*
 * Other CPUs call hooks meanwhile: one that goes idle pays, and so does one that is due a tick.
 * Copied word by word, each hook is at any time the old one or the new. Nothing is owed, so it
 * does not matter which of the two is called.
 */
static void replace(const struct deferral *with)
{
	const u64 *from = (const u64 *)with;
	u64 *to = (u64 *)&active;

	for (unsigned i = 0; i < sizeof(active) / sizeof(u64); i++)
		store_relaxed(&to[i], from[i]);
}

/* Read side: a batch of reclaim whose flush may wait. The deferral that it asks stays meanwhile. */
static struct rwlock reclaims;

static bool lets_reclaim(void)
{
	return load_relaxed(&deferral->entry_left) != no_entry && knobs.defer_for == DEFER_FOR_ALL;
}

bool deferral_reclaim_begin(void)
{
	if (likely(!lets_reclaim()))
		return false;
	read_lock(&reclaims);
	if (lets_reclaim())
		return true;
	read_unlock(&reclaims);
	return false;
}

void deferral_reclaim_end(void)
{
	read_unlock(&reclaims);
}

void deferral_use(const struct deferral *wanted)
{
	_Static_assert(!(sizeof(active) % sizeof(u64)), "copied by words");
	bool defers = wanted->entry_taken || wanted->may_defer;

	ASSERT(wanted->pay || !defers);
	ASSERT(!(wanted->spares & ~PAY_BIT(PAY_RECLAIM)) &&
	       (wanted->spares || !wanted->entry_left));
	ASSERT(!deferral->held()); /* the caller has settled */
	ASSERT(wanted->counter_count <= DEFERRAL_COUNTERS_MAX);
	/* Nobody else's parts are interrupted by what was set for this one. */
	if (deferral->tick_us)
		smp_call(&cpu_online, cancel_tick, NULL);
	struct deferral next = {.name = wanted->name,
				.summary = wanted->summary,
				.unsafe = wanted->unsafe,
				.lends = wanted->lends,
				.defers = defers,
				KEEP(pay, no_pay),
				.events = wanted->events,
				.spares = wanted->spares,
				.counters = wanted->counters,
				.counter_count = wanted->counter_count,
				.tick_us = wanted->tick_us,
				.ticks_always = wanted->ticks_always,
				KEEP(frames_leave, no_leave),
				KEEP(entry_left, no_entry),
				KEEP(payment, no_payment),
				KEEP(is_owed, not_owed),
				KEEP(tick, nothing),
				KEEP(enable, nothing),
				KEEP(entry_taken, any_entry),
				KEEP(may_defer, any_page),
				KEEP(frame_held, no_held),
				KEEP(sources_held, no_payment),
				KEEP(frame_wanted, no_frame),
				KEEP(held, none_held)};
	/* Reclaim may have gone on since the caller settled. */
	write_lock(&reclaims);
	deferral_settle();
	replace(&next);
	store_relaxed(&pay_heard,
		      wanted->pay ? (PAY_DEMANDS & ~wanted->spares) | wanted->events : 0U);
	write_unlock(&reclaims);
	active.enable();
	if (active.ticks_always)
		smp_call(&cpu_online, start_tick, NULL);
}

/* Count debts that were paid, by event, and what their payer has waited since he began. */
static void count_paid(enum pay_event why, u64 paid, u64 began)
{
	u64 took = cycles_now() - began;

	if (!paid)
		return;
	count_add(wait_paid, took);
	this_cpu_ptr(mm_counters)->paid[stats_bucket(took)]++;
	count_add(debts_forced, paid);
	this_cpu_ptr(mm_counters)->forced[why] += paid;
}

void pay_now(enum pay_event why, struct pay_scope scope)
{
	u64 began = cycles_now();

	ASSERT_MAY_WAIT();
	count_paid(why, load_relaxed(&deferral->pay)(why, &scope), began);
}

void deferral_sources_held(void)
{
	u64 began = cycles_now();

	count_paid(PAY_BOUND, deferral->sources_held(), began);
}

void deferral_frames_leave(struct page *first, u64 count)
{
	u64 began = cycles_now();

	count_paid(PAY_LEAVE, load_relaxed(&deferral->frames_leave)(first, count), began);
}

bool deferral_is_for(const struct page *src)
{
	return knobs.defer_for == DEFER_FOR_ALL ||
	       numa_has_cpus(src->node) != numa_has_cpus(src->migration->req->to_node);
}

/* In the timer interrupt. */
static void tick(void)
{
	void (*hook)(void) = load_relaxed(&deferral->tick);

	hook();
	if (load_relaxed(&deferral->ticks_always))
		deferral_tick_later();
	if (pay_is_heard(PAY_TICK))
		context_set_due();
}

/* In task context, some time after tick(). */
static void tick_due(void)
{
	pay(PAY_TICK, pay_all());
}

void deferral_init(void)
{
	alarm_handler = tick;
	context_due_handler = tick_due;
}

void deferral_settle(void)
{
	pay(PAY_SETTLE, pay_all());
}

void deferral_counters_read(u64 sum[DEFERRAL_COUNTERS_MAX])
{
	for (unsigned i = 0; i < deferral->counter_count; i++) {
		const struct deferral_counter *c = &deferral->counters[i];

		sum[i] = 0;
		for_each_online_cpu (cpu)
			sum[i] += load_relaxed(cpu_ptr(cpu, *c->percpu));
	}
}
