/*
 * Host tests: TEST(name) { ... CHECK(x) ... }. Prints KTAP and ends with
 * "N passed, N failed"; a test that checks nothing fails. The first failure of a
 * test is told with file, line and values, and ends that test.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct check_test {
	const char *name;
	void (*run)(void);
	struct check_test *next;
};

void check_register(struct check_test *t);
/* Counts a check; false ends the test that makes it. */
bool check_that(bool ok, const char *file, int line, const char *what);
bool check_equal(unsigned long long a, unsigned long long b, const char *file, int line,
		 const char *what);
bool check_string(const char *a, const char *b, const char *file, int line, const char *what);

/* How many random inputs a test takes: FUZZ_INPUTS of the environment, or else so many. */
unsigned long check_inputs(unsigned long quick);

#define TEST(test)                                                                                 \
	static void test_##test(void);                                                             \
	static __attribute__((constructor)) void test_##test##_register(void)                      \
	{                                                                                          \
		static struct check_test t = {.name = #test, .run = test_##test};                  \
		check_register(&t);                                                                \
	}                                                                                          \
	static void test_##test(void)

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!check_that((x), __FILE__, __LINE__, #x))                                      \
			return;                                                                    \
	} while (0)
#define CHECK_EQ(a, b)                                                                             \
	do {                                                                                       \
		if (!check_equal((a), (b), __FILE__, __LINE__, #a " == " #b))                      \
			return;                                                                    \
	} while (0)
#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		if (!check_string((a), (b), __FILE__, __LINE__, #a " == " #b))                     \
			return;                                                                    \
	} while (0)
