/*
 * The reverse map: where a page is mapped. It is the page's object and its index
 * there: every area of the object or of a shadow of it that covers the index may have an entry.
 */
#pragma once

#include <mm/area.h>
#include <mm/page.h>

/* The address at which this area maps the page of an index that it covers. */
static inline vaddr_t rmap_va(const struct area *area, u64 index)
{
	return area->start + ((index - area->offset) << PAGE_SHIFT);
}

typedef bool rmap_fn(struct area *area, vaddr_t va, void *arg);

/*
 * Call fn(area, va, arg) for each area that covers the page. If one call returns
 * false, stop and return false. There need not be an entry at va, and that of a shadow may name
 * a copy of the page.
 *
 * Either side of the object's lock is held. The page must belong to its object until
 * fn is called for the first time: it is isolated, or the caller has a reference and
 * found it in its slot, or only the caller can map it yet. fn may wait if the caller
 * may.
 */
bool rmap_walk(const struct page *page, rmap_fn *fn, void *arg);
/* The same without shadows, whose entries never let anybody write the page. */
bool rmap_walk_writers(const struct page *page, rmap_fn *fn, void *arg);
