/*
 * Nobody reads a stale page: the check in the running kernel.
 *
 * A frame may leave quarantine or reach the allocator only if every CPU that
 * could hold a translation to it has flushed since it was unmapped. "Could
 * hold" and "has flushed" come from <arch/evidence.h>, never from the masks and
 * generations that decided whether to flush. A violation panics.
 *
 * What was unmapped is noted on the frame: page.unmap and page.unmap_va. A
 * frame that loses one of several mappings keeps the records of the others in
 * mm/oracle_alias.c.
 */
#pragma once

#include <mm/page.h>
#include <mm/tlb.h>
#include <mm/stats.h>
#include <arch/evidence.h>

extern bool oracle_on; /* check=full|oracle; off with check=off */

static inline bool oracle_checks(void)
{
	return ORACLE_BUILT && oracle_on;
}

/*
 * page.unmap: the evidence clock in the low bits; above, the context's id and
 * the complement of it. So the OR of many shows whether their contexts differ.
 */
enum { ORACLE_STAMP_BITS = 40, ORACLE_ID_BITS = 12 };
#define ORACLE_STAMP_MASK ((1UL << ORACLE_STAMP_BITS) - 1)
#define ORACLE_ID_MASK ((1UL << ORACLE_ID_BITS) - 1)
_Static_assert(TLB_CONTEXT_IDS == 1 << ORACLE_ID_BITS, "room for every id");

static inline u64 oracle_tag(u16 id)
{
	return (id | (~(u64)id & ORACLE_ID_MASK) << ORACLE_ID_BITS) << ORACLE_STAMP_BITS;
}

/*
 * The statement that takes an entry down, in the page offset of page.unmap_va:
 * a number for its file, of oracle_files[], and its line.
 */
enum oracle_file {
	ORACLE_OTHER,
	ORACLE_MIGRATE,
	ORACLE_RANGE,
	ORACLE_SCAN,
	ORACLE_SPLIT,
	ORACLE_FILES
};
enum { ORACLE_LINE_BITS = 9, ORACLE_FILE_BITS = 3 };
_Static_assert(ORACLE_LINE_BITS + ORACLE_FILE_BITS == PAGE_SHIFT, "they fill the page offset");
_Static_assert(ORACLE_FILES <= 1 << ORACLE_FILE_BITS, "room for every file");
/* The array has a negative size, and nothing compiles, if the line has no room. */
#define ORACLE_SITE(file)                                                                          \
	((u64)(file) << ORACLE_LINE_BITS |                                                         \
	 (__LINE__ + 0 * sizeof(char[__LINE__ < 1 << ORACLE_LINE_BITS ? 1 : -1])))

/*
 * The entry that alone named the page was taken down just now. After the
 * exchange, which is a full barrier. Two stores, with check=off too: a test
 * would cost as much.
 */
static inline void oracle_unmapped(struct page *page, const struct tlb_context *ctx, vaddr_t va,
				   u64 site)
{
	if (!ORACLE_BUILT)
		return;
	page->unmap_va = va + site;
	page->unmap = ctx->tag + load_relaxed(&evidence_clock);
}

/*
 * The same of a page that other entries name, or named a moment ago. Another
 * CPU may do so at the same time; this CPU may not take the record of another
 * page meanwhile. Under the PTL.
 */
void oracle_unmapped_alias(struct page *page, const struct tlb_context *ctx, vaddr_t va, u64 site);

/* The frame is mapped again where it was (undo): nothing is owed. */
static inline void oracle_remapped(struct page *page)
{
	if (ORACLE_BUILT)
		page->unmap = 0;
}

/*
 * These frames are about to get new contents or new owners; `unmap` and `flags`
 * are the OR of theirs. They are nobody else's yet.
 */
void oracle_release(struct page **pages, unsigned n, u64 unmap, u32 flags);

/* A CPU is about to load a context and keep what it holds under this ASID. */
void oracle_check_keep(const struct tlb_context *ctx, asid_t asid);

/* ---- between mm/oracle.c and mm/oracle_alias.c ---- */

/* One entry that was taken down: as page.unmap and page.unmap_va. */
struct oracle_unmap {
	const struct page *page;
	u64 unmap, unmap_va;
};

/* Entries of pages with several mappings that this CPU took down; read by those who release one. */
enum {
	ORACLE_ALIAS_SETS =
		256, /* by page number: a batch of 512 pages with two mappings each fits */
	ORACLE_ALIAS_WAYS = 4,
};
struct oracle_aliases {
	struct oracle_unmap set[ORACLE_ALIAS_SETS][ORACLE_ALIAS_WAYS];
};
extern PERCPU_DECLARE(struct oracle_aliases, oracle_aliases);

enum oracle_verdict { ORACLE_CLEAN, ORACLE_UNKNOWN, ORACLE_STALE };

/* May any CPU still hold it? The worst answer of all slots of all CPUs. */
enum oracle_verdict oracle_ask(const struct oracle_unmap *u);
/* The same, as the frame is released: ends the run if a CPU may use it now. */
void oracle_demand(const struct oracle_unmap *u);
/* The frame is released: demand what is known of its other mappings. */
void oracle_alias_release(const struct page *page);
