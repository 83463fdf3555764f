/*
 * Page frames: one buddy allocator per node behind per-CPU caches.
 *
 * Lock: struct pmm_node.lock guards the node's lists and counts; innermost in
 * the chain (aspace -> object -> ptl -> pmm node -> console). Caches belong to
 * their CPU, in task context only: no interrupt handler allocates.
 */
#pragma once

#include <mm/page.h>

enum {
	PMM_MAX_ORDER = 9, /* 2 MiB: the largest page a workload maps */
};

enum pmm_flags {
	PMM_FALLBACK = 0, /* other nodes by distance when the node is short */
	PMM_STRICT = 1 << 0, /* this node or nothing */
	PMM_RESERVE = 1 << 1, /* may dip below the min watermark: page tables */
	PMM_ZERO = 1 << 2,
	/* Debts may be paid for a frame, but no page is moved or written out: the caller does that itself. */
	PMM_NO_RECLAIM = 1 << 3,
};

struct pmm_node_stats {
	u64 total, free, cached,
		quarantined; /* 4 KiB frames; quarantined ones can be had by paying */
	u64 owing; /* of the free ones: paid for when they leave */
	u64 watermark_min, watermark_low;
	u64 free_blocks[PMM_MAX_ORDER + 1];
};

/*
 * refs = 1, mapcount = 0, state PAGE_USED; NULL: no memory under these rules, also
 * after what a deferral holds back was paid for. May have to pay, which waits:
 * task context, interrupts on, no spinlock held.
 */
struct page *pmm_alloc(u32 node, unsigned order, unsigned flags);
/* Up to n single pages into out[]; returns how many. */
unsigned pmm_alloc_bulk(u32 node, unsigned flags, struct page **out, unsigned n);
/* The frame must have no references, no mappings and no unpaid debt; the oracle checks. */
void pmm_free(struct page *page);
void pmm_free_bulk(struct page **pages, unsigned n);
/*
 * The same by a deferral, with its flush unpaid: it is free, but keeps its
 * contents and its oracle's record, lies in no CPU's cache, and is paid for
 * (deferral.frames_leave), looked at and poisoned when it leaves the allocator.
 */
void pmm_free_owing(struct page *page);
/* Start-up: takes over what the early allocator has left. The page array is backed. */
void pmm_init(void);
void pmm_enable_caches(void); /* once every CPU has its per-CPU area */
/* Give this CPU's caches back, e.g. before counting frames. */
void pmm_drain_caches(void);
void pmm_node_stats(u32 node, struct pmm_node_stats *stats);
/* Frames in use on all nodes (total - free - cached): the leak check. */
u64 pmm_used(void);
void pmm_set_quarantined(u32 node, s64 delta); /* a scheme holds or releases frames */
/* Nodes by distance from a node, itself first; n = how many nodes exist. */
const u8 *pmm_fallback_order(u32 node, unsigned *n);
bool pmm_node_has_memory(u32 node);

/* Contents written into a frame when it is freed, so that a stale read is recognised. */
enum poison { POISON_OFF, POISON_MARK, POISON_FULL };
extern enum poison pmm_poison; /* poison=mark|full|off */
#define POISON_WORD 0xdeadf4a3edeadf4aUL /* "dead frame" */
#define POISON_MARK_WORDS 4 /* u64s at offset 0 that POISON_MARK overwrites */
