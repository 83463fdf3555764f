/* A device that was passed through to the guest of `vm`: its DMA into pinned pages, and whether it was right. */
#pragma once

#include <kernel/types.h>

struct bench;
struct vm_state;

enum vm_device { DEVICE_AUTO, DEVICE_NONE, DEVICE_EDU };

/* Sums of u64. */
struct dma_counts {
	u64 transfers, bytes; /* that are over, of both directions */
	u64 wrong; /* of those that wrote: what is in the guest's memory then is something else */
};

struct vm_dma {
	bool used, open; /* the device; used: also when it is closed again */
	u64 turns; /* made so far, warm-up included: which pages, and what is in them */
	struct dma_counts round; /* of this one */
};

/* Mistakes of --device. 0, or a code with bench_fail(). */
int vm_dma_check(struct bench *b);
/* The guest's pages are pinned, and nobody runs it: open the device where there is one. The same. */
int vm_dma_setup(struct bench *b, struct vm_state *s);
/* The guest runs: have the device read a pinned page. The same. */
int vm_dma_begin(struct bench *b, struct vm_state *s);
/*
 * Wait for that, then have the device write what it read to another pinned page, and look at it there. Until both are
 * over, meanwhile(b) is called again and again, on the initiator's CPU. The same.
 */
int vm_dma_end(struct bench *b, struct vm_state *s, void (*meanwhile)(void *b));
/* Before pages are unpinned: no transfer reaches memory from here on. */
void vm_dma_teardown(struct vm_state *s);
