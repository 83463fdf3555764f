/*
 * NUMA balancing: a scan makes entries inaccessible, the next access faults and
 * tells which node uses the page, and the page moves there.
 */
#pragma once

#include <mm/fault.h>
#include <mm/migrate.h>

/*
 * A fault on a hint entry, f->seen. Read side of aspace.lock held; the entry's
 * table stays. The access decides again afterwards.
 */
enum fault_result hint_fault(struct fault *f, struct pt_pos pos);

/* Who touched the pages of a range is forgotten, as if they were new. */
void hint_forget(struct aspace *as, vaddr_t start, vaddr_t end);

/* What hint faults of all CPUs took; only grows. */
struct hint_stats {
	struct migrate_stats migrate; /* of the moves */
	u64 cycles; /* in the handler, moves included */
};
void hint_stats_read(struct hint_stats *sum);

/* Around a window of a scan: from before its first entry changes until its flush is complete. */
void hint_flush_begins(struct aspace *as);
void hint_flush_ended(struct aspace *as);

/* ---- the scan, mm/scan.c ---- */

/* Where a scan of a space is, and how fast it goes. Start with .as alone. */
struct hint_scan {
	struct aspace *as;
	vaddr_t next; /* window by window through the areas, and over again */
	u64 pages; /* scanned since the pass began */
	u64 passes; /* ended */
	u64 space_pages; /* that the last pass scanned; 0 = no pass has ended */
	u64 period; /* ns for a pass */
	struct hint_tally before; /* the space's, when the pass began */
};

/*
 * The next window, knob scan_size: make its entries hint entries, with one
 * flush at its end. Returns the nanoseconds to wait before the next one. Task
 * context; the space need not be loaded here.
 */
u64 hint_scan(struct hint_scan *scan);
/* Make all present entries of a range hint entries: one window. Returns how many. */
u64 hint_mark(struct aspace *as, vaddr_t start, vaddr_t end);
