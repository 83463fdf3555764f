/*
 * Allocations that the node cannot serve from what is free. What a deferral holds back there is paid for;
 * then come other nodes, nearest first. What those hold back is paid for only if no
 * node has a free frame, as a payment brings back the frames of all. Pages of files are reclaimed last.
 */
#include <mm/buddy.h>
#include <mm/pay.h>
#include <mm/stats.h>
#include <arch/cpu.h>

u64 (*pmm_reclaim)(u32 node, u64 want);

struct page *pmm_find_block(struct pmm_node *n, unsigned *order, unsigned least, u64 floor)
{
	struct page *block = NULL;
	unsigned wanted = *order;

	for (unsigned unpaid = 0; !block && unpaid < 2; unpaid++)
		for (*order = wanted;; --*order) {
			if (n->free_pages >= floor + (1UL << *order))
				block = buddy_alloc(n, *order, unpaid);
			if (block || *order == least)
				break;
		}
	return block;
}

/* Have the deferral pay for what it holds back. May wait. */
static void pay_for_frames(u32 node, unsigned order)
{
	u64 start = cycles_now();

	pay(PAY_PRESSURE, pay_frames(node, order));
	count_add(wait_allocator, cycles_now() - start);
}

bool pmm_pay_for_block(u32 node, unsigned order)
{
	struct pmm_node *n = &pmm_nodes[node];

	spin_lock(&n->lock);
	bool wants = n->quarantined && n->free_pages < n->watermark_low + (1UL << order);

	spin_unlock(&n->lock);
	if (wants)
		pay_for_frames(node, order);
	return wants;
}

/*
 * Would there be enough with the frames that a deferral holds back? They can be had by paying. Blocks that owe merge
 * with the others when they are paid for.
 */
static bool obtainable(struct pmm_node *n, unsigned order, unsigned flags)
{
	u64 floor = flags & PMM_RESERVE ? 0 : n->watermark_min;

	spin_lock(&n->lock);
	bool any = n->quarantined || (order && load_relaxed(&n->owing));
	bool enough = any && n->free_pages + n->quarantined >= floor + (1UL << order);

	spin_unlock(&n->lock);
	return enough;
}

/* Once more, after the deferral has paid for what it holds. May wait. */
static struct page *alloc_after_paying(pmm_attempt *attempt, u32 node, unsigned order,
				       unsigned flags)
{
	if (!obtainable(&pmm_nodes[node], order, flags))
		return NULL;
	pay_for_frames(node, order);
	return attempt(node, order, flags);
}

/*
 * Once more, after files have given frames back. What was freed may be taken by others: as often as there is some.
 * And once after there was none: another CPU may have freed what it reclaimed meanwhile.
 */
static struct page *alloc_after_reclaim(pmm_attempt *attempt, u32 node, unsigned flags)
{
	struct page *page;
	u64 start = cycles_now(), gone;

	do {
		gone = pmm_reclaim(node, RECLAIM_PAGES);
		page = attempt(node, 0, flags);
	} while (!page && gone);
	count_add(wait_allocator, cycles_now() - start);
	return page;
}

struct page *pmm_alloc_slowly(pmm_attempt *attempt, u32 node, unsigned order, unsigned flags)
{
	struct page *page = NULL;
	unsigned count;
	const u8 *list = pmm_fallback_order(node, &count);
	bool reclaims = pmm_reclaim && !order && !(flags & PMM_NO_RECLAIM);

	if (flags & PMM_STRICT)
		count = 1;
	if (order) /* the attempt gives this CPU's caches back */
		page = attempt(node, order, flags);
	if (!page)
		page = alloc_after_paying(attempt, node, order, flags);
	for (unsigned i = 1; !page && i < count; i++)
		page = attempt(list[i], order, flags);
	for (unsigned i = 1; !page && i < count; i++)
		page = alloc_after_paying(attempt, list[i], order, flags);
	for (unsigned i = 0; !page && reclaims && i < count; i++)
		page = alloc_after_reclaim(attempt, list[i], flags);
	return page;
}
