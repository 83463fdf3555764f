/*
 * Demotion: see demote.h. A hand goes round the entries of a space, as the NUMA scan does: it takes
 * the accessed bit from those that have it, and the pages of the others move. Hint
 * entries have not been accessed since the scan.
 *
 * The reference that is taken under the PTL keeps the page until migrate_pages() looks at it.
 */
#include <mm/demote.h>
#include <mm/knob.h>
#include <mm/migrate.h>
#include <mm/numa.h>
#include <mm/pgwalk.h>
#include <mm/pmm.h>
#include <mm/reclaim.h>
#include <mm/stats.h>

enum { ROUNDS = 2 }; /* of the hand before it gives up: all may be accessed in the first one */

struct picked {
	u32 node;
	struct page *page[RECLAIM_PAGES];
	unsigned count;
};

/* PTL held. The page goes, unless it is elsewhere or was accessed. */
static void look_at(struct picked *p, pte_t *ptep)
{
	pte_t pte = pte_load(ptep);

	if (!pte_is_present(pte) && !pte_is_hint(pte))
		return;
	struct page *page = phys_to_page(pte_pa(pte, 0));

	if (page->node != p->node)
		return;
	/* CPUs may go on using what they hold: the bit is set again when one walks the tables. */
	if (pte_is_present(pte) && pte_is_accessed(pte))
		pt_change(ptep, pte_mk_old);
	else if (page_get(page, PAGE_REF))
		p->page[p->count++] = page;
}

/* Entries of one table, from va on. Returns where to go on. */
static vaddr_t pick_from_table(struct picked *p, struct pt_pos pos, vaddr_t va, vaddr_t end)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);

	spin_lock(ptl);
	for (; va < end && p->count < RECLAIM_PAGES; va += PAGE_SIZE)
		look_at(p, pos.ptep++);
	spin_unlock(ptl);
	return va;
}

/* Read side of aspace.lock held. Returns where to go on. */
static vaddr_t pick_from_area(struct picked *p, const struct area *area, vaddr_t va)
{
	while (va < area->end && p->count < RECLAIM_PAGES) {
		struct pt_pos pos = pgwalk_find(area->aspace->root, va, 0);
		vaddr_t stop = ALIGN_DOWN(va, HUGE_SIZE) + HUGE_SIZE;

		if (pos.level)
			va = stop; /* nothing was mapped there, or large pages, which stay */
		else
			va = pick_from_table(p, pos, va, MIN(stop, area->end));
	}
	return MIN(va, area->end);
}

/* The next pages, of one round at most. True: it has been round. */
static bool pick(struct demotion *d, struct picked *p)
{
	struct area *area;

	p->count = 0;
	read_lock(&d->as->lock);
	list_for_each_entry (area, &d->as->areas, link)
		if (area->end > d->next && p->count < RECLAIM_PAGES)
			d->next = pick_from_area(p, area, MAX(d->next, area->start));
	read_unlock(&d->as->lock);
	if (p->count == RECLAIM_PAGES)
		return false;
	d->next = 0;
	return true;
}

u32 demote_target(u32 node)
{
	unsigned count;
	const u8 *nearest = pmm_fallback_order(node, &count);

	for (unsigned i = 1; i < count; i++)
		if (pmm_node_has_memory(nearest[i]) && !numa_has_cpus(nearest[i]))
			return nearest[i];
	return node;
}

/* Returns how many moved. The references of all are dropped. */
static u64 move(struct picked *p, u32 to)
{
	struct migrate_stats stats = {0};
	u8 result[RECLAIM_PAGES];
	struct migrate_request req = {
		.from_nodes = 1UL << p->node, .to_node = to, .stats = &stats, .result = result};

	if (p->count)
		migrate_pages(p->page, p->count, &req);
	for (unsigned i = 0; i < p->count; i++)
		if (p->page[i])
			page_put(p->page[i], PAGE_REF);
	count_add(pages_demoted, stats.moved);
	return stats.moved;
}

/* Up to so many pages of a space. Returns how many moved; 0: none may, or the slow tier is full. */
static u64 demote_pages(struct demotion *d, u32 node, u64 want)
{
	struct picked picked = {.node = node};
	u32 to = demote_target(node);
	u64 gone = 0, moved = 0;

	/* The round that it is in the middle of is none of the two. */
	for (unsigned rounds = 0; to != node && gone < want && rounds <= ROUNDS; gone += moved) {
		rounds += pick(d, &picked);
		moved = move(&picked, to);
		if (picked.count && !moved)
			break; /* there is no room, or they are all in use */
	}
	return gone;
}

u64 demote_some(struct demotion *d, unsigned spaces, u32 node)
{
	u32 to = demote_target(node);
	u64 moved = 0;

	for (unsigned i = 0; i < spaces && pmm_is_short(node, knobs.watermark_gap); i++) {
		reclaim_balance(to); /* all that others allocate here lands there */
		moved += demote_pages(&d[i], node, RECLAIM_PAGES);
	}
	return moved;
}
