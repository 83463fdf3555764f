/* The options of pmbench, its latency histogram, and the text that its parsers read. */
#pragma once

#include <kernel/types.h>
#include <load/affinity.h>
#include <load/pattern.h>

/* What its own options ask for. */
struct pmbench_options {
	unsigned access; /* enum pmbench_access */
	u64 map_mib, set_mib, shape, read_pct, accesses, delay, offset;
	u64 duration; /* seconds; 0: rounds end after `accesses` */
	bool cold, scan, initialize;
	struct affinity affinity;
};
extern struct pmbench_options pmbench_options;

enum {
	PMBENCH_FIRST = 8, /* below 2^8 ns: one bin */
	PMBENCH_FINE_END = 23, /* bands of 16 bins each up to 2^23 ns */
	PMBENCH_END = 30, /* one for each power up to 2^30 ns, and one for the rest */
	PMBENCH_LABEL_END = 32, /* how the report names the end of the rest, in 32 bits */
	PMBENCH_BANDS = PMBENCH_FINE_END - PMBENCH_FIRST,
	PMBENCH_BINS = 16,
};

struct pmbench_histogram {
	u64 below;
	u64 fine[PMBENCH_BANDS][PMBENCH_BINS];
	u64 coarse[PMBENCH_END - PMBENCH_FINE_END];
	u64 rest; /* 2^30 ns and more */
};

/* A thread, over its rounds; cycles by the wall clock, choosing pages included. u64 words only: see sums.h. */
struct pmbench_thread {
	u64 accesses, cycles;
	u64 draws, draw_cycles; /* choosing pages and nothing else */
	u64 warm, warm_cycles; /* accesses before the measured ones */
};

/* When free memory is looked at. */
enum pmbench_moment {
	PMBENCH_PRE_WARMUP,
	PMBENCH_PRE_RUN,
	PMBENCH_MID_RUN,
	PMBENCH_POST_RUN,
	PMBENCH_POST_UNMAP,
	PMBENCH_MOMENTS,
};

/* All threads of a variant. u64 words only: see sums.h. */
struct pmbench_totals {
	struct pmbench_histogram read, write;
	u64 access_cycles; /* in loads and stores alone */
	u64 wrong; /* words that were neither as they began nor what a thread stored there */
};

struct pmbench_report {
	const struct pmbench_options *options;
	u64 threads;
	const struct pmbench_totals *totals;
	const struct pmbench_thread *thread; /* [threads] */
	const u64 *free_kib; /* [PMBENCH_MOMENTS] */
	bool interrupted;
};

void pmbench_add(struct pmbench_histogram *h, u64 ns);
/* The report as pmbench prints it; what this machine has no figure for is left out, or 0 in a table. */
void pmbench_print(const struct pmbench_report *r);
