/* Which rounds count: a busy host as the calibration tells it, in runs of a workload that measures nothing. */
#include <kernel/bench.h>
#include <kernel/det.h>
#include <kernel/ktest.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include "../../kernel/bench/harness/bench.h"
#include "../../kernel/bench/harness/run.h"
#include "../../kernel/bench/harness/trust.h"
#include "../../kernel/bench/harness/variant.h"
#include "../../kernel/bench/harness/workload.h"
#include "../../kernel/bench/report/record.h"
#include "../../kernel/bench/report/table.h"
#include "bench_fixture.h"
#include "core_fixture.h"

enum { REPS = 4, LOOKS = 64 };

static struct {
	bool busy[LOOKS]; /* what the calibration answers, look by look */
	unsigned looks;
	u64 rounds, added;
	bool assessed; /* trust is as the calibration says, with its looks */
} host;

static bool calibration(const struct bench *b, unsigned busy)
{
	(void)b, (void)busy;
	return !host.busy[host.looks++ % LOOKS];
}

static int fake_setup(struct bench *b)
{
	bench_series_add(b, &(struct bench_series){.unit = "ns", .busy = 1, .time = true},
			 "nothing");
	return 0;
}

/* As if times could be trusted here, whatever the machine. */
static int fake_start(struct bench *b)
{
	if (host.assessed)
		return 0;
	b->series[0].trust = b->trust = TRUST_TIME;
	b->series[0].distrust = DISTRUST_NONE;
	b->watched = 1;
	host.looks = 0;
	return 0;
}

/* The first sample is 1, the second 2, ... so that it can be told which one counts. */
static int fake_round(struct bench *b, struct bench_round *round)
{
	(void)b;
	round->value[0] = ++host.rounds;
	round->totals.units = 1;
	round->felt.ops = 1;
	return 0;
}

static void fake_add(struct bench *b, const struct bench_round *round)
{
	(void)b, (void)round;
	host.added++;
}

static void fake_teardown(struct bench *b)
{
	(void)b;
}

static const struct workload fake = {
	.name = "fake",
	.unit = "ns",
	.separates = "",
	.setup = fake_setup,
	.start = fake_start,
	.round = fake_round,
	.add = fake_add,
	.teardown = fake_teardown,
};

/* A run of four rounds. To be freed; NULL: no memory. */
static struct bench *run_on_host(void)
{
	bool (*real)(const struct bench *b, unsigned busy) = trust_calibration;
	struct bench *b = bench_alloc(&fake);

	if (!b)
		return NULL;
	b->params.reps = REPS;
	variant_add(b, "as-set", NULL);
	variant_try(b, &b->variant[0]);
	trust_calibration = calibration;
	if (bench_measure(b))
		b->reps_done = 0;
	trust_calibration = real;
	return b;
}

/* On a host that is busy at some looks. */
static struct bench *run(const unsigned *busy, unsigned n)
{
	memset(&host, 0, sizeof(host));
	for (unsigned i = 0; i < n; i++)
		host.busy[busy[i]] = true;
	return run_on_host();
}

/* What is printed of a run, in full. */
static const char *table_of(struct bench *b, struct bench *floor)
{
	static struct capture shown;

	capture_begin(&shown, false);
	table_print(b, floor);
	console_remove_sink(&shown.sink);
	return shown.tail;
}

TEST(trust, quiet_host)
{
	struct bench *b = run(NULL, 0);

	REQUIRE(b);
	EXPECT_EQ(b->reps_done, REPS);
	EXPECT_EQ(b->trust, TRUST_TIME);
	EXPECT_EQ(host.rounds, REPS);
	EXPECT_EQ(host.looks, REPS); /* one behind each round: the first is behind the assessment */
	EXPECT_EQ(b->variant[0].disturbed_count, 0);
	bench_free(b);
}

/* The look behind the second round finds the host busy, the one after it no more. */
TEST(trust, disturbed_round_is_measured_again)
{
	static const unsigned busy[] = {1};
	struct bench *b = run(busy, 1);
	const struct bench_variant *v;

	REQUIRE(b);
	v = &b->variant[0];
	EXPECT_EQ(b->trust, TRUST_TIME);
	EXPECT_EQ(host.rounds, REPS + 1);
	REQUIRE(v->disturbed_count == 1);
	EXPECT_EQ(v->disturbed[0].round, 2);
	EXPECT_EQ(v->disturbed[0].value, 2);
	EXPECT_EQ(v->values[0], 1);
	EXPECT_EQ(v->values[1], 3);
	EXPECT_EQ(v->values[3], 5);
	/* Sums have the rounds that count, and no others. */
	EXPECT_EQ(v->totals.units, REPS);
	EXPECT_EQ(v->felt.ops, REPS);
	EXPECT_EQ(host.added, REPS);
	EXPECT(strstr(table_of(b, NULL),
		      "# as-set: 1 rounds in which the host was busy were measured again; "));
	record_make(b, NULL);
	EXPECT(strstr(record_of(0), "\"disturbed_rounds\":[{\"round\":2,\"sample\":2}]"));
	results_clear();
	bench_free(b);
}

/* Is it the calibration alone that decides here? */
static bool calibrated(void)
{
	return !det_mode && cycles_trusted() && strcmp(cpu_accel(), "metal");
}

/* All looks before the warm-up, and a few behind it, find the host busy: they say nothing of later ones. */
TEST(trust, host_busy_at_first_is_trusted_later)
{
	struct bench *b;

	if (!calibrated())
		SKIP("needs times that the calibration judges");
	memset(&host, 0, sizeof(host));
	memset(host.busy, true, 16);
	host.assessed = true;
	b = run_on_host();
	REQUIRE(b);
	EXPECT_EQ(b->trust, TRUST_TIME);
	EXPECT_EQ(b->series[0].distrust, DISTRUST_NONE);
	EXPECT_EQ(b->watched, 1);
	EXPECT_EQ(host.looks, 17 + REPS);
	EXPECT_EQ(host.added, REPS);
	bench_free(b);
}

TEST(trust, host_busy_for_long_is_not_trusted)
{
	struct bench *b;

	if (!calibrated())
		SKIP("needs times that the calibration judges");
	memset(&host, 0, sizeof(host));
	memset(host.busy, true, sizeof(host.busy));
	host.assessed = true;
	b = run_on_host();
	REQUIRE(b);
	EXPECT_EQ(b->trust, TRUST_COUNTS);
	EXPECT_EQ(b->series[0].distrust, DISTRUST_NOT_PARALLEL);
	EXPECT_EQ(host.rounds, REPS); /* none again: there is no time to save */
	bench_free(b);
}

TEST(trust, too_many_disturbed_rounds_end_the_trust)
{
	unsigned busy[LOOKS];
	char why[TRUST_WHY_LEN];
	struct bench *b;

	for (unsigned i = 0; i < LOOKS; i++)
		busy[i] = i;
	b = run(busy, LOOKS);
	REQUIRE(b);
	EXPECT_EQ(b->reps_done, REPS);
	EXPECT_EQ(b->trust, TRUST_COUNTS);
	EXPECT_EQ(b->variant[0].disturbed_count, REPS / 2 + 2);
	EXPECT_EQ(b->variant[0].totals.units, REPS);
	EXPECT(!bench_shown(b, 0));
	REQUIRE(trust_why(b, why, sizeof(why)));
	EXPECT(!strcmp(why, "the host took CPUs away, at last in round 1"));
	bench_free(b);
}

/* Samples of 1, 2, 3 and 4; then of 100 to 103. */
TEST(trust, noise_is_said_below_the_table)
{
	struct bench *b = run(NULL, 0);

	REQUIRE(b);
	EXPECT(strstr(table_of(b, NULL), "noisy: as-set, the samples scatter by "));
	for (unsigned i = 0; i < REPS; i++)
		b->variant[0].values[i] = 100 + i;
	EXPECT(!strstr(table_of(b, NULL), "noisy"));
	bench_free(b);
}

/* ---- the calibration itself ---- */

static u32 held;

/* Takes no interrupt for 10 ms: a tenth of that is more than may be lost of the work. */
static void take_none(void *arg)
{
	irqflags_t flags = irq_save();
	u64 end = clock_ns() + 10000000;

	(void)arg;
	store_release(&held, 1);
	while (clock_ns() < end)
		cpu_relax();
	irq_restore(flags);
}

/* In virtual time no host takes a busy CPU away, or this one until the other is back. */
TEST(trust, calibration_sees_a_cpu_that_is_away)
{
	unsigned other = core_other_cpu();
	struct context *ctx;
	struct bench *b;

	NEED_CPUS(2);
	if (!det_mode)
		SKIP("needs virtual time: det=1");
	b = run(NULL, 0);
	REQUIRE(b);
	b->params.cpu[0] = (u16)other;
	b->params.cpu_count = 1;
	EXPECT(trust_calibration(b, 1));
	store_relaxed(&held, 0);
	ctx = context_spawn(other, "held", take_none, NULL, NULL);
	if (EXPECT(ctx)) {
		wait_until(load_acquire(&held), "a CPU to take no interrupts");
		EXPECT(!trust_calibration(b, 2));
		context_join(ctx);
	}
	bench_free(b);
}

static bool says(struct bench *b, enum distrust reason, const char *text)
{
	char why[TRUST_WHY_LEN];
	const char *said;

	b->series[0].distrust = reason;
	said = trust_why(b, why, sizeof(why));
	return said && !strncmp(said, text, strlen(text));
}

TEST(trust, each_reason_is_said)
{
	struct bench *b = run(NULL, 0);
	char why[TRUST_WHY_LEN];

	REQUIRE(b);
	EXPECT(!trust_why(b, why, sizeof(why)));
	b->series[0].busy = 4;
	EXPECT(says(b, DISTRUST_DETERMINISTIC, "deterministic, 4 CPUs are busy"));
	EXPECT(says(b, DISTRUST_CLOCK, "the clock of this machine "));
	EXPECT(says(b, DISTRUST_FEW_CPUS, "4 CPUs are busy, the host has "));
	EXPECT(says(b, DISTRUST_NOT_PARALLEL, "the host was too busy for 4 CPUs at once"));
	REQUIRE(trust_why(b, why, sizeof(why)));
	EXPECT_EQ(!strstr(why, ", or has not so many (host.cpus= says)"),
		  !!option_u64("host.cpus", 0, 0, MAX_CPUS));
	/* Of another series, where the headline is trusted: with its name, in the run's table and below another. */
	b->series[0].distrust = DISTRUST_NONE;
	b->series[1] = (struct bench_series){.name = "second",
					     .unit = "ns",
					     .busy = 2,
					     .time = true,
					     .distrust = DISTRUST_CLOCK};
	b->series_count = 2;
	REQUIRE(trust_why(b, why, sizeof(why)));
	EXPECT(!strcmp(why, "second: the clock of this machine does not keep time"));
	EXPECT(strstr(table_of(b, NULL), "trust time, but not for second: the clock "));
	EXPECT(strstr(table_of(b, b), "floor, same boot: nothing 3 [1, 4] "));
	EXPECT(strstr(table_of(b, b), ", second n/a (second: the clock "));
	record_make(b, NULL);
	EXPECT(strstr(record_of(0), "\"trust_why\":\"second: the clock "));
	results_clear();
	bench_free(b);
}

/* The reason for so many busy CPUs, and for one on a host that is busy at each look. */
static enum distrust assessed(struct bench *b, unsigned busy, bool host_busy)
{
	bool (*real)(const struct bench *b, unsigned busy) = trust_calibration;

	memset(&host, 0, sizeof(host));
	memset(host.busy, host_busy, sizeof(host.busy));
	b->series[0].busy = busy;
	trust_calibration = calibration;
	trust_assess(b);
	trust_calibration = real;
	return b->series[0].distrust;
}

TEST(trust, assessment_has_a_reason)
{
	struct bench *b = run(NULL, 0);

	REQUIRE(b);
	if (det_mode) {
		EXPECT_EQ(assessed(b, 1, true), DISTRUST_NONE);
		EXPECT_EQ(b->trust, TRUST_PATH);
		EXPECT_EQ(assessed(b, 2, false), DISTRUST_DETERMINISTIC);
		EXPECT_EQ(b->trust, TRUST_COUNTS);
	} else if (calibrated()) {
		EXPECT_EQ(assessed(b, 1, false), DISTRUST_NONE);
		EXPECT_EQ(b->trust, TRUST_TIME);
		EXPECT_EQ(b->watched, 1);
		EXPECT_EQ(assessed(b, 1, true), DISTRUST_NOT_PARALLEL);
		EXPECT_EQ(b->trust, TRUST_COUNTS);
		EXPECT_EQ(b->watched, 0);
		/* Only the calibration can tell where nobody says how many there are. */
		EXPECT_EQ(assessed(b, MAX_CPUS, false), option_u64("host.cpus", 0, 0, MAX_CPUS)
								? DISTRUST_FEW_CPUS
								: DISTRUST_NONE);
	}
	EXPECT(b->reps_done == REPS);
	bench_free(b);
}
