/*
 * The one way to take an entry down: it is exchanged, what hardware set until
 * then is carried over, the oracle gets its record, and its flush goes into a
 * gather. It ends there: what becomes of the page is the caller's affair, and
 * comes after the flush.
 */
#pragma once

#include <mm/change.h>
#include <mm/oracle.h>

/* ---- what comes in its place ---- */

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
	bool cached; /* some CPU may hold it: aspace_may_be_cached() */
	bool alone; /* no other entry names the page; a relaxed load will do, as the exchange comes after it */
	bool later; /* the caller adds the flush: of a run, or of a page that may wait */
	u64 site; /* ORACLE_SITE() */
	struct tlb_gather *gather;
};

/*
 * PTL held, the space inside a change that contains va. Returns the entry as it
 * was. Full barrier. Inline, and all but `old` is constant or at hand where it
 * is called: this is on the path of every page.
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
