/*
 * The one way to take an entry down: exchange it, carry over the bits that hardware
 * has set until then, leave the oracle's record, and add the flush to a gather. What
 * becomes of the page is up to the caller, after the flush.
 */
#pragma once

#include <mm/change.h>
#include <mm/oracle.h>

/* ---- what takes the entry's place ---- */

static inline pte_t become_none(pte_t old, unsigned level)
{
	(void)old, (void)level;
	return pte_none();
}

static inline pte_t become_hint(pte_t old, unsigned level)
{
	(void)level;
	return pte_mk_hint(old);
}

/* Also of a hint entry. */
static inline pte_t become_migration(pte_t old, unsigned level)
{
	return pte_mk_migration(old, level);
}

struct takedown {
	struct aspace *as;
	struct page *page; /* that the entry names */
	vaddr_t va;
	pte_t *ptep;
	unsigned level;
	pte_t old; /* what is there, as seen under the PTL; hardware may set bits of it */
	pte_t (*become)(pte_t old, unsigned level); /* what comes in its place */
	bool cached; /* a CPU may hold it: aspace_may_be_cached() */
	bool alone; /* no other entry names the page; found out by a relaxed load before the exchange */
	bool later; /* do not add the flush: the caller does, for a run of entries or if the page cannot wait */
	u64 site; /* ORACLE_SITE() of the caller */
	struct tlb_gather *gather;
};

/*
 * Take the entry down. Returns what it was in the end. PTL held, and the space is
 * inside a change that contains va. Full barrier. Inline, as every page that moves
 * comes through here; most of the fields are constants at the call.
 */
static __always_inline pte_t entry_take(const struct takedown t)
{
	pte_t got = pt_take(t.ptep, t.become(t.old, t.level));

	if (t.become != become_none &&
	    unlikely(got.v != t.old.v)) /* hardware set dirty or accessed meanwhile */
		pt_note(t.ptep, t.become(got, t.level));
	if (likely(t.cached)) {
		if (likely(t.alone))
			oracle_unmapped(t.page, &t.as->ctx, t.va, t.site);
		else
			oracle_unmapped_alias(t.page, &t.as->ctx, t.va, t.site);
		if (!t.later)
			tlb_gather_add(t.gather, &t.as->ctx, t.va, t.level);
	}
	change_taken(t.as, t.va, t.level, got, t.gather);
	return got;
}
