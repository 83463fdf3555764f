/*
 * Page faults of workloads. A fault looks at the entry under the PTL and
 * either finishes, or waits without any lock and starts over (attempt + 1).
 */
#include <mm/aspace.h>
#include <mm/cow.h>
#include <mm/fault.h>
#include <mm/file_fault.h>
#include <mm/hint.h>
#include <mm/migrate_wait.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/pay.h>
#include <mm/stats.h>
#include <kernel/error.h>
#include <kernel/panic.h>
#include <kernel/smp.h>

PERCPU(struct fault_wait, fault_wait);

/* ---- absent pages ------------------------------------------------------------- */

static u32 area_node(const struct area *area)
{
	return numa_resolve(area->node);
}

/* A page of zeroes takes the place of nothing. NULL: no memory, or the slot's new page is on its way. */
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
	return slot_is_page(old) ? slot_page_get(slot, old) : NULL;
}

static enum fault_result fault_absent(struct fault *f, struct area *area, struct pt_pos pos);

/* No 2 MiB page is to be had: the area gets small ones here. */
static enum fault_result fault_absent_small(struct fault *f, struct area *area)
{
	struct pt_pos pos = pgwalk_create(&pt_stage1, f->as->root, f->va, 0, area_node(area));

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
 * No lock held: what FAULT_WAIT asked for. A page from the store stays until the fault ends, so that
 * it finds it.
 */
static __noinline enum fault_result wait_for_page(struct fault *f)
{
	struct page *page = f->fill.page;

	if (f->throttle)
		return file_fault_throttle(f);
	if (!f->fill.obj)
		return file_fault_wait(f);
	if (object_fill_end(&f->fill))
		return FAULT_ERROR;
	if (page) {
		if (f->filled)
			page_put(f->filled, PAGE_REF);
		f->filled = page;
	}
	return FAULT_RETRY;
}

/* Drop what the fault held while it waited. */
static inline void fault_end(struct fault *f)
{
	if (unlikely(f->filled))
		page_put(f->filled, PAGE_REF);
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
			won = area->object->is_shadow ? cow_fault_map(f, area, page, slot, &prot)
						      : file_fault_map(f, page, slot, &prot);
		if (unlikely(prot & PROT_EXEC))
			code_sync(page_to_virt(page), PT_LEVEL_SIZE(pos.level));
		if (likely(won))
			pt_install(pos.ptep, pte_mk_leaf(page_to_phys(page), prot, pos.level));
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
	if (!slot_is_page(at->seen))
		return fault_behind(f, area, pos, *at, page);
	*page = slot_page_get(at->slot, at->seen);
	return FAULT_DONE;
}

/* Nothing is mapped: find or make the page and map it. Read side of aspace.lock held. */
static enum fault_result fault_absent(struct fault *f, struct area *area, struct pt_pos pos)
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
	/*
	 * Another mapping of it may have a debt (I5), or what was mapped here before
	 * (I6). We hold a reference, so it does not move meanwhile; if nobody maps it,
	 * no stale entry leads to an older copy of it.
	 */
	pay(PAY_MAP, (struct pay_scope){.page = load_relaxed(&page->mapcount) ? page : NULL,
					.ctx = &f->as->ctx,
					.start = va,
					.end = va + PT_LEVEL_SIZE(pos.level),
					.write = area->prot & PROT_WRITE});
	if (!map_page(f, area, pos, at.slot, page))
		page_put(page, PAGE_REF);
	/* If somebody else won, the access decides again. */
	return unlikely(f->throttle) ? FAULT_WAIT : FAULT_DONE;
}

/* ---- the handler ---------------------------------------------------------------- */

/* May the area have a 2 MiB page around va? */
static bool large_page_fits(const struct area *area, vaddr_t va)
{
	vaddr_t base = ALIGN_DOWN(va, HUGE_SIZE);

	return area->huge && base >= area->start && base + HUGE_SIZE <= area->end;
}

/*
 * Where the entry is, and what it says: f->seen, by one look, as the entry of a
 * 2 MiB page may become a table at any moment. ptep NULL: no memory.
 */
static struct pt_pos fault_position(struct fault *f, const struct area *area)
{
	unsigned level = large_page_fits(area, f->va) ? 1 : 0;
	struct pt_pos pos = pgwalk_create(&pt_stage1, f->as->root, f->va, level, area_node(area));

	f->seen = pos.ptep ? pte_load(pos.ptep) : pte_none();
	/* A table where a 2 MiB page would go: there was none to be had, or it was split. */
	if (unlikely(level && pte_is_table(f->seen, 1))) {
		pos = pgwalk_create(&pt_stage1, f->as->root, f->va, 0, area_node(area));
		f->seen = pos.ptep ? pte_load(pos.ptep) : pte_none();
	}
	return pos;
}

/* Read side of aspace.lock held on entry, dropped on return. */
static enum fault_result fault_locked(struct fault *f)
{
	struct area *area = aspace_find(f->as, f->va);
	enum fault_result result = FAULT_ERROR;

	if (area && !(f->write && !(area->prot & PROT_WRITE)) &&
	    !(f->exec && !(area->prot & PROT_EXEC))) {
		struct pt_pos pos = fault_position(f, area);
		pte_t seen = f->seen;

		if (!pos.ptep)
			result = FAULT_ERROR;
		else if (pte_is_none(seen))
			result = f->write && area->object->is_shadow &&
						 cow_write_absent(f, area, pos)
					 ? FAULT_DONE
					 : fault_absent(f, area, pos);
		else if (pte_is_present(seen))
			result = fault_present(f, area, pos);
		else if (pte_is_hint(seen))
			result = hint_fault(f, pos);
		else if (pte_is_migration(seen)) {
			struct spinlock *ptl = pt_lock_of(pos.ptep);

			spin_lock(ptl);
			/* A writer may wait for us while we wait for the page: let go of the space first. */
			read_unlock(&f->as->lock);
			if (pte_load(pos.ptep).v == seen.v)
				migration_wait(phys_to_page(pte_pa(seen, pos.level)), ptl);
			else
				spin_unlock(ptl);
			return FAULT_RETRY;
		}
	}
	read_unlock(&f->as->lock);
	return result;
}

/* Count the time of a fault that waited for a page under migration. */
static void note_wait(const struct fault *f, u64 waits_before)
{
	struct mm_counters *c = this_cpu_ptr(mm_counters);
	struct fault_wait *w = this_cpu_ptr(fault_wait);

	if (c->migration_waits == waits_before)
		return;
	u64 took = cycles_now() - f->start;

	w->count++;
	w->total += took;
	w->longest = MAX(w->longest, took);
	c->wait_faulter += took;
}

/* All but what is there only with others: seen, and what to wait for. Field by field, as that is the shorter path. */
static inline void fault_begin(struct fault *f, struct aspace *as, vaddr_t va)
{
	f->as = as;
	f->va = va;
	f->write = f->exec = f->strict = false;
	f->attempt = 0;
	f->fill.obj = NULL;
	f->dirties = f->throttled = false;
	f->throttle = NULL;
	f->filled = NULL;
}

bool fault_handle(struct aspace *as, vaddr_t va, bool write, bool exec)
{
	struct fault f;

	fault_begin(&f, as, va);
	f.write = write;
	f.exec = exec;
	f.start = cycles_now();
	u64 waits = this_cpu_ptr(mm_counters)->migration_waits;
	enum fault_result result;

	count(page_faults);
	for (;; f.attempt++) {
		read_lock(&as->lock);
		result = fault_locked(&f);
		if (likely(result < FAULT_RETRY))
			break;
		if (result == FAULT_WAIT && wait_for_page(&f) == FAULT_ERROR) {
			result = FAULT_ERROR;
			break;
		}
	}
	fault_end(&f);
	if (unlikely(f.attempt))
		count(retried_faults);
	note_wait(&f, waits);
	return result == FAULT_DONE;
}

/* ---- faulting in on purpose ------------------------------------------------------ */

/* One page or 2 MiB, by the space's lock. *bytes = how far it reached. */
static enum fault_result populate_locked(struct fault *f, u32 node, u64 *bytes)
{
	struct area *area = aspace_find(f->as, f->va);
	enum fault_result result = FAULT_ERROR;

	if (!area)
		return FAULT_ERROR;
	/* The same with another preference, but for its links, which object.lock guards. */
	struct area here = {.aspace = area->aspace,
			    .object = area->object,
			    .start = area->start,
			    .end = area->end,
			    .offset = area->offset,
			    .prot = area->prot,
			    .huge = area->huge,
			    .placement = area->placement,
			    .node = area->node,
			    .nodes = area->nodes};

	if (f->strict) {
		here.placement = PLACE_PREFERRED;
		here.node = node;
	}
	struct pt_pos pos = fault_position(f, &here);

	if (pos.ptep && pte_is_none(f->seen))
		result = fault_absent(f, &here, pos);
	else if (pos.ptep)
		result = FAULT_DONE;
	/* Look again: where no 2 MiB page was to be had, a small one is there now. */
	u64 size = PT_LEVEL_SIZE(pgwalk_find(f->as->root, f->va, 0).level);

	*bytes = size - (f->va & (size - 1));
	return result;
}

/* The same, until it is done. Takes the lock; waits. */
static bool populate_one(struct aspace *as, vaddr_t va, u32 node, u64 *bytes)
{
	struct fault f;
	enum fault_result result;

	fault_begin(&f, as, va);
	f.strict = node != BOOT_NODE_NONE;
	do {
		read_lock(&as->lock);
		result = populate_locked(&f, node, bytes);
		read_unlock(&as->lock);
		if (result == FAULT_WAIT)
			result = wait_for_page(&f);
	} while (result == FAULT_RETRY);
	fault_end(&f);
	return result == FAULT_DONE;
}

long aspace_populate(struct aspace *as, vaddr_t va, u64 len, u32 node)
{
	u64 at = 0, bytes = 0;

	for (; at < len; at += bytes)
		if (!populate_one(as, va + at, node, &bytes))
			return -ENOMEM;
	return (long)(at >> PAGE_SHIFT);
}
