/*
 * Records of pages that were mapped more than once. A frame has room for one
 * record, that of the entry taken down last. Older ones are kept here until their
 * flush is found, or until the frame is released.
 *
 * Each CPU keeps the records of entries that it took down itself, so two CPUs that
 * unmap one page at the same time do not share anything. Whoever releases a frame
 * looks at all CPUs. A record may be overwritten once its flush is found: what was
 * flushed stays flushed. If all places are taken by records that are still needed,
 * a record is lost and counted (oracle_unknown).
 */
#include <mm/oracle.h>

PERCPU(struct oracle_aliases, oracle_aliases);
bool oracle_any_alias;

/* The places that a CPU has for records of this page. */
static inline struct oracle_unmap *set_of(unsigned cpu, const struct page *page)
{
	return cpu_ptr(cpu, oracle_aliases)
		->set[(page_to_phys(page) >> PAGE_SHIFT) % ORACLE_ALIAS_SETS];
}

/* No flush was found yet, so the record must not be overwritten. */
static bool needed(const struct oracle_unmap *r)
{
	return r->page && oracle_ask(r) == ORACLE_STALE;
}

/* Keep a record, in a place whose own is not needed any more. PTL held. */
static void keep(struct page *page, u64 unmap, u64 unmap_word)
{
	struct oracle_unmap *set = set_of(cpu_id(), page);
	unsigned i = 0;

	while (i < ORACLE_ALIAS_WAYS && needed(&set[i]))
		i++;
	if (i == ORACLE_ALIAS_WAYS) {
		count(oracle_unknown);
		return;
	}
	/* Readers read page, fields, page again, and drop what changed: pairs with oracle_alias_release(). */
	store_relaxed(&set[i].page, NULL);
	store_release(&set[i].unmap, unmap);
	store_relaxed(&set[i].unmap_word, unmap_word);
	store_release(&set[i].page, page);
	/* Both relaxed: whoever releases the frame drops its last reference later, which is a full barrier. */
	store_relaxed(&oracle_any_alias, true);
	atomic_fetch_or_relaxed(&page->flags, (u32)PG_ALIASED);
}

void oracle_unmapped_alias(struct page *page, const struct tlb_context *ctx, vaddr_t va, u64 site)
{
	u64 unmap = ctx->tag + load_relaxed(&evidence_clock);

	if (oracle_checks())
		keep(page, unmap, evidence_word(va, unmap) + site);
}

/*
 * An older record of the same entry is dropped, as the newer one asks for more. A record of another
 * entry is kept, unless its flush was found.
 */
void oracle_unmapped_again(struct page *page, u64 unmap, u64 unmap_word)
{
	const struct oracle_unmap old = {page, page->unmap ^ unmap, page->unmap_word};
	bool same = (old.unmap ^ unmap) >> ORACLE_STAMP_BITS == 0 &&
		    oracle_va(old.unmap, old.unmap_word) == oracle_va(unmap, unmap_word);

	page->unmap = unmap;
	if (!same && oracle_checks() && oracle_ask(&old) != ORACLE_CLEAN)
		keep(page, old.unmap, old.unmap_word);
}

void oracle_alias_release(const struct page *page)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		for (unsigned i = 0; i < ORACLE_ALIAS_WAYS; i++) {
			const struct oracle_unmap *r = &set_of(cpu, page)[i];
			struct oracle_unmap u;

			if (load_acquire(&r->page) != page)
				continue;
			u = (struct oracle_unmap){page, load_relaxed(&r->unmap),
						  load_relaxed(&r->unmap_word)};
			smp_rmb(); /* the fields before the second look at `page`; pairs with the releases in keep() */
			if (load_relaxed(&r->page) == page)
				oracle_demand(&u);
		}
}
