/*
 * Pinned pages and the NUMA scan. A pinned page cannot move, so a hint entry of it is a fault for nothing, and
 * where a second MMU zaps what becomes inaccessible, a zap for nothing. Of entries of 4 KiB and of 2 MiB alike.
 *
 * This is a guess, and no more is needed. A pin that comes after the look finds a hint entry, or an accessible
 * one, and is taken either way; whether the page moves is decided by its migrator, who looks at the references
 * after the entry is down (I10, mm/migrate.c).
 *
 * skip-cow is the test that Linux 6.1 has instead (change_pte_range(), mm/mprotect.c): a mapping that may be
 * copied on write, and a page with more references than that mapping's. It misses the pinned pages of shared
 * mappings. And it spares pages that nobody has pinned: those that a duplicate of the space maps, too, those that
 * a private mapping shows of its file, and those that somebody refers to for a moment.
 */
#include <mm/knob.h>
#include <mm/scan_spare.h>
#include <mm/stats.h>

/* Anonymous memory that no other area can map, and shadows, which copy what they show. */
static bool may_be_copied_on_write(struct aspace *as, vaddr_t va)
{
	const struct area *area = aspace_find(as, va);

	return area && !load_relaxed(&area->object->shared);
}

bool scan_spares(struct aspace *as, vaddr_t va, const struct page *page)
{
	bool pinned = page_pins(page), spared = pinned;

	if (knobs.pinned == PINNED_SKIP_COW)
		spared = page_refs(page) != 1 && may_be_copied_on_write(as, va);
	if (spared)
		count(hint_spared);
	if (spared && !pinned)
		count(hint_spared_unpinned);
	if (pinned && !spared)
		count(hint_marked_pinned);
	return spared;
}
