/* What a run of `tier` knows, for its load, its rounds and its report. */
#pragma once

#include <harness/part.h>
#include <kernel/json.h>
#include <kernel/samples.h>
#include <load/memhog.h>
#include <mm/demote.h>
#include <mm/file.h>
#include <mm/hint.h>

enum tier_shape { TIER_LLM, TIER_XSBENCH };
enum { TIER_TENTHS = 17 }; /* of the fast tier: a file, a table, or all anonymous pages */

/* Pages that one or all tasks use. */
struct tier_area {
	struct aspace *as;
	vaddr_t base;
	u64 pages;
	u64 id; /* of the file's contents */
	u32 *version; /* anonymous pages: how often each was written. NULL: pages of a file */
};

struct tier_run;

/* One thread. Only its own CPU writes what changes in a round. */
struct tier_task {
	struct tier_run *run;
	unsigned id, cpu;
	struct tier_area *area;
	u64 at; /* llm: the page that is next */
	u64 rng;
	u64 sampler; /* the same, for which allocations are timed */
	struct context *ctx;
	u32 ready; /* it waits for the round to begin; release/acquire */
	/* ---- of the round ---- */
	u64 done; /* accesses; read by others */
	u64 verified, wrong;
	u64 ended; /* cycles_now() */
	u64 waits, longest_wait; /* of its faults, for pages under migration */
	u64 alloc[HIST_BUCKETS], longest_alloc; /* cycles that an allocation took */
	u64 allocs_failed;
};

/* Of a variant's measured rounds. */
struct tier_sums {
	u64 ops, passes; /* of the scan */
	u64 alloc[HIST_BUCKETS], longest_alloc, allocs_failed;
};

struct tier_run {
	u64 shape, ratio, ops; /* as asked; ops: of a thread in a round */
	u32 slow; /* node */
	u64 fast_nodes; /* bit per node */
	struct memhog hog[MAX_NODES];
	struct object *file[MAX_CPUS];
	unsigned files;
	u64 file_pages; /* of an area, in the last round */
	struct aspace *space[BENCH_MAX_PROCS];
	struct demotion demotion[BENCH_MAX_PROCS];
	struct hint_scan scan[BENCH_MAX_PROCS];
	unsigned spaces;
	struct tier_area area[MAX_CPUS];
	unsigned areas;
	struct tier_task *task[MAX_CPUS];
	unsigned tasks;
	bool verify; /* contents are looked at: check=full or check=reads */
	bool relax; /* deterministic: CPUs take turns only where they relax */
	unsigned write_pct; /* of accesses to anonymous pages */
	unsigned starter; /* CPU that waits for the tasks */
	u32 go; /* release/acquire: tasks run */
	u64 demoting; /* bit per node that has been short, and has not got its gap since */
	u32 tried; /* times that a node has got that, or no more could be demoted; read by others */
	u32 left; /* tasks that have not ended; atomic */
	u32 at_rest; /* release/acquire: those may leave */
	u64 start; /* cycles_now() as the round began */
	u64 scanned_at; /* accesses of all tasks when the scan went round last */
	u64 passes; /* of the scan, in this round */
	struct tier_sums sums[BENCH_MAX_VARIANTS];
	struct bench_part part;
};

/* ---- tier_load.c ---- */

/* All tasks are there and wait to begin. 0 or -ENOMEM: some may be there. */
int tier_spawn(struct tier_run *run, u64 ops);
/* They run; on return all have ended. Meanwhile this CPU demotes, reclaims and scans, and in the end both tiers are at rest. */
void tier_go(struct tier_run *run);
/* Wait for their contexts; those that never began do so now. */
void tier_join(struct tier_run *run);
/* Write every page of an area for the first time. Its space is loaded. */
void tier_fill(const struct tier_area *area);

/* ---- tier_report.c ---- */

/* Into the object "tier" of a variant's record. */
void tier_record(struct bench *b, unsigned variant, struct json *j);
void tier_table(struct bench *b);
