/*
 * never - no flush at all until the run settles. UNSAFE.
 *
 * Promise   The upper bound of what any scheme can win: what migration costs
 *           when shootdowns are free. Only for read-only pages whose contents
 *           are all identical, as a stale reader then reads the same words;
 *           workloads refuse it otherwise.
 * Pays      all of it, at the events at which skeleton.c does.
 * Tunables  none.
 *
 * Keeps     the rest of the system safe: a source frame never reaches the
 *           allocator before debts_pay() has flushed; until then it is used
 *           only as the destination of another page of the same contents.
 * Breaks    I6: a VA reads from a frame that is not the mapped one.
 * Stale     until a settle, or until a write, a pin or a range change pays.
 * Costs     every moved page's source, held.
 */
#include <mm/deferral.h>
#include <mm/debt.h>

static struct debts debts;

/* Under the PTL. */
static bool never_entry_taken(const struct page *src, struct tlb_context *ctx, vaddr_t va,
			      pte_t old)
{
	(void)src, (void)va, (void)old;
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

/* Mapping a page elsewhere is harmless as long as nobody can write it. */
static u64 never_pay(enum pay_event why, const struct pay_scope *scope)
{
	if (why == PAY_MAP && !(scope->page && scope->write))
		return 0;
	return debts_pay(&debts);
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
	.entry_taken = never_entry_taken,
	.frame_held = never_frame_held,
	.frame_wanted = never_frame_wanted,
	.pay = never_pay,
	.held = never_held,
};
