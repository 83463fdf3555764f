/* What both parts of `tlb` measure by: a row, its unit, and the flushes that they time. */
#include <kernel/clock.h>
#include <kernel/det.h>
#include <kernel/fixed.h>
#include "tlb.h"

enum { DIGITS = 2 }; /* decimals of a cost */

u64 tlb_bench_cost(u64 cycles, u64 items)
{
	return det_mode ? bench_time_per(cycles, items, DIGITS) : mul_div_u64(cycles, 100, items);
}

void tlb_bench_add(struct bench *b, unsigned busy,
		   int (*measure)(struct bench *b, u64 arg, u64 *value), u64 arg, const char *name)
{
	const struct bench_series row = {
		.unit = "cycles",
		.digits = DIGITS,
		.busy = busy,
		.time = true,
		.measure = measure,
		.arg = arg,
	};

	bench_series_add(b, &row, "%s", name);
}

u64 tlb_bench_flush_range(const struct tlb_state *s, unsigned pages)
{
	struct tlb_gather g;
	u64 start = cycles_now();

	tlb_gather_init(&g, &s->as->ctx, 0);
	tlb_gather_add_range(&g, &s->as->ctx, s->small, s->small + ((u64)pages << PAGE_SHIFT), 0);
	tlb_gather_flush(&g);
	return cycles_now() - start;
}

u64 tlb_bench_flush_all(const struct tlb_state *s)
{
	u64 start = cycles_now();

	tlb_flush_context(&s->as->ctx);
	return cycles_now() - start;
}
