/* Between mm/buddy.c and mm/pmm.c: the free frames of a node, in blocks of 2^order. */
#pragma once

#include <mm/pmm.h>
#include <kernel/spinlock.h>

struct pmm_node {
	struct spinlock lock; /* everything below */
	struct block_list {
		struct page *first;
		u64 count;
	} free[PMM_MAX_ORDER + 1];
	u64 total, free_pages, quarantined;
	u64 owing; /* of the free ones, frames with PG_OWES; read without the lock */
	u64 watermark_min, watermark_low;
} __aligned(CACHE_LINE);

/*
 * Both with the node's lock held. Whoever takes a block marks it as no longer
 * free before he lets go of the lock, or its buddy would merge with it.
 */
/* A block that nobody uses, with its buddies as far as those are free, too. */
void buddy_free(struct pmm_node *n, struct page *page, unsigned order);
/* The first block of at least this size, cut down to it; NULL: there is none. */
struct page *buddy_alloc(struct pmm_node *n, unsigned order);
