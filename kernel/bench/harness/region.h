/*
 * The pages of a workload: an address space, its area, and in every page the
 * words by which a stale, poisoned or foreign page is recognised.
 *
 *   word 0      tag << 32 | stamp     tag names the page, stamp counts its writes
 *   word 1      mix of the tag        never changes
 *   word N      the same mix          N depends on the tag; checked with poison=full
 *
 * Word 0 is written by one store, so that no reader sees half a write. Each
 * page has one writer, which stores the page first and the stamp in
 * published[] after it: whoever reads published[] first must find a stamp at
 * least as new in the page.
 */
#pragma once

#include <mm/aspace.h>
#include <mm/pmm.h>

struct region {
	struct aspace *as;
	vaddr_t base;
	u64 pages;
	u32 first_tag; /* of page 0 */
	bool same; /* all pages have first_tag: schemes that leave stale entries for ever */
	bool verify; /* readers look at what they read */
	bool deep; /* at word N too */
	bool filled; /* every page is there with its contents, so it can be verified */
	u32 *published; /* [page] */
	const pte_t **entry; /* [page]: where its entry lives */
	struct page **pinned;
	u64 pinned_count;
};

enum {
	CANARY_WORD = 0,
	CANARY_MIX = 1,
};

static inline u32 region_tag(const struct region *r, u64 page)
{
	return r->same ? r->first_tag : r->first_tag + (u32)page;
}

static inline u64 region_mix(u32 tag)
{
	return (tag + 1UL) * 0x9e3779b97f4a7c15UL;
}

/* Somewhere behind the words that poison=mark overwrites. */
static inline unsigned region_deep_word(u32 tag)
{
	const unsigned words = PAGE_SIZE / sizeof(u64);

	return POISON_MARK_WORDS + (unsigned)(region_mix(tag) >> 40) % (words - POISON_MARK_WORDS);
}

static inline u64 *region_page(const struct region *r, u64 page)
{
	return (u64 *)(r->base + (page << PAGE_SHIFT));
}

/* Make the contents of some pages as new. The space is loaded. */
void region_fill(const struct region *r, u64 first, u64 pages);
/* Free all pages; new ones come by local policy, and nobody has written them. Nobody uses it. 0 or a code. */
int region_empty(struct region *r);
/* After that, when each page is there and filled. 0 or a code. */
int region_refilled(struct region *r, bool read_only);
struct bench;
/*
 * The region of this run's index-th space: large, pinned, read-only as asked
 * for. 0, or a code with bench_fail(). Goes to keep_or_destroy() or region_finish() in any case.
 */
int region_setup(struct bench *b, struct region *r, unsigned index, u64 pages, u32 node);
/* The node after this one that has memory; itself if no other has. */
u32 region_next_node(u32 node);
/* Frames of a node that a workload may take. */
u64 region_room(u32 node);
/* 0, or -ERANGE with bench_fail(): the node has not so many frames free, and some to spare. */
int region_check_room(struct bench *b, u32 node, u64 pages);
/* Verify it, if there were rounds: damaged pages fail the run. No CPU has the space loaded for this afterwards. */
void region_check(struct bench *b, struct region *r);
/* The same, then destroy it. */
void region_finish(struct bench *b, struct region *r);
void region_destroy(struct region *r);

/* How much is checked: "full", "oracle", "reads", "off", or "none-built". */
const char *region_check_name(void);
/* Do readers verify what they read (check=full or check=reads)? */
bool region_readers_verify(void);
