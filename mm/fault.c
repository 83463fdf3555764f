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
#include <mm/stats.h>
#include <kernel/error.h>

PERCPU(struct fault_wait, fault_wait);

/* ---- waiting ---------------------------------------------------------------- */

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
	struct pt_pos pos =
		pgwalk_create(&pt_stage1, f->as->root, f->va, level, numa_resolve(area->node));

	f->seen = pos.ptep ? pte_load(pos.ptep) : pte_none();
	/* A table where a 2 MiB page would go: there was none to be had, or it was split. */
	if (unlikely(level && pte_is_table(f->seen, 1))) {
		pos = pgwalk_create(&pt_stage1, f->as->root, f->va, 0, numa_resolve(area->node));
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
