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
	static u64 values[10000];
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

/* Ranks n/2 -+ 0.98 sqrt(n): 4902 and, counted from the other end, 5099. */
TEST(intervals_of_as_many_rounds_as_there_may_be)
{
	struct summary s = ranks(10000);

	CHECK_EQ(samples_interval(&s).low, 4902 - 1);
	CHECK_EQ(samples_interval(&s).high, 5099 - 1);
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

/* Twelve uniform values never reach the last page, and what is drawn behind it is the last. */
TEST(patterns_stay_on_their_pages)
{
	for (unsigned kind = PATTERN_LINEAR; kind <= PATTERN_ZIPF; kind++) {
		for (u64 pages = 1; pages <= 5; pages++) {
			struct pattern_walk w;
			struct pattern p;
			u64 seen = 0;

			CHECK(!pattern_init(&p, (enum pattern_kind)kind, pages, 7, 0));
			CHECK_EQ(p.draws != NULL, kind >= PATTERN_NORMAL);
			pattern_start(&p, &w, 9, 1);
			for (unsigned i = 0; i < 20000; i++) {
				u64 page = pattern_next(&p, &w);

				CHECK(page < pages);
				seen |= 1UL << page;
			}
			/* All of few pages, but for zipf and normal, whose last has next to nothing. */
			CHECK(seen == (1UL << pages) - 1 ||
			      (kind >= PATTERN_NORMAL && (seen & 1 || seen & 2)));
			pattern_free(&p);
			CHECK(!p.draws);
		}
	}
}

TEST(linear_goes_round)
{
	struct pattern_walk w;
	struct pattern p;
	u64 last;

	CHECK(!pattern_init(&p, PATTERN_LINEAR, 10, 1, 0));
	pattern_start(&p, &w, 1, 0);
	last = pattern_next(&p, &w);
	for (unsigned i = 0; i < 100; i++) {
		u64 page = pattern_next(&p, &w);

		CHECK_EQ(page, (last + 1) % 10);
		last = page;
	}
}

TEST(uniform_is_even)
{
	unsigned count[16] = {0};
	struct pattern_walk w;
	struct pattern p;

	CHECK(!pattern_init(&p, PATTERN_UNIFORM, 16, 1, 0));
	pattern_start(&p, &w, 1, 0);
	for (unsigned i = 0; i < 160000; i++)
		count[pattern_next(&p, &w)]++;
	for (unsigned i = 0; i < 16; i++)
		CHECK(count[i] > 9600 && count[i] < 10400);
}

/* ---- pmbench's own patterns ---- */

static u64 pm_pages;
static struct pmbench_walk pm;

static void pm_start(enum pmbench_access access, u64 pages, u64 shape)
{
	pm_pages = pages;
	pmbench_start(&pm, access, pages, shape, 5, 2);
}

/* Millionths of n accesses that go below each of the limits. */
static void pm_shares(unsigned n, const u64 *limits, unsigned count, unsigned *below)
{
	for (unsigned k = 0; k < count; k++)
		below[k] = 0;
	for (unsigned i = 0; i < n; i++) {
		u64 page = pmbench_next(&pm);

		for (unsigned k = 0; k < count; k++)
			below[k] += page < limits[k];
	}
	for (unsigned k = 0; k < count; k++)
		below[k] = (unsigned)(below[k] * 1000000UL / n);
}

TEST(pmbench_linear_by_strides)
{
	static const struct {
		u64 pages, shape, walk[8];
	} cases[] = {
		{5, 0, {0, 1, 2, 3, 4, 0, 1, 2}},    {5, 1000, {0, 1, 2, 3, 4, 0, 1, 2}},
		{5, 999, {0, 1, 2, 3, 4, 0, 1, 2}}, /* less than a page is one */
		{7, 3000, {0, 3, 6, 1, 4, 2, 5, 0}}, {6, 2999, {0, 2, 4, 1, 3, 5, 0, 2}},
		{3, 5000, {0, 1, 2, 0, 1, 2, 0, 1}}, {3, 3000, {0, 1, 2, 0, 1, 2, 0, 1}},
		{1, 1000, {0, 0, 0, 0, 0, 0, 0, 0}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		pm_start(PMBENCH_LINEAR, cases[i].pages, cases[i].shape);
		for (unsigned k = 0; k < 8; k++)
			CHECK_EQ(pmbench_next(&pm), cases[i].walk[k]);
	}
}

/* Mean in the middle; one sigma of an eighth of the pages holds 68.3 %, two hold 95.4 %. */
TEST(pmbench_normal_by_sigma)
{
	static const u64 limits[] = {256, 384, 513, 641, 769};
	static const unsigned expected[] = {22750, 158655, 504000, 842000, 977600};
	unsigned below[5];

	pm_start(PMBENCH_NORMAL, 1024, 0);
	pm_shares(60000, limits, 5, below);
	for (unsigned i = 0; i < 5; i++)
		CHECK(near(below[i], expected[i]));
	pm_start(PMBENCH_NORMAL, 1024, 64000); /* sigma of 64 pages */
	pm_shares(60000, (const u64[]){448, 577}, 2, below);
	CHECK(near(below[0], 158655) && near(below[1], 842500));
	/* What falls outside goes to the middle: with a sigma of all pages 38 % stay where they fell. */
	pm_start(PMBENCH_NORMAL, 1024, 1024000);
	pm_shares(60000, (const u64[]){512, 513, 1024}, 3, below);
	CHECK(near(below[0], 191500) && near(below[1], 808500) && below[2] == 1000000);
}

TEST(pmbench_other_patterns)
{
	unsigned below[3];

	pm_start(PMBENCH_UNIFORM, 1000, 0);
	pm_shares(60000, (const u64[]){250, 500, 1000}, 3, below);
	CHECK(near(below[0], 250000) && near(below[1], 500000) && below[2] == 1000000);
	pm_start(PMBENCH_NORMAL_IH, 1200, 0); /* sigma 100 */
	pm_shares(60000, (const u64[]){500, 600, 700}, 3, below);
	CHECK(near(below[0], 158655) && near(below[1], 500000) && near(below[2], 841345));
	for (unsigned access = PMBENCH_PARETO; access <= PMBENCH_ZIPF; access++) {
		pm_start((enum pmbench_access)access, 1024, 0); /* 1161 */
		pm_shares(60000, (const u64[]){1, 3, 1024}, 3, below);
		CHECK(near(below[0], 552973) && near(below[1], 800260) && below[2] == 1000000);
		pm_start((enum pmbench_access)access, 1024, 2000); /* (1 - 1/4) and (1 - 1/16) */
		pm_shares(60000, (const u64[]){1, 3, 1024}, 3, below);
		CHECK(near(below[0], 750000) && near(below[1], 937500));
	}
}

TEST(pmbench_threads_and_warm_up)
{
	struct pmbench_walk a, b, c;

	pmbench_start(&a, PMBENCH_UNIFORM, 1 << 20, 0, 5, 0);
	pmbench_start(&b, PMBENCH_UNIFORM, 1 << 20, 0, 5, 0);
	pmbench_start(&c, PMBENCH_UNIFORM, 1 << 20, 0, 5, 1);
	CHECK_EQ(pmbench_next(&a), pmbench_next(&b));
	CHECK(pmbench_next(&a) != pmbench_next(&c));
	for (unsigned access = PMBENCH_LINEAR; access <= PMBENCH_ZIPF; access++) {
		pmbench_start(&a, (enum pmbench_access)access, 100, 0, 1, 0);
		CHECK_EQ(pmbench_warm_up(&a), access == PMBENCH_UNIFORM	 ? 400
					      : access >= PMBENCH_PARETO ? 800
									 : 100);
	}
}

/* ---- statistics ---- */

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static u64 root_of(unsigned __int128 x)
{
	u64 low = 0, high = 1UL << 63;

	while (low < high) {
		u64 mid = low + (high - low + 1) / 2;

		if ((unsigned __int128)mid * mid <= x)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

static bool within(u64 got, u64 expected, u64 by)
{
	return got + by >= expected && got <= expected + by;
}

/* Each figure by its definition, for samples of every number and spread. */
TEST(summaries_by_definition)
{
	u64 state = 1;

	for (u64 n = 1; n <= 300; n++) {
		u64 values[300], sorted[300], sum = 0, outliers = 0, q1, q3;
		unsigned __int128 squares = 0;
		struct summary s;

		for (u64 i = 0; i < n; i++)
			sum += values[i] = rng_splitmix64(&state) % (n % 3 ? 1000 : 50) +
					   (n % 7 ? 0 : 100000) +
					   3000 * !(rng_pmbench(&state) % 20);
		memcpy(sorted, values, sizeof(sorted));
		qsort(sorted, n, sizeof(u64), by_value);
		samples_summary(values, n, &s);
		CHECK_EQ(s.n, n);
		CHECK_EQ(s.min, sorted[0]);
		CHECK_EQ(s.max, sorted[n - 1]);
		CHECK_EQ(s.median,
			 n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2] + 1) / 2);
		CHECK_EQ(s.mean_x10, (20 * sum + n) / (2 * n));
		for (u64 i = 0; i < n; i++) {
			long d = (long)(10 * sorted[i]) - (long)s.mean_x10;

			squares += (unsigned __int128)(d * d);
		}
		CHECK(within(s.stddev_x10, n > 1 ? root_of(squares / (n - 1)) : 0, 1));
		CHECK_EQ(s.cv_x10000,
			 s.mean_x10 ? (s.stddev_x10 * 20000 + s.mean_x10) / (2 * s.mean_x10) : 0);
		CHECK_EQ(s.p50, sorted[(n * 50 + 99) / 100 - 1]);
		CHECK_EQ(s.p90, sorted[(n * 90 + 99) / 100 - 1]);
		CHECK_EQ(s.p95, sorted[(n * 95 + 99) / 100 - 1]);
		CHECK_EQ(s.p99, sorted[(n * 99 + 99) / 100 - 1]);
		q1 = sorted[(n * 25 + 99) / 100 - 1], q3 = sorted[(n * 75 + 99) / 100 - 1];
		for (u64 i = 0; i < n; i++)
			outliers += sorted[i] + (q3 - q1) * 3 / 2 < q1 ||
				    sorted[i] > q3 + (q3 - q1) * 3 / 2;
		CHECK_EQ(s.outliers, outliers);
	}
}

TEST(large_samples_keep_24_bits)
{
	for (unsigned bits = 20; bits <= 56; bits++) {
		u64 values[] = {1UL << bits, 3UL << bits, 2UL << bits};
		struct summary s;

		samples_summary(values, 3, &s);
		CHECK(within(s.stddev_x10, 10UL << bits,
			     (10UL << bits >> 20) + 1)); /* sqrt((1 + 1) / 2) */
		CHECK_EQ(s.median, 2UL << bits);
		/* A distance of ones only: what is cut off is as much as it can be, less than the last of the 24. */
		u64 ones = (1UL << bits) - 1,
		    odd[] = {(2UL << bits) - ones, 2UL << bits, (2UL << bits) + ones};

		samples_summary(odd, 3, &s);
		CHECK(within(s.stddev_x10, 10 * ones, 1UL << bits >> 20));
	}
}

TEST(roots_at_their_limits)
{
	for (u64 r = 0; r < 70000; r++) {
		CHECK_EQ(samples_sqrt(r * r), r);
		CHECK(!r || samples_sqrt(r * r - 1) == r - 1);
	}
	CHECK_EQ(samples_sqrt(~0UL), 0xffffffff);
	CHECK_EQ(samples_sqrt(0xffffffffUL * 0xffffffff - 1), 0xfffffffe);
}

/* tests/host_tools.py has the same of the report. */
TEST(changes_are_percentages_and_from_ten_times_on_ratios)
{
	char text[SAMPLES_CHANGE_LEN];

	CHECK_STR(samples_change(text, 100, 100), "0.0 %");
	CHECK_STR(samples_change(text, 0, 100), "-100.0 %");
	CHECK_STR(samples_change(text, 1, 3), "-66.7 %");
	CHECK_STR(samples_change(text, 2, 3), "-33.3 %");
	CHECK_STR(samples_change(text, 5, 3), "+66.7 %");
	CHECK_STR(samples_change(text, 99999, 100000), "0.0 %");
	CHECK_STR(samples_change(text, 9999, 1000), "+899.9 %");
	CHECK_STR(samples_change(text, 10000, 1000), "×10.0");
	CHECK_STR(samples_change(text, 30000000, 58594), "×512.0");
	CHECK_STR(samples_change(text, 18446744073709551615UL, 10), "×1844674407370955161.5");
	CHECK_STR(samples_change(text, 5, 0), "-");
	CHECK_STR(samples_change(text, 0, 0), "-");
}

TEST(histograms_by_definition)
{
	static u64 buckets[HIST_BUCKETS];

	for (unsigned b = 0; b < 8 * 62 - 1; b++) { /* up to 2^64 */
		CHECK_EQ(hist_bucket(hist_value(b)), b);
		CHECK_EQ(hist_bucket(hist_value(b + 1) - 1), b);
	}
	CHECK_EQ(hist_value(7), 7);
	CHECK_EQ(hist_value(8), 8);
	CHECK_EQ(hist_value(16), 16);
	CHECK_EQ(hist_value(17), 18);
	CHECK_EQ(hist_quantile(buckets, 500), 0);
	buckets[hist_bucket(3)] = 1;
	buckets[hist_bucket(20)] = 2;
	buckets[hist_bucket(1000)] = 1;
	CHECK_EQ(hist_quantile(buckets, 0), 0); /* the first, whatever it holds */
	CHECK_EQ(hist_quantile(buckets, 250), 3);
	CHECK_EQ(hist_quantile(buckets, 251), 21); /* 20 and 21 share a bucket */
	CHECK_EQ(hist_quantile(buckets, 750), 21);
	CHECK_EQ(hist_quantile(buckets, 751), 1023);
	CHECK_EQ(hist_quantile(buckets, 1000), 1023);
}
