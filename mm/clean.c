/*
 * Cleaning a page: lock it and take its dirty mark, take write access from every entry,
 * flush, hand it to the store, unlock. In this order:
 *
 * Nothing is lost. A write before the flush is complete is in the page when the store
 * reads it. One that comes later faults, finds the page locked and waits, and then marks it
 * dirty. See page_begin_write() for the fault that comes at the same time.
 *
 * Nothing is torn. From the flush to the unlock, no CPU has a writable translation (I2), and
 * file_write() needs the lock. A pin's owner could write, so a pinned page is not
 * written: the entries are changed (full barrier), then the pins are counted; a pinner
 * counts itself, then looks at the entry again (I10).
 *
 * What an entry says is not all that a CPU may hold. A migration entry was taken down by
 * somebody who may not have flushed yet, and so was a hint entry while a scan is pending.
 * And where somebody has lowered an entry and not flushed (aspace_owes()), it may not
 * even name the page. All of these are flushed here, too (I9).
 */
#include <mm/clean.h>
#include <mm/page_lock.h>
#include <mm/rmap_edit.h>
#include <mm/stats.h>
#include <mm/store.h>
#include <kernel/error.h>
#include <kernel/panic.h>

static pte_t cleaned(pte_t leaf)
{
	return pte_mk_clean(pte_mk_readonly(leaf));
}

/* The entry loses write access. True: a CPU may still have it. PTL held. */
static bool lower(const struct rmap_place *at)
{
	if (pte_is_present(at->old)) {
		if (!pte_is_writable(at->old))
			return false;
		pt_change(at->ptep, cleaned);
		return true;
	}
	bool moves = pte_is_migration(at->old);
	pte_t leaf =
		moves ? pte_from_migration(at->old, pte_pa(at->old, 0), 0) : pte_from_hint(at->old);

	if (!pte_is_writable(leaf))
		return false;
	pt_note(at->ptep, moves ? pte_mk_migration(cleaned(leaf), 0) : pte_mk_hint(cleaned(leaf)));
	return moves || aspace_may_be_cached(at->as, at->old);
}

static void clean_at(struct rmap_edit *e, const struct rmap_place *at, void *arg __unused)
{
	/* A migration entry names the frame that the page was in: it may be in its slot already. */
	bool cached = (at->names || at->moves) && lower(at);

	if (!cached && !aspace_owes(at->as))
		return;
	tlb_gather_add(&e->gather, &at->as->ctx, at->va, 0);
	change_taken(at->as, at->va, 0, pte_load(at->ptep), &e->gather);
}

/* Nobody can write the page any more when this returns 0. It is locked. */
static int write_protect(struct object *file, struct page *page)
{
	struct rmap_edit edit;

	rmap_edit_begin(&edit, CHANGE_PROTECT);
	read_lock(&file->lock);
	int err = rmap_edit_page(&edit, page, clean_at, NULL);

	rmap_edit_end(&edit);
	read_unlock(&file->lock);
	return !err && page_pins(page) ? -EBUSY : err;
}

int page_clean(struct object *file, struct page *page)
{
	if (!page_lock_dirty(page))
		return 0;
	/* It was dirty, so it had not left the file; and does not, while it is locked. */
	ASSERT(page->object == file);
	int err = write_protect(file, page);

	if (!err)
		err = store_write(file->store, page->index, page);
	if (err)
		page_mark_dirty(page);
	page_unlock(page);
	return err;
}

int file_clean(struct object *file, u64 index)
{
	slot_t *slot = object_slot(file, index, false);
	slot_t seen = slot ? slot_load(slot) : slot_none();

	ASSERT(index < file->page_count);
	if (!slot_is_page(seen))
		return slot_is_none(seen) ? -ENOENT : -EBUSY;
	struct page *page = slot_page_get(slot, seen);

	if (!page)
		return -EBUSY;
	int err = page_clean(file, page);

	page_put(page, PAGE_REF);
	return err;
}
