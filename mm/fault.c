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
enum fault_result fault_wait_for_page(struct fault *f)
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

/* ---- the handler ---------------------------------------------------------------- */

/* May the area have a 2 MiB page around va? */
static bool large_page_fits(const struct area *area, vaddr_t va)
{
	vaddr_t base = ALIGN_DOWN(va, HUGE_SIZE);

	return area->huge && base >= area->start && base + HUGE_SIZE <= area->end;
}

struct pt_pos fault_position(struct fault *f, const struct area *area)
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

/* The same, by the short way if all tables are there. */
static inline struct pt_pos position(struct fault *f, const struct area *area)
{
	if (likely(!area->huge)) {
		struct pt_pos pos = pgwalk_small(f->as->root, f->va);

		if (likely(!pos.level)) {
			f->seen = pte_load(pos.ptep);
			return pos;
		}
	}
	return fault_position(f, area);
}

/* Read side of aspace.lock held on entry, dropped on return. */
static enum fault_result fault_locked(struct fault *f)
{
	struct area *area = aspace_find(f->as, f->va);
	enum fault_result result = FAULT_ERROR;

	if (area && !(f->write && !(area->prot & PROT_WRITE)) &&
	    !(f->exec && !(area->prot & PROT_EXEC))) {
		struct pt_pos pos = position(f, area);
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

bool fault_handle(struct aspace *as, vaddr_t va, bool write, bool exec)
{
	struct fault f;

	fault_begin(&f, as, va);
	f.write = write;
	f.exec = exec;
	f.start = cycles_now();
	struct mm_counters *c = this_cpu_ptr(mm_counters);
	u64 waits = c->migration_waits;
	enum fault_result result;

	c->page_faults++;
	for (;; f.attempt++) {
		read_lock(&as->lock);
		result = fault_locked(&f);
		if (likely(result < FAULT_RETRY))
			break;
		if (result == FAULT_WAIT && fault_wait_for_page(&f) == FAULT_ERROR) {
			result = FAULT_ERROR;
			break;
		}
	}
	fault_end(&f);
	if (unlikely(f.attempt)) {
		count(retried_faults);
		note_wait(&f, waits);
	}
	return result == FAULT_DONE;
}
