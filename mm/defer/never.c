/*
 * never - no flush at all until the run settles. UNSAFE.
 *
 * The upper bound of what any scheme can win: what migration costs when
 * shootdowns are free. Only for read-only pages whose contents are all
 * identical, as a stale reader then reads the same words; workloads refuse it
 * otherwise.
 *
 * Keeps     the rest of the system safe: a source frame never reaches the
 *           allocator before debts_pay() has flushed; until then it is used
 *           only as the destination of another page of the same contents.
 * Breaks    I6: a VA reads from a frame that is not the mapped one.
 * Stale     until settle(), or until a write, a pin or a range change pays.
 * Costs     every moved page's source, held.
 */
#include <mm/deferral.h>
#include <mm/debt.h>

static struct debts debts;

/* Under the PTL. A writable entry must be flushed before its page is copied (I2). */
static bool never_may_defer(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old)
{
	(void)src, (void)va;
	if (pte_is_writable(old))
		return false;
	debts_owe(&debts, ctx);
	return true;
}

static void never_frame_held(struct page *src)
{
	debts_hold(&debts, src);
}

/* A held frame: its stale readers find the same words in it as before. */
static struct page *never_frame_wanted(u32 node, unsigned order)
{
	return debts_take(&debts, node, order);
}

static void never_write_upgrade(struct page *page)
{
	(void)page;
	debts_pay(&debts);
}

static void never_range_change(struct tlb_context *ctx, vaddr_t start, vaddr_t end)
{
	(void)ctx, (void)start, (void)end;
	debts_pay(&debts);
}

static void never_settle(void)
{
	debts_pay(&debts);
}

static u64 never_held(void)
{
	return debts_held(&debts);
}

extern const struct deferral defer_never;
const struct deferral defer_never = {
	.name = "never",
	.summary = "no flush until the run ends: what all schemes together can win at most",
	.unsafe = "stale entries stay in use; only for read-only pages with identical contents",
	.lends = true,
	.may_defer = never_may_defer,
	.frame_held = never_frame_held,
	.frame_wanted = never_frame_wanted,
	.write_upgrade = never_write_upgrade,
	.range_change = never_range_change,
	.settle = never_settle,
	.held = never_held,
};
