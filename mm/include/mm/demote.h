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
 * Demote a batch of each of these spaces, unless the node has watermark_gap frames (a knob) more than its low
 * watermark free. Where they go pages are reclaimed before, if that is short. A batch is RECLAIM_PAGES, as in Linux, with a flush for
 * as many as the knob `batch` says. Pages that were accessed since it came by last stay, but not for ever: its second round
 * finds them as it left them. Returns how many moved; 0: there is enough, or no more can be had. Task context, no locks held; the spaces need not be loaded here.
 */
u64 demote_some(struct demotion *d, unsigned spaces, u32 node);
