/* Figures that both records and tables show. */
#include <harness/region.h>
#include <harness/trust.h>
#include <harness/workload.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/string.h>
#include <mm/kmap.h>
#include <mm/pmm.h>
#include "figures.h"

u64 bench_all_ipis(const struct bench_totals *t)
{
	return t->mm.ipis_sent + t->ipis_wake + t->ipis_call;
}

u64 bench_failed(const struct bench_totals *t)
{
	u64 sum = 0;

	for (unsigned i = 0; i < MIGRATE_REASONS; i++)
		sum += t->migrate.failed[i];
	return sum;
}

u64 bench_asked(const struct mm_counters *c)
{
	return c->ipis_sent + c->bcast_syncs;
}

u64 bench_held_mean(const struct bench_totals *t)
{
	return mul_div_u64(t->held_integral, 100, MAX(t->held_cycles, 1UL));
}

bool bench_broadcasts(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++)
		if (b->variant[i].totals.mm.bcast_ops)
			return true;
	return false;
}

const char *bench_asked_name(const struct bench *b)
{
	if (!bench_broadcasts(b))
		return "IPIs";
	for (unsigned i = 0; i < b->variant_count; i++)
		if (b->variant[i].totals.mm.ipis_sent)
			return "IPIs+syncs";
	return "syncs";
}

bool bench_summary(const struct bench *b, unsigned variant, unsigned series, struct summary *s)
{
	static u64 sorted[BENCH_MAX_REPS]; /* the samples keep their order */
	const struct bench_variant *v = &b->variant[variant];

	if (v->skipped[0] || !b->reps_done || !bench_shown(b, series))
		return false;
	memcpy(sorted, &v->values[series * b->params.reps], b->reps_done * sizeof(u64));
	samples_summary(sorted, b->reps_done, s);
	return true;
}

bool bench_waits_shown(const struct bench *b)
{
	return det_mode || b->trust == TRUST_TIME;
}

u64 bench_median_wait(const struct bench *b, const struct bench_variant *v)
{
	static u64 sorted[BENCH_MAX_REPS];
	struct summary s;

	if (!v->waits || !b->reps_done)
		return 0;
	memcpy(sorted, v->waits, b->reps_done * sizeof(u64));
	samples_summary(sorted, b->reps_done, &s);
	return s.median;
}

/*
 * Under the emulator a TLB of 256 direct-mapped slots forgets by itself, and
 * once large pages were used every flush of one page drops everything.
 */
const char *bench_stale_hidden(const struct bench *b)
{
	const struct bench_params *p = &b->params;

	if (!(b->workload->takes & OPT_THREADS) || !p->threads)
		return "no thread on another CPU reads";
	if (!region_readers_verify())
		return "check is neither full nor reads: readers do not look";
	if (b->any_unsafe)
		return "all pages have the same contents, for the scheme that never flushes";
	if (pmm_poison == POISON_OFF && (p->read_only || !p->write_pct))
		return "freed frames keep their contents and nobody writes";
	if (!strcmp(cpu_accel(), "tcg") && p->pages > 256)
		return "more than 256 pages: the emulated TLB drops entries by itself";
	if (!strcmp(cpu_accel(), "tcg") && kmap_large)
		return "large pages in use (large=off avoids them): the emulator flushes more than "
		       "asked";
	return NULL;
}

int bench_find_variant(const struct bench *b, const char *scheme_name)
{
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!strcmp(b->variant[i].scheme, scheme_name) && !b->variant[i].skipped[0])
			return (int)i;
	return -ENOENT;
}
