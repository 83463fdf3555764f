/*
 * One page leaves its file, or several with one flush: between mm/file_drop.c and mm/reclaim.c.
 *
 *	rmap_edit_begin(&edit, CHANGE_DROP);
 *	leave_begin(file, page, &edit);		for each page, locked and isolated; file->lock held, read side
 *	rmap_edit_end(&edit);			flushed: no CPU reaches them any more
 *	leave_end(file, page, stays);		for each page, without file->lock
 */
#pragma once

#include <mm/file.h>
#include <mm/rmap_edit.h>

/*
 * Mark the page's slot busy and take its entries down, into the edit's gather; if edit->waits, their flush is owed instead. The
 * caller has the page's lock, its isolation and a reference, and keeps the file open. 0, or a subscriber's
 * refusal: then the page must stay. leave_end() follows in any case. Task context; may flush and wait.
 */
int leave_begin(struct object *file, struct page *page, struct rmap_edit *edit);

/*
 * Has somebody pinned it? After the flush. The entries were exchanged before (full barrier); a pinner
 * looks at its entry again (I10).
 */
static inline bool leave_is_pinned(const struct page *page)
{
	return page_pins(page);
}

/*
 * It stays in its slot after all; or the slot is empty, the page clean and of no file. Ends the
 * isolation, drops the references of the mappings, and wakes who waits for the slot. The caller's lock and
 * reference remain.
 */
void leave_end(struct object *file, struct page *page, bool stays);

/*
 * A page of the file is about to leave with its flush owed: from now on, until that is paid, whoever reads it in again gets a
 * page with older copies. Its slot is busy. Any context.
 */
void file_leaves_owing(struct object *file);
/* The page was read from this file just now, and nobody else knows it: mark it, if it has older copies. */
void file_mark_copied(const struct object *file, struct page *page);

/* The slot's page with a reference, once nobody moves, fills or drops it. NULL: there is none. Task context, no locks. */
struct page *file_settled_page(struct object *file, slot_t *slot);
