/* The tests of will-it-scale: small runs of each, and what an assertion of theirs does with a wrong page. */
#include <kernel/command.h>
#include <kernel/ktest.h>
#include <kernel/printf.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <mm/knob.h>
#include <mm/stats.h>
#include "../../kernel/bench/harness/region.h"
#include "../../kernel/bench/workload/scale.h"
#include "bench_fixture.h"

enum { TASK_PAGES = 8, SAMPLES = 2 }; /* as run_test() asks for */

static const struct scale_test *find_test(const char *name)
{
	const struct workload *w = workload_find(name);

	return w ? container_of(w, struct scale_test, workload) : NULL;
}

/* Operations of all tasks that are measured. */
static u64 ops_of(const char *name, u64 tasks)
{
	const struct scale_test *test = find_test(name);

	return SAMPLES * tasks * (test->ops ? test->ops : TASK_PAGES);
}

/* how: "--threads" or "--procs". */
static unsigned run_test(char *name, char *how, char *tasks, struct bench_outcome *out)
{
	char *argv[] = {"bench",    name, "--pages", "8",   "--reps", "2",
			"--warmup", "1",  how,	     tasks, NULL};

	*out = (struct bench_outcome){0};
	return run_calmly((int)ARRAY_SIZE(argv) - 1, argv, out);
}

static char *const names[] = {"page_fault1",   "page_fault2", "page_fault3", "tlb_flush1",
			      "tlb_flush2",    "tlb_flush3",  "write1",	     "file_scan",
			      "mprotect_loop", "swap_loop"};

TEST(scale, tasks_in_one_space_do_every_operation)
{
	char *tasks = cpumask_weight(&cpu_online) > 2 ? "2" : "0";
	struct bench_outcome out;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(run_test(names[i], "--threads", tasks, &out), RC_PASS);
		EXPECT_EQ(out.units, ops_of(names[i], *tasks == '2' ? 2 : 1));
		EXPECT_EQ(out.stale_reads, 0);
		if (region_readers_verify())
			EXPECT(out.reads_verified >= out.units);
	}
	results_clear();
}

TEST(scale, tasks_in_spaces_of_their_own_do_every_operation)
{
	struct bench_outcome out;

	if (cpumask_weight(&cpu_online) < 3)
		SKIP("two CPUs beside the console's are needed");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(run_test(names[i], "--procs", "2", &out), RC_PASS);
		EXPECT_EQ(out.units, ops_of(names[i], 2));
		EXPECT_EQ(out.stale_reads, 0);
	}
	results_clear();
}

/* With a budget of fewer pages than a task has, writers write back, and what they wrote is in the store in the end. */
TEST(scale, writers_over_the_budget_lose_nothing)
{
	static char *const writers[] = {"page_fault3", "tlb_flush3", "write1"};
	char *tasks = cpumask_weight(&cpu_online) > 2 ? "2" : "0";
	struct bench_outcome out;
	struct mm_counters before, after;
	char err[80], was[16];

	ksnprintf(was, sizeof(was), "%u", knobs.dirty_pages);
	REQUIRE(!knob_set("dirty_pages", "3", "set", err, sizeof(err)));
	for (unsigned i = 0; i < ARRAY_SIZE(writers); i++) {
		mm_counters_read(&before);
		EXPECT_EQ(run_test(writers[i], "--threads", tasks, &out), RC_PASS);
		mm_counters_read(&after);
		EXPECT_EQ(out.stale_reads, 0);
		EXPECT(after.throttled > before.throttled);
		EXPECT(after.written_back >= before.written_back + out.units / 2);
	}
	results_clear();
	EXPECT_EQ(knob_set("dirty_pages", was, "set", err, sizeof(err)), 0);
}

TEST(scale, more_spaces_than_tasks_are_refused)
{
	char *argv[] = {"bench", "page_fault1", "--threads", "0", "--procs", "2", NULL};
	struct bench_outcome out;

	EXPECT_EQ(bench_quietly(6, argv, &out), RC_USAGE);
}

TEST(scale, a_wrong_page_is_counted_and_named)
{
	struct scale run = {.verify = true};
	struct scale_task t = {.run = &run, .id = 3, .cpu = 4};

	scale_expect(&t, 7, 5, 5);
	EXPECT_EQ(t.verified, 1);
	EXPECT_EQ(t.wrong, 0);
	scale_expect(&t, 8, 5, 6);
	scale_expect(&t, 9, 5, 7);
	EXPECT_EQ(t.wrong, 2);
	EXPECT_EQ(t.first_wrong.page, 8);
	EXPECT_EQ(t.first_wrong.expected, 6);
	EXPECT_EQ(t.first_wrong.task, 3);
	run.verify = false;
	scale_expect(&t, 8, 5, 6);
	EXPECT_EQ(t.wrong, 2);
}

TEST(scale, no_two_writes_look_alike)
{
	struct scale_task t = {.id = 0, .lap = 1}, other = {.id = 1, .lap = 1};
	u64 stamp = scale_stamp(&t, 5);

	EXPECT(stamp);
	EXPECT(stamp != scale_stamp(&other, 5));
	EXPECT(stamp != scale_stamp(&t, 6));
	t.lap++;
	EXPECT(stamp != scale_stamp(&t, 5));
}
