/* Every change to a range of a space runs between change_begin() and change_end(). */
#pragma once

#include <mm/aspace.h>

enum change_reason {
	CHANGE_UNMAP,
	CHANGE_PROTECT,
	CHANGE_DROP,
	CHANGE_MIGRATE,
	CHANGE_HINT,
	CHANGE_SPLIT, /* same frames, same rights */
};

void change_begin(struct aspace *as, enum change_reason why, vaddr_t start, vaddr_t end);
void change_end(struct aspace *as, enum change_reason why, vaddr_t start, vaddr_t end);

/*
 * The accessibility test: may a CPU still hold what this entry, just taken down
 * or seen under its PTL, allowed? Not if it was a hint entry, unless a scan's
 * flush is still to come. Relaxed: whoever reuses the frame passes a full barrier
 * first (freeze(), page_put()), and whoever lowers rights has the write side, so
 * that no scan is under way. The scanner increments
 * before it changes the entry under the PTL that we hold, so we cannot miss it.
 */
static inline bool aspace_may_be_cached(const struct aspace *as, pte_t taken)
{
	return likely(pte_is_present(taken)) || load_relaxed(&as->flush_pending);
}
