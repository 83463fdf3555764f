/* Between mm/buddy.c and mm/pmm*.c: the free frames of a node, in blocks of 2^order. */
#pragma once

#include <mm/pmm.h>
#include <kernel/spinlock.h>

struct pmm_node {
	struct spinlock lock; /* everything below */
	struct block_list {
		struct page *first, *last;
		u64 count;
	} free[PMM_MAX_ORDER + 1], unpaid[PMM_MAX_ORDER + 1]; /* unpaid: see buddy_paid() */
	u32 payments;
	u64 total, free_pages, quarantined;
	u64 owing; /* of the free ones, frames with PG_OWES; read without the lock */
	u64 watermark_min, watermark_low;
} __aligned(CACHE_LINE);
extern struct pmm_node pmm_nodes[MAX_NODES];

/* Both need the node's lock, except at start-up, when no other CPU runs. */
/*
 * Give back a block of 2^order frames that nobody uses. It merges with its buddies as long as those are free.
 * owes: its frames have PG_OWES, or it is as if they had; then so has what they merge into.
 */
void buddy_free(struct pmm_node *n, struct page *page, unsigned order, bool owes);
/*
 * Take a block of 2^order frames, from the smallest free one that is large enough. unpaid: of those with frames
 * that were freed owing since buddy_paid(), else of the others. NULL: there is none. Its state is no longer
 * PAGE_FREE on return, or its buddy could merge with it.
 */
struct page *buddy_alloc(struct pmm_node *n, unsigned order, bool unpaid);
/* A payment covers what was freed owing until now. Only which blocks come first hangs on it. */
void buddy_paid(struct pmm_node *n);

/* ---- mm/pmm_slow.c, for mm/pmm.c ---- */

/*
 * A block of the largest size from *order down to `least` that leaves so many frames free; first of those
 * that owe nothing, then of others. *order becomes its size. NULL: there is none. Node's lock held.
 */
struct page *pmm_find_block(struct pmm_node *n, unsigned *order, unsigned least, u64 floor);
/* Allocate from this node without paying. NULL: there is none. */
typedef struct page *pmm_attempt(u32 node, unsigned order, unsigned flags);
/* As pmm_alloc(), but nothing is zeroed: the node had none, so from wherever there is some. May wait. */
struct page *pmm_alloc_slowly(pmm_attempt *attempt, u32 node, unsigned order, unsigned flags);
/*
 * A block is wanted of a node where frames are held back: if little more than the low watermark is
 * free, have the deferral pay. Sooner than for a single frame: what is held may merge into a block, and
 * what is free near the watermark lies in small pieces. May wait. True: it has paid.
 */
bool pmm_pay_for_block(u32 node, unsigned order);
