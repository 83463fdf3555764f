/*
 * One run of `bench`: its parameters, its variants (what is compared), and
 * what was measured of each. Workloads fill it, record.c and table.c print it.
 */
#pragma once

#include <kernel/bench.h>
#include <kernel/cpumask.h>
#include <kernel/json.h>
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/migrate.h>
#include <mm/stats.h>
#include <kernel/pattern.h>
#include <kernel/samples.h>
#include "place.h"

enum {
	BENCH_MAX_VARIANTS = 32,
	BENCH_MAX_SERIES = 160,
	BENCH_ERROR_LEN = 200,
	BENCH_KNOB_LEN = 24,
	BENCH_MAX_REPS = 10000,
	BENCH_MAX_PROCS = 64,
	BENCH_MAX_SETS = 16,
};

/* Where results may be trusted. */
enum trust {
	TRUST_COUNTS, /* only counts: times depend on what else the host does */
	TRUST_PATH, /* deterministic, one busy CPU: instructions */
	TRUST_TIME, /* wall time */
};
extern const char *const trust_names[];

struct bench_params {
	u64 pages, threads, write_pct, from, to, seed, warmup, reps, time, procs, slice, pin, share;
	u64 stripe; /* pages; 0: shares are whole pieces */
	unsigned pattern; /* enum pattern_kind */
	unsigned access; /* enum pmbench_access */
	u64 map_mib, set_mib, shape, read_pct, accesses, duration, delay, offset;
	bool cold, scan, initialize;
	const char *affinity; /* as asked, or NULL */
	unsigned sets; /* of threads, by --affinity; set i ends before thread set_end[i] */
	u16 set_end[BENCH_MAX_SETS];
	u64 eat_node, eat_percent; /* 0 percent: no eater */
	bool thp, read_only, keep;
	enum policy policy; /* of new pages */
	u64 policy_nodes; /* bit per node */
	unsigned initiator; /* CPU that does the measured work */
	unsigned cpu_count; /* threads i runs on cpu[i % cpu_count] */
	u16 cpu[MAX_CPUS];
};

/* A value measured once per round. */
struct bench_series {
	char name[32];
	const char *unit;
	unsigned digits; /* decimals that its values carry */
	unsigned busy; /* CPUs busy while it is measured: decides the trust */
	bool time; /* a duration: null where it is not trusted */
	enum trust trust;
};

/* Sums over the measured parts of a variant. */
struct bench_totals {
	struct mm_counters mm; /* measured parts and their settling */
	u64 ipis_wake, ipis_call, timer_irqs;
	u64 cycles; /* measured parts without settling */
	u64 settle_cycles, settle_ipis, settle_flushes;
	u64 debts_at_end; /* most frames whose flush was owed when a part ended */
	u64 held_pages_max; /* most frames held back at any moment of a part */
	u64 units; /* pages, or what else the headline is per */
	struct migrate_stats migrate;
	u64 deferral[DEFERRAL_COUNTERS_MAX]; /* its own counters */
};

struct bench_variant {
	const char *scheme; /* as asked; "as-set" = the knobs as they are */
	char label[64]; /* scheme, and the varied knob behind it */
	bool label_cut; /* there was more: the run is refused */
	const char *vary_value; /* of params' vary knob, or NULL */
	char skipped[BENCH_ERROR_LEN]; /* why it is not measured, or "" */
	const char *unsafe, *not_modelled;
	bool knobs_known; /* else there is no such scheme or value */
	u32 knob[KNOBS_MAX]; /* values in force while it was measured */
	const struct deferral_counter *counters; /* of the deferral in force then */
	unsigned counter_count;
	struct bench_totals totals;
	u64 *values; /* [series * reps + rep] */
	/* What threads felt in the measured rounds; NULL and 0 without threads. */
	u64 *waits; /* [rep]: longest wait, cycles */
	u64 *in_window; /* [thread]: reads of pages while they were being moved */
	u64 ops, reads_verified, reads_in_window, stale_reads, wait_count, longest_gap;
	u32 latency[HIST_BUCKETS]; /* cycles per operation */
};

struct bench {
	const struct workload *workload;
	struct bench_params params;
	const char *schemes; /* as asked: "a,b", or NULL */
	char vary[BENCH_KNOB_LEN]; /* knob varied, or "" */
	const char *vary_values; /* "v1,v2" */
	struct bench_series series[BENCH_MAX_SERIES];
	unsigned series_count;
	struct bench_variant *variant;
	unsigned variant_count;
	enum trust trust; /* of the headline series */
	u64 reps_done;
	u64 spoke; /* ns: when the run last said how far it is */
	u64 noise_floor; /* cycles between two clock reads */
	bool interrupted, brief; /* brief: only what is printed beside other workloads */
	bool any_unsafe;
	bool disturbed; /* threads that waited for nothing were held up: CPUs were taken away */
	u64 stale_total; /* stale reads, warm-up included; of safe variants */
	u64 damaged; /* pages with wrong contents after the last round */
	u64 leaked; /* frames that the workload did not give back */
	char error[BENCH_ERROR_LEN];
	void *state; /* workload->state_size bytes */
};

/* What a round is given: where its samples go. */
struct bench_round {
	unsigned variant;
	bool warm_up; /* totals go nowhere */
	u64 *value; /* [series], in units of 10^-digits */
	u64 wait; /* longest wait of a victim, cycles */
	struct bench_totals totals; /* of this round; added to the variant's unless it is warm-up */
};

/* Remember why; returns code. */
int bench_fail(struct bench *b, int code, const char *fmt, ...) __printf(3, 4);
/* Declare the next series; in setup() only. Returns its index; panics when there are too many. */
unsigned bench_series_add(struct bench *b, const char *unit, unsigned digits, unsigned busy,
			  bool time, const char *fmt, ...) __printf(6, 7);
/*
 * Is a series worth measuring? Not where its times could not be shown: with
 * more busy CPUs than the host has cores each interrupt takes milliseconds.
 */
bool bench_worthwhile(const struct bench *b, unsigned series);
/* cycles / per in nanoseconds with `digits` decimals, rounded. */
u64 bench_ns_per(u64 cycles, u64 per, unsigned digits);

/*
 * ---- a measured part ----
 *
 *	bench_part_begin(&part);
 *	start = cycles_now();
 *	...the operation...
 *	cycles = cycles_now() - start;
 *	settle = bench_part_end(&part, cycles, &round->totals);
 *
 * begin and end read all counters; end pays all debts, timed apart, and
 * returns the cycles that took. Nothing else may happen in between.
 */
struct bench_part {
	struct mm_counters before, middle, after;
	struct ipi_counts ipis_before, ipis_after;
	u64 deferral_before[DEFERRAL_COUNTERS_MAX];
};
void bench_part_begin(struct bench_part *part);
u64 bench_part_end(struct bench_part *part, u64 cycles, struct bench_totals *t);

/* Run fn(arg) as a context of an address space on a CPU and wait for it; on this CPU directly. */
int bench_run_on(unsigned cpu, struct aspace *as, void (*fn)(void *arg), void *arg);

/*
 * Can this variant be measured? 0 (also if the workload's parameters rule it
 * out: then v->skipped says why), -ENOTSUP: not on this machine, or another
 * code: no such scheme, knob or value. The reason is in v->skipped.
 */
int bench_variant_try(struct bench *b, struct bench_variant *v);

/* Frames and small objects that somebody must give back. */
u64 bench_memory_in_use(void);

/* ---- run.c: setting up, rounds, taking down; no printing but progress ---- */
int bench_measure(struct bench *b);
/* Say how far the run is if it has been silent for two seconds; rounds that may take longer call it. */
void bench_progress(struct bench *b);
/* Judge the trust of each series; again: a worse verdict replaces a better one. */
void bench_judge(struct bench *b, bool again);
struct bench *bench_alloc(const struct workload *w);
void bench_free(struct bench *b);

/* ---- params.c ---- */
extern const struct arg bench_options[];
/* Does the workload of that name take the option? An unknown one: yes. */
bool params_apply(const struct arg *option, const char *workload);
/* "bench WORKLOAD [options]" into *b; RC_PASS, or RC_USAGE after printing why. */
unsigned params_parse(int argc, char **argv, struct bench **b);
/* "4" or "4-7" of len characters. 0 or -EINVAL. */
int params_range(const char *s, size_t len, u64 *first, u64 *last);
void params_json(const struct bench *b, struct json *j);

/* ---- affinity.c ---- */
/* pmbench's sets "CPUS[:THREADS]/..." into p. RC_PASS, or RC_USAGE after printing why. */
unsigned affinity_parse(struct bench_params *p);

/* ---- trust.c ---- */
/* How far times mean something with this many busy CPUs; measures the host, result kept per run. */
enum trust trust_of(const struct bench *b, unsigned busy);
void trust_forget(void);

/* ---- record.c ---- */
/* Make the records of this run, which `results` prints from now on. Context that allocates. */
void record_make(struct bench *b, struct bench *floor);
/* One line per variant for those who grep: "# bench NAME value=V unit=U". */
void record_print_values(const struct bench *b);

/* ---- record_parts.c: pieces of a record ---- */
void record_counters(const struct bench_variant *v, struct json *j);
void record_ack(const struct bench_variant *v, bool trusted, struct json *j);
void record_waits(const struct bench_variant *v, bool trusted, struct json *j);
void record_phases(const struct bench_variant *v, bool trusted, struct json *j);
void record_victims(const struct bench *b, const struct bench_variant *v, struct json *j);
void record_machine(const struct bench *b, struct json *j);

/* ---- figures.c: what records and tables both derive ---- */
u64 bench_all_ipis(const struct bench_totals *t);
u64 bench_failed(const struct bench_totals *t);
/* Summary of a series of a variant; false: not measured, or its times may not be shown. */
bool bench_summary(const struct bench *b, unsigned variant, unsigned series, struct summary *s);
bool bench_shown(const struct bench *b, unsigned series);
/* Deterministic runs: nanoseconds of virtual time per instruction; else 0. */
u64 bench_ns_per_instruction(void);
/* Could a stale read be seen here? NULL = yes, else why not. */
const char *bench_stale_hidden(const struct bench *b);
/* Victims' waits are counted, in instructions, wherever a run is deterministic. */
bool bench_waits_shown(const struct bench *b);
/* Median over the rounds of each round's longest wait, cycles. */
u64 bench_median_wait(const struct bench *b, const struct bench_variant *v);
const char *bench_check_name(void);
/* Index of the variant measured under this scheme, or -ENOENT. */
int bench_find_variant(const struct bench *b, const char *scheme_name);

/* ---- table.c ---- */
/* The table of the workload, what was skipped, and the floor below it. */
void table_print(struct bench *b, struct bench *floor);
