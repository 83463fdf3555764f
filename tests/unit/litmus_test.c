/*
 * Few runs of each litmus test: no forbidden outcome, and each forbidden
 * test has shown here that it could fail, by its twin.
 */
#include "../litmus/litmus.h"
#include <arch/cpu.h>
#include <kernel/ktest.h>
#include <kernel/option.h>
#include <kernel/string.h>

enum {
	RUNS = 256, /* of each test, when all tests of the kernel run; litmus.runs=N for N */
	/* A twin's outcome may be a matter of luck: so often as many more, and at least so many. */
	TWIN_TRIES = 40,
	TWIN_RUNS = TWIN_TRIES * RUNS,
};

static struct litmus_result result; /* console's CPU only */
static const struct litmus_test *shown; /* the last twin that has failed as it should */

BOOT_OPTION(runs, "litmus.runs", "N", "runs of each litmus test in `test litmus.*`");

static u64 runs(void)
{
	return option_u64("litmus.runs", RUNS, 1, 1UL << 40);
}

static bool is_flush(const struct litmus_test *test)
{
	return test->how;
}

/* Under the emulator it is known which twins can show their outcome; elsewhere none is promised. */
static void check_twin(struct litmus_space *space, const struct litmus_test *test)
{
	const struct litmus_test *twin = test->twin ? litmus_test_named(test->twin) : NULL;

	if (!ktest_check(twin, __FILE__, __LINE__, "%s: no twin %s", test->name,
			 test->twin ? test->twin : "named") ||
	    twin->hidden || twin == shown || strcmp(cpu_accel(), "tcg"))
		return;
	for (u64 seed = 0; seed < TWIN_TRIES || seed * runs() < TWIN_RUNS; seed++) {
		if (!EXPECT_EQ(litmus_run_test(space, twin, runs(), seed, &result), 0))
			return;
		if (result.skipped || result.asked) {
			shown = twin;
			return;
		}
	}
	ktest_check(false, __FILE__, __LINE__, "%s: twin %s cannot fail", test->name, twin->name);
}

/* Returns whether it ran. */
static bool check_test(struct litmus_space *space, const struct litmus_test *test)
{
	const char *left_out;

	if (!EXPECT_EQ(litmus_run_test(space, test, runs(), 1, &result), 0))
		return false;
	left_out = result.skipped; /* the twin overwrites it */
	if (!left_out && test->verdict == LITMUS_FORBIDDEN) {
		if (!ktest_check(!result.asked, __FILE__, __LINE__,
				 "%s: forbidden, seen %lu times in %lu", test->name, result.asked,
				 result.runs))
			litmus_print(test, &result);
		check_twin(space, test);
	}
	ktest_part(test->name, left_out);
	return !left_out;
}

static void run_set(bool flush, unsigned min_threads, unsigned max_threads)
{
	struct litmus_space *space = litmus_space_create();
	const struct litmus_test *test;
	bool ran = false;

	shown = NULL;
	REQUIRE(space);
	for (unsigned i = 0; (test = litmus_test_at(i)); i++)
		if (is_flush(test) == flush && litmus_threads(test) >= min_threads &&
		    litmus_threads(test) <= max_threads)
			ran |= check_test(space, test);
	litmus_space_destroy(space);
	if (!ran)
		SKIP("not enough CPUs");
}

TEST(litmus, one_thread)
{
	run_set(false, 1, 1);
}

TEST(litmus, two_threads)
{
	run_set(false, 2, 2);
}

TEST(litmus, more_threads)
{
	run_set(false, 3, LITMUS_THREADS);
}

/* Each way to flush a page, on each CPU and for each pair of CPUs. */
TEST(litmus, flush_self)
{
	run_set(true, 1, 1);
}

TEST(litmus, flush_pairs)
{
	run_set(true, 2, 2);
}
