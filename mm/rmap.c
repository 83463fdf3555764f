/* The reverse map: see rmap.h. */
#include <mm/rmap.h>

bool rmap_walk(const struct page *page, bool (*fn)(struct area *area, vaddr_t va, void *arg),
	       void *arg)
{
	/* Once, before fn() may map the page and somebody who walks here, too, replaces it. */
	struct object *obj = page->object;
	u64 index = page->index;
	struct area *area;

	list_for_each_entry (area, &obj->areas, object_link) {
		vaddr_t va = rmap_va(area, index);

		if (index >= area->offset && va < area->end && !fn(area, va, arg))
			return false;
	}
	return true;
}
