/* Which pages a NUMA scan leaves alone: mm/scan_spare.c. */
#pragma once

#include <mm/aspace.h>

/*
 * By the knob pinned, which is not `mark`: does the scan leave the page at va alone? Counts what it finds.
 * PTL of the entry that names it and read side of aspace.lock held.
 */
bool scan_spares(struct aspace *as, vaddr_t va, const struct page *page);
