/* Migrations of the workloads: from a range, or from a list of frames; and nodes that have no room for them. */
#include "work.h"

#include <mm/entry_page.h>

static u64 migrate(struct aspace *as, vaddr_t va, unsigned pages, u32 to, u8 *result)
{
	struct migrate_stats stats = {0};
	struct migrate_request req = {.as = as,
				      .start = va,
				      .len = (u64)pages << PAGE_SHIFT,
				      .from_nodes = ~(1UL << to),
				      .to_node = to,
				      .result = result,
				      .stats = &stats};

	return migrate_range(&req);
}

u64 work_migrate(struct aspace *as, vaddr_t va, unsigned pages, u32 to)
{
	return migrate(as, va, pages, to, NULL);
}

void work_migrate_told(struct aspace *as, vaddr_t va, unsigned pages, u32 to, bool last)
{
	enum { UNTOUCHED = 0xee };
	u8 all[3 * HUGE_PAGES], *result = all + HUGE_PAGES;

	memset(all, UNTOUCHED, sizeof(all));
	migrate(as, va, pages, to, result);
	for (unsigned i = 0; i < sizeof(all); i++)
		if (all[i] != UNTOUCHED && (i < HUGE_PAGES || i >= HUGE_PAGES + pages)) {
			fake_fail("migration of %u pages told about page %d", pages,
				  (int)i - (int)HUGE_PAGES);
			return;
		}
	if (last &&
	    phys_to_page(pte_pa(*aspace_entry(as, va + (pages - 1) * PAGE_SIZE), 0))->node != to)
		fake_fail("migration passed over the last of %u pages", pages);
}

/* ---- from frames -------------------------------------------------------------------------------- */

unsigned work_list_frames(struct aspace *as, vaddr_t va, unsigned pages, struct page **list)
{
	unsigned count = 0;

	read_lock(&as->lock);
	for (vaddr_t at = va; at < va + pages * PAGE_SIZE; at += PAGE_SIZE) {
		struct pt_pos pos = pgwalk_find(as->root, at, 0);
		pte_t pte = pte_load(pos.ptep);

		if (pos.level <= 1 && pte_is_leaf(pte, pos.level) &&
		    (list[count] = entry_page_get(pos, pte, PAGE_REF)))
			count++;
	}
	read_unlock(&as->lock);
	return count;
}

void work_move_frames(struct page **list, unsigned count, u32 to)
{
	struct migrate_stats stats = {0};
	struct migrate_request req = {.from_nodes = ~(1UL << to), .to_node = to, .stats = &stats};

	migrate_pages(list, count, &req);
	for (unsigned i = 0; i < count; i++)
		if (list[i])
			page_put(list[i], PAGE_REF);
}

/* ---- a node that is full ------------------------------------------------------------------------ */

static struct page *taken; /* linked by next */

void work_take_frames(u32 node, bool reserve)
{
	unsigned flags = PMM_STRICT | PMM_NO_RECLAIM | (reserve ? PMM_RESERVE : 0);
	struct page *page;

	while ((page = pmm_alloc(node, 0, flags))) {
		page->next = taken;
		taken = page;
	}
}

void work_give_frames(void)
{
	for (struct page *next; taken; taken = next) {
		next = taken->next;
		page_put(taken, PAGE_REF);
	}
}
