/* The latency histogram of pmbench and the text that its parsers read. */
#pragma once

#include <kernel/types.h>

enum {
	PMBENCH_FIRST = 8, /* below 2^8 ns: one bin */
	PMBENCH_FINE_END = 23, /* bands of 16 bins each up to 2^23 ns */
	PMBENCH_END = 30, /* one for each power up to 2^30 ns, and one for the rest */
	PMBENCH_BANDS = PMBENCH_FINE_END - PMBENCH_FIRST,
	PMBENCH_BINS = 16,
};

struct pmbench_histogram {
	u64 below;
	u64 fine[PMBENCH_BANDS][PMBENCH_BINS];
	u64 coarse[PMBENCH_END - PMBENCH_FINE_END];
	u64 rest; /* 2^30 ns and more */
};

struct pmbench_totals {
	struct pmbench_histogram read, write;
	u64 accesses, access_cycles; /* in loads and stores */
	u64 cycles; /* of threads, what chooses the page included */
	u64 wrong; /* words that were neither zero nor what a thread stored there */
};

void pmbench_add(struct pmbench_histogram *h, u64 ns);
u64 pmbench_count(const struct pmbench_histogram *h);
void pmbench_merge(struct pmbench_totals *to, const struct pmbench_totals *from);
/* took: cycles from start to end of all rounds. */
void pmbench_print(const struct pmbench_totals *t, u64 took);
