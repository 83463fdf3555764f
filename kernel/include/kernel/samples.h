/* Statistics of samples in whole numbers: what is printed with one decimal more carries it. */
#pragma once

#include <kernel/types.h>

enum { SAMPLES_RANKED = 6 }; /* samples, from which on two of them bound the median at 95 % */

struct summary {
	u64 n, min, max;
	u64 mean_x10, stddev_x10; /* ten times the value: one decimal more than the samples */
	u64 cv_x10000; /* standard deviation over mean, times 10^4 */
	u64 median, p50, p90, p95, p99; /* median: middle, or half of the two; pN: nearest rank */
	u64 ci_low, ci_high; /* 95 % of the median, by rank; 0, 0 if n < SAMPLES_RANKED */
	u64 outliers; /* beyond 1.5 quartile ranges from the quartiles; still in the samples */
};

/* Sorts the values. n > 0. */
void samples_summary(u64 *values, u64 n, struct summary *s);
/* Largest r with r * r <= x. */
u64 samples_sqrt(u64 x);
enum { SAMPLES_CHANGE_LEN = 32 }; /* bytes for the text of a change */

/*
 * How new differs from old, into buf, which is returned: "-99.8 %", "0.0 %"; from ten times on the
 * ratio, "×512.0"; "-" where old is 0. tools/tarrylib/report/table.py writes the same.
 */
const char *samples_change(char buf[SAMPLES_CHANGE_LEN], u64 new, u64 old);

/* Where the median lies. */
struct interval {
	u64 low, high;
};

/*
 * At 95 %, whatever the distribution: two of the samples, by their ranks. Below SAMPLES_RANKED no
 * ranks are far enough apart: from the least to the greatest.
 */
struct interval samples_interval(const struct summary *s);
/* Do the intervals of two medians lie apart from each other, so that a change can be told? */
bool samples_differ(const struct summary *new, const struct summary *old);
/*
 * The largest change of the median that both intervals leave possible, in tenths of a percent,
 * rounded up; INT32_MAX: old's median is 0.
 */
s32 samples_change_bound(const struct summary *new, const struct summary *old);

/* Latencies without storing them: buckets of an eighth of a power of two. */
enum { HIST_BUCKETS = 64 * 8 };

static inline unsigned hist_bucket(u64 value)
{
	if (value < 8)
		return (unsigned)value;
	unsigned top = 63 - (unsigned)__builtin_clzl(value);

	return (top - 2) * 8 + (unsigned)(value >> (top - 3) & 7);
}

/* The least value that belongs in a bucket. */
u64 hist_value(unsigned bucket);
/* The value that `permille` of 1000 counts do not exceed (upper edge of its bucket); 0 if empty. */
u64 hist_quantile(const u64 *buckets, unsigned permille);
