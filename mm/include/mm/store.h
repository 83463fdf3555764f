/*
 * Stores: where the pages of a file are while they are not in memory. A store is
 * a row of pages that can be read and written, each access taking its time.
 *
 *   pattern   contents are computed, so a file may be larger than memory
 *   memory    contents are kept in the frames of a node, and checked
 *   swap      the same for anonymous pages that leave memory, which references name: <mm/swap.h>
 */
#pragma once

#include <mm/page.h>
#include <kernel/list.h>

struct object;
struct store;

struct store_ops {
	const char *name;
	/* Read the page of an index into `to`. 0 or -EIO: `to` may hold anything then. */
	int (*read)(struct store *s, u64 index, void *to);
	/* Write it. Nobody changes `from` meanwhile. 0 or -EIO: it has to be written again before it is read. */
	int (*write)(struct store *s, u64 index, const void *from);
	/* How long an access takes, in ns, besides the work of this CPU. NULL: what the knob store_ns says. */
	u64 (*takes_ns)(const struct store *s, u64 index);
	/* Nobody uses the store any more: free it. */
	void (*close)(struct store *s);
};

struct store {
	const struct store_ops *ops;
	u64 page_count;
	/* Of the file that it belongs to, for reclaim, which goes round all of them: mm/reclaim.c. */
	struct object *file;
	struct list link;
	u64 payment; /* that covers the pages which left the file owing: deferral.payment(); 0 = none did. Atomic */
	bool changes; /* contents change by themselves: no page leaves the file owing. Never cleared */
};

/*
 * Read a page from the store, or write it there, and wait as long as that takes.
 * index: below page_count. 0, or the store's error, which is counted. Task context,
 * interrupts on, no locks: the wait may be long. Different pages may be accessed at
 * the same time, one page by one caller only.
 */
int store_read(struct store *s, u64 index, struct page *page);
int store_write(struct store *s, u64 index, const struct page *page);

/*
 * The contents are about to change by themselves. On return no CPU reads an older page that is not in
 * memory any more, nor will one later. Task context, interrupts on, no spinlock; may pay debts.
 */
void store_begins_to_change(struct store *s);

/* Of a page's contents. Each word counts by its place, too. */
u64 store_sum(const void *page);

/* ---- mm/store_pattern.c ---- */

enum { PATTERN_VERSION_BITS = 16 };

/*
 * The word at a place (0 to PAGE_SIZE / 8 - 1) of a page of pattern file `id`. Its
 * low PATTERN_VERSION_BITS are the version, so a reader that finds one sees which it is.
 */
u64 pattern_word(u64 id, u64 index, u64 version, unsigned place);
/* A store of any size without memory. Its version is 0. NULL: no memory for the store itself. */
struct store *pattern_store_create(u64 id, u64 page_count);
/*
 * All pages change by themselves, as those of a file that a server changes: from now
 * on they are read in the next version. What is in memory is the caller's to invalidate. May pay debts.
 * A write must bring what the store would give, or it fails with -EIO.
 */
void pattern_store_step(struct store *s);

/* ---- mm/store_memory.c ---- */

/*
 * Pages begin as zeroes. Each that was written is kept in a frame of `node`, or of
 * the nearest with room. Checked is
 *   that a page did not change while it was written (its sum before, of the copy, and after),
 *   that what is read is what was written (its sum),
 *   that its stamp, the word at place 0, does not go back.
 * What fails the check is counted, and is an error of the access.
 */
struct store *memory_store_create(u64 page_count, u32 node);
/* The page changes by itself: each of its words becomes `word`. 0 or -ENOMEM. Task context, no locks; may pay debts. */
int memory_store_change(struct store *s, u64 index, u64 word);
/* Accesses that failed a check since the store was made. */
u64 memory_store_wrong(const struct store *s);
/* The word at a place of a page, as the store has it. Any task context. */
u64 memory_store_word(struct store *s, u64 index, unsigned place);

/* ---- mm/store_swap.c ---- */

/*
 * For swap_on(): so many pages, whose frames are reserved at once, on `node` or the nearest with room. Checked is
 * that a page does not change while it is written, and that what is read is what was written. What
 * fails the check is counted, and is an error of the access. NULL: no memory.
 */
struct store *swap_store_create(u64 page_count, u32 node);
/* Accesses that failed a check since the store was made. */
u64 swap_store_wrong(const struct store *s);
