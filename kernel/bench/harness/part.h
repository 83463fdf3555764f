/*
 * A measured part of a round, and the sums over parts.
 *
 *	part_begin(&part);
 *	start = cycles_now();
 *	...the operation...
 *	cycles = cycles_now() - start;
 *	settle = part_end(&part, cycles, &round->totals);
 *
 * begin and end read all counters; end pays all debts, timed by itself, and
 * returns the cycles that took. Nothing else may happen in between.
 */
#pragma once

#include "bench.h"

struct bench_part {
	struct mm_counters before, middle, after;
	struct ipi_counts ipis_before, ipis_after;
	u64 began, held_before; /* cycles, and frames held times those */
	u64 deferral_before[DEFERRAL_COUNTERS_MAX];
};

void part_begin(struct bench_part *part);
u64 part_end(struct bench_part *part, u64 cycles, struct bench_totals *t);
/* Add the totals of a round to those of its variant. */
void totals_add(struct bench_totals *sum, const struct bench_totals *t);
