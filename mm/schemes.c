/* The list of schemes: names for combinations of knobs. A new one is one entry here. */
#include <mm/scheme.h>
#include <arch/tlb.h>

/* Checked against the sources of both versions, row by row: docs/linux.md. */
static const struct scheme_case linux_6_1[] = {
	/* pte_needs_flush(); flush_tlb_fix_spurious_fault(); should_defer_flush(), in reclaim alone */
	{"x86_64", NULL, "batch_alone=off batch_flush=all spurious=skip protect_flush=filter"},
	{"arm64", NULL, "reclaim_batch=1 spurious=never protect_flush=always"},
	{NULL, NULL, NULL},
};
static const struct scheme_case linux_6_12[] = {
	/* arch_tlbbatch_should_defer(), arch_tlbbatch_flush() */
	{"x86_64", NULL, "batch_alone=off batch_flush=all spurious=skip protect_flush=filter"},
	{"arm64", NULL, "spurious=never protect_flush=always"},
	{"arm64", tlb_bcast_repeats, "batch=1 reclaim_batch=1"},
	{NULL, NULL, NULL},
};

#define LINUX_LACKS                                                                                \
	"LRU, folio locks, cgroup charges, mmap_lock; sources freed one by one; 2 MiB pages that " \
	"flush even from a hint entry, and are split where no large frame is free; scans by task " \
	"and area; x86-64: lazy-TLB CPUs skipped instead of leaving the mask; arm64: range "       \
	"instructions without a ceiling of 512 pages"

const struct scheme_def scheme_defs[] = {
	{"baseline", "the historical kernel: one shootdown per migrated page",
	 "batch=1 batch_2m=1 reclaim_batch=1 defer=none hint=early spurious=always upgrade=all "
	 "protect_flush=always notify=start pinned=mark",
	 NULL, NULL},
	{"batch", "one shootdown per batch of pages (migrate_pages since 6.3)",
	 "batch=512 batch_2m=8 reclaim_batch=32", NULL, NULL},
	{"late-map", "hint faults move the page first and map it after that (since 5.13)",
	 "hint=late", NULL, NULL},
	{"like-linux-6.1", "what that kernel does: page by page, hint=late (since 5.13)",
	 "batch=1 batch_2m=1 reclaim_batch=32 defer=none hint=late numa_split=off upgrade=all "
	 "notify=start pinned=skip-cow",
	 linux_6_1, LINUX_LACKS},
	{"like-linux-6.12",
	 "what that kernel does on this ISA: 4 KiB pages in batches of 512, hint=late",
	 "batch=512 batch_2m=1 reclaim_batch=32 defer=none hint=late numa_split=off upgrade=all "
	 "notify=start pinned=skip-cow",
	 linux_6_12, LINUX_LACKS "; synchronous retry passes; batches of up to 2*512-1 pages"},
	{"skip-retry", "no flush after a fault that was retried and changed nothing (since 5.9)",
	 "spurious=skip", NULL, NULL},
	{"local-upgrade",
	 "an entry that gains access is flushed here, elsewhere by who faults (arm64 since 6.19)",
	 "upgrade=local spurious=local", NULL, NULL},
	{"filter-protect", "changes of protection flush only where access was lost (since 5.19)",
	 "protect_flush=filter", NULL, NULL},
	{"batch-reclaim",
	 "one shootdown per batch of reclaimed pages (x86 since 4.3, arm64 since 6.6)",
	 "reclaim_batch=32", NULL, NULL},
	{"skip-pinned", "a NUMA scan leaves pinned pages alone (RFC of August 2023, patch 2)",
	 "pinned=skip", NULL, NULL},
	{"numa-protect",
	 "and a second MMU zaps what becomes inaccessible, entry by entry (the same, version 2)",
	 "notify=protect pinned=skip", NULL, NULL},
	{"late-notify",
	 "or hears of a scan when the first entry is about to change (the answer to it)",
	 "notify=late pinned=skip", NULL, NULL},
	{"latr", "frames wait until each CPU has flushed itself, at its tick or switch",
	 "batch=512 batch_2m=8 reclaim_batch=32 defer=latr", NULL, NULL},
	{"migrc",
	 "both copies of a read-only page are kept until its flush is wanted, or has happened",
	 "batch=512 batch_2m=8 reclaim_batch=32 defer=migrc", NULL, NULL},
	{"luf", "frames are freed owing, and one flush pays for all when the first is used again",
	 "batch=512 batch_2m=8 reclaim_batch=32 defer=luf", NULL, NULL},
	{"stamp",
	 "frames are freed owing, and whoever gets one asks CPUs that have not flushed since",
	 "batch=512 batch_2m=8 reclaim_batch=32 defer=stamp", NULL, NULL},
	{"never", "no flush at all: the upper bound of what any scheme can win (UNSAFE)",
	 "batch=512 batch_2m=8 reclaim_batch=32 defer=never", NULL, NULL},
};
const unsigned scheme_def_count = sizeof(scheme_defs) / sizeof(scheme_defs[0]);
