/*
 * Moving pages between nodes: unmap all of a batch, flush once, then copy and
 * map pair by pair.
 */
#pragma once

#include <mm/aspace.h>

enum migrate_reason {
	MIGRATE_OK,
	MIGRATE_PINNED, /* somebody holds a pin */
	MIGRATE_RACED, /* isolated by somebody else, or referenced while it was being moved */
	MIGRATE_NO_MEMORY, /* the target node has none */
	MIGRATE_GONE, /* freed or remapped before we came */
	MIGRATE_SCANNED, /* a scan's flush is pending, and the caller would rather not flush */
	MIGRATE_REFUSED, /* a subscriber to the changes of a space that maps it could not now */
	MIGRATE_REASONS
};
extern const char *const migrate_reason_names[MIGRATE_REASONS];

enum migrate_phase { PHASE_UNMAP, PHASE_FLUSH, PHASE_COPY, PHASE_MAP, PHASE_OTHER, PHASE_COUNT };
extern const char *const migrate_phase_names[PHASE_COUNT];

struct migrate_stats {
	u64 moved; /* 4 KiB pages (a 2 MiB page counts 512) */
	u64 moved_huge; /* 2 MiB pages */
	u64 failed[MIGRATE_REASONS]; /* 4 KiB pages, by reason; [MIGRATE_OK] stays 0 */
	u64 phase[PHASE_COUNT]; /* cycles; they sum to the time spent in migrate_range() */
	u64 batches;
};

struct migrate_request {
	struct aspace *as;
	vaddr_t start;
	u64 len;
	u64 from_nodes; /* bit per node: move only pages that are there */
	u32 to_node; /* strict */
	/* Optional, one byte (enum migrate_reason) per 4 KiB page of the range; untouched for pages not on from_nodes. */
	u8 *result;
	struct migrate_stats *stats; /* added to */
	bool isolated; /* migrate_pages(): the caller isolated the pages */
	bool unflushed; /* leave pages with hint entries where a pending scan would make us flush */
};

/*
 * Move what the request names. 0 = every page that was on from_nodes moved;
 * else the number of 4 KiB pages that could not be moved. Nothing is lost: a
 * page that failed is where it was. Task context, no locks held.
 */
u64 migrate_range(const struct migrate_request *req);

/*
 * The same for n frames, wherever they are mapped: for who starts from frames,
 * as demotion and reclaim do. Of the request from_nodes, to_node, stats,
 * isolated and result count, with a byte per entry of the list. The caller has a
 * reference to each (PAGE_REF) and holds no lock of a space or an object. Pages
 * are isolated here, unless he did; their isolation ends. Where a page moved its
 * entry of the list becomes NULL and the reference is gone with the frame; others
 * are where they were, with theirs. A page that nobody maps stays (MIGRATE_GONE).
 */
u64 migrate_pages(struct page **list, unsigned n, const struct migrate_request *req);

void migrate_stats_add(struct migrate_stats *to, const struct migrate_stats *from);

/*
 * The same for one page, isolated by the caller and mapped at req->start in
 * req->as, whose lock's read side the caller holds. Ends the isolation. Not
 * MIGRATE_OK: it is where it was, and entries that were taken down are
 * accessible again; those that were not are as they were. Task context, no
 * spinlocks.
 */
enum migrate_reason migrate_isolated(const struct migrate_request *req, struct page *page);
