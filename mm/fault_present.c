/*
 * Faults on entries that are present: the entry gets what the access needs and the area allows, or, if it
 * has that already, what the rules of the architecture want for it (mm/rules.c).
 */
#include <mm/cow.h>
#include <mm/entry_page.h>
#include <mm/fault.h>
#include <mm/file_fault.h>
#include <mm/pay.h>
#include <mm/rules.h>
#include <mm/stats.h>
#include <kernel/panic.h>

/* FAULT_DONE: the entry may. Anything else ends the fault. PTL held. */
static __noinline enum fault_result may_become_writable(struct fault *f)
{
	if (f->reused)
		return cow_reuse(f);
	return file_fault_write(f) ? FAULT_DONE : FAULT_WAIT;
}

/* Give the entry more, unless it changed since it was looked at. what: the part of it that may need a flush. */
static enum fault_result fault_change(struct fault *f, struct pt_pos pos, pte_t (*change)(pte_t),
				      enum entry_change what)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);

	spin_lock(ptl);
	bool same = pte_load(pos.ptep).v == f->seen.v;

	if (same && unlikely(f->dirties)) {
		enum fault_result result = may_become_writable(f);

		if (result != FAULT_DONE) {
			spin_unlock(ptl);
			return result;
		}
	}
	if (same)
		pt_change(pos.ptep, change);
	spin_unlock(ptl);
	if (same && rules.upgrade[what] &&
	    rule_flush_entry(&f->as->ctx, f->va, pos.level, rules.upgrade[what]))
		count(upgrade_flushes);
	return unlikely(f->throttle) ? FAULT_WAIT : FAULT_DONE;
}

/*
 * The entry allows the access. Somebody else repaired it, or this CPU holds a stale one that
 * allows less: what the rules have for that. If a retried fault leaves it out, the access
 * faults once more at most, as that one is a first fault.
 */
static void fix_up(const struct fault *f, unsigned level)
{
	count(spurious_faults);
	if (!f->write && !f->exec)
		return; /* no entry that a CPU may hold refuses to be read */
	enum rule_flush how = rules.fixup[f->attempt > 0];

	if (rule_flush_entry(&f->as->ctx, f->va, level, how))
		count(spurious_flushes);
	else if (!how && !pt_fault_drops())
		cpu_relax(); /* whoever gave the access may be about to flush */
}

/* A write fault on a page of an area that tracks them. False: copy it first, by *at. */
static bool may_be_written(struct fault *f, struct area *area, struct place *at)
{
	f->dirties = true;
	f->reused = NULL;
	return !area->object->is_shadow || !cow_must_copy(f, area, at);
}

/*
 * The page may be written: its debts first, as nobody may read an older frame of it then (I5).
 * The reference keeps the page here. Else it might have moved, been paid for and moved
 * back, with a new debt, by the time the entry is compared.
 */
static __noinline enum fault_result pay_and_upgrade(struct fault *f, struct pt_pos pos)
{
	struct page *page = entry_page_get(pos, f->seen, PAGE_REF);

	if (!page) {
		f->dirties = false; /* asked again, if it is still to become writable */
		return FAULT_RETRY;
	}
	pay(PAY_WRITE_UPGRADE,
	    (struct pay_scope){.page = page, .ctx = &f->as->ctx, .start = f->va, .end = f->va + 1});
	f->refs = 2;
	enum fault_result result = fault_change(f, pos, pte_mk_writable, ENTRY_W_GAINED);

	page_put(page, PAGE_REF);
	return result;
}

static inline enum fault_result fault_upgrade(struct fault *f, struct pt_pos pos)
{
	if (unlikely(pay_is_heard(PAY_WRITE_UPGRADE)))
		return pay_and_upgrade(f, pos);
	return fault_change(f, pos, pte_mk_writable, ENTRY_W_GAINED);
}

enum fault_result fault_present(struct fault *f, struct area *area, struct pt_pos pos)
{
	if (f->write && !pte_is_writable(f->seen) && area->prot & PROT_WRITE) {
		struct place at;

		if (unlikely(area->object->tracked) && !may_be_written(f, area, &at))
			return fault_copy(f, area, pos, &at);
		return fault_upgrade(f, pos);
	}
	/* What is missing then, the access faults for once more, where hardware does not set it. */
	if (unlikely(f->attempt && rules.leaves_retried)) {
		if (!pt_hw_dirty() &&
		    (!pte_is_accessed(f->seen) || (f->write && !pte_is_dirty(f->seen))))
			count(extra_faults);
		return FAULT_DONE;
	}
	if (f->write && !pte_is_dirty(f->seen)) /* ports whose software sets it */
		return fault_change(f, pos, pte_mk_dirty, ENTRY_D_SET);
	if (!pte_is_accessed(f->seen))
		return fault_change(f, pos, pte_mk_young, ENTRY_A_SET);
	/* Nobody takes execution from an entry but aspace_protect(), which takes it from the area, too. */
	ASSERT(!f->exec || pte_is_executable(f->seen));
	fix_up(f, pos.level);
	return FAULT_DONE;
}
