/*
 * skeleton - the smallest deferral that is correct; the file to copy.
 *
 * Promise   Nobody reads an older copy of a page than it may. Holds the source
 *           of every page that was mapped read-only, and pays for all of them
 *           at the first event that demands it.
 * Pays      all there is, at every event of PAY_DEMANDS (but the mapping of a page
 *           that nobody maps or that stays read-only), and when a debt is old.
 * Tunables  skeleton_age: microseconds after which a debt is paid by itself.
 *
 * Keeps     I1: frames leave only through debts_pay(), after the flush.
 *           I2: writable entries are not shown to a deferral.
 *           I5: WRITE_UPGRADE, MAP and PIN pay before the new frame is written.
 *           I6, I7, I9: PROTECT, UNMAP, DROP and HINT pay before anything of a
 *           range changes, so nothing new is mapped at an address that owes.
 * Stale     until one of those events.
 * Costs     one frame per deferred page.
 * Saves     the shootdown of every batch of read-only pages.
 *
 * To make a deferral of it: copy this file, replace `skeleton`, and add a line
 * to mm/defer/deferrals.c; nothing else. It has its console name then (`set
 * defer=NAME`), its knobs and counters in every list and record, the oracle, the
 * explorer and the tests.
 */
#include <mm/deferral.h>
#include <mm/debt.h>
#include <mm/knob.h>

static struct debts debts;
static u32 age;
static PERCPU(u64, skeleton_noted);

/*
 * An entry was taken down. Under the PTL: note it, nothing that waits. The note
 * says that the context owes a flush: one too many if the page cannot wait. One
 * that wants to look at the page as a whole has may_defer(), too.
 */
static bool skeleton_entry_taken(const struct page *src, struct tlb_context *ctx, vaddr_t va,
				 pte_t old)
{
	(void)src, (void)va, (void)old;
	++*this_cpu_ptr(skeleton_noted);
	debts_owe(&debts, ctx);
	return true;
}

/* The page has moved; its old frame is ours until we pay. Task context, no spinlock. */
static void skeleton_frame_held(struct page *src)
{
	debts_hold(&debts, src);
}

/* Task context, no spinlock; aspace.lock may be held. Returns how many debts were paid. */
static u64 skeleton_pay(enum pay_event why, const struct pay_scope *scope)
{
	/* Readers of an older copy fall behind only if this one can be written. */
	if (why == PAY_MAP && !(scope->page && scope->write))
		return 0;
	return debts_pay(&debts);
}

static u64 skeleton_held(void)
{
	return debts_held(&debts);
}

static struct knob own_knobs[] = {
	{.name = "skeleton_age",
	 .unit = "us",
	 .value = &age,
	 .max = 1000000,
	 .summary = "defer=skeleton: debts are paid when they are so old; 0 = when something "
		    "demands it",
	 .decided_in = "mm/defer/"},
};

static const struct deferral_counter counters[] = {
	{"skeleton_noted", &skeleton_noted}, /* entries whose flush waits */
};

extern const struct deferral defer_skeleton;
const struct deferral defer_skeleton = {
	.name = "skeleton",
	.summary =
		"example: hold read-only sources, pay for all at the first event that demands it",
	.entry_taken = skeleton_entry_taken,
	.frame_held = skeleton_frame_held,
	.pay = skeleton_pay,
	.events = PAY_BIT(PAY_TICK),
	.tick_us = &age,
	.held = skeleton_held,
	.knobs = own_knobs,
	.knob_count = sizeof(own_knobs) / sizeof(own_knobs[0]),
	.counters = counters,
	.counter_count = sizeof(counters) / sizeof(counters[0]),
};
