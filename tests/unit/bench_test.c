/* Benchmarks: statistics, patterns, records, and small runs of `migrate`. */
#include <kernel/bench.h>
#include <kernel/crc32.h>
#include <kernel/kmem.h>
#include <kernel/ktest.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/samples.h>
#include <kernel/shell.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <mm/aspace.h>
#include <mm/debt.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/stats.h>
#include "../../kernel/bench/harness/options.h"
#include "../../kernel/bench/harness/part.h"
#include "../../kernel/bench/harness/region.h"
#include "../../kernel/bench/harness/trust.h"
#include "../../kernel/bench/harness/workload.h"
#include "../../kernel/bench/load/pattern.h"
#include "bench_fixture.h"

/* ---- statistics ------------------------------------------------------------------- */

TEST(bench, summary_of_known_samples)
{
	u64 values[] = {12, 4, 8, 6, 10, 2, 14, 16, 20, 18};
	struct summary s;

	samples_summary(values, 10, &s);
	EXPECT_EQ(s.n, 10);
	EXPECT_EQ(s.min, 2);
	EXPECT_EQ(s.max, 20);
	EXPECT_EQ(s.mean_x10, 110);
	EXPECT_EQ(s.median, 11);
	EXPECT_EQ(s.stddev_x10, 60); /* sqrt(330 / 9) = 6.055 */
	EXPECT_EQ(s.cv_x10000, 5455);
	EXPECT_EQ(s.p50, 10);
	EXPECT_EQ(s.p90, 18);
	EXPECT_EQ(s.p95, 20);
	EXPECT_EQ(s.p99, 20);
	EXPECT_EQ(s.ci_low, 4); /* ranks 2 and 9 */
	EXPECT_EQ(s.ci_high, 18);
	EXPECT_EQ(s.outliers, 0);
}

TEST(bench, one_sample_has_no_spread)
{
	u64 value = 1234567;
	struct summary s;

	samples_summary(&value, 1, &s);
	EXPECT_EQ(s.median, 1234567);
	EXPECT_EQ(s.mean_x10, 12345670);
	EXPECT_EQ(s.stddev_x10, 0);
	EXPECT_EQ(s.ci_low, 0);
	EXPECT_EQ(s.ci_high, 0);
}

TEST(bench, outliers_are_counted_not_removed)
{
	u64 values[] = {100, 101, 102, 103, 104, 105, 106, 1000};
	struct summary s;

	samples_summary(values, 8, &s);
	EXPECT_EQ(s.outliers, 1);
	EXPECT_EQ(s.max, 1000);
	EXPECT_EQ(s.n, 8);
}

/* Differences far above 2^32 must not overflow when they are squared. */
TEST(bench, deviation_of_large_samples)
{
	u64 values[] = {1UL << 50, 3UL << 50};
	struct summary s;

	samples_summary(values, 2, &s);
	/* sqrt(2) * 2^50 * 10; the scaling keeps 24 bits */
	u64 exact = 15922891902637930UL;

	EXPECT(s.stddev_x10 > exact / 1000 * 999 && s.stddev_x10 < exact / 1000 * 1001);
}

TEST(bench, changes)
{
	char text[SAMPLES_CHANGE_LEN];

	EXPECT(!strcmp(samples_change(text, 50, 100), "-50.0 %"));
	EXPECT(!strcmp(samples_change(text, 391, 100), "+291.0 %"));
	EXPECT(!strcmp(samples_change(text, 100, 100), "0.0 %"));
	EXPECT(!strcmp(samples_change(text, 1, 0), "-"));
}

TEST(bench, square_roots)
{
	EXPECT_EQ(samples_sqrt(0), 0);
	EXPECT_EQ(samples_sqrt(15), 3);
	EXPECT_EQ(samples_sqrt(16), 4);
	EXPECT_EQ(samples_sqrt((1UL << 62) - 1), (1UL << 31) - 1);
}

TEST(bench, histogram_buckets_hold_what_they_say)
{
	u64 *buckets = kmem.alloc(HIST_BUCKETS * sizeof(u64), 0);

	REQUIRE(buckets);
	for (u64 v = 0; v < 1UL << 40; v = v * 9 / 8 + 1) {
		unsigned b = hist_bucket(v);

		EXPECT(hist_value(b) <= v && v < hist_value(b + 1));
	}
	EXPECT_EQ(hist_quantile(buckets, 500), 0);
	buckets[hist_bucket(10)] = 98;
	buckets[hist_bucket(5000)] = 2;
	EXPECT_EQ(hist_bucket(hist_quantile(buckets, 500)), hist_bucket(10));
	EXPECT_EQ(hist_bucket(hist_quantile(buckets, 990)), hist_bucket(5000));
	kmem.free(buckets, HIST_BUCKETS * sizeof(u64));
}

/* ---- patterns ---------------------------------------------------------------------- */

enum { PAGES = 512, STEPS = 4 * PAGES };

/* A number that any other sequence of pages would change. */
static u64 walk(enum pattern_kind kind, u64 seed, unsigned thread, bool *in_range)
{
	struct pattern p;
	struct pattern_walk w;
	u64 hash = 0;

	*in_range = !pattern_init(&p, kind, PAGES, seed, 0);
	if (!*in_range)
		return 0;
	pattern_start(&p, &w, seed, thread);
	for (unsigned i = 0; i < STEPS; i++) {
		u64 page = pattern_next(&p, &w);

		*in_range = *in_range && page < PAGES;
		hash = hash * 31 + page;
	}
	pattern_free(&p);
	return hash;
}

TEST(bench, patterns_come_from_the_seed)
{
	bool ok;

	for (unsigned kind = PATTERN_LINEAR; kind <= PATTERN_ZIPF; kind++) {
		u64 first = walk(kind, 7, 0, &ok);

		EXPECT(ok);
		EXPECT_EQ(walk(kind, 7, 0, &ok), first);
		EXPECT(walk(kind, 8, 0, &ok) != first);
		EXPECT(walk(kind, 7, 1, &ok) != first);
	}
}

static unsigned pages_reached(enum pattern_kind kind)
{
	static bool reached[PAGES];
	struct pattern p;
	struct pattern_walk w;
	unsigned n = 0;

	memset(reached, 0, sizeof(reached));
	if (pattern_init(&p, kind, PAGES, 1, 0))
		return 0;
	pattern_start(&p, &w, 1, 0);
	for (unsigned i = 0; i < STEPS; i++)
		reached[pattern_next(&p, &w)] = true;
	pattern_free(&p);
	for (unsigned i = 0; i < PAGES; i++)
		n += reached[i];
	return n;
}

TEST(bench, patterns_spread_as_they_should)
{
	EXPECT_EQ(pages_reached(PATTERN_LINEAR), PAGES);
	EXPECT(pages_reached(PATTERN_UNIFORM) >
	       PAGES * 95 / 100); /* 98.2 % expected in 4 draws a page */
	EXPECT(pages_reached(PATTERN_NORMAL) < PAGES * 3 / 4);
	EXPECT(pages_reached(PATTERN_PARETO) < PAGES / 4);
	EXPECT(pages_reached(PATTERN_ZIPF) < PAGES * 3 / 4);
}

/* ---- a run ---------------------------------------------------------------------------- */

static bool two_nodes_with_memory(void)
{
	return numa_node_count() >= 2 && pmm_node_has_memory(0) && pmm_node_has_memory(1);
}

static unsigned run_migrate(char *threads, char *schemes, char *pin, struct bench_outcome *out)
{
	char *argv[] = {"bench",     "migrate",	 "--pages", "64",	 "--reps",
			"4",	     "--warmup", "1",	    "--threads", threads,
			"--schemes", schemes,	 "--pin",   pin,	 NULL};

	*out = (struct bench_outcome){0};
	return run_calmly((int)ARRAY_SIZE(argv) - 1, argv, out);
}

static char *threads_here(void)
{
	return cpumask_weight(&cpu_online) > 1 ? "1" : "0";
}

TEST(bench, migrate_moves_every_page_and_nobody_reads_stale)
{
	struct bench_outcome out;

	if (!two_nodes_with_memory())
		SKIP("two nodes with memory are needed");
	EXPECT_EQ(run_migrate(threads_here(), "baseline,batch", "0", &out), RC_PASS);
	EXPECT_EQ(out.units, 2 * 4 * 64);
	EXPECT_EQ(out.failed, 0);
	EXPECT_EQ(out.stale_reads, 0);
	if (*threads_here() == '1' && region_readers_verify())
		EXPECT(out.reads_verified > 0);
	results_clear();
}

TEST(bench, pinned_pages_stay_and_are_reported)
{
	struct bench_outcome out;

	if (!two_nodes_with_memory())
		SKIP("two nodes with memory are needed");
	EXPECT_EQ(run_migrate("0", "batch", "3", &out), RC_PASS);
	EXPECT_EQ(out.units, 4 * 61);
	/* They wait on node 0, so only the rounds that leave it meet them. */
	EXPECT_EQ(out.failed, 2 * 3);
	results_clear();
}

TEST(bench, unsafe_scheme_is_refused_with_writers)
{
	struct bench_outcome out;

	if (!two_nodes_with_memory())
		SKIP("two nodes with memory are needed");
	EXPECT_EQ(run_migrate("0", "never", "0", &out), RC_SKIP);
	EXPECT_EQ(out.skipped, 1);
	EXPECT_EQ(out.units, 0);
	results_clear();
}

/*
 * Half of a thread's pages find no room while its node is held, and come home
 * when it is not: those, and no others, move. All frames are given back, or the
 * run itself would fail.
 */
TEST(bench, pages_that_found_no_room_come_home)
{
	enum { PAGES_USED = 256, ABOUT = 24 }; /* the kernel takes a few frames of the node, too */
	unsigned cpu = cpu_count - 1;
	u32 home = numa_node_of_cpu(cpu);
	struct bench_outcome out;
	char cpus[16], eat[16];
	char *argv[] = {"bench",  "numa_balance", "--pages", "256",	 "--threads",
			"1",	  "--reps",	  "1",	     "--warmup", "0",
			"--cpus", cpus,		  "--eat",   eat,	 NULL};

	if (!two_nodes_with_memory() || !pmm_node_has_memory(home) || !cpu ||
	    !cpumask_test(&cpu_online, cpu))
		SKIP("two nodes with memory, and a second CPU on one of them, are needed");
	ksnprintf(cpus, sizeof(cpus), "0:%u", cpu);
	ksnprintf(eat, sizeof(eat), "%u:50", home);
	EXPECT_EQ(run_calmly((int)ARRAY_SIZE(argv) - 1, argv, &out), RC_PASS);
	EXPECT(out.units >= PAGES_USED / 2 && out.units <= PAGES_USED / 2 + ABOUT);
	EXPECT_EQ(out.failed, 0);
	EXPECT_EQ(out.stale_reads, 0);
	results_clear();
}

/* Faults of pmbench's threads that were for no hint. */
static u64 faults_of_pmbench(void)
{
	char *argv[] = {"bench",      "pmbench",  "--threads",	"1", "--accesses", "50",
			"--map-size", "1",	  "--set-size", "1", "--scan",	   "--warmup",
			"1",	      "--rounds", "2",		NULL};
	struct mm_counters before, after;
	struct bench_outcome out;

	mm_counters_read(&before);
	EXPECT_EQ(run_calmly((int)ARRAY_SIZE(argv) - 1, argv, &out), RC_PASS);
	mm_counters_read(&after);
	results_clear();
	return after.page_faults - before.page_faults - (after.hint_faults - before.hint_faults);
}

/* Before a round pages move back to where they began, with what they hold: nobody faults for one again. */
TEST(bench, pages_of_pmbench_are_there_in_each_round)
{
	enum { PAGES_USED = 256 };

	if (cpumask_weight(&cpu_online) < 2)
		SKIP("a second CPU is needed");
	EXPECT(faults_of_pmbench() < PAGES_USED);
}

/* Held and paid again within a part: none at its end, and yet the most that was held. */
TEST(bench, held_frames_are_measured_at_their_peak)
{
	struct bench_totals *totals = kmem.alloc(sizeof(*totals), 0);
	struct bench_part *part = kmem.alloc(sizeof(*part), 0);
	static struct debts debts;

	REQUIRE(totals && part);
	part_begin(part);
	struct page *page = pmm_alloc(0, 0, PMM_FALLBACK);

	REQUIRE(page);
	debts_hold(&debts, page);
	debts_pay(&debts);
	part_end(part, 1, totals);
	EXPECT_EQ(totals->held_pages_max, 1);
	EXPECT_EQ(totals->debts_at_end, 0);
	part_begin(part);
	part_end(part, 1, totals);
	kmem.free(part, sizeof(*part));
	kmem.free(totals, sizeof(*totals));
}

/* The bytes that the last key covers, and that key's value as it must be. */
static void check_record(const char *line, size_t len)
{
	static const char head[] = "{\"schema\":\"tarry.bench/1\",\"name\":\"";
	const size_t tail = sizeof(",\"crc\":\"01234567\"}\n") - 1;
	char want[32];

	REQUIRE(len > sizeof(head) + tail);
	EXPECT(!strncmp(line, head, sizeof(head) - 1));
	ksnprintf(want, sizeof(want), ",\"crc\":\"%08x\"}\n", crc32_update(0, line, len - tail));
	EXPECT(!strncmp(line + len - tail, want, tail));
	/* One physical line. */
	EXPECT(!memchr(line, '\n', len - 1));
}

TEST(bench, records_carry_their_checksum)
{
	struct bench_outcome out;
	const char *line;
	unsigned i = 0;
	size_t len;

	if (!two_nodes_with_memory())
		SKIP("two nodes with memory are needed");
	EXPECT_EQ(run_migrate("0", "baseline,batch", "0", &out), RC_PASS);
	EXPECT_EQ(out.records, 3); /* two schemes and the floor */
	for (; (line = results_record(i, &len)); i++)
		check_record(line, len);
	EXPECT_EQ(i, out.records);
	results_clear();
	EXPECT(!results_record(0, &len));
}

/* ---- migratepages --------------------------------------------------------------------- */

enum { MOVED = 16 };

static unsigned run_command(char **argv, int argc)
{
	for (const struct command *const *c = __start_commands; c < __stop_commands; c++)
		if (!strcmp((*c)->name, argv[0]))
			return (*c)->run(argc, argv);
	return RC_PANIC;
}

static unsigned pages_on(struct aspace *as, vaddr_t va, u32 node)
{
	unsigned n = 0;

	for (u64 i = 0; i < MOVED; i++) {
		const pte_t *entry = aspace_entry(as, va + (i << PAGE_SHIFT));

		n += entry && phys_to_page(pte_pa(pte_load(entry), 0))->node == node;
	}
	return n;
}

TEST(bench, migratepages_moves_a_space)
{
	char *there[] = {"migratepages", "movable", "0", "1", NULL};
	char *back[] = {"migratepages", "movable", "all", "0", NULL};
	char *wrong[] = {"migratepages", "movable", "0", "64", NULL};
	struct aspace *as;
	int err = 0;

	if (!two_nodes_with_memory())
		SKIP("two nodes with memory are needed");
	as = aspace_create("movable", 0);
	REQUIRE(as);
	vaddr_t va = aspace_map(as, NULL, 0, 0, MOVED << PAGE_SHIFT, PROT_READ | PROT_WRITE, false,
				0, &err);

	EXPECT_EQ(aspace_populate(as, va, MOVED << PAGE_SHIFT, 0), MOVED);
	EXPECT_EQ(run_command(there, 4), RC_PASS);
	EXPECT_EQ(pages_on(as, va, 1), MOVED);
	EXPECT_EQ(run_command(back, 4), RC_PASS);
	EXPECT_EQ(pages_on(as, va, 0), MOVED);
	EXPECT_EQ(run_command(wrong, 4), RC_USAGE);
	EXPECT_EQ(pages_on(as, va, 0), MOVED);
	aspace_destroy(as);
}

TEST(bench, wrong_words_are_usage_errors)
{
	char *unknown[] = {"bench", "frobnicate", NULL};
	char *option[] = {"bench", "mem", "--thp", NULL};
	char *longer[] = {"bench", "mem", "--schemes",
			  "batch+batch=100+batch=200+batch=300+batch=400+batch=500+batch=510"
			  "+batch=100+batch=200+batch=300+batch=400",
			  NULL};
	struct bench_outcome out;

	EXPECT_EQ(bench_quietly(2, unknown, &out), RC_USAGE);
	EXPECT_EQ(bench_quietly(3, option, &out), RC_USAGE);
	/* Its label would be cut, and could be another's. */
	EXPECT_EQ(bench_quietly(4, longer, &out), RC_USAGE);
}

TEST(bench, help_shows_what_a_workload_takes)
{
	const struct command *bench = shell_find_command("bench");
	bool seen = false;

	for (const struct arg *option = bench->options; option->name; option++) {
		if (strcmp(option->name, "--share"))
			continue;
		seen = true;
		EXPECT(bench->applies(option, "numa_balance"));
		EXPECT(!bench->applies(option, "pmbench"));
		EXPECT(bench->applies(option, ""));
	}
	EXPECT(seen);
}

/* A workload's own row of a name hides another's; a second one that it takes would never be reached. */
TEST(bench, options_have_one_meaning)
{
	for (const struct arg *a = options_all; a->name; a++)
		for (const struct arg *b = a + 1; b->name; b++) {
			if (strcmp(a->name, b->name))
				continue;
			for (const struct workload *const *w = __start_workloads;
			     w < __stop_workloads; w++)
				EXPECT(!option_applies(a, (*w)->name) ||
				       !option_applies(b, (*w)->name));
		}
}
