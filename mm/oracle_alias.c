/*
 * Entries of pages that were mapped several times, at once or one after the
 * other. A frame has room for the record of one entry, the last one taken down;
 * the others are kept here until it is shown that nobody holds them, or until
 * the frame is released.
 *
 * Each CPU keeps what it took down itself, so that two that unmap one page at
 * once share nothing; whoever releases a frame looks at all CPUs. A record is
 * overwritten only once it is shown to be harmless: what was flushed stays
 * flushed. If every place for it is taken by one that is not, it is lost and
 * counted (oracle_unknown).
 */
#include <mm/oracle.h>

PERCPU(struct oracle_aliases, oracle_aliases);
bool oracle_any_alias;

static inline struct oracle_unmap *set_of(unsigned cpu, const struct page *page)
{
	return cpu_ptr(cpu, oracle_aliases)
		->set[(page_to_phys(page) >> PAGE_SHIFT) % ORACLE_ALIAS_SETS];
}

static bool needed(const struct oracle_unmap *r)
{
	return r->page && oracle_ask(r) == ORACLE_STALE;
}

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
	/* Readers look at page, fields, page: pairs with oracle_alias_release(). */
	store_relaxed(&set[i].page, NULL);
	store_release(&set[i].unmap, unmap);
	store_relaxed(&set[i].unmap_word, unmap_word);
	store_release(&set[i].page, page);
	/* Relaxed, both: whoever releases the frame has dropped its last reference, after ours. */
	store_relaxed(&oracle_any_alias, true);
	atomic_fetch_or_relaxed(&page->flags, (u32)PG_ALIASED);
}

void oracle_unmapped_alias(struct page *page, const struct tlb_context *ctx, vaddr_t va, u64 site)
{
	u64 clock = load_relaxed(&evidence_clock);

	if (oracle_checks())
		keep(page, ctx->tag + clock, evidence_word(va, clock) + site);
}

/* Of the same entry, the newer record asks for more. One of another stays, unless it is shown already. */
void oracle_unmapped_again(struct page *page, u64 unmap, u64 unmap_word)
{
	const struct oracle_unmap old = {page, page->unmap, page->unmap_word};
	bool same = (old.unmap ^ unmap) >> ORACLE_STAMP_BITS == 0 &&
		    oracle_va(old.unmap, old.unmap_word) == oracle_va(unmap, unmap_word);

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
			smp_rmb(); /* fields before the second look; pairs with the releases above */
			if (load_relaxed(&r->page) == page)
				oracle_demand(&u);
		}
}
