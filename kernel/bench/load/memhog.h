/*
 * A memory hog (--eat): a program that holds a node's memory while threads touch their
 * pages for the first time, so that these land on other nodes, and leaves. So
 * NUMA balancing finds pages away from home that nobody moved there, as in the
 * test that late mapping was published with.
 */
#pragma once

#include <mm/page.h>

struct bench;
struct region;

struct memhog {
	u32 node;
	u64 frames; /* held, or held last */
	struct page *first; /* linked by next */
};

/*
 * Take frames of a node until `room` of them are left for everybody else, or none if that many are not free. All CPUs
 * give their caches back; false: one could not be asked to, so that the node has more room than it seems.
 */
bool memhog_take(struct memhog *hog, u32 node, u64 room);
/* Give them back; none were taken: nothing. */
void memhog_leave(struct memhog *hog);

/*
 * Free all pages of the regions, hold a node so that `room` frames of it are
 * left, let threads touch their pages first, and leave. Thread i has the share
 * i / regions, of share_pages, of region i % regions. Nobody uses them
 * meanwhile. 0, or a code with bench_fail().
 */
int memhog_touch_first(struct bench *b, struct memhog *hog, u32 node, u64 room,
		       struct region *region, unsigned regions, u64 share_pages);
