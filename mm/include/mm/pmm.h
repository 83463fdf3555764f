/*
 * Page frames: one buddy allocator per node, with per-CPU caches of single frames
 * in front of it.
 *
 * pmm_node.lock (mm/buddy.h) guards the lists and counts of a node. It is an
 * innermost lock: nothing else is taken while it is held. A cache belongs to its
 * CPU and needs no lock, as it is used in task context only: no interrupt handler
 * allocates or frees.
 */
#pragma once

#include <mm/page.h>

enum {
	PMM_MAX_ORDER = 9, /* 2 MiB: the largest page a workload maps */
};

enum pmm_flags {
	PMM_FALLBACK = 0, /* if the node has none: other nodes, nearest first */
	PMM_STRICT = 1 << 0, /* this node or nothing */
	PMM_RESERVE = 1 << 1, /* may go below the min watermark: for page tables and stacks */
	PMM_ZERO = 1 << 2, /* zeroed */
	/* To get a frame, debts may be paid, but no page may be moved or written out: the caller is doing that. */
	PMM_NO_RECLAIM = 1 << 3,
};

struct pmm_node_stats {
	/* All in 4 KiB frames. */
	u64 total, free, cached;
	u64 quarantined; /* held back by deferrals: free after a payment */
	u64 owing; /* of the free ones: those that are paid for when they leave the allocator */
	u64 watermark_min, watermark_low;
	u64 free_blocks[PMM_MAX_ORDER + 1];
};

/*
 * Allocate a page of 2^order frames (0 to PMM_MAX_ORDER) on a node; flags: enum
 * pmm_flags. It has one reference, no mapping and state PAGE_USED. NULL: no memory
 * under these rules, even after paying for what a deferral holds back and, for a single frame,
 * after reclaiming pages of files. Task context, interrupts on, no spinlock held, as both wait; and
 * without PMM_NO_RECLAIM no lock of a page or an object.
 */
struct page *pmm_alloc(u32 node, unsigned order, unsigned flags);
/* Allocate up to n single frames into out[]. Returns how many. The same rules. */
unsigned pmm_alloc_bulk(u32 node, unsigned flags, struct page **out, unsigned n);
/*
 * Free a page that has no references, no mappings and no unpaid flush; the oracle checks that no CPU
 * can reach it. Task context.
 */
void pmm_free(struct page *page);
/* The same for n pages. One call is cheaper than many, as the oracle checks them together. */
void pmm_free_bulk(struct page **pages, unsigned n);
/*
 * For deferrals: free a page whose flush is unpaid. It keeps its contents, page.debt and the
 * oracle's record, and does not go to a per-CPU cache. When it leaves the allocator
 * it is paid for (deferral.frames_leave), checked by the oracle and poisoned.
 */
void pmm_free_owing(struct page *page);
/* What was freed owing until now is paid for, or about to be: it is used no later than other frames. Any context. */
void pmm_owing_paid(void);
/* All that was freed owing is paid for: from now on nothing owes. Task context; nobody frees owing meanwhile. */
void pmm_owing_end(void);
/* Take over the memory that the early allocator has left. Boot CPU, once; the page array is backed. */
void pmm_init(void);
/* Use per-CPU caches from now on. Boot CPU, once every CPU has its per-CPU area. */
void pmm_enable_caches(void);
/* Give the frames in this CPU's caches back to their nodes, for instance before frames are counted. Task context. */
void pmm_drain_caches(void);
/* The numbers of a node. Takes its lock; `cached` is inexact while other CPUs allocate. */
void pmm_node_stats(u32 node, struct pmm_node_stats *stats);
/* 4 KiB frames in use on all nodes (total - free - cached), for leak checks. */
u64 pmm_used(void);
/* A deferral holds back so many more (or fewer) 4 KiB frames of this node. Any context without that node's lock. */
void pmm_set_quarantined(u32 node, s64 delta);
/* All nodes by their distance from a node, itself first. *n: how many there are. Constant. */
const u8 *pmm_fallback_order(u32 node, unsigned *n);
/*
 * Frames of a node from number *pfn on, at most *count of them, in one run: *pfn is the first one's number
 * then. Returns that one, NULL: there are no more. Some may be others' than the allocator's.
 */
struct page *pmm_frames_from(u32 node, u64 *pfn, u64 *count);
/* False: the node has no memory at all. */
bool pmm_node_has_memory(u32 node);
/*
 * Are less than `more` frames free above the node's low watermark? What a deferral holds back counts as free, as it can
 * be had by paying. Any context but the allocator's own.
 */
bool pmm_is_short(u32 node, u64 more);

/*
 * How allocations get frames back from files: reclaim_pages(). Set when everything that needs is there;
 * NULL: not yet.
 */
extern u64 (*pmm_reclaim)(u32 node, u64 want);
/* What an allocation that found nothing asks for: as many as Linux, which calls it SWAP_CLUSTER_MAX. */
enum { RECLAIM_PAGES = 32 };
/* Told when a CPU takes single frames from a node that is below its low watermark. NULL: nobody is. */
extern void (*pmm_low)(u32 node);

/* Contents written into a frame when it is freed, so that a stale read is recognised. */
enum poison { POISON_OFF, POISON_MARK, POISON_FULL };
extern enum poison pmm_poison; /* poison=mark|full|off */
#define POISON_WORD 0xdeadf4a3edeadf4aUL /* "dead frame" */
#define POISON_MARK_WORDS 4 /* u64s at offset 0 that POISON_MARK overwrites */
