/* What benchmarks compute from numbers alone: access patterns, statistics. */
#include "check.h"

#include <kernel/kmem.h>
#include "../../kernel/bench/load/pattern.h"

#include <stdlib.h>

static void *allocate(size_t bytes, u32 node)
{
	(void)node;
	return calloc(1, bytes);
}

static void give_back(void *p, size_t bytes)
{
	(void)bytes;
	free(p);
}

/* Stands in for mm. */
struct kmem_ops kmem = {.alloc = allocate, .free = give_back};

/* ---- patterns ---- */

enum { PAGES = 1024 };

/* Of the table of draws, in millionths: those below each power of two, pages counted from 1. */
static bool shares(enum pattern_kind kind, unsigned below[11])
{
	struct pattern p;
	unsigned count[11] = {0};

	if (pattern_init(&p, kind, PAGES, 3, 0))
		return false;
	for (unsigned i = 0; i < PATTERN_DRAWS; i++)
		for (unsigned bit = 0; bit <= 10; bit++)
			count[bit] += p.draws[i] + 1 < 1U << bit;
	for (unsigned bit = 0; bit <= 10; bit++)
		below[bit] = (unsigned)(count[bit] * 1000000UL / PATTERN_DRAWS);
	pattern_free(&p);
	return true;
}

static bool near(unsigned a, unsigned b)
{
	return a < b + 6000 && b < a + 6000; /* 65536 draws: three standard deviations of a half */
}

/* Density 1/x on [1, n): the part below 2^k is k / log2 n. */
TEST(zipf_is_one_over_x)
{
	unsigned below[11];

	CHECK(shares(PATTERN_ZIPF, below));
	for (unsigned bit = 0; bit < 10; bit++)
		CHECK(near(below[bit], bit * 100000));
}

/* Below x: (1 - x^-a) / (1 - n^-a), a = 1.161. */
TEST(pareto_is_pmbenchs)
{
	const double step = 0.447202; /* 2^-1.161 */
	double left[11] = {1};
	unsigned below[11];

	for (unsigned bit = 1; bit <= 10; bit++)
		left[bit] = left[bit - 1] * step;
	CHECK(shares(PATTERN_PARETO, below));
	for (unsigned bit = 0; bit < 10; bit++)
		CHECK(near(below[bit], (unsigned)(1000000 * (1 - left[bit]) / (1 - left[10]))));
}

/* The sum of twelve: mean n/2, sigma n/12. */
TEST(normal_has_its_mean_and_deviation)
{
	double sum = 0, squares = 0;
	struct pattern p;

	CHECK(!pattern_init(&p, PATTERN_NORMAL, PAGES, 3, 0));
	for (unsigned i = 0; i < PATTERN_DRAWS; i++) {
		sum += p.draws[i];
		squares += (double)p.draws[i] * p.draws[i];
	}
	pattern_free(&p);
	double mean = sum / PATTERN_DRAWS, variance = squares / PATTERN_DRAWS - mean * mean;

	CHECK(mean > PAGES / 2 - 2 && mean < PAGES / 2 + 2);
	CHECK(variance > 84 * 84 && variance < 87 * 87); /* 1024 / 12 = 85.3 */
}
