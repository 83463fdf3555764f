/*
 * Nobody reads a stale page: the check in the running kernel.
 *
 * A frame may leave quarantine or reach the allocator only if every CPU that
 * could hold a translation to it has flushed since it was unmapped. "Could
 * hold" and "has flushed" come from <arch/evidence.h>, never from the masks and
 * generations that decided whether to flush. A violation panics.
 *
 * What was unmapped is noted on the frame: page.unmap and page.unmap_word. A
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
 * page.unmap_word: what a flush would leave in the log with the stamp of the
 * unmap, so that the sum of many can be compared with the sum of a log; plus the
 * statement that took the entry down, which fits between clock and address: a
 * number for its file, of oracle_files[], and its line.
 */
enum oracle_file {
	ORACLE_OTHER,
	ORACLE_MIGRATE,
	ORACLE_RANGE,
	ORACLE_TABLE, /* a table, not a page: walk caches must have been flushed, too */
	ORACLE_SCAN,
	ORACLE_SPLIT,
	ORACLE_SHARED,
	ORACLE_FILES
};
enum { ORACLE_LINE_BITS = 9, ORACLE_FILE_BITS = 3 };
#define ORACLE_SITE_MASK ((1UL << (ORACLE_LINE_BITS + ORACLE_FILE_BITS)) - 1)
_Static_assert((int)ORACLE_LINE_BITS + (int)ORACLE_FILE_BITS < (int)EVIDENCE_STAMP_BITS,
	       "below the address");
_Static_assert(ORACLE_FILES <= 1 << ORACLE_FILE_BITS, "room for every file");
/* The array has a negative size, and nothing compiles, if the line has no room. */
#define ORACLE_SITE(file)                                                                          \
	((u64)(file) << ORACLE_LINE_BITS |                                                         \
	 (__LINE__ + 0 * sizeof(char[__LINE__ < 1 << ORACLE_LINE_BITS ? 1 : -1])))

/* The frame has the record of another entry, or an older one of this: see to it that nothing is lost. */
void oracle_unmapped_again(struct page *page, u64 unmap, u64 unmap_word);

/*
 * The entry that alone named the page was taken down just now. After the
 * exchange, which is a full barrier, and what says that it was alone was read
 * before that, relaxed: whoever took down one before has left its record then. Two
 * stores, with check=off too: a test would cost as much.
 */
static inline void oracle_unmapped(struct page *page, const struct tlb_context *ctx, vaddr_t va,
				   u64 site)
{
	if (!ORACLE_BUILT)
		return;
	u64 clock = load_relaxed(&evidence_clock);
	u64 unmap = ctx->tag + clock, word = evidence_word(va, clock) + site;

	if (unlikely(page->unmap))
		oracle_unmapped_again(page, unmap, word);
	page->unmap_word = word;
	page->unmap = unmap;
}

/*
 * The same of a page that other entries name, or named a moment ago. Another
 * CPU may do so at the same time; this CPU may not take the record of another
 * page meanwhile. Under the PTL.
 */
void oracle_unmapped_alias(struct page *page, const struct tlb_context *ctx, vaddr_t va, u64 site);

/* What the frame's record asks for was shown, and the frame is not anybody's: it needs no record any more. */
static inline void oracle_shown(struct page *page)
{
	if (ORACLE_BUILT)
		page->unmap = 0;
}

/*
 * These frames are about to get new contents or new owners; `unmap` is the OR of
 * theirs, `words` the sum. They are nobody else's yet.
 */
void oracle_release(struct page **pages, unsigned n, u64 unmap, u64 words);

/*
 * The root of a context that is gone, and all tables below it, are about to be freed: no CPU may
 * have it loaded, and none may keep what it held from it. Ends the run if one has.
 */
void oracle_release_root(paddr_t root);

/* This CPU has just loaded a context, and kept what it held under this ASID. */
void oracle_check_keep(const struct tlb_context *ctx, asid_t asid);

/* ---- between mm/oracle.c, mm/oracle_log.c and mm/oracle_alias.c ---- */

/* One entry that was taken down: as page.unmap and page.unmap_word. */
struct oracle_unmap {
	const struct page *page;
	u64 unmap, unmap_word;
};

static inline u64 oracle_stamp(u64 unmap)
{
	return unmap & ORACLE_STAMP_MASK;
}

static inline vaddr_t oracle_va(u64 unmap, u64 unmap_word)
{
	return (unmap_word - oracle_stamp(unmap)) >> EVIDENCE_VA_SHIFT & PAGE_MASK;
}

static inline u64 oracle_site(u64 unmap, u64 unmap_word)
{
	return (unmap_word - oracle_stamp(unmap)) & ORACLE_SITE_MASK;
}

static inline bool oracle_is_table(u64 unmap, u64 unmap_word)
{
	return oracle_site(unmap, unmap_word) >> ORACLE_LINE_BITS == ORACLE_TABLE;
}

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
extern bool oracle_any_alias; /* since boot: else frames need not be asked for their flag */

enum oracle_verdict { ORACLE_CLEAN, ORACLE_UNKNOWN, ORACLE_STALE };

/* Where a reader of a log is. */
struct oracle_walk {
	const struct evidence_log *log;
	u32 start, at; /* as evidence_log.at */
	u32 slot; /* of the words before `at` */
	u32 left; /* words that may be read */
	u64 pages; /* of the word before `at` */
	u64 now; /* clock at the start: a flush is not later */
	u64 latest; /* nor is one before `at` later than this */
};
void oracle_walk_start(struct oracle_walk *w, const struct evidence_log *log);
/* For broadcasts: what its CPU has not waited for is passed over. */
void oracle_walk_start_issued(struct oracle_walk *w, const struct tlb_evidence *ev);
/*
 * Go on until a flush of va in this slot, later than stamp: ORACLE_CLEAN. STALE:
 * there is none in what was left; UNKNOWN: there may have been one.
 */
enum oracle_verdict oracle_walk(struct oracle_walk *w, u32 slot, vaddr_t va, u64 stamp);

/* May any CPU still hold it? The worst answer of all slots of all CPUs. */
enum oracle_verdict oracle_ask(const struct oracle_unmap *u);
/* The same, as the frame is released: ends the run if a CPU may use it now. */
void oracle_demand(const struct oracle_unmap *u);
/* The frame is released: demand what is known of its other mappings. */
void oracle_alias_release(const struct page *page);
