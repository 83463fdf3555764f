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
	if (!oracle_on)
		return;
	page->unmap_key = va | ctx_id;
	page->unmap_stamp = load_relaxed(&evidence_clock);
}

/* The frame is mapped again where it was (undo): nothing is owed. */
static inline void oracle_remapped(struct page *page)
{
	page->unmap_stamp = 0;
}

/*
 * These frames are about to get new contents or new owners. `where` names the
 * call for the panic. Clears their stamps.
 */
void oracle_release(struct page **pages, unsigned n, const char *where);

/* A CPU is about to load a context and keep what its slot holds. */
void oracle_check_keep(const struct tlb_context *ctx);
