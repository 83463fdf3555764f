/*
 * Moving pages between nodes: unmap all pages of a batch, flush once, then copy and
 * map them one by one. The batch is that of Linux's migrate_pages() since 6.3.
 */
#pragma once

#include <mm/aspace.h>

enum {
	MIGRATE_MAX = 512
}; /* entries isolated at a time, and so places of page.slot; knob `batch` goes up to here */

enum migrate_reason {
	MIGRATE_OK,
	MIGRATE_PINNED, /* somebody has pinned it */
	MIGRATE_RACED, /* somebody else isolated it, or took a reference while it was being moved */
	MIGRATE_NO_MEMORY, /* no free frame on the target node */
	MIGRATE_GONE, /* freed, or mapped elsewhere, before we came */
	MIGRATE_SCANNED, /* a scan's flush is pending, and the request asked not to flush (`unflushed`) */
	MIGRATE_REFUSED, /* a subscriber to changes of a space that maps it has refused */
	MIGRATE_WRITEBACK, /* its contents were on their way to its store, or written by file_write() */
	MIGRATE_REASONS
};
extern const char *const migrate_reason_names[MIGRATE_REASONS];

enum migrate_phase { PHASE_UNMAP, PHASE_FLUSH, PHASE_COPY, PHASE_MAP, PHASE_OTHER, PHASE_COUNT };
extern const char *const migrate_phase_names[PHASE_COUNT];

struct migrate_stats {
	u64 moved; /* 4 KiB pages (a 2 MiB page counts 512) */
	u64 moved_huge; /* 2 MiB pages */
	u64 failed[MIGRATE_REASONS]; /* 4 KiB pages, by reason; [MIGRATE_OK] stays 0 */
	u64 phase[PHASE_COUNT]; /* cycles; their sum is the time spent in migrate_range() */
	u64 batches;
};

struct migrate_request {
	struct aspace *as;
	vaddr_t start;
	u64 len;
	u64 from_nodes; /* bit per node: move only pages that are on these nodes */
	u32 to_node; /* the target: no other node will do */
	/*
	 * NULL, or one byte (enum migrate_reason) per 4 KiB page of the range. Pages not on
	 * from_nodes leave theirs as it is.
	 */
	u8 *result;
	struct migrate_stats *stats; /* what was done is added to it */
	bool isolated; /* migrate_pages(): the caller has isolated the pages */
	bool unflushed; /* leave a page where it is if its hint entry needs a flush because a scan's is pending */
};

/*
 * Move the pages of a range of a space. 0 = every page that was on from_nodes has
 * moved; else the number of 4 KiB pages that could not be moved, which are where
 * they were. start and len are multiples of 4 KiB; a 2 MiB page moves as a whole if
 * a part of it is in the range. Task context, no locks held.
 */
u64 migrate_range(const struct migrate_request *req);

/*
 * Move n frames, wherever they are mapped: for callers that start from frames, as
 * demotion and reclaim do. Of the request, from_nodes, to_node, stats, isolated and
 * result are used; result has a byte per entry of the list. Returns as
 * migrate_range().
 *
 * The caller has a reference (PAGE_REF) to each frame and holds no locks; task
 * context. Frames are isolated here, unless req->isolated; in either case their
 * isolation has ended on return. Where a page has moved, its entry of the list
 * becomes NULL, and the caller's reference is gone with the old frame. All others
 * are where they were, with their reference. A page that nobody maps does not move
 * (MIGRATE_GONE).
 */
u64 migrate_pages(struct page **list, unsigned n, const struct migrate_request *req);

/* Add the numbers of one to another. */
void migrate_stats_add(struct migrate_stats *to, const struct migrate_stats *from);

/*
 * Move one page, which the caller has isolated and which is mapped at req->start in
 * req->as; the isolation has ended on return. The caller holds the read side of
 * that space's lock and no spinlock; task context. Not MIGRATE_OK: the page is
 * where it was. Entries that were taken down are accessible again, the others are
 * unchanged.
 */
enum migrate_reason migrate_isolated(const struct migrate_request *req, struct page *page);
