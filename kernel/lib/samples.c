/* Statistics of samples, without floating point. */
#include <kernel/fixed.h>
#include <kernel/printf.h>
#include <kernel/sort.h>
#include <kernel/samples.h>

u64 samples_sqrt(u64 x)
{
	u64 root = 0;

	for (u64 bit = 1UL << 31; bit; bit >>= 1) {
		u64 trial = root | bit;

		if (trial * trial <= x)
			root = trial;
	}
	return root;
}

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

const char *samples_change(char buf[SAMPLES_CHANGE_LEN], u64 new, u64 old)
{
	enum { RATIO_FROM = 10 }; /* a percentage of four digits tells nobody anything */
	u64 tenths;

	if (!old)
		return "-";
	if (new / old >= RATIO_FROM) {
		tenths = mul_div_u64(new, 10, old);
		ksnprintf(buf, SAMPLES_CHANGE_LEN, "×%lu.%lu", tenths / 10, tenths % 10);
	} else {
		tenths = mul_div_u64(distance(new, old), 1000, old);
		ksnprintf(buf, SAMPLES_CHANGE_LEN, "%s%lu.%lu %%",
			  !tenths     ? ""
			  : new > old ? "+"
				      : "-",
			  tenths / 10, tenths % 10);
	}
	return buf;
}

/*
 * Ten times the standard deviation, n - 1 in the denominator. Differences are
 * scaled to 24 bits first, so that BENCH_MAX_REPS squares fit in 64.
 */
static u64 deviation_x10(const u64 *values, u64 n, u64 mean_x10)
{
	u64 greatest =
		MAX(distance(values[0] * 10, mean_x10), distance(values[n - 1] * 10, mean_x10));
	unsigned shift = 0;
	u64 sum = 0;

	if (n < 2)
		return 0;
	while (greatest >> shift >= 1UL << 24)
		shift++;
	for (u64 i = 0; i < n; i++) {
		u64 d = distance(values[i] * 10, mean_x10) >> shift;

		sum += d * d;
	}
	return samples_sqrt(sum / (n - 1)) << shift;
}

/* Nearest rank: the least value that at least percent of the samples do not exceed. */
static u64 percentile(const u64 *values, u64 n, u64 percent)
{
	return values[(n * percent + 99) / 100 - 1];
}

/* Ranks (1-based) n/2 -+ 1.96 sqrt(n)/2: the binomial as a normal distribution. */
static void interval(const u64 *values, u64 n, struct summary *s)
{
	u64 half = 196 * samples_sqrt(n * 1000000) / 100; /* 1.96 sqrt(n), in thousandths */

	if (n < SAMPLES_RANKED)
		return;
	u64 low = half + 1000 > 1000 * n ? 1 : (1000 * n - half + 1000) / 2000;
	u64 high = (3000 + 1000 * n + half) / 2000;

	s->ci_low = values[MAX(low, 1UL) - 1];
	s->ci_high = values[MIN(high, n) - 1];
}

struct interval samples_interval(const struct summary *s)
{
	return s->n < SAMPLES_RANKED ? (struct interval){s->min, s->max}
				     : (struct interval){s->ci_low, s->ci_high};
}

bool samples_differ(const struct summary *new, const struct summary *old)
{
	struct interval a = samples_interval(new), b = samples_interval(old);

	return a.low > b.high || a.high < b.low;
}

s32 samples_change_bound(const struct summary *new, const struct summary *old)
{
	struct interval a = samples_interval(new), b = samples_interval(old);
	u64 most = MAX(distance(a.high, b.low), distance(a.low, b.high));

	if (!old->median)
		return INT32_MAX;
	u64 tenths = mul_div_u64(most, 1000, old->median); /* to the nearest */

	tenths += (unsigned __int128)tenths * old->median < (unsigned __int128)most * 1000;
	return (s32)MIN(tenths, (u64)INT32_MAX - 1);
}

static u64 count_outliers(const u64 *values, u64 n)
{
	u64 q1 = percentile(values, n, 25), q3 = percentile(values, n, 75);
	u64 reach = (q3 - q1) * 3 / 2, outliers = 0;

	for (u64 i = 0; i < n; i++)
		outliers += values[i] + reach < q1 || values[i] > q3 + reach;
	return outliers;
}

void samples_summary(u64 *values, u64 n, struct summary *s)
{
	u64 sum = 0;

	*s = (struct summary){.n = n};
	sort_u64(values, n);
	for (u64 i = 0; i < n; i++)
		sum += values[i];
	s->min = values[0];
	s->max = values[n - 1];
	s->mean_x10 = mul_div_u64(sum, 10, n);
	s->stddev_x10 = deviation_x10(values, n, s->mean_x10);
	s->cv_x10000 = s->mean_x10 ? mul_div_u64(s->stddev_x10, 10000, s->mean_x10) : 0;
	s->median = (values[(n - 1) / 2] + values[n / 2] + 1) / 2;
	s->p50 = percentile(values, n, 50);
	s->p90 = percentile(values, n, 90);
	s->p95 = percentile(values, n, 95);
	s->p99 = percentile(values, n, 99);
	interval(values, n, s);
	s->outliers = count_outliers(values, n);
}

u64 hist_value(unsigned bucket)
{
	if (bucket < 8)
		return bucket;
	unsigned top = bucket / 8 + 2;

	return (8UL + bucket % 8) << (top - 3);
}

u64 hist_quantile(const u64 *buckets, unsigned permille)
{
	u64 total = 0, seen = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		total += buckets[i];
	u64 want = (total * permille + 999) / 1000;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += buckets[i];
		if (total && seen >= want)
			return hist_value(i + 1) - 1;
	}
	return 0;
}
