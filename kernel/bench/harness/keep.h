/*
 * Pages that outlive their run (bench --keep), until `drop` or the next run.
 * Only the console's context touches them.
 */
#pragma once

#include "region.h"

/* Take over a region that nobody uses any more. */
void keep_region(struct region *r);
/* A region at the end of its run: checked; then with --keep it stays, else it is destroyed. */
void keep_or_destroy(struct bench *b, struct region *r);
/* So much memory is still out; is that because regions are kept? */
bool keep_claim(u64 memory);
/* A line for each. */
void keep_print(void);
/* Give all back. Returns how many frames and objects did not come back. */
u64 keep_drop(void);
