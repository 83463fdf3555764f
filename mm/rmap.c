/* The reverse map: see rmap.h. */
#include <mm/rmap.h>

static bool walk_areas(const struct object *obj, u64 index, rmap_fn *fn, void *arg)
{
	struct area *area;

	list_for_each_entry (area, &obj->areas, object_link) {
		vaddr_t va = rmap_va(area, index);

		if (index >= area->offset && va < area->end && !fn(area, va, arg))
			return false;
	}
	return true;
}

bool rmap_walk(const struct page *page, rmap_fn *fn, void *arg)
{
	/* Once, before fn() may map the page and somebody who walks here, too, replaces it. */
	const struct object *obj = page->object;
	u64 index = page->index;

	if (!walk_areas(obj, index, fn, arg))
		return false;
	for (const struct object *s = obj->is_shadow ? NULL : obj->shadows; unlikely(s);
	     s = s->shadows)
		if (index >= s->lower_at && !walk_areas(s, index - s->lower_at, fn, arg))
			return false;
	return true;
}

bool rmap_walk_writers(const struct page *page, rmap_fn *fn, void *arg)
{
	return walk_areas(page->object, page->index, fn, arg);
}
