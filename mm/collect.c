/* Migration, first step: isolate pages of a range that are on the wrong node. */
#include <mm/knob.h>
#include <mm/migrate_batch.h>

static inline void collect_page(struct migration *m, struct page *page, vaddr_t va)
{
	if (!(m->req->from_nodes >> page->node & 1) || page->node == m->req->to_node)
		return;
	if (unlikely(page_pins(page)))
		migration_note_failure(m, va, page->order, MIGRATE_PINNED);
	else if (unlikely(!page_isolate(page)))
		migration_note_failure(m, va, page->order, MIGRATE_RACED);
	else
		migration_add(m, page, va);
}

/* Entries of one table, the first at va, which is aligned. Stops when the batch is full or a 2 MiB page was split. Returns where it stopped. */
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
		/* Destinations of all that is isolated exist at once: bound what large pages take. */
		unsigned max = order ? knobs.batch_2m : (unsigned)MIGRATE_MAX;
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
