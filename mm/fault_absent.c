/* Faults where nothing is mapped: find the page or make it, and map it. Or wait for it: then the fault starts over. */
#include <mm/cow.h>
#include <mm/fault.h>
#include <mm/file_fault.h>
#include <mm/numa.h>
#include <mm/pay.h>
#include <mm/pmm.h>
#include <mm/swap.h>
#include <arch/cpu.h>

/* A page of zeroes takes the place of nothing. NULL: no memory, or somebody else's page is there by now, or on its way. */
static struct page *new_page(const struct area *area, slot_t *slot, u64 index, unsigned order,
			     bool strict)
{
	unsigned flags = PMM_ZERO | (strict ? PMM_STRICT : PMM_FALLBACK);
	struct page *page = area_alloc_page(area, index, order, flags);
	slot_t old = slot_none();

	if (!page)
		return NULL;
	if (object_enter(area->object, index, slot, &old, page))
		return page;
	page_put(page, PAGE_REF);
	return NULL;
}

/* No 2 MiB page is to be had: the area gets small ones here. */
static enum fault_result fault_absent_small(struct fault *f, struct area *area)
{
	struct pt_pos pos =
		pgwalk_create(&pt_stage1, f->as->root, f->va, 0, numa_resolve(area->node));

	if (!pos.ptep || pos.level)
		return pos.ptep ? FAULT_RETRY : FAULT_ERROR;
	return pte_is_none(pte_load(pos.ptep)) ? fault_absent(f, area, pos) : FAULT_RETRY;
}

/* The page has to come from the object's store, or is on its way: without the space's lock. */
static enum fault_result fault_store(struct fault *f, const struct area *area,
				     const struct place *at)
{
	if (slot_is_busy(at->seen)) {
		object_wait_begin(&f->fill, at->obj, at->slot);
		return FAULT_WAIT;
	}
	struct page *page =
		area_alloc_page(area, at->index, 0, f->strict ? PMM_STRICT : PMM_FALLBACK);

	if (!page)
		return FAULT_ERROR;
	return object_fill_begin(&f->fill, at->obj, at->index, at->slot, at->seen, page)
		       ? FAULT_WAIT
		       : FAULT_RETRY;
}

enum fault_result fault_copy(struct fault *f, const struct area *area, struct pt_pos pos,
			     const struct place *at)
{
	if (!at->slot)
		return FAULT_ERROR;
	enum fault_result result = fault_store(f, area, at);

	return result == FAULT_WAIT && f->fill.page ? cow_unmap_below(f, area, pos) : result;
}

/* The area's object has no page here. FAULT_DONE: *page is one that it shows of another object, or NULL: look again. */
static __noinline enum fault_result fault_behind(struct fault *f, struct area *area,
						 struct pt_pos pos, struct place at,
						 struct page **page)
{
	if (at.obj->is_shadow && slot_is_none(at.seen)) {
		if (f->write)
			return fault_copy(f, area, pos, &at);
		if (!cow_look_below(&at) || at.index >= load_relaxed(&at.obj->size))
			return FAULT_ERROR;
	}
	if (!slot_is_page(at.seen))
		return fault_store(f, area, &at);
	*page = slot_page_get(at.slot, at.seen);
	return FAULT_DONE;
}

/*
 * Another mapping of it may have a debt (I5), or what was mapped here before
 * (I6). We hold a reference, so it does not move meanwhile; if nobody maps it,
 * no stale entry leads to an older copy of it, unless it was read in where one had left its file.
 */
static __noinline void pay_for_map(const struct fault *f, const struct area *area,
				   struct pt_pos pos, struct page *page)
{
	bool may_owe = load_relaxed(&page->mapcount) || load_relaxed(&page->flags) & PG_COPIED;
	vaddr_t va = ALIGN_DOWN(f->va, PT_LEVEL_SIZE(pos.level));

	pay(PAY_MAP, (struct pay_scope){.page = may_owe ? page : NULL,
					.ctx = &f->as->ctx,
					.start = va,
					.end = va + PT_LEVEL_SIZE(pos.level),
					.write = area->prot & PROT_WRITE});
}

/* The entry of a page. What most areas allow is a constant. Code is to be fetched as it was written. */
static __always_inline pte_t leaf_of(const struct page *page, prot_t prot, unsigned level)
{
	if (likely(prot == (PROT_READ | PROT_WRITE)))
		return pte_mk_leaf(page_to_phys(page), PROT_READ | PROT_WRITE, level);
	if (prot & PROT_EXEC)
		code_sync(page_to_virt(page), PT_LEVEL_SIZE(level));
	return pte_mk_leaf(page_to_phys(page), prot & PROT_AREA, level);
}

/* Of an area that tracks its pages: the rights with which this one is mapped. 0: not at all. PTL held. */
static __noinline prot_t tracked_prot(struct fault *f, const struct area *area, struct page *page,
				      const slot_t *slot)
{
	prot_t prot = area->prot;
	bool may = area->object->is_shadow ? cow_fault_map(f, area, page, slot, &prot)
					   : file_fault_map(f, page, slot, &prot);

	return may ? prot : 0;
}

/*
 * The entry for a page that the fault has a reference to, which the mapping takes
 * over. False: somebody else has put one there, or the page has left its file.
 */
static inline bool map_page(struct fault *f, const struct area *area, struct pt_pos pos,
			    const slot_t *slot, struct page *page)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);

	spin_lock(ptl);
	bool won = pte_is_none(pte_load(pos.ptep));

	if (won) {
		prot_t prot = area->prot;

		atomic_fetch_add(&page->mapcount, 1);
		if (unlikely(area->object->tracked))
			prot = tracked_prot(f, area, page, slot);
		won = prot;
		if (likely(won))
			pt_install(pos.ptep, leaf_of(page, prot, pos.level));
	}
	spin_unlock(ptl);
	return won;
}

/* The page that belongs here, with a reference; or NULL: look again. Anything but FAULT_DONE: the fault ends so. */
static inline enum fault_result absent_page(struct fault *f, struct area *area, struct pt_pos pos,
					    const struct place *at, unsigned order,
					    struct page **page)
{
	if (likely(slot_is_none(at->seen) && at->obj->ops->zeroes)) {
		*page = new_page(area, at->slot, at->index, order, f->strict);
		if (*page || !slot_is_none(slot_load(at->slot)))
			return FAULT_DONE;
		return order ? fault_absent_small(f, area) : FAULT_ERROR;
	}
	if (at->index >= load_relaxed(&at->obj->size))
		return FAULT_ERROR; /* beyond the end of the file */
	if (!slot_is_page(at->seen)) {
		struct page *found = NULL; /* as *page itself shall be in a register */
		enum fault_result result = fault_behind(f, area, pos, *at, &found);

		*page = found;
		return result;
	}
	*page = slot_page_get(at->slot, at->seen);
	return FAULT_DONE;
}

enum fault_result fault_absent(struct fault *f, struct area *area, struct pt_pos pos)
{
	unsigned order = pos.level ? HUGE_ORDER : 0;
	vaddr_t va = ALIGN_DOWN(f->va, PT_LEVEL_SIZE(pos.level));
	struct place at = {.obj = area->object,
			   .index = area->offset + ((va - area->start) >> PAGE_SHIFT)};
	struct page *page;

	at.slot = object_slot(at.obj, at.index, true);
	if (!at.slot)
		return FAULT_ERROR;
	at.seen = slot_load(at.slot);
	enum fault_result result = absent_page(f, area, pos, &at, order, &page);

	if (result != FAULT_DONE)
		return result;
	/*
	 * The page in the slot has the other size. Either somebody put a 2 MiB page there, found a table
	 * in its place, and will take the page back; or the table is there by now. Look again.
	 */
	if (unlikely(page && page->order != order)) {
		page_put(page, PAGE_REF);
		page = NULL;
	}
	if (!page) {
		cpu_relax();
		return FAULT_RETRY;
	}
	if (unlikely(pay_is_heard(PAY_MAP)))
		pay_for_map(f, area, pos, page);
	bool won = map_page(f, area, pos, at.slot, page);

	/* If somebody else won, the access decides again. */
	if (unlikely(!won))
		page_put(page, PAGE_REF);
	if (likely(slot_is_none(at.seen)))
		return FAULT_DONE; /* a new page, or one that a shadow shows: neither is kept, nor does it throttle */
	if (won && load_relaxed(&page->flags) & PG_KEPT)
		swap_unkeep(page);
	return f->throttle ? FAULT_WAIT : FAULT_DONE;
}
