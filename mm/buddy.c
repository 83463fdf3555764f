/*
 * The free blocks of a node: lists by size, and buddies that merge. Blocks of which some frame owes are in
 * lists of their own until the next payment, which covers what was freed while others were used. Then they merge with the others.
 */
#include <mm/buddy.h>

/* Of a free block: does it owe, and the next payment will cover it? Node's lock held. */
static inline bool is_unpaid(const struct pmm_node *n, const struct page *block)
{
	return unlikely(block->owes) && block->owes == n->payments + 1;
}

/* Of a free block. Node's lock held. */
static inline struct block_list *list_of(struct pmm_node *n, const struct page *block,
					 unsigned order)
{
	return is_unpaid(n, block) ? &n->unpaid[order] : &n->free[order];
}

static inline void is_free(struct page *page, unsigned order)
{
	store_relaxed(&page->state, (u8)PAGE_FREE);
	page->order = (u8)order;
}

/* Node's lock held. */
static inline void free_list_add(struct pmm_node *n, struct page *page, unsigned order)
{
	struct block_list *list = list_of(n, page, order);
	struct page *first = list->first;

	is_free(page, order);
	page->prev = NULL;
	page->next = first;
	if (first)
		first->prev = page;
	else
		list->last = page;
	list->first = page;
	list->count++;
}

/* At its end. Node's lock held. */
static void free_list_add_last(struct pmm_node *n, struct page *page, unsigned order)
{
	struct block_list *list = list_of(n, page, order);

	is_free(page, order);
	page->prev = list->last;
	page->next = NULL;
	*(list->last ? &list->last->next : &list->first) = page;
	list->last = page;
	list->count++;
}

/* Node's lock held. */
static inline void free_list_del(struct block_list *list, struct page *page)
{
	if (page->prev)
		page->prev->next = page->next;
	else
		list->first = page->next;
	if (page->next)
		page->next->prev = page->prev;
	else
		list->last = page->prev;
	list->count--;
}

/*
 * With its buddies, as long as those are free, and owe like it: else frames that are paid for would wait with those that
 * are not, and the payment come sooner. A block of 2^order frames has one: the block whose frame
 * number differs in bit `order`. Out of line, as a 2 MiB page has none.
 */
static __noinline struct page *merge(struct pmm_node *n, struct page *page, unsigned *size)
{
	u64 pfn = (u64)(page - page_array);
	u32 owes = page->owes;
	bool unpaid = is_unpaid(n, page);
	unsigned order = *size;

	for (; order < PMM_MAX_ORDER; order++) {
		struct page *buddy = page_array + (pfn ^ (1UL << order));

		if (load_relaxed(&buddy->state) != PAGE_FREE || buddy->order != order ||
		    buddy->node != page->node || is_unpaid(n, buddy) != unpaid)
			break;
		free_list_del(list_of(n, buddy, order), buddy);
		store_relaxed(&buddy->state, (u8)PAGE_RESERVED);
		pfn &= ~(1UL << order);
		owes = MAX(owes, buddy->owes);
	}
	*size = order;
	page_array[pfn].owes = owes;
	return page_array + pfn;
}

void buddy_paid(struct pmm_node *n)
{
	struct block_list unpaid[PMM_MAX_ORDER + 1];

	for (unsigned o = 0; o <= PMM_MAX_ORDER; o++) {
		unpaid[o] = n->unpaid[o];
		n->unpaid[o] = (struct block_list){0};
	}
	n->payments++;
	/* None of them is found as a buddy before its turn has come: then it is in a list. */
	for (unsigned o = 0; o <= PMM_MAX_ORDER; o++)
		for (struct page *page = unpaid[o].first; page; page = page->next)
			store_relaxed(&page->state, (u8)PAGE_RESERVED);
	for (unsigned o = 0; o <= PMM_MAX_ORDER; o++)
		for (struct page *page = unpaid[o].first, *next; page; page = next) {
			unsigned order = o;

			next = page->next;
			if (o < PMM_MAX_ORDER)
				page = merge(n, page, &order);
			free_list_add_last(n, page, order);
		}
}

void buddy_free(struct pmm_node *n, struct page *page, unsigned order, bool owes)
{
	n->free_pages += 1UL << order;
	page->owes = owes ? n->payments + 1 : 0;
	if (order < PMM_MAX_ORDER)
		page = merge(n, page, &order);
	free_list_add(n, page, order);
}

/* What is too large becomes smaller; its other halves are free. */
static __noinline void cut(struct pmm_node *n, struct page *page, unsigned from, unsigned order)
{
	while (from > order) {
		from--;
		struct page *half = page + (1UL << from);

		half->node = page->node;
		half->owes = page->owes;
		free_list_add(n, half, from);
	}
}

struct page *buddy_alloc(struct pmm_node *n, unsigned order, bool unpaid)
{
	struct block_list *list = unpaid ? n->unpaid : n->free;
	unsigned from = order;

	while (from <= PMM_MAX_ORDER && !list[from].first)
		from++;
	if (from > PMM_MAX_ORDER)
		return NULL;
	struct page *page = list[from].first;

	free_list_del(&list[from], page);
	if (from > order)
		cut(n, page, from, order);
	n->free_pages -= 1UL << order;
	page->order = (u8)order;
	/* Before the lock is left: a buddy that is freed meanwhile would take it for free. */
	store_relaxed(&page->state, (u8)PAGE_RESERVED);
	return page;
}
