/*
 * Runs the tests of section "tests" and prints KTAP version 1, one level per
 * suite. Tests run one after another on the console's CPU; checks may come
 * from any CPU.
 */
#include <kernel/atomic.h>
#include <kernel/command.h>
#include <kernel/console.h>
#include <kernel/ktest.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum { TEXT = 256 }; /* bytes of a diagnostic; longer ones are cut */

bool (*ktest_leak_check)(char *reason, size_t size);

static const struct test *current;
static u32 checks, failures; /* of the current test; atomic */
static bool skipped;
static char skip_reason[TEXT];
static unsigned parts; /* of the current test */
static u32 failures_of_parts; /* failed checks up to the last part */

static struct {
	unsigned pass, fail, skip;
} totals;

/* Diagnostic line inside a suite: one write. */
static void diagnose(const char *fmt, ...) __printf(1, 2);
static void diagnose(const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	console_fresh_line();
	kprintf("  # %s: %s\n", current->name, text);
}

BOOT_OPTION(rounds, "test.rounds", "N", "rounds of the tests that are repeated");

u64 ktest_rounds(u64 usual)
{
	return option_u64("test.rounds", usual, 1, UINT32_MAX);
}

bool ktest_check(bool ok, const char *file, int line, const char *fmt, ...)
{
	char text[TEXT];
	va_list ap;

	atomic_fetch_add(&checks, 1);
	if (ok || atomic_fetch_add(&failures, 1))
		return ok;
	va_start(ap, fmt);
	kvsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diagnose("%s:%d: failed: %s", file, line, text);
	return false;
}

void ktest_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(skip_reason, sizeof(skip_reason), fmt, ap);
	va_end(ap);
	skipped = true;
}

static void count(bool fail, bool skip)
{
	if (fail)
		totals.fail++;
	else if (skip)
		totals.skip++;
	else
		totals.pass++;
}

void ktest_part(const char *name, const char *left_out)
{
	bool fail = failures != failures_of_parts;

	failures_of_parts = failures;
	console_fresh_line();
	if (!parts++)
		kprintf("    KTAP version 1\n    # Subtest: %s\n", current->name);
	kprintf("    %s %u %s%s%s\n", fail ? "not ok" : "ok", parts, name,
		left_out && !fail ? " # SKIP " : "", left_out && !fail ? left_out : "");
	count(fail, left_out);
}

static void begin(const struct test *test)
{
	current = test;
	checks = failures = failures_of_parts = 0;
	parts = 0;
	skipped = false;
}

static void run_one(const struct test *test)
{
	char leak[TEXT] = "";

	begin(test);
	test->run();
	if (!checks && !skipped) {
		failures++;
		diagnose("checked nothing");
	}
	if (failures > 1)
		diagnose("%u more checks failed, of %u", failures - 1, checks);
	if (ktest_leak_check && !ktest_leak_check(leak, sizeof(leak))) {
		failures++;
		diagnose("leaves behind: %s", leak);
	}
}

static void print_result(unsigned number)
{
	const char *name = current->name;

	console_fresh_line();
	if (parts)
		kprintf("    1..%u\n", parts);
	if (failures)
		kprintf("  not ok %u %s\n", number, name);
	else if (skipped)
		kprintf("  ok %u %s # SKIP %s\n", number, name, skip_reason);
	else
		kprintf("  ok %u %s\n", number, name);
	if (!parts || failures != failures_of_parts) /* else its parts are counted */
		count(failures, skipped);
}

static bool selected(const struct test *test, const char *glob)
{
	char name[128];

	ksnprintf(name, sizeof(name), "%s.%s", test->suite, test->name);
	return glob_match(glob, name) || glob_match(glob, test->suite);
}

/* The first selected test at or after `from` of this suite (NULL: any), or the end. */
static const struct test *const *next_test(const struct test *const *from, const char *glob,
					   const char *suite)
{
	for (; from < __stop_tests; from++) {
		if (selected(*from, glob) && (!suite || !strcmp((*from)->suite, suite)))
			break;
	}
	return from;
}

static unsigned count_tests(const char *glob, const char *suite)
{
	unsigned n = 0;

	for (const struct test *const *t = __start_tests;
	     (t = next_test(t, glob, suite)) < __stop_tests; t++)
		n++;
	return n;
}

/* Does this test begin its suite, in link order? A suite may be spread over several files. */
static bool is_first(const struct test *const *test, const char *glob)
{
	return next_test(__start_tests, glob, (*test)->suite) == test;
}

static void run_suite(const char *suite, unsigned number, const char *glob)
{
	unsigned failed = totals.fail, passed = totals.pass, i = 0;

	kprintf("  KTAP version 1\n");
	kprintf("  # Subtest: %s\n", suite);
	kprintf("  1..%u\n", count_tests(glob, suite));
	for (const struct test *const *t = __start_tests;
	     (t = next_test(t, glob, suite)) < __stop_tests; t++) {
		if (console_interrupted()) {
			begin(*t);
			ktest_skip("interrupted");
		} else {
			run_one(*t);
		}
		print_result(++i);
	}
	if (totals.fail > failed)
		kprintf("not ok %u %s\n", number, suite);
	else
		kprintf("ok %u %s%s\n", number, suite,
			totals.pass > passed ? "" : " # SKIP no test ran");
}

unsigned ktest_run(const char *glob)
{
	unsigned suites = 0, number = 0;

	for (const struct test *const *t = __start_tests;
	     (t = next_test(t, glob, NULL)) < __stop_tests; t++)
		suites += is_first(t, glob);
	if (!suites)
		return command_usage_error("test", "no test matches %.64s, try list tests", glob);
	totals.pass = totals.fail = totals.skip = 0;
	if (ktest_leak_check)
		ktest_leak_check(NULL, 0); /* what earlier commands keep is not a test's leak */
	console_fresh_line();
	kprintf("KTAP version 1\n");
	kprintf("1..%u\n", suites);
	for (const struct test *const *t = __start_tests;
	     (t = next_test(t, glob, NULL)) < __stop_tests; t++) {
		if (is_first(t, glob))
			run_suite((*t)->suite, ++number, glob);
	}
	kprintf("# Totals: pass:%u fail:%u xfail:0 skip:%u error:0\n", totals.pass, totals.fail,
		totals.skip);
	if (totals.fail || console_interrupted())
		return RC_FAIL;
	return totals.pass ? RC_PASS : RC_SKIP;
}
