/*
 * Checks inside a TEST(). A test that checks nothing fails. The first failed
 * check of a test is printed with place and values; further ones are counted.
 */
#pragma once

#include <kernel/registry.h>

bool ktest_check(bool ok, const char *file, int line, const char *fmt, ...) __printf(4, 5);
void ktest_skip(const char *fmt, ...) __printf(1, 2); /* then return from the test */

/*
 * A part of the current test has ended, which is reported and counted by itself: failed if a check has failed since
 * the part before. left_out: why it was not run, or NULL.
 */
void ktest_part(const char *name, const char *left_out);

#define EXPECT(cond) ktest_check((cond), __FILE__, __LINE__, "%s", #cond)
#define EXPECT_EQ(a, b)                                                                            \
	({                                                                                         \
		u64 a_ = (u64)(a), b_ = (u64)(b);                                                  \
		ktest_check(a_ == b_, __FILE__, __LINE__, "%s == %s: %#lx, %#lx", #a, #b, a_, b_); \
	})
/* Check and return from the test if it fails. */
#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!ktest_check((cond), __FILE__, __LINE__, "%s", #cond))                         \
			return;                                                                    \
	} while (0)
#define SKIP(...)                                                                                  \
	do {                                                                                       \
		ktest_skip(__VA_ARGS__);                                                           \
		return;                                                                            \
	} while (0)

/* Run the tests whose "suite.name" matches the glob, as KTAP. Returns RC_*. */
unsigned ktest_run(const char *glob);
/* How often to repeat what a test repeats: boot option test.rounds=N, else what the test says. */
u64 ktest_rounds(u64 usual);
/*
 * Called before the first test with size 0, to take stock, and after each test:
 * false = more is held than before, and why (mm registers it).
 */
extern bool (*ktest_leak_check)(char *reason, size_t size);
