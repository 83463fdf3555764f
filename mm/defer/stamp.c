/*
 * stamp - frames are freed at once, with the debt written on them; it is paid where they are used again.
 *
 * After Xen's filter of TLB flushes by timestamps. There a frame notes a flush clock when
 * it is freed, each CPU notes it when it flushes everything, and whoever is given the
 * frame asks those CPUs alone whose last flush is older. Here the stamp is a context and
 * a generation of it (tlb_owe()), which CPUs compare with anyway: so a flush of that
 * context counts as much as one of everything. A stamp may be older than half the range of
 * generations: then a CPU may look as if it had not flushed, never the other way round, as what
 * CPUs have reached is near (<mm/generation.h>).
 *
 * It is the exact minimum of MIGRC's third rule, that flushes for other reasons settle
 * a debt: migrc pays for all frames at once, and for the newest of them; this one for the
 * frames that leave, each by its own stamp.
 *
 * Promise   as skeleton.c: nobody reads an older copy of a page than it may.
 * Pays      for a frame, when it leaves the allocator; for all spaces that owe, when
 *           something demands it: mm/copies.c.
 * Tunables  defer_for, defer_skip, defer_age as migrc. No frame is held back, so
 *           defer_pages bounds nothing: a frame that owes is free memory.
 *
 * Keeps     I1: debts_free_owing() frees, and frames leave only through
 *           stamp_frames_leave(). A stamp is made after its entry was taken down, under
 *           the PTL, and read after the node's lock was taken that the frame was freed
 *           under. So who is found in no mask then flushes before he loads the context.
 *           I2, I5-I7, I9, I11: as migrc.c.
 *           A context that is gone was flushed everywhere. If another one has its id by
 *           then, CPUs are asked for nothing: too many flushes, never too few.
 * Stale     until somebody else's flush, one of those events, or the frame's next use.
 * Costs     a shootdown inside an allocation, if not all have flushed. With cold frames
 *           none; a frame that is wanted again at once saves nothing.
 * Saves     the shootdown of every batch of read-only pages, and the memory that migrc holds.
 *
 * A page that several spaces map is stamped EVERY: its frame's payment pays for all that
 * owe. Many frames that leave together are paid for in one shootdown.
 */
#include <mm/copies.h>
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/migrate.h>

/* A context's id, and below it a generation, as far as there is room. */
enum { STAMP_ID_SHIFT = 48 };
#define STAMP_GEN ((1UL << STAMP_ID_SHIFT) - 1)
#define STAMP_EVERY (~0UL)

static struct debts debts; /* the contexts that owe. No frame is held here */
/* By a page's place among those that this CPU moves: its stamp so far; 0 = none of its entries was shown yet. */
static PERCPU(u64[MIGRATE_MAX], stamps);
static PERCPU(u64, stamp_freed);
static PERCPU(u64, stamp_settled);
static PERCPU(u64, stamp_paid);

static u16 id_of(u64 stamp)
{
	return (u16)(stamp >> STAMP_ID_SHIFT);
}

/* The last one up to `now` that has those bits: 48 last for longer than any machine. */
static u64 gen_of(u64 stamp, u64 now)
{
	return now - ((now - stamp) & STAMP_GEN);
}

/* ---- freeing ----------------------------------------------------------------------------- */

/* Under the PTL, after the exchange. */
static bool stamp_entry_taken(const struct page *src, struct tlb_context *ctx, vaddr_t va,
			      pte_t old)
{
	u64 *stamp = &(*this_cpu_ptr(stamps))[src->slot];

	(void)va, (void)old;
	if (!deferral_is_for(src))
		return false;
	debts_owe(&debts, ctx);
	/* Relaxed: we have just raised it. If others have since, the stamp is newer than it need be. */
	u64 now = (u64)ctx->id << STAMP_ID_SHIFT | (load_relaxed(&ctx->owed) & STAMP_GEN);

	*stamp = *stamp && id_of(*stamp) != ctx->id ? STAMP_EVERY : now;
	return true;
}

static bool stamp_may_defer(const struct page *src, struct page *dst)
{
	(void)src;
	copies_mark(dst);
	return true;
}

static void stamp_frame_held(struct page *src)
{
	++*this_cpu_ptr(stamp_freed);
	debts_free_owing(src, (*this_cpu_ptr(stamps))[src->slot]);
}

/* The places are other pages' from now on. */
static u64 stamp_sources_held(void)
{
	u64 *stamp = *this_cpu_ptr(stamps);

	for (unsigned i = 0; i < MIGRATE_MAX; i++)
		stamp[i] = 0;
	return debts_are_old(&debts) ? debts_pay(&debts) : 0;
}

/* ---- frames that are used again ------------------------------------------------------------ */

/* Whom the payment for some frames has to reach. */
struct bill {
	struct cpumask cpus;
	struct tlb_context *last; /* one of those that owe, ... */
	unsigned contexts; /* ... of so many, if they come one after the other; more otherwise */
	bool every; /* instead: all contexts that owe */
};

/* tlb_contexts_hold(). */
static void add_stamp(struct bill *bill, u64 stamp)
{
	struct tlb_context *ctx = tlb_context_by_id(id_of(stamp));

	if (stamp == STAMP_EVERY)
		bill->every = true;
	else if (ctx) {
		/* Relaxed: not older than the stamp, as the node's lock was taken since. */
		tlb_owing_cpus(ctx, gen_of(stamp, load_relaxed(&ctx->owed)), knobs.defer_skip,
			       &bill->cpus);
		bill->contexts += ctx != bill->last;
		bill->last = ctx;
	}
}

/* Returns how many contexts were flushed. */
static u64 pay_bill(struct bill *bill)
{
	u64 owed = 0;

	if (!cpumask_empty(&bill->cpus)) {
		owed = bill->contexts;
		if (owed == 1)
			tlb_flush_owed(bill->last, &bill->cpus);
		else
			tlb_flush_cpus(&bill->cpus);
	}
	return owed;
}

static u64 stamp_frames_leave(struct page *first, u64 count)
{
	struct bill bill = {0};
	u64 before = 0;

	cpumask_clear(&bill.cpus);
	tlb_contexts_hold();
	for (struct page *page = first; page < first + count; page++)
		if (load_relaxed(&page->flags) & PG_OWES && page->debt != before) {
			before = page->debt;
			add_stamp(&bill, before);
		}
	u64 owed = bill.every ? 0 : pay_bill(&bill);

	tlb_contexts_release();
	if (bill.every) /* not above: it holds the contexts itself. Who owes no longer has flushed */
		owed = debts_pay(&debts);
	++*(owed ? this_cpu_ptr(stamp_paid) : this_cpu_ptr(stamp_settled));
	return owed;
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static u64 stamp_pay(enum pay_event why, const struct pay_scope *scope)
{
	return copies_pay(&debts, why, scope);
}

static const struct deferral_counter counters[] = {
	{"stamp_freed", &stamp_freed}, /* frames freed with a stamp; a 2 MiB frame is one */
	{"stamp_settled", &stamp_settled}, /* blocks that left, and all had flushed */
	{"stamp_paid", &stamp_paid}, /* blocks that left, and somebody had to flush */
};

extern const struct deferral defer_stamp;
const struct deferral defer_stamp = {
	.name = "stamp",
	.summary = "free read-only sources at once, stamped; who gets a frame asks CPUs that have "
		   "not flushed since",
	.entry_taken = stamp_entry_taken,
	.may_defer = stamp_may_defer,
	.frame_held = stamp_frame_held,
	.sources_held = stamp_sources_held,
	.pay = stamp_pay,
	.events = COPIES_EVENTS,
	.spares = COPIES_SPARES,
	.frames_leave = stamp_frames_leave,
	.tick_us = &knobs.defer_age,
	.counters = counters,
	.counter_count = sizeof(counters) / sizeof(counters[0]),
};
