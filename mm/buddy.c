/* The free blocks of a node: lists by size, and buddies that merge. */
#include <mm/buddy.h>

/* Node's lock held. */
static void free_list_add(struct pmm_node *n, struct page *page, unsigned order)
{
	struct page *first = n->free[order].first;

	store_relaxed(&page->state, (u8)PAGE_FREE);
	page->order = (u8)order;
	page->prev = NULL;
	page->next = first;
	if (first)
		first->prev = page;
	n->free[order].first = page;
	n->free[order].count++;
}

/* Node's lock held; the page is in the list of its order. */
static void free_list_del(struct pmm_node *n, struct page *page)
{
	if (page->prev)
		page->prev->next = page->next;
	else
		n->free[page->order].first = page->next;
	if (page->next)
		page->next->prev = page->prev;
	n->free[page->order].count--;
}

/* A block of 2^order frames has one buddy: the block whose frame number differs in bit `order`. */
void buddy_free(struct pmm_node *n, struct page *page, unsigned order)
{
	u64 pfn = (u64)(page - page_array);

	n->free_pages += 1UL << order;
	for (; order < PMM_MAX_ORDER; order++) {
		struct page *buddy = page_array + (pfn ^ (1UL << order));

		if (load_relaxed(&buddy->state) != PAGE_FREE || buddy->order != order ||
		    buddy->node != page->node)
			break;
		free_list_del(n, buddy);
		store_relaxed(&buddy->state, (u8)PAGE_RESERVED);
		pfn &= ~(1UL << order);
	}
	free_list_add(n, page_array + pfn, order);
}

struct page *buddy_alloc(struct pmm_node *n, unsigned order)
{
	unsigned o = order;

	while (o <= PMM_MAX_ORDER && !n->free[o].first)
		o++;
	if (o > PMM_MAX_ORDER)
		return NULL;
	struct page *page = n->free[o].first;

	free_list_del(n, page);
	while (o > order) {
		o--;
		struct page *half = page + (1UL << o);

		half->node = page->node;
		free_list_add(n, half, o);
	}
	n->free_pages -= 1UL << order;
	page->order = (u8)order;
	/* Before the lock is left: a buddy that is freed meanwhile would take it for free. */
	store_relaxed(&page->state, (u8)PAGE_RESERVED);
	return page;
}
