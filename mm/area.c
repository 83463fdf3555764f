/* Areas: finding them, cutting them, and the objects that they show. */
#include <mm/aspace.h>
#include <mm/numa.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>

struct area *area_find_slowly(struct aspace *as, vaddr_t va)
{
	struct area *area;

	list_for_each_entry (area, &as->areas, link)
		if (va < area->end) {
			if (va < area->start)
				return NULL;
			store_relaxed(&as->recent, area);
			return area;
		}
	return NULL;
}

static inline void update_sole(struct object *obj)
{
	bool one = obj->area_count == 1 && (obj->is_shadow || !obj->shadows);

	store_relaxed(&obj->sole,
		      one ? container_of(obj->areas.next, struct area, object_link) : NULL);
}

void object_update_sole(struct object *obj)
{
	update_sole(obj);
}

/* The lock of the object's guard held. */
static void object_link_locked(struct area *area)
{
	struct object *obj = area->object;

	list_add_tail(&obj->areas, &area->object_link);
	obj->area_count++;
	update_sole(obj);
}

/* Takes the lock of the object's guard. */
static void object_link(struct area *area)
{
	write_lock(&object_guard(area->object)->lock);
	object_link_locked(area);
	write_unlock(&object_guard(area->object)->lock);
}

/* Takes the lock of the object's guard; waits for migrations that hold its read side. */
static void object_unlink(struct area *area)
{
	struct object *obj = area->object;

	write_lock(&object_guard(obj)->lock);
	list_del(&area->object_link);
	obj->area_count--;
	update_sole(obj);
	write_unlock(&object_guard(obj)->lock);
}

void area_replace_object(struct area *area, struct object *obj)
{
	struct object *old = area->object;

	ASSERT(obj->lower == old && obj->lower_at == area->offset);
	write_lock(&old->lock); /* of both: whoever walks finds the area in one of the two */
	list_del(&area->object_link);
	old->area_count--;
	area->object = obj;
	area->offset = 0;
	object_link_locked(area);
	update_sole(old);
	write_unlock(&old->lock);
}

/* Write side held. The area that follows va, or the list head's container. */
static struct list *area_position(struct aspace *as, vaddr_t va)
{
	struct area *area;

	list_for_each_entry (area, &as->areas, link)
		if (area->start >= va)
			return &area->link;
	return &as->areas;
}

void area_insert(struct aspace *as, struct area *area)
{
	ASSERT(area->start < area->end && area->end <= PT_VA_LOW_END);
	list_add_tail(area_position(as, area->start), &area->link);
	object_link(area);
}

void area_remove(struct aspace *as, struct area *area)
{
	store_relaxed(&as->recent, NULL);
	list_del(&area->link);
	object_unlink(area);
	object_put(area->object);
	kmem.free(area, sizeof(*area));
}

bool area_range_is_free(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct area *area;

	list_for_each_entry (area, &as->areas, link)
		if (area->start < end && start < area->end)
			return false;
	return true;
}

vaddr_t area_choose_va(struct aspace *as, u64 len)
{
	vaddr_t va = AREA_VA_MIN;
	struct area *area;

	list_for_each_entry (area, &as->areas, link) {
		if (va + len <= area->start)
			break;
		va = MAX(va, ALIGN_UP(area->end, HUGE_SIZE));
	}
	return va;
}

struct area *area_create(struct aspace *as, struct object *obj, vaddr_t va, u64 len)
{
	struct area *area = kmem.alloc(sizeof(*area), BOOT_NODE_NONE);

	if (!area)
		return NULL;
	if (obj)
		object_get(obj);
	else
		obj = object_create(len >> PAGE_SHIFT);
	if (!obj) {
		kmem.free(area, sizeof(*area));
		return NULL;
	}
	area->aspace = as;
	area->object = obj;
	area->start = va;
	area->end = va + len;
	return area;
}

int area_split(struct aspace *as, vaddr_t va)
{
	struct area *area = aspace_find(as, va), *upper;

	if (!area || area->start == va)
		return 0;
	upper = area_create(as, area->object, va, area->end - va);
	if (!upper)
		return -ENOMEM;
	upper->offset = area->offset + ((va - area->start) >> PAGE_SHIFT);
	upper->prot = area->prot;
	upper->huge = area->huge;
	upper->node = area->node;
	upper->placement = area->placement;
	upper->nodes = area->nodes;
	list_add_tail(area_position(as, upper->start), &upper->link);
	/* In one step for migrators of other spaces, who walk the object's areas: each page is in one of the two. */
	write_lock(&object_guard(area->object)->lock);
	area->end = va;
	object_link_locked(upper);
	write_unlock(&object_guard(area->object)->lock);
	return 0;
}
