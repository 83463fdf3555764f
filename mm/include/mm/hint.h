/*
 * NUMA balancing. A scan makes entries inaccessible (hint entries). The next access
 * faults, which tells which node uses the page, and the page may move there. The
 * method is that of Linux's automatic NUMA balancing.
 */
#pragma once

#include <mm/fault.h>
#include <mm/migrate.h>

/*
 * Handle a fault on the hint entry f->seen at pos. FAULT_DONE: the access is tried
 * again, and decides anew; FAULT_RETRY: start over. Read side of aspace.lock held,
 * which keeps the entry's table; no spinlock held; may wait and migrate.
 */
enum fault_result hint_fault(struct fault *f, struct pt_pos pos);

/* Forget who touched the pages of a range, as if they were new. Takes the read side of aspace.lock. */
void hint_forget(struct aspace *as, vaddr_t start, vaddr_t end);

/* What hint faults of all CPUs have cost; never reset. */
struct hint_stats {
	struct migrate_stats migrate; /* of the moves */
	u64 cycles; /* in the handler, moves included */
};
/* Sum over all CPUs. Any context; inexact while faults come. */
void hint_stats_read(struct hint_stats *sum);

/* A scan's window begins: raises as->flush_pending. Before its first entry changes; read side of aspace.lock held. */
void hint_flush_begins(struct aspace *as);
/* Its flush is complete: lowers as->flush_pending and wakes who waits for that. The same lock held. */
void hint_flush_ended(struct aspace *as);

/* ---- the scan, mm/scan.c ---- */

/* How far the scan of a space has come, and its pace. Start with only .as set. A pass goes through all areas once. */
struct hint_scan {
	struct aspace *as;
	vaddr_t next; /* where the next window begins */
	u64 pages; /* 4 KiB pages scanned in this pass */
	u64 passes; /* that have ended */
	u64 space_pages; /* 4 KiB pages that the last pass scanned; 0 = no pass has ended */
	u64 period; /* ns that a pass is to take */
	struct hint_tally before; /* the space's tally when this pass began */
	bool slow_only; /* pages of nodes with CPUs are left alone, as in Linux's memory tiering mode */
};

/*
 * Scan the next window, of as many pages as the knob scan_size says: make its
 * entries hint entries and flush once. Returns the nanoseconds to wait before the
 * next window. Task context, no locks; the space need not be loaded here.
 */
u64 hint_scan(struct hint_scan *scan);
/* Make all present entries of a range hint entries, as one window. Returns how many. The same rules. */
u64 hint_mark(struct aspace *as, vaddr_t start, vaddr_t end);
