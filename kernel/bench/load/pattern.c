/* Access patterns of pmbench in fixed point, all from the seed. */
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/kmem.h>
#include <kernel/samples.h>
#include "pattern.h"

const char *const pattern_names[] = {"linear", "uniform", "normal", "pareto", "zipf", NULL};

/* Numbers below are in units of 2^-32 unless named otherwise. */
#define ONE (1UL << 32)

enum { PARETO_ALPHA_MILLI = 1161 }; /* thousandths; pmbench's shape for 80/20 */

static u64 mul32(u64 a, u64 b)
{
	return (u64)((unsigned __int128)a * b >> 32);
}

/* log2 of x >= 1: the whole part from the top bit, then one bit per squaring. */
static u64 log2_fixed(u64 x)
{
	unsigned whole = 63 - (unsigned)__builtin_clzl(x) - 32;
	u64 result = (u64)whole << 32, mantissa = x >> whole;

	for (u64 bit = ONE >> 1; bit; bit >>= 1) {
		mantissa = mul32(mantissa, mantissa);
		if (mantissa >= 2 * ONE) {
			mantissa >>= 1;
			result |= bit;
		}
	}
	return result;
}

/* 2^x for x below 31: Taylor series of e^(f ln 2) for the fraction, then a shift. */
static u64 exp2_fixed(u64 x)
{
	const u64 ln2 = 2977044472UL; /* ln 2 * 2^32 */
	u64 y = mul32(x & (ONE - 1), ln2), term = ONE, sum = ONE;

	for (u64 k = 1; term && k < 20; k++) {
		term = mul32(term, y) / k;
		sum += term;
	}
	return sum << (x >> 32);
}

static u64 draw_normal(u64 pages, u64 *rng)
{
	u64 sum = 0;

	for (unsigned i = 0; i < 12; i++)
		sum += rng_pmbench(rng);
	return (u64)((unsigned __int128)sum * pages / 12 >> 31);
}

/* 1/x for x in (2^-31, 1]. */
static u64 inverse(u64 x)
{
	return MAX(~0UL / x, ONE);
}

/* alpha in thousandths. Inverse of 1 - x^-alpha, cut at x = n, where x^-alpha = tail: (1 - u (1 - tail))^(-1/alpha). */
static u64 draw_pareto(u64 tail, u64 alpha, u64 *rng)
{
	u64 u = (u64)rng_pmbench(rng) << 1;
	u64 rest = ONE - mul32(u, ONE - tail); /* in (tail, 1] */

	return (exp2_fixed(log2_fixed(inverse(rest)) * 1000 / alpha) >> 32) - 1;
}

/* Density 1/x on [1, n): x = n^u. */
static u64 draw_zipf(u64 log_pages, u64 *rng)
{
	return (exp2_fixed(mul32((u64)rng_pmbench(rng) << 1, log_pages)) >> 32) - 1;
}

/* n^-alpha, not below 2^-30. */
static u64 pareto_tail(u64 log_pages, u64 alpha)
{
	return MIN(~0UL / exp2_fixed(MIN(mul_div_u64(log_pages, alpha, 1000), 30 * ONE)), ONE);
}

static u32 draw(const struct pattern *p, u64 log_pages, u64 *rng)
{
	u64 page;

	if (p->kind == PATTERN_NORMAL)
		page = draw_normal(p->pages, rng);
	else if (p->kind == PATTERN_ZIPF)
		page = draw_zipf(log_pages, rng);
	else
		page = draw_pareto(pareto_tail(log_pages, PARETO_ALPHA_MILLI), PARETO_ALPHA_MILLI,
				   rng);
	return (u32)MIN(page, p->pages - 1);
}

int pattern_init(struct pattern *p, enum pattern_kind kind, u64 pages, u64 seed, u32 node)
{
	u64 state = seed, rng, log_pages = log2_fixed(pages << 32);

	*p = (struct pattern){.kind = kind, .pages = pages};
	if (kind == PATTERN_LINEAR || kind == PATTERN_UNIFORM)
		return 0;
	p->draws = kmem.alloc(PATTERN_DRAWS * sizeof(p->draws[0]), node);
	if (!p->draws)
		return -ENOMEM;
	rng = rng_splitmix64(&state);
	for (unsigned i = 0; i < PATTERN_DRAWS; i++)
		p->draws[i] = draw(p, log_pages, &rng);
	return 0;
}

void pattern_free(struct pattern *p)
{
	if (p->draws)
		kmem.free(p->draws, PATTERN_DRAWS * sizeof(p->draws[0]));
	p->draws = NULL;
}

void pattern_start(const struct pattern *p, struct pattern_walk *w, u64 seed, unsigned thread)
{
	u64 state = seed + thread;

	w->rng = rng_splitmix64(&state);
	w->at = rng_splitmix64(&state) % MAX(p->pages, (u64)PATTERN_DRAWS);
	if (!p->draws)
		w->at %= p->pages;
}

/* ---- pmbench's own ------------------------------------------------------------------- */

const char *const pmbench_names[] = {"linear", "uniform", "normal", "normal_ih",
				     "pareto", "zipf",	  NULL};

void pmbench_start(struct pmbench_walk *w, enum pmbench_access access, u64 pages, u64 shape,
		   u64 seed, unsigned thread)
{
	u64 state = seed + thread;

	if (!shape)
		shape = access == PMBENCH_LINEAR   ? 1000
			: access == PMBENCH_NORMAL ? pages * 125
						   : PARETO_ALPHA_MILLI;
	*w = (struct pmbench_walk){
		.access = access, .pages = pages, .shape = shape, .rng = rng_splitmix64(&state)};
	w->tail = pareto_tail(log2_fixed(pages << 32), shape);
}

/* Stride s: 0, s, 2s, ... then 1, 1 + s, ... up to phase s - 1, then 0 again. */
static u64 next_linear(struct pmbench_walk *w)
{
	u64 stride = MAX(w->shape / 1000, 1UL), page = w->at;

	w->at = page + stride < w->pages ? page + stride
					 : (page % stride + 1) % MIN(stride, w->pages);
	return page;
}

/* In [-1, 1), in units of 2^-31. */
static s64 signed_unit(u64 *rng)
{
	return (s64)((u64)rng_pmbench(rng) << 1) - (1L << 31);
}

/* One of the two values that the polar method yields. */
static u64 next_normal(struct pmbench_walk *w)
{
	const u64 two_ln2 = 5954088944UL; /* 2 ln 2 * 2^32 */
	u64 middle = w->pages / 2, s, offset;
	s64 u, v;

	do {
		u = signed_unit(&w->rng);
		v = signed_unit(&w->rng);
		s = ((u64)(u * u) >> 30) + ((u64)(v * v) >> 30); /* units of 2^-32 */
	} while (s >= ONE || s < 4);
	/* sqrt(-2 ln s / s): the root of 32 fraction bits has 16 */
	u64 root = samples_sqrt(mul32(mul32(two_ln2, log2_fixed(inverse(s))), inverse(s))) << 16;

	offset = mul32(mul32((u64)(u < 0 ? -u : u) << 1, root), w->shape) / 1000;
	if (offset > middle || (u >= 0 && middle + offset >= w->pages))
		return middle;
	return u < 0 ? middle - offset : middle + offset;
}

u64 pmbench_next(struct pmbench_walk *w)
{
	switch (w->access) {
	case PMBENCH_LINEAR:
		return next_linear(w);
	case PMBENCH_UNIFORM:
		return rng_pmbench(&w->rng) % w->pages;
	case PMBENCH_NORMAL:
		return next_normal(w);
	case PMBENCH_NORMAL_IH:
		return MIN(draw_normal(w->pages, &w->rng), w->pages - 1);
	default:
		return MIN(draw_pareto(w->tail, w->shape, &w->rng), w->pages - 1);
	}
}

u64 pmbench_warm_up(const struct pmbench_walk *w)
{
	if (w->access == PMBENCH_UNIFORM)
		return 4 * w->pages;
	return w->access >= PMBENCH_PARETO ? 8 * w->pages : w->pages;
}
