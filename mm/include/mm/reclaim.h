/*
 * Reclaim: where a node has no frame left, pages leave memory. Clean ones of files are dropped,
 * dirty ones written to their store first, anonymous ones to swap, if it is on; whoever needs them reads them in again.
 */
#pragma once

#include <mm/object.h>

/*
 * Take up to `want` pages, or a batch of the knob reclaim_batch, out of this node's frames.
 * Pages that were accessed since it came by last stay, but not for ever: its second round finds them
 * as it left them. Returns how many went. 0: all are in use, or no store takes them. Task context,
 * interrupts on. Locks of spaces may be held, which it does not take; those of objects may not.
 */
u64 reclaim_pages(u32 node, u64 want);

/*
 * Until the node has watermark_gap frames (a knob) more than its low watermark free, or nothing more can be had.
 * Returns how many pages went. The same rules.
 */
u64 reclaim_to_gap(u32 node);
/* The same if the node is below its low watermark. */
u64 reclaim_balance(u32 node);
/* Is there a file at all, or room in swap? A guess: no lock. */
bool reclaim_may_help(void);
/* mm/reclaim_context.c: from now on a context of its own does that, when it is time and a CPU idle. Boot CPU, once. */
void reclaim_start(void);
/* False: it stays away, as somebody else does its work. Nobody else allocates just then. On return it does nothing. Task context, no locks. */
void reclaim_background(bool on);

/* The pages of a new file may be reclaimed from now on. */
void reclaim_add(struct object *file);
/* And no longer: it is about to be closed. Waits for who is at it. Task context; locks of spaces may be held. */
void reclaim_remove(struct object *file);

/* ---- mm/reclaim_part.c, for who drops contents or splits a page ---- */

/* CPUs that look at anonymous pages just now; from bit 32 on, how many have begun to. Atomic */
extern u64 reclaim_looks;
#define RECLAIM_LOOK (1UL << 32 | 1)
/*
 * Reclaim may have a reference to a page at which it looks, which keeps that in its slot when its last entry goes. On
 * return it has none to a page whose entries were gone, and their references dropped (full barrier), before: so a later
 * access does not find it there. Any lock of a space may be held, none of an object.
 */
void reclaim_wait_for_looks(void);
static inline bool reclaim_is_looking(void)
{
	return (u32)load_relaxed(&reclaim_looks);
}
/*
 * Has reclaim looked at pages at any time since reclaim_looks was `before`? Relaxed: whoever has found a reference of
 * its by an atomic finds its beginning, too; see reclaim_begin_look().
 */
static inline bool reclaim_has_looked(u64 before)
{
	return (u32)before || load_relaxed(&reclaim_looks) != before;
}

/* Somebody has waited too long for a page that is in some CPU's batch: print whose that may be. */
void reclaim_blame(const struct page *page);
