/* A run: rounds of the variants in turn, each under its own knobs, and what is measured of them. */
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include <mm/aspace.h>
#include <mm/reclaim.h>
#include <mm/scheme.h>
#include "keep.h"
#include "noise.h"
#include "pace.h"
#include "part.h"
#include "pmu.h"
#include "run.h"
#include "sums.h"
#include "trust.h"
#include "variant.h"
#include "workload.h"

/* One round of the workload under the variant's knobs, its samples to round->value. */
static int measure_once(struct bench *b, unsigned index, bool warm_up, struct bench_round *round,
			u64 *value)
{
	int rc = variant_enter(b, &b->variant[index], b->error);

	if (rc)
		return rc;
	memset(value, 0, b->series_count * sizeof(*value));
	*round = (struct bench_round){.variant = index, .warm_up = warm_up, .value = value};
	rc = b->workload->round(b, round);
	scheme_restore();
	return rc;
}

/* The round counts. */
static void add_round(struct bench *b, const struct bench_round *round, u64 rep)
{
	struct bench_variant *v = &b->variant[round->variant];
	u64 gap = MAX(v->felt.longest_gap, round->felt.longest_gap);

	for (unsigned s = 0; s < b->series_count; s++)
		v->values[s * b->params.reps + rep] = round->value[s];
	if (v->waits)
		v->waits[rep] = round->wait;
	totals_add(&v->totals, &round->totals);
	sums_add(&v->felt, &round->felt);
	v->felt.longest_gap = gap;
	if (b->workload->add)
		b->workload->add(b, round);
}

/*
 * The host was busy before or after the round: remember its sample, that it be
 * measured again. False: there were too many of them, and none is trusted.
 */
static bool measure_again(struct bench *b, const struct bench_round *round, u64 rep)
{
	struct bench_variant *v = &b->variant[round->variant];
	u64 budget = MIN(b->params.reps / 2 + 2, (u64)BENCH_MAX_DISTURBED);

	if (v->disturbed_count == budget || !pace_repeats(b) || console_interrupted()) {
		trust_withdraw(b, rep + 1);
		return false;
	}
	v->disturbed[v->disturbed_count++] = (struct bench_disturbed){rep + 1, round->value[0]};
	bench_progress(b);
	return true;
}

static int run_variant(struct bench *b, unsigned index, u64 rep, bool warm_up)
{
	static struct bench_round round; /* one run at a time; too large for a stack */
	u64 value[BENCH_MAX_SERIES];
	bool calm;

	ASSERT(rep < b->params.reps || warm_up);
	do {
		calm = warm_up || b->calm || trust_look(b, true);

		int rc = measure_once(b, index, warm_up, &round, value);

		if (rc || warm_up)
			return rc;
		calm = trust_look(b, false) && calm;
	} while (!calm && measure_again(b, &round, rep));
	add_round(b, &round, rep);
	return 0;
}

/* The variants that are measured; returns how many. */
static unsigned find_active(const struct bench *b, unsigned active[BENCH_MAX_VARIANTS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			active[n++] = i;
	return n;
}

/*
 * One round of each variant. With an even number of them the first one
 * changes each time (A B, B A): rounds go to and fro between two nodes, and a
 * variant that always moved the same way could not be told from the direction.
 */
static int run_round(struct bench *b, u64 rep, bool warm_up)
{
	unsigned active[BENCH_MAX_VARIANTS], n = find_active(b, active);
	int rc = 0;

	for (unsigned i = 0; i < n && !rc; i++) {
		rc = run_variant(b, active[(i + (n % 2 ? 0 : rep)) % n], rep, warm_up);
		pace_step(b);
	}
	if (console_interrupted())
		b->interrupted = true;
	return rc;
}

static int run_rounds(struct bench *b)
{
	unsigned active[BENCH_MAX_VARIANTS];
	int rc = 0;

	pace_begin(b, find_active(b, active));
	for (; pace_warms_up(b) && !rc; b->pace.warm_up++)
		rc = run_round(b, b->pace.warm_up, true);
	trust_assess_again(b);
	while (pace_goes_on(b) && !rc) {
		rc = run_round(b, b->reps_done, false);
		if (!rc)
			b->reps_done++;
	}
	return rc;
}

/* ---- the whole ----------------------------------------------------------------- */

static bool alloc_variant(const struct bench *b, struct bench_variant *v)
{
	v->values = bench_alloc_here(bench_values_size(b));
	if (!b->params.threads)
		return v->values;
	v->waits = bench_alloc_here(b->params.reps * sizeof(u64));
	return v->values && v->waits;
}

static int alloc_values(struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0] && !alloc_variant(b, &b->variant[i]))
			return bench_fail(b, -ENOMEM, "no memory for %lu samples", b->params.reps);
	return 0;
}

/* Median of 33: what a pair of clock reads costs, which every sample contains once. */
static u64 measure_noise_floor(void)
{
	u64 took[33];
	struct summary s;

	for (unsigned i = 0; i < ARRAY_SIZE(took); i++) {
		u64 start = cycles_now();

		took[i] = cycles_now() - start;
	}
	samples_summary(took, ARRAY_SIZE(took), &s);
	return s.median;
}

/* Between setup and teardown; *samples = frames and objects that outlive the workload: its samples. */
static int run_workload(struct bench *b, u64 *samples)
{
	u64 used;
	int rc = b->workload->setup(b);

	if (rc)
		return rc;
	trust_assess(b);
	trust_advise(b);
	used = bench_memory_in_use();
	rc = alloc_values(b);
	*samples = bench_memory_in_use() - used;
	if (!rc && b->workload->start)
		rc = b->workload->start(b);
	return rc ? rc : run_rounds(b);
}

/* Some workloads time single operations instead. */
static bool has_parts(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++)
		if (b->variant[i].totals.cycles)
			return true;
	return !b->reps_done;
}

int bench_measure(struct bench *b)
{
	u64 used, after, samples = 0;
	int rc;

	if (variants_all_skipped(b))
		return 0;
	b->noise_floor = measure_noise_floor();
	b->pmu_why = pmu_open(b->params.pmu, &b->pmu_events);
	used = bench_memory_in_use();
	noise_begin();
	rc = run_workload(b, &samples);
	noise_end(&b->noise);
	if (b->pmu_events && !has_parts(b))
		b->pmu_why = "this workload has no measured part to count around";
	b->workload->teardown(b);
	aspace_load(NULL);
	reclaim_background(false); /* what it holds just now is not lost */
	after = bench_memory_in_use();
	reclaim_background(true);
	after = after > used + samples ? after - used - samples : 0;
	b->leaked = b->params.keep && keep_claim(after) ? 0 : after;
	return rc;
}
