/*
 * Nobody reads a stale page: the check in the running kernel.
 *
 * A frame may leave quarantine or reach the allocator only if every CPU that
 * could hold a translation to it has flushed since it was unmapped. "Could
 * hold" and "has flushed" come from <arch/evidence.h>, never from the masks and
 * generations that decided whether to flush. A violation panics.
 */
#pragma once

#include <mm/page.h>
#include <mm/tlb.h>
#include <mm/stats.h>
#include <arch/evidence.h>

extern bool oracle_on; /* check=full|oracle; off with check=off */

/* An entry that named the page was taken down just now. After the exchange, which is a full barrier. */
static inline void oracle_unmapped(struct page *page, u16 ctx_id, vaddr_t va)
{
	/* Two stores, with check=off too: a test would cost as much. */
	page->unmap_key = va | ctx_id;
	page->unmap_stamp = load_relaxed(&evidence_clock);
}

/* The frame is mapped again where it was (undo): nothing is owed. */
static inline void oracle_remapped(struct page *page)
{
	page->unmap_stamp = 0;
}

/* What is to be known of frames that are freed together. */
struct oracle_sum {
	u64 newest; /* greatest unmap stamp */
	u64 mixed; /* bits in which their keys differ; in the page offset: contexts differ */
};

static __always_inline void oracle_note(struct oracle_sum *sum, const struct page *page,
					const struct page *first)
{
	sum->newest = MAX(sum->newest, page->unmap_stamp);
	sum->mixed |= page->unmap_key ^ first->unmap_key;
}

/*
 * These frames are about to get new contents or new owners; `where` names the
 * call for the panic. They may be on this CPU's free list already: nobody else
 * can have taken one that a violation was found for, as that ends the run.
 */
void oracle_release(struct page **pages, unsigned n, const struct oracle_sum *sum,
		    const char *where);

/* A CPU is about to load a context and keep what it holds under this ASID. */
void oracle_check_keep(const struct tlb_context *ctx, asid_t asid);
