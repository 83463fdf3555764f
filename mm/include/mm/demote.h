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

/* The nearest node that has memory and no CPU: where pages of this one are demoted to. Itself: there is none. Any context. */
u32 demote_target(u32 node);

/*
 * If the node is below its low watermark: demote pages of these spaces in turn until it has watermark_gap frames (a
 * knob) more than that free, or no more can be had. They move in batches of RECLAIM_PAGES, as Linux does it, with a flush for
 * as many as the knob `batch` says. Pages that were accessed since it came by last stay, but not for ever: its second round
 * finds them as it left them. Returns how many moved. Task context, no locks held; the spaces need not be loaded here.
 */
u64 demote_balance(struct demotion *d, unsigned spaces, u32 node);
