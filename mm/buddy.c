/*
 * The free blocks of a node: lists by size, and buddies that merge. What owes is at the end of its
 * list, and taken if there is nothing else: so a payment that covers all of it covers much.
 */
#include <mm/buddy.h>

/* The payment that is to come. What was freed owing before the last one is as good as what never owed. */
static u32 payment = 1;

void pmm_owing_paid(void)
{
	/* Relaxed: a block that is taken in the wrong turn is paid for, too, or need not be. */
	store_relaxed(&payment, load_relaxed(&payment) + 1);
}

static bool is_unpaid(const struct page *block)
{
	return block->owes == load_relaxed(&payment);
}

/* Node's lock held. */
static void free_list_add(struct pmm_node *n, struct page *page, unsigned order)
{
	struct block_list *list = &n->free[order];
	struct page *after = is_unpaid(page) ? list->last : NULL;
	struct page *before = after ? NULL : list->first;

	store_relaxed(&page->state, (u8)PAGE_FREE);
	page->order = (u8)order;
	page->prev = after;
	page->next = before;
	*(after ? &after->next : &list->first) = page;
	*(before ? &before->prev : &list->last) = page;
	list->count++;
}

/* Node's lock held; the page is in the list of its order. */
static void free_list_del(struct pmm_node *n, struct page *page)
{
	struct block_list *list = &n->free[page->order];

	*(page->prev ? &page->prev->next : &list->first) = page->next;
	*(page->next ? &page->next->prev : &list->last) = page->prev;
	list->count--;
}

/* A block of 2^order frames has one buddy: the block whose frame number differs in bit `order`. */
void buddy_free(struct pmm_node *n, struct page *page, unsigned order, bool owes)
{
	u64 pfn = (u64)(page - page_array);
	u32 newest = owes ? load_relaxed(&payment) : 0;

	n->free_pages += 1UL << order;
	for (; order < PMM_MAX_ORDER; order++) {
		struct page *buddy = page_array + (pfn ^ (1UL << order));

		if (load_relaxed(&buddy->state) != PAGE_FREE || buddy->order != order ||
		    buddy->node != page->node)
			break;
		free_list_del(n, buddy);
		store_relaxed(&buddy->state, (u8)PAGE_RESERVED);
		pfn &= ~(1UL << order);
		newest = MAX(newest, buddy->owes);
	}
	page_array[pfn].owes = newest;
	free_list_add(n, page_array + pfn, order);
}

struct page *buddy_alloc(struct pmm_node *n, unsigned order, bool unpaid)
{
	struct page *page = NULL;
	unsigned o = order;

	for (; o <= PMM_MAX_ORDER; o++) {
		page = n->free[o].first;
		if (page && (unpaid || !is_unpaid(page)))
			break;
	}
	if (o > PMM_MAX_ORDER)
		return NULL;

	free_list_del(n, page);
	while (o > order) {
		o--;
		struct page *half = page + (1UL << o);

		half->node = page->node;
		half->owes = page->owes;
		free_list_add(n, half, o);
	}
	n->free_pages -= 1UL << order;
	page->order = (u8)order;
	/* Before the lock is left: a buddy that is freed meanwhile would take it for free. */
	store_relaxed(&page->state, (u8)PAGE_RESERVED);
	return page;
}
