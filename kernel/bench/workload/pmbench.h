/* A run of `pmbench`: its maps, its threads, and what was measured of each variant. */
#pragma once

#include <harness/part.h>
#include <kernel/json.h>
#include <mm/hint.h>
#include "pmbench_report.h"

struct pm_state;

struct pm_thread {
	struct pm_state *all;
	unsigned id; /* from 0 */
	unsigned set;
	struct pmbench_walk walk;
	struct context *ctx;
	int rc; /* of touching its part of the map */
	u64 slice_left;
	struct pmbench_totals totals; /* of a round, as the next */
	struct pmbench_thread times;
};

/* Threads that share a map. */
struct pm_set {
	vaddr_t base;
	unsigned first, count; /* threads */
	u64 nodes; /* with --affinity: of its CPUs; the map is bound to them */
};

struct pm_variant {
	struct pmbench_totals totals;
	struct pmbench_thread thread[MAX_CPUS];
	u64 free_kib[PMBENCH_MOMENTS];
	u64 on_node[MAX_NODES]; /* pages, when its last round ended */
};

struct pm_state {
	const struct bench_params *params;
	const struct pmbench_options *options;
	u64 seed, slice; /* of params, for the loop */
	bool initialize; /* of options */
	struct aspace *as;
	struct pm_set set[AFFINITY_SETS];
	unsigned sets;
	u64 map_pages, set_pages, warm_up;
	u64 round_cycles; /* 0: a round ends after --accesses */
	u32 read_below; /* of 1024: a random number below it makes an access a load */
	unsigned count;
	struct pm_thread *thread[MAX_CPUS];
	u32 stop; /* of --duration: Ctrl-C; relaxed */
	u32 running; /* threads that have not finished; atomic */
	struct bench_part part;
	struct pmbench_totals sum; /* of the last round, all threads */
	struct hint_scan scan;
	u64 free_kib[PMBENCH_MOMENTS]; /* of this round */
	struct pm_variant variant[BENCH_MAX_VARIANTS];
};

/* ---- pmbench_threads.c ---- */
/*
 * Run fn(thread) on each thread's CPU. scan: the initiator scans until `running` is 0, which each
 * fn counts down; watch: it looks at the console meanwhile, for a round of --duration. 0 or -ENOMEM.
 */
int pm_run(struct bench *b, struct pm_state *s, void (*fn)(void *thread), bool scan, bool watch);

/* ---- pmbench_maps.c ---- */
/* Check the options, then make space, maps and threads. 0 or a code with bench_fail(). */
int pm_maps_create(struct bench *b, struct pm_state *s);
/* All pages where they began, so that each round of --scan has the same to do. 0 or a code. */
int pm_maps_put_back(struct bench *b, struct pm_state *s);
void pm_maps_count(const struct pm_state *s, u64 on_node[MAX_NODES]);
/* Keep (--keep) or destroy them. */
void pm_maps_finish(struct bench *b, struct pm_state *s);
/* What a word holds before anybody stores to it. */
u32 pm_first_word(const struct pm_state *s, const u32 *word);

/* ---- pmbench_record.c ---- */
void pm_record(struct bench *b, unsigned variant, struct json *j);
