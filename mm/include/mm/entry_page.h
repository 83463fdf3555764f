/* The page that an entry names, so that it stays there. */
#pragma once

#include <mm/page.h>
#include <mm/pgwalk.h>

/*
 * What a leaf entry names, with a reference or a pin (PAGE_REF, PAGE_PIN), or NULL: the entry has
 * changed since it said so. I10: we take the reference, then look at the entry again; a migrator
 * takes the entry down, then looks at the references. Read side of aspace.lock held.
 */
static inline struct page *entry_page_get(struct pt_pos pos, pte_t said, u64 what)
{
	struct page *page = phys_to_page(pte_pa(said, pos.level));

	if (!page_get(page, what))
		return NULL;
	if (pte_load(pos.ptep).v == said.v)
		return page;
	page_put(page, what);
	return NULL;
}
