/*
 * Dirty throttling: writers over the budget write back themselves. All who do for one
 * file share a place in it, and take turns to move it on: each cleans other pages, and the
 * oldest dirty ones come first where a file is written from its beginning to its end.
 */
#include <mm/clean.h>
#include <mm/dirty.h>
#include <mm/page.h>
#include <mm/stats.h>

/*
 * A writer writes back until so many more pages may become dirty, or a quarter of the budget: then one
 * fault in so many waits where each makes a page dirty.
 */
enum { HEADROOM = 4 };

/* Only a guess, made without a reference: the page may be gone. file_clean() looks again. */
static bool looks_dirty(struct object *file, u64 index)
{
	slot_t *slot = object_slot(file, index, false);
	slot_t seen = slot ? slot_load(slot) : slot_none();

	return slot_is_page(seen) && load_relaxed(&slot_page(seen)->flags) & PG_DIRTY;
}

void dirty_throttle(struct object *file)
{
	u32 budget = knobs.dirty_pages, most = budget - MIN(budget / 4, HEADROOM - 1U);

	count(throttled);
	for (u64 tried = 0; tried < file->page_count && load_relaxed(&file->dirty) > most;
	     tried++) {
		u64 index = atomic_fetch_add_relaxed(&file->writeback, 1U) % file->page_count;

		/* A page that fails stays dirty, and its turn comes again. */
		if (looks_dirty(file, index))
			file_clean(file, index);
	}
}
