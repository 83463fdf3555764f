/*
 * Slots of objects whose pages may be written to swap. The slot that has the reference is that of
 * the object which the area shows: its own pages and those that a shadow shows leave alike, each mapping with a
 * reference of its own. So a reference stands for one entry that is not there, and what is done to entries
 * by whoever holds the write side of aspace.lock is done to references, too: unmapping and dropping give
 * them back, duplicating a space makes one more.
 *
 * Several areas may show one object: then the slot has one reference for all of them, which is the object's until it is closed, and
 * so is a page that was read in (PG_HELD).
 *
 * While that lock is held no fault begins, and reclaim puts a reference only where it has taken an entry. So
 * where an entry is gone, its slot changes no more but by a fault that has let go of the lock to read the
 * page in: that one is waited for. It finds the area gone, or the slot empty, when it is retried.
 */
#include <mm/aspace.h>
#include <mm/swap.h>
#include <arch/cpu.h>
#include <kernel/panic.h>

int swap_fill(struct object *obj __unused, u64 index __unused, slot_t was, struct page *page)
{
	int err = swap_in(slot_ref(was), page);

	if (!err)
		swap_put(slot_ref(was));
	return err;
}

void swap_unkeep(struct page *page)
{
	const u32 keeps = PG_KEPT | PG_HELD; /* one of the two, or none */

	/* Relaxed: the reference is dropped by a full barrier. */
	if (atomic_fetch_and_relaxed(&page->flags, ~keeps) & keeps)
		page_put(page, PAGE_REF);
}

struct page *swap_slot_page(struct object *obj, slot_t *slot, slot_t *seen)
{
	struct object_fill wait;

	for (;;) {
		*seen = slot_load(slot);
		if (slot_is_busy(*seen)) {
			object_wait_begin(&wait, obj, slot);
			object_fill_end(&wait);
			continue;
		}
		if (!slot_is_page(*seen))
			return NULL;
		struct page *page = slot_page_get(slot, *seen);

		if (page)
			return page;
		cpu_relax(); /* somebody looks at it, or it is about to go */
	}
}

/*
 * We have a reference to a page: it is its object's no more. Others with one are faults that have read it in, of which one
 * may have mapped it since: their next attempt must not find it. But pins keep a page where it is.
 */
static void drop_page(struct object *obj, slot_t *slot, struct page *page)
{
	if (page_pins(page)) {
		swap_unkeep(page);
		page_put(page, PAGE_REF);
		return;
	}
	/* Somebody who thinks of moving it: he finds our reference. */
	while (!page_isolate(page))
		cpu_relax();
	store_relaxed(&page->object, NULL);
	slot_store(slot, slot_none());
	object_release(obj); /* not the last: its user calls us */
	page_end_isolation(page);
	swap_unkeep(page);
	page_put(page, PAGE_REF);
}

void swap_slot_drop(struct object *obj, slot_t *slot)
{
	slot_t seen;
	struct page *page = swap_slot_page(obj, slot, &seen);

	if (page) {
		drop_page(obj, slot, page);
	} else if (slot_is_ref(seen)) {
		slot_store(slot, slot_none());
		swap_put(slot_ref(seen));
	}
}

/* The same for the part of an area that is in [va, end). */
static void drop_area(const struct area *area, vaddr_t va, vaddr_t end)
{
	struct object *obj = area->object;
	u64 at = area->offset + ((MAX(va, area->start) - area->start) >> PAGE_SHIFT);
	u64 last = area->offset + ((MIN(end, area->end) - area->start) >> PAGE_SHIFT);

	for (; at < last; at++) {
		slot_t *slot = object_slot(obj, at, false);

		if (slot)
			swap_slot_drop(obj, slot);
		else
			at = ALIGN_DOWN(at, OBJECT_CHUNK) + OBJECT_CHUNK - 1;
	}
}

void swap_drop(struct aspace *as, vaddr_t va, vaddr_t end)
{
	struct area *area;

	list_for_each_entry (area, &as->areas, link)
		if (area->start < end && va < area->end && load_relaxed(&area->object->stored) &&
		    !load_relaxed(&area->object->shared))
			drop_area(area, va, end);
}

void swap_share(struct area *area, slot_t *slot, slot_t ref)
{
	swap_get(slot_ref(ref));
	slot_store(slot, ref);
	store_relaxed(&area->object->stored, true);
	store_relaxed(&area->aspace->stored, true);
}
