/* A run of `tlb`, and what its parts share. */
#pragma once

#include <harness/bench.h>
#include <load/spinner.h>

enum {
	TLB_SMALL_PAGES = 4096, /* of 4 KiB in the area; the largest count of pages touched */
	TLB_HUGE_BLOCKS = 16, /* of 2 MiB, in an area of their own and by the direct map */
	TLB_FLUSHED = 64, /* pages flushed one by one per sample */
	TLB_REPEATS = 8, /* flushes of everything, shootdowns and calls per sample */
};

struct tlb_state {
	struct aspace *as;
	vaddr_t small, huge;
	u64 small_pages; /* of the area at `small` */
	struct page *block[TLB_HUGE_BLOCKS];
	unsigned blocks; /* obtained: nodes may be small */
	u32 order[TLB_SMALL_PAGES];
	struct spinner spinner[MAX_CPUS];
	unsigned spinners;
};

/* ---- tlb_parts.c ---- */
/* Cycles per item, or instructions. */
u64 tlb_bench_cost(u64 cycles, u64 items);
/* Add a row to the table of series. */
void tlb_bench_add(struct bench *b, unsigned busy,
		   int (*measure)(struct bench *b, u64 arg, u64 *value), u64 arg, const char *name);
/* Flush the first pages of the small area, or everything: cycles. */
u64 tlb_bench_flush_range(const struct tlb_state *s, unsigned pages);
u64 tlb_bench_flush_all(const struct tlb_state *s);

/* ---- tlb_others.c ---- */
void tlb_bench_declare_others(struct bench *b);
/* CPUs that have left the space are still asked once, to make them forget it: this does that, too. */
void tlb_bench_stop_spinners(struct tlb_state *s);
