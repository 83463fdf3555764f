/* The reverse map: see rmap.h. */
#include <mm/rmap.h>

bool rmap_walk(const struct page *page, bool (*fn)(struct area *area, vaddr_t va, void *arg),
	       void *arg)
{
	struct area *area;

	list_for_each_entry (area, &page->object->areas, object_link) {
		if (page->index < area->offset || rmap_va(area, page) >= area->end)
			continue;
		if (!fn(area, rmap_va(area, page), arg))
			return false;
	}
	return true;
}
