/*
 * Pages that outlive their run (bench --keep), until `drop` or the next run.
 * Only the console's context touches them.
 */
#pragma once

#include "region.h"

/* Take over a region that nobody uses any more. */
void kept_add(struct region *r);
/* So much memory is still out; is that because regions are kept? */
bool kept_claim(u64 memory);
/* A line for each. */
void kept_print(void);
/* Give all back. Returns how many frames and objects did not come back. */
u64 kept_drop(void);
