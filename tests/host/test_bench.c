/* What benchmarks compute from numbers alone: access patterns, statistics. */
#include "check.h"

#include <kernel/kmem.h>
#include <kernel/samples.h>
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

/* ---- medians and their intervals ---- */

/* Of n samples 0, 1, 2, ...: the samples are their own ranks. */
static struct summary ranks(unsigned n)
{
	static u64 values[400];
	struct summary s;

	for (unsigned i = 0; i < n; i++)
		values[i] = i;
	samples_summary(values, n, &s);
	return s;
}

/* The median lies between ranks l and u with the chance that of n tosses at least l and fewer than u are heads. */
TEST(intervals_hold_the_median_at_95_percent)
{
	for (unsigned n = 6; n <= 400; n++) {
		struct summary s = ranks(n);
		struct interval i = samples_interval(&s);
		double chance = 1, inside = 0;

		for (unsigned k = 0; k < n; k++)
			chance /= 2;
		for (unsigned k = 0; k <= n; k++) {
			if (k > i.low && k <= i.high)
				inside += chance;
			chance = chance * (n - k) / (k + 1);
		}
		CHECK(inside >= 0.95);
		CHECK(n < 30 || inside < 0.98); /* and not by being endless */
	}
}

TEST(few_samples_have_their_range)
{
	struct summary s = ranks(5);

	CHECK_EQ(samples_interval(&s).low, 0);
	CHECK_EQ(samples_interval(&s).high, 4);
}

/* Scattered samples about 4889 and 4903: noise, whatever their means say. */
TEST(overlapping_intervals_are_no_change)
{
	struct summary old = {.n = 30, .median = 4889, .ci_low = 4870, .ci_high = 4920};
	struct summary new = {.n = 30, .median = 4903, .ci_low = 4880, .ci_high = 4912};
	struct summary far = {.n = 30, .median = 4400, .ci_low = 4390, .ci_high = 4410};

	CHECK(!samples_differ(&new, &old));
	CHECK(!samples_differ(&old, &new));
	CHECK_EQ(samples_change_bound(&new, &old), 9); /* 4912 - 4870 of 4889 is 8.59, rounded up */
	CHECK(samples_differ(&far, &old));
	new.ci_low = 4920; /* they touch */
	CHECK(!samples_differ(&new, &old));
	new.ci_low = 4921;
	CHECK(samples_differ(&new, &old));
	old.median = 0;
	CHECK_EQ(samples_change_bound(&new, &old), INT32_MAX);
}
