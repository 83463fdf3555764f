/* Migration, first step: isolate pages, of a range or of a list, that are on the wrong node. */
#include <mm/knob.h>
#include <mm/migrate_batch.h>

/* Destinations of all that is isolated exist at once: bound what large pages take. */
static inline unsigned most(unsigned order)
{
	return order ? knobs.batch_2m : (unsigned)MIGRATE_MAX;
}

/* Is the page on one of the nodes that the request wants emptied? */
static inline bool wanted(const struct migration *m, const struct page *page)
{
	return m->req->from_nodes >> page->node & 1 && page->node != m->req->to_node;
}

/*
 * A page that is on its way to its store stays: whoever locked it has a reference, so the move
 * would fail after its flush. Not OK: it is not isolated by us.
 */
static inline enum migrate_reason isolate_to_move(struct page *page)
{
	if (unlikely(!page_isolate(page)))
		return MIGRATE_RACED;
	if (likely(!(load_relaxed(&page->flags) & PG_LOCKED)))
		return MIGRATE_OK;
	page_end_isolation(page);
	return MIGRATE_WRITEBACK;
}

/* Isolate the page found at va, or note why it stays. PTL held, which keeps the page. */
static inline void collect_page(struct migration *m, struct page *page, vaddr_t va)
{
	if (!wanted(m, page))
		return;
	if (unlikely(page_pins(page))) {
		migration_note_failure(m, va, page->order, MIGRATE_PINNED);
		return;
	}
	enum migrate_reason reason = isolate_to_move(page);

	if (likely(reason == MIGRATE_OK))
		migration_add(m, page, va);
	else
		migration_note_failure(m, va, page->order, reason);
}

/*
 * Entries of one table, the first at va, which is aligned. Stops when the batch is full or a 2 MiB
 * page was split. Returns where it stopped.
 */
static vaddr_t collect_run(struct migration *m, struct pt_pos pos, vaddr_t va, vaddr_t end,
			   unsigned max)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);
	u64 size = PT_LEVEL_SIZE(pos.level);

	spin_lock(ptl);
	for (; va < end && m->count < max; va += size, pos.ptep++) {
		pte_t pte = pte_load(pos.ptep);

		if (unlikely(pte_is_table(pte, pos.level)))
			break;
		if (pte_is_present(pte) || pte_is_hint(pte))
			collect_page(m, phys_to_page(pte_pa(pte, pos.level)), va);
	}
	spin_unlock(ptl);
	return va;
}

vaddr_t collect_pages(struct migration *m, vaddr_t va, vaddr_t end)
{
	m->count = 0;
	while (va < end) {
		struct pt_pos pos = pgwalk_find(m->req->as->root, va, 0);
		u64 size = PT_LEVEL_SIZE(pos.level), table = PT_LEVEL_SIZE(pos.level + 1);
		unsigned order = pos.level ? HUGE_ORDER : 0;

		if (pos.level && pte_is_none(pte_load(pos.ptep))) {
			va = ALIGN_DOWN(va, size) + size;
			continue;
		}
		if (m->count && order != m->order)
			break;
		m->order = order;
		m->level = pos.level;
		unsigned max = most(order);
		/* A range may begin or end inside a large page, which moves whole. */
		vaddr_t at = ALIGN_DOWN(va, size);
		vaddr_t stop = order ? at + size : ALIGN_DOWN(va, table) + table;
		vaddr_t next = collect_run(m, pos, at, MIN(stop, end), max);

		if (next == at) /* split meanwhile: its parts, in the next batch */
			return va;
		va = next;
		if (m->count == max)
			break;
	}
	return va;
}

/*
 * Is it ours now? The order is certain only then: a split isolates the page, too.
 * Not OK: whoever isolated it has let it go, or has it.
 */
static enum migrate_reason isolate_listed(const struct migration *m, struct page *page)
{
	enum migrate_reason reason = MIGRATE_OK;

	if (!m->req->isolated)
		reason = isolate_to_move(page);
	if (reason != MIGRATE_OK)
		return reason;
	if (page_pins(page))
		reason = MIGRATE_PINNED;
	else if (!page->object)
		reason = MIGRATE_GONE;
	if (reason != MIGRATE_OK)
		page_end_isolation(page);
	return reason;
}

unsigned collect_listed(struct migration *m, unsigned at, unsigned n)
{
	m->count = 0;
	for (; at < n && (!m->count || m->count < most(m->order)); at++) {
		struct page *page = m->list[at];
		vaddr_t place = (vaddr_t)at << PAGE_SHIFT;

		if (!wanted(m, page)) {
			if (m->req->isolated)
				page_end_isolation(page);
			continue;
		}
		enum migrate_reason reason = isolate_listed(m, page);

		if (reason != MIGRATE_OK) {
			migration_note_failure(m, place, page->order, reason);
			continue;
		}
		if (!m->count) {
			m->order = page->order;
			m->level = page->order ? 1 : 0;
		} else if (page->order != m->order) {
			if (!m->req->isolated)
				page_end_isolation(page);
			break; /* begins the next batch */
		}
		migration_add(m, page, place);
	}
	return at;
}
