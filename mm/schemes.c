/* The list of schemes: names for combinations of knobs. A new one is one entry here. */
#include <mm/scheme.h>

const struct scheme_def scheme_defs[] = {
	{"baseline", "the historical kernel: one shootdown per migrated page",
	 "batch=1 defer=none hint=early", NULL},
	{"batch", "one shootdown per batch of pages (migrate_pages since 6.3)", "batch=512", NULL},
	{"late-map", "hint faults move the page first and map it after that (since 5.13)",
	 "hint=late", NULL},
	{"like-linux-6.1",
	 "what that kernel does on this ISA: page by page, hint=late (since 5.13)",
	 "batch=1 defer=none hint=late",
	 "LRU, folio locks and cgroup charges; mmap_lock contention; rmap of file and KSM pages"},
	{"like-linux-6.12",
	 "what that kernel does on this ISA: batches of 512, hint=late (since 5.13)",
	 "batch=512 batch_2m=1 defer=none hint=late",
	 "LRU, folio locks and cgroup charges; synchronous retry passes; one asynchronous pass "
	 "over "
	 "up to 2*512-1 pages; lazy-TLB CPUs skipped by a flag instead of leaving the mask"},
	{"never", "no flush at all: the upper bound of what any scheme can win (UNSAFE)",
	 "batch=512 defer=never", NULL},
};
const unsigned scheme_def_count = sizeof(scheme_defs) / sizeof(scheme_defs[0]);
