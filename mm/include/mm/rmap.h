/*
 * The reverse map: where a page is mapped. It is the page's object and its index
 * there: every area of the object that covers the index may have an entry.
 */
#pragma once

#include <mm/area.h>
#include <mm/page.h>

/* Where this area maps the page of an index, if it covers that. */
static inline vaddr_t rmap_va(const struct area *area, u64 index)
{
	return area->start + ((index - area->offset) << PAGE_SHIFT);
}

/*
 * fn(area, va, arg) for each area that covers the page, until one returns false:
 * then false. There need be no entry at va. Either side of the object's lock
 * held; the page is in its object until fn is called first: isolated, referenced
 * and found there, or not mapped yet by who put it there. fn may wait if the
 * caller may.
 */
bool rmap_walk(const struct page *page, bool (*fn)(struct area *area, vaddr_t va, void *arg),
	       void *arg);
