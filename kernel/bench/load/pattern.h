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

/*
 * The patterns of pmbench, page by page from the thread's own generator, as
 * that program draws them. shape in thousandths: stride (linear), standard
 * deviation in pages (normal), exponent (pareto, zipf, which are one).
 */
enum pmbench_access {
	PMBENCH_LINEAR,
	PMBENCH_UNIFORM,
	PMBENCH_NORMAL, /* polar Box-Muller about the middle; what falls outside goes there */
	PMBENCH_NORMAL_IH, /* sum of twelve uniform values */
	PMBENCH_PARETO,
	PMBENCH_ZIPF,
};
enum { PMBENCH_WORDS = 1024 }; /* of 32 bits in a page: one of them is accessed */
extern const char *const pmbench_names[]; /* NULL at the end */

struct pmbench_walk {
	enum pmbench_access access;
	u64 pages, shape;
	u64 rng;
	u64 at; /* linear: the next page */
	u64 tail; /* pareto */
};

void pmbench_start(struct pmbench_walk *w, enum pmbench_access access, u64 pages, u64 shape,
		   u64 seed, unsigned thread);
u64 pmbench_next(struct pmbench_walk *w);
/* Accesses before the measured ones, so that each page was most likely touched. */
u64 pmbench_warm_up(const struct pmbench_walk *w);
