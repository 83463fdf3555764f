/*
 * migrc - both copies of a read-only page are kept, and its flush may never be needed.
 *
 * After MIGRC, "migration read copy" (Park, linux-mm 2023-24; never merged). While
 * every mapping of a page is read-only, source and destination have the same
 * contents. So whoever still reads the source does no harm, and its frame waits
 * until all CPUs have flushed, for whatever reason. Its five rules:
 *
 *   1 A page whose every mapping is non-writable is moved without a flush, however
 *     many mappings it has, in one space or in several. Both frames are kept.
 *   2 Each way to writable pays first.
 *   3 A flush that somebody makes for another reason settles the debt on the CPUs
 *     that made it. Who pays leaves them out, and asks nobody if all have flushed.
 *   4 Watermarks count held frames as obtainable (mm/pmm_slow.c, obtainable()).
 *   5 An allocator in trouble pays and gets the frames, sooner for large blocks
 *     (mm/pmm_slow.c, PAY_PRESSURE).
 *
 * Promise   as skeleton.c: nobody reads an older copy of a page than it may.
 * Pays      all there is, in one shootdown, when something demands it: mm/copies.c.
 * Tunables  defer_for: moves between tiers alone, as its author has it, or all.
 *           defer_skip: rule 3 looks at each CPU. defer_age, defer_pages: bounds
 *           that reviewers asked for; inf = as published.
 *
 * Keeps     I1: frames leave only through debts_pay(), which knows who has flushed
 *           by generations: tlb_owe() makes one for each entry, under its PTL.
 *           I2: a page with a writable entry is never shown (mm/migrate_batch.h).
 *           I5: a page with older copies has PG_COPIED, before anybody can map it;
 *           a write upgrade, a writable mapping, a pin, a write by the kernel and a
 *           truncation of it pay. Other rights of a range pay whatever owes, as pages
 *           of it may owe in other spaces.
 *           I6, I7, I9: UNMAP, DROP, COPY and SPLIT pay before anything changes
 *           in a space that owes, so nothing else is mapped where a debt is.
 *           I11: a debt names its context, and no tag. Whoever loads the context
 *           flushes, as its generation has grown, whatever the tag is by then; after
 *           an ASID rollover every CPU flushes anyway. A space that goes pays.
 * Stale     until somebody else's flush, or one of those events.
 * Costs     one frame per page, at most defer_pages. The next flush in a space that
 *           owes drops everything of it on each CPU: a target that is several
 *           generations behind cannot flush page by page.
 * Saves     the shootdown of every batch of read-only pages.
 *
 * What moves while it owes is moved like any other page: its frame is held, too,
 * and all older copies have the contents of the newest until that may be written,
 * which pays for all. A frame that is held is nobody's destination.
 *
 * arm64 wants break-before-make where an output address changes "if at least one of
 * the old and the new translation table entry is writable", or "the contents of
 * memory at the new output address do not match" those at the old one (Arm ARM, DDI
 * 0487, D8.14.1). Neither is so here until the debt is paid: both entries are
 * read-only, of one size, with the same attributes, contiguous bit and nG, as the
 * new one is made from the old (migration_map_entry()), and the contents are equal
 * (I5). The modelled TLB asserts it at each new entry: check_conflict(), arch/fake.
 *
 * What reviewers asked (Amit, linux-mm, August 2023): (a) a new mapping where a
 * flush is pending: there is none, UNMAP has paid. (b) pins: PIN pays. (c) many
 * full flushes: debts_forced by event, and flush_local_full. (d) others who act on
 * an entry, and assume that no flush is owed: change_begin() pays before they look.
 * And CPUs flushed twice: rule 3.
 */
#include <mm/copies.h>
#include <mm/deferral.h>
#include <mm/knob.h>

static struct debts debts;
static PERCPU(u64, migrc_kept);
static PERCPU(u64, migrc_full);

/* ---- what may wait ----------------------------------------------------------------- */

/* Under the PTL, after the exchange. */
static bool migrc_entry_taken(const struct page *src, struct tlb_context *ctx, vaddr_t va,
			      pte_t old)
{
	(void)va, (void)old;
	if (!deferral_is_for(src))
		return false;
	debts_owe(&debts, ctx);
	return true;
}

static bool migrc_may_defer(const struct page *src, struct page *dst)
{
	if (!debts_promise(&debts, 1UL << src->order)) {
		++*this_cpu_ptr(migrc_full);
		return false;
	}
	copies_mark(dst);
	return true;
}

static void migrc_frame_held(struct page *src)
{
	++*this_cpu_ptr(migrc_kept);
	debts_hold(&debts, src);
}

/* ---- who pays ------------------------------------------------------------------------ */

static u64 migrc_pay(enum pay_event why, const struct pay_scope *scope)
{
	return copies_pay(&debts, why, scope);
}

static u64 migrc_sources_held(void)
{
	return debts_call_over(&debts) ? debts_pay(&debts) : 0;
}

static u64 migrc_held(void)
{
	return debts_held(&debts);
}

static const struct deferral_counter counters[] = {
	{"migrc_kept", &migrc_kept}, /* frames held back; a 2 MiB frame is one */
	{"migrc_full", &migrc_full}, /* pages that could not, as defer_pages were held */
};

extern const struct deferral defer_migrc;
const struct deferral defer_migrc = {
	.name = "migrc",
	.summary = "hold read-only sources until their pages may be written, or all have flushed",
	.entry_taken = migrc_entry_taken,
	.may_defer = migrc_may_defer,
	.frame_held = migrc_frame_held,
	.sources_held = migrc_sources_held,
	.pay = migrc_pay,
	.events = COPIES_EVENTS,
	.spares = COPIES_SPARES,
	.tick_us = &knobs.defer_age,
	.held = migrc_held,
	.counters = counters,
	.counter_count = sizeof(counters) / sizeof(counters[0]),
};
