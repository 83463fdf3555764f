/*
 * The oracle: the check in the running kernel that nobody can read a stale page.
 *
 * A frame may be given new contents or a new owner only if every CPU that could
 * hold a translation to it has flushed that since it was unmapped. Which CPUs
 * could hold one, and which have flushed, comes from <arch/evidence.h>. It never
 * comes from the masks and generations that decided whether to flush. A violation
 * panics.
 *
 * The unmap is recorded on the frame: page.unmap and page.unmap_word. There is
 * room for one record; mm/oracle_alias.c keeps those of further mappings.
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
 * page.unmap: the evidence clock in the low 39 bits, above it the context's id and
 * the complement of the id. So the OR of many records shows whether all are of one
 * context: its two halves are then still complements. The top bit is set in every
 * record. So the XOR of two records shows that they were two.
 */
enum { ORACLE_STAMP_BITS = 39, ORACLE_ID_BITS = 12 };
#define ORACLE_RECORD (1UL << 63)
#define ORACLE_STAMP_MASK ((1UL << ORACLE_STAMP_BITS) - 1)
#define ORACLE_ID_MASK ((1UL << ORACLE_ID_BITS) - 1)
_Static_assert(TLB_CONTEXT_IDS == 1 << ORACLE_ID_BITS, "room for every id");
_Static_assert((int)ORACLE_STAMP_BITS + 2 * (int)ORACLE_ID_BITS == 63, "below the top bit");

static inline u64 oracle_tag(u16 id)
{
	return ORACLE_RECORD | (id | (~(u64)id & ORACLE_ID_MASK) << ORACLE_ID_BITS)
				       << ORACLE_STAMP_BITS;
}

/*
 * page.unmap_word: the word that a flush of the page would leave in the log if it
 * had page.unmap for a stamp, plus the site. Sums of such words can be compared
 * with the sum of a log, as tag and site are the same for all pages of a batch. The
 * site is the statement that took the entry down: the number of its file in
 * oracle_files[], and its line. It fits below the address.
 */
enum oracle_file {
	ORACLE_OTHER,
	ORACLE_MIGRATE,
	ORACLE_RANGE,
	ORACLE_TABLE, /* a table, not a page: walk caches must have been flushed, too */
	ORACLE_SCAN,
	ORACLE_SPLIT,
	ORACLE_SHARED,
	ORACLE_RMAP,
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

/*
 * The frame had a record already, of another entry or an older one of this: it is kept if it is still
 * needed. page.unmap is the XOR of the old one and `unmap`; it is set to `unmap`.
 */
void oracle_unmapped_again(struct page *page, u64 unmap, u64 unmap_word);

/*
 * The only entry that named the page was just taken down by an exchange, which is
 * a full barrier. That it was the only one was read before the exchange, relaxed.
 * Whoever took down an entry before has left its record by then. With
 * check=off too, as a test would cost as much. PTL held.
 */
static inline void oracle_unmapped(struct page *page, const struct tlb_context *ctx, vaddr_t va,
				   u64 site)
{
	if (!ORACLE_BUILT)
		return;
	u64 unmap = ctx->tag + load_relaxed(&evidence_clock),
	    word = evidence_word(va, unmap) + site;

	page->unmap ^=
		unmap; /* a test before a store would be longer: this is on the path of every page */
	if (unlikely(!(page->unmap & ORACLE_RECORD)))
		oracle_unmapped_again(page, unmap, word);
	page->unmap_word = word;
}

/*
 * The same for a page that other entries name, or named a moment ago. Other CPUs
 * may do this for the same page at the same time. PTL held, so that this CPU does
 * not begin another record meanwhile.
 */
void oracle_unmapped_alias(struct page *page, const struct tlb_context *ctx, vaddr_t va, u64 site);

/* The flush that the frame's record asks for was found, and nobody else uses the frame: the record is dropped. */
static inline void oracle_shown(struct page *page)
{
	if (ORACLE_BUILT)
		page->unmap = 0;
}

/*
 * Check n frames that are about to get new contents or new owners, and panic if a
 * CPU may still reach one. unmap: OR of their page.unmap; words: sum of their
 * page.unmap_word. The caller alone uses the frames. Any context, no locks.
 */
void oracle_release(struct page **pages, unsigned n, u64 unmap, u64 words);

/*
 * The root of a destroyed context and all tables below it are about to be freed. Panics if a CPU has
 * the root loaded. A CPU that holds entries of it must flush them before their slot is used again.
 */
void oracle_release_root(paddr_t root);

/*
 * This CPU has just loaded a context and kept the entries of this ASID: panics if it should have
 * flushed. Interrupts off.
 */
void oracle_check_keep(const struct tlb_context *ctx, asid_t asid);

/* ---- between mm/oracle.c, mm/oracle_many.c, mm/oracle_log.c and mm/oracle_alias.c ---- */

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
	return (unmap_word - unmap) >> EVIDENCE_VA_SHIFT & PAGE_MASK;
}

static inline u64 oracle_site(u64 unmap, u64 unmap_word)
{
	return (unmap_word - unmap) & ORACLE_SITE_MASK;
}

static inline bool oracle_is_table(u64 unmap, u64 unmap_word)
{
	return oracle_site(unmap, unmap_word) >> ORACLE_LINE_BITS == ORACLE_TABLE;
}

/*
 * Root of the context of a record. The context may be destroyed at any moment, so only its root is
 * read, by id. 0: it is gone; every CPU has left it, and flushes the slot before it uses it again.
 */
static inline paddr_t oracle_root(u64 unmap)
{
	return tlb_root_by_id((u16)(unmap >> ORACLE_STAMP_BITS & ORACLE_ID_MASK));
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

/* How far a reader has come in a log; it goes from the newest word to older ones. */
struct oracle_walk {
	const struct evidence_log *log;
	u32 start, at; /* as evidence_log.at */
	u32 slot; /* of the words before `at` */
	u32 left; /* words that may be read */
	u64 pages; /* of the word before `at` */
	u64 now; /* clock at the start: no flush in the log has a later stamp */
	u64 latest; /* upper bound for the stamps of all words before `at` */
};
void oracle_walk_start(struct oracle_walk *w, const struct evidence_log *log);
/* The same for broadcasts: those that their CPU has not waited for yet do not count. */
void oracle_walk_start_issued(struct oracle_walk *w, const struct tlb_evidence *ev);
/*
 * Go on to a flush of va in this slot that is newer than stamp. ORACLE_CLEAN: found.
 * ORACLE_STALE: there is none in the rest of the log. ORACLE_UNKNOWN: the log does
 * not tell.
 */
enum oracle_verdict oracle_walk(struct oracle_walk *w, u32 slot, vaddr_t va, u64 stamp);

/* May any CPU still hold this entry? The worst answer of all slots of all CPUs. */
enum oracle_verdict oracle_ask(const struct oracle_unmap *u);
/* The same as the frame is released: panics if a CPU may use the entry now, counts what is unknown. */
void oracle_demand(const struct oracle_unmap *u);
/* The same of one slot of one CPU. */
void oracle_demand_slot(const struct oracle_unmap *u, unsigned cpu, unsigned slot);
/* The frame is released: oracle_demand() for the records of its other mappings. */
void oracle_alias_release(const struct page *page);
