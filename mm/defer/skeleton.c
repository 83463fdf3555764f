/*
 * skeleton - the smallest deferral that is correct; the file to copy.
 *
 * Holds the source of every page that was mapped read-only and pays for all of
 * them at the first event that demands it. To make a scheme of it: copy this
 * file, give `defer_NAME` a line in schemes.c and mm/files.mk, and it has its
 * console name (`set defer=NAME`), counters, the oracle and the tests.
 *
 * Keeps     I1: frames leave only through debts_pay(), after the flush.
 *           I2: writable entries are not deferred.
 *           I5: write_upgrade pays before the new frame is written.
 *           I6, I7, I9: range_change pays before anything of a range changes.
 * Stale     until one of those events, or settle().
 * Costs     one frame per deferred page.
 * Saves     the shootdown of every batch of read-only pages.
 */
#include <mm/deferral.h>
#include <mm/debt.h>

static struct debts debts;

/* An entry was taken down. Under the PTL: decide and note, nothing that waits. */
static bool skeleton_may_defer(const struct page *src, struct tlb_context *ctx, vaddr_t va,
			       pte_t old)
{
	(void)src, (void)va;
	if (pte_is_writable(old))
		return false;
	debts_owe(&debts, ctx);
	return true;
}

/* The page has moved; its old frame is ours until we pay. Task context, no locks. */
static void skeleton_frame_held(struct page *src)
{
	debts_hold(&debts, src);
}

/* A page is about to be written: stale readers must not fall behind. Task context, no locks. */
static void skeleton_write_upgrade(struct page *page)
{
	(void)page;
	debts_pay(&debts);
}

/* A range is about to be unmapped, protected or dropped. aspace.lock held, no spinlock. */
static void skeleton_range_change(struct tlb_context *ctx, vaddr_t start, vaddr_t end)
{
	(void)ctx, (void)start, (void)end;
	debts_pay(&debts);
}

/* End of a measured part, change of a knob, memory pressure. */
static void skeleton_settle(void)
{
	debts_pay(&debts);
}

static u64 skeleton_held(void)
{
	return debts_held(&debts);
}

extern const struct deferral defer_skeleton;
const struct deferral defer_skeleton = {
	.name = "skeleton",
	.summary =
		"example: hold read-only sources, pay for all at the first event that demands it",
	.may_defer = skeleton_may_defer,
	.frame_held = skeleton_frame_held,
	.write_upgrade = skeleton_write_upgrade,
	.range_change = skeleton_range_change,
	.settle = skeleton_settle,
	.held = skeleton_held,
};
