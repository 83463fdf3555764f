/*
 * Which page a thread touches next. Linear and uniform are computed in the
 * loop; the others cost too much there and come from a table of draws that the
 * threads share, each starting elsewhere.
 */
#pragma once

#include <kernel/rng.h>

enum pattern_kind {
	PATTERN_LINEAR,
	PATTERN_UNIFORM,
	PATTERN_NORMAL, /* sum of twelve uniform draws: mean n/2, sigma n/12, all pages possible */
	PATTERN_PARETO, /* pmbench's, alpha 1.161: very few pages take nearly all */
	PATTERN_ZIPF, /* page k about as often as 1/k */
};
extern const char *const pattern_names[]; /* NULL at the end */

enum { PATTERN_DRAWS = 1 << 16 }; /* table entries: 256 KiB, and a period no workload notices */

struct pattern {
	enum pattern_kind kind;
	u64 pages;
	u32 *draws; /* PATTERN_DRAWS of them, or NULL */
};

/* One thread's walk through it. */
struct pattern_walk {
	u64 rng;
	u64 at;
};

/* 0, or -ENOMEM. The same seed gives the same draws on every machine. */
int pattern_init(struct pattern *p, enum pattern_kind kind, u64 pages, u64 seed, u32 node);
void pattern_free(struct pattern *p);
void pattern_start(const struct pattern *p, struct pattern_walk *w, u64 seed, unsigned thread);

/* The next page; w->rng steps once per call and may be used for further decisions. */
static inline u64 pattern_next(const struct pattern *p, struct pattern_walk *w)
{
	u32 random = rng_pmbench(&w->rng);

	if (p->draws)
		return p->draws[w->at++ % PATTERN_DRAWS];
	if (p->kind == PATTERN_UNIFORM)
		return random * p->pages >> 31; /* 31 random bits */
	if (++w->at >= p->pages)
		w->at = 0;
	return w->at;
}
