/*
 * Demotion: where a node with CPUs runs short of frames, pages that nobody has accessed lately move
 * to a node without any, rather than out of memory.
 */
#pragma once

#include <mm/aspace.h>

/* Where demotion is in a space. Start with only .as set. */
struct demotion {
	struct aspace *as;
	vaddr_t next; /* the page that it looks at next */
};

/*
 * Move up to `want` pages of 4 KiB of this space from a node to its slow tier (numa_slow_tier()), in
 * batches of RECLAIM_PAGES, as Linux does, with a flush for as many as the knob `batch` says. Pages that were
 * accessed since it came by last stay, but not for ever: its second round finds them as it left them. Returns how many moved. 0: none may, or
 * the slow tier is full. Task context, no locks held; the space need not be loaded here.
 */
u64 demote_pages(struct demotion *d, u32 node, u64 want);

/*
 * If the node is below its low watermark: demote pages of these spaces in turn until it has watermark_gap frames (a
 * knob) more than that free, or no more can be had. Returns how many moved. The same rules.
 */
u64 demote_balance(struct demotion *d, unsigned spaces, u32 node);
