/*
 * What tables and records show only where times are trusted, which no emulated run that is compared with a text is:
 * of runs that were never made, with samples whose figures are known.
 */
#include <kernel/bench.h>
#include <kernel/det.h>
#include <kernel/ktest.h>
#include <kernel/printf.h>
#include <kernel/string.h>
#include "../../kernel/bench/harness/bench.h"
#include "../../kernel/bench/harness/variant.h"
#include "../../kernel/bench/harness/workload.h"
#include "../../kernel/bench/report/record.h"
#include "../../kernel/bench/workload/scale.h"
#include "bench_fixture.h"
#include "core_fixture.h"

enum { ROUNDS = 3, MEDIAN = 2500 }; /* 250.0 ns */

/* Three rounds of a workload that never ran, with one thread. To be freed; NULL: no memory. */
static struct bench *made_up(const struct workload *w, unsigned series)
{
	static const u64 samples[ROUNDS] = {2600, 1000, MEDIAN};
	const struct bench_series row = {
		.unit = "ns/op", .digits = 1, .busy = 2, .time = true, .trust = TRUST_TIME};
	struct bench *b = bench_alloc(w);
	struct bench_variant *v;

	if (!b)
		return NULL;
	b->params.reps = b->reps_done = ROUNDS;
	b->params.threads = b->params.cpu_count = 1;
	b->trust = TRUST_TIME;
	for (unsigned i = 0; i < series; i++)
		bench_series_add(b, &row, "series %u", i);
	variant_add(b, "as-set", NULL);
	v = &b->variant[0];
	v->values = bench_alloc_here(bench_values_size(b));
	v->waits = bench_alloc_here(ROUNDS * sizeof(u64));
	if (!v->values || !v->waits) {
		bench_free(b);
		return NULL;
	}
	for (unsigned i = 0; i < series * ROUNDS; i++)
		v->values[i] = samples[i % ROUNDS];
	return b;
}

/* What the workload itself prints of it. */
static const char *shown_by(struct bench *b)
{
	static struct capture seen;

	capture_begin(&seen, false);
	b->workload->table(b);
	console_remove_sink(&seen.sink);
	return seen.tail;
}

/* Is this in the only record of the run? */
static bool recorded(struct bench *b, const char *text)
{
	bool found;

	record_make(b, NULL);
	found = strstr(record_of(0), text);
	results_clear();
	return found;
}

/* ---- what readers felt ---- */

static u64 ns(u64 cycles)
{
	return bench_ns_per(cycles, 1, 0);
}

/* As a table shows it: microseconds, or where instructions are counted those. */
static const char *shown(char buf[24], u64 cycles)
{
	if (det_mode)
		ksnprintf(buf, 24, "%lu", ns(cycles) / bench_ns_per_instruction());
	else
		ksnprintf(buf, 24, "%lu.%03lu", ns(cycles) / 1000, ns(cycles) % 1000);
	return buf;
}

enum {
	LOW = 1000,
	HALF = 2000,
	MORE = 3000,
	NINETY_NINE = 4000,
	MOST = 5000,
	GAP = 6000
}; /* cycles */

/* The greatest duration that is counted together with this one. */
static u64 counted_as(u64 cycles)
{
	return hist_value(hist_bucket(cycles) + 1) - 1;
}

/* Of 1000 operations the 500th and the 990th are alone in their buckets; waits of three rounds. */
static void feel(struct bench_variant *v)
{
	v->felt.latency[hist_bucket(LOW)] = 499;
	v->felt.latency[hist_bucket(HALF)] = 1;
	v->felt.latency[hist_bucket(MORE)] = 489;
	v->felt.latency[hist_bucket(NINETY_NINE)] = 1;
	v->felt.latency[hist_bucket(MOST)] = 10;
	v->felt.longest_gap = GAP;
	v->waits[0] = MOST;
	v->waits[1] = LOW;
	v->waits[2] = MORE;
}

TEST(trust, latencies_of_readers_are_shown)
{
	struct bench *b = made_up(workload_find("migrate"), 2);
	char want[80], half[24], most[24], gap[24], wait[24];
	const char *text;

	REQUIRE(b);
	feel(&b->variant[0]);
	ksnprintf(want, sizeof(want), " %13s %13s %9s %9s\n", shown(wait, MORE), shown(gap, GAP),
		  shown(half, counted_as(HALF)), shown(most, counted_as(NINETY_NINE)));
	text = shown_by(b);
	EXPECT(strstr(text, "   median wait   longest gap       p50       p99\n"));
	EXPECT(strstr(text, want));
	bench_free(b);
}

TEST(trust, latencies_of_readers_are_recorded)
{
	struct bench *b = made_up(workload_find("migrate"), 1);
	char want[120];

	REQUIRE(b);
	feel(&b->variant[0]);
	ksnprintf(want, sizeof(want), "\"latency_ns\":{\"p50\":%lu,\"p99\":%lu,\"max\":%lu}",
		  ns(counted_as(HALF)), ns(counted_as(NINETY_NINE)), ns(GAP));
	EXPECT(recorded(b, want));
	ksnprintf(want, sizeof(want), "\"longest_wait\":[%lu,%lu,%lu]", ns(MOST), ns(LOW),
		  ns(MORE));
	EXPECT(recorded(b, want));
	b->trust = TRUST_COUNTS;
	EXPECT(recorded(b, "\"latency_ns\":null"));
	bench_free(b);
}

/* ---- of flushes ---- */

/* Two acknowledgements on the same socket took 4 ns to 7, one from another at least 2^31. */
TEST(trust, acknowledgements_are_recorded)
{
	struct bench *b = made_up(workload_find("migrate"), 1);
	struct mm_counters *c;

	REQUIRE(b);
	c = &b->variant[0].totals.mm;
	c->ack[ACK_SOCKET][2] = 2;
	c->ack[ACK_REMOTE][ACK_BUCKETS - 1] = 1;
	EXPECT(recorded(b, "\"ack_ns\":{\"smt\":[],\"socket\":[0,0,2],\"remote\":[0,0,0,0,"));
	EXPECT(recorded(b, ",0,0,1]},"));
	b->trust = TRUST_COUNTS;
	EXPECT(recorded(b, "\"ack_ns\":null"));
	bench_free(b);
}

/* ---- rates ---- */

TEST(trust, pages_in_a_second_are_recorded)
{
	struct bench *b = made_up(workload_find("migrate"), 1);

	REQUIRE(b);
	b->variant[0].totals.migrate.moved = 1;
	EXPECT(recorded(
		b, "\"samples\":[260.0,100.0,250.0],\"n\":3,\"mean\":203.33,\"median\":250.0,"));
	EXPECT(recorded(b, "\"min\":100.0,\"max\":260.0,\"p50\":250.0,\"p90\":260.0,"));
	EXPECT(recorded(b, "\"pages_per_s\":4000000,"));
	b->trust = TRUST_PATH;
	EXPECT(recorded(b, "\"pages_per_s\":null"));
	b->trust = TRUST_TIME;
	b->variant[0].totals.migrate.moved = 0;
	EXPECT(recorded(b, "\"pages_per_s\":null"));
	bench_free(b);
}

/* A median of 250.0 for each of three tasks. */
TEST(trust, operations_in_a_second_are_shown_and_recorded)
{
	const struct workload *w = workload_find("page_fault1");
	struct bench *b = made_up(w, SCALE_ALL_CPUS);
	const char *text;
	struct scale *run;

	REQUIRE(b);
	run = b->state;
	run->test = container_of(w, struct scale_test, workload);
	run->tasks = 3;
	EXPECT(recorded(b, "\"ops_per_s\":12000000,\"ops_per_minstr\":null"));
	text = shown_by(b);
	EXPECT(strstr(text, "        ops/s\n"));
	EXPECT(strstr(text, "     12000000\n"));
	b->trust = TRUST_PATH;
	EXPECT(recorded(b, "\"ops_per_s\":null,\"ops_per_minstr\":12000.0"));
	EXPECT(strstr(shown_by(b), "      12000.0\n"));
	bench_free(b);
}

/* ---- the line for who greps ---- */

static const char *value_of(const struct bench *b)
{
	static struct capture seen;

	capture_begin(&seen, false);
	record_print_values(b);
	console_remove_sink(&seen.sink);
	return seen.tail;
}

/* Without times it is what was asked of other CPUs, per unit; of a run without units, as a floor's, there is none. */
TEST(trust, values_are_said)
{
	struct bench *b = made_up(workload_find("migrate"), 1);
	struct bench_totals *t;

	REQUIRE(b);
	t = &b->variant[0].totals;
	EXPECT(strstr(value_of(b), "# bench migrate.as-set value=250.0 unit="));
	b->series[0].trust = b->trust = TRUST_COUNTS;
	EXPECT_EQ(*value_of(b), '\0');
	t->units = 4;
	t->mm.ipis_sent = 2;
	t->mm.bcast_syncs = 1;
	EXPECT(strstr(value_of(b), "# bench migrate.as-set value=0.5000 unit=ipis/call\n"));
	t->mm.bcast_syncs = 3;
	t->migrate.moved = 4;
	EXPECT(strstr(value_of(b), "# bench migrate.as-set value=0.7500 unit=syncs/page\n"));
	bench_free(b);
}
