/*
 * One run of `bench`: its parameters, its variants (what is compared), and
 * what was measured of each. Workloads fill it, the room report/ prints it.
 */
#pragma once

#include <kernel/args.h>
#include <kernel/pmu.h>
#include <kernel/samples.h>
#include <kernel/smp.h>
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/migrate.h>
#include <mm/stats.h>

enum {
	BENCH_MAX_VARIANTS = 32,
	BENCH_MAX_SERIES = 160,
	BENCH_ERROR_LEN = 200,
	BENCH_MAX_REPS = 10000,
	BENCH_MAX_PROCS = 64,
	BENCH_MAX_DISTURBED = 32,
};

enum bench_mapping {
	MAPPING_RW,
	MAPPING_RO, /* threads only read */
	MAPPING_PRIVATE, /* the same as MAPPING_RW, by the name that it has beside the next */
	MAPPING_SHARED, /* of an object that other areas may show, too */
};

/* Where results may be trusted. */
enum trust {
	TRUST_COUNTS, /* only counts: times depend on what else the host does */
	TRUST_PATH, /* deterministic, one busy CPU: instructions */
	TRUST_TIME, /* wall time */
};

/* Why a series is trusted for its counts only. */
enum distrust {
	DISTRUST_NONE,
	DISTRUST_DETERMINISTIC, /* several busy CPUs under instruction counting */
	DISTRUST_CLOCK, /* the cycle counter cannot be relied upon */
	DISTRUST_FEW_CPUS, /* more busy CPUs than the host has */
	DISTRUST_NOT_PARALLEL, /* before the run, the busy CPUs did not run at once */
	DISTRUST_ROUND, /* too many rounds were disturbed */
};

/* What the options ask for, and what follows from the machine. */
struct bench_params {
	/* ---- options as they were read ---- */
	const char *schemes; /* "a,b", or NULL */
	struct arg_strings vary; /* each "KNOB=v1,v2" */
	u64 pages, threads, write_pct, from, to, seed, warmup, reps, time, procs, slice, pin, share;
	u64 stripe; /* pages; 0: shares are whole pieces */
	const char *cpus; /* or NULL */
	unsigned pattern; /* enum pattern_kind */
	unsigned mapping; /* enum bench_mapping */
	const char *eat; /* or NULL */
	bool thp, keep, localalloc, tier, pmu;
	const char *preferred, *interleave, *membind; /* lists of nodes, or NULL */

	/* ---- what they mean here ---- */
	bool read_only;
	u64 eat_node, eat_percent; /* 0 percent: nobody takes memory */
	unsigned policy; /* of new pages: index of policies[] in policy.c; 0: none was asked for */
	u64 policy_nodes; /* bit per node */
	unsigned initiator; /* CPU that does the measured work */
	unsigned cpu_count; /* threads i runs on cpu[i % cpu_count] */
	u16 cpu[MAX_CPUS];
};

struct bench;

/* A value measured once per round: a row of the workload's table of them. */
struct bench_series {
	char name[32];
	const char *
		unit; /* of times in deterministic runs: instructions instead of what was declared */
	unsigned digits; /* decimals that its values carry */
	unsigned busy; /* CPUs busy while it is measured: decides the trust */
	bool time; /* a duration: null where it is not trusted */
	enum trust trust;
	enum distrust distrust;
	/*
	 * Measure it once, in units of 10^-digits. 0 or a negative code. NULL: the
	 * workload's round() does, together with others. arg is the row's own.
	 */
	int (*measure)(struct bench *b, u64 arg, u64 *value);
	u64 arg;
};

/* Sums over the measured parts of a variant. u64 words only: see sums.h. */
struct bench_totals {
	struct mm_counters mm; /* measured parts and their settling */
	u64 ipis_wake, ipis_call, timer_irqs;
	u64 cycles; /* measured parts without settling */
	u64 settle_cycles, settle_ipis, settle_flushes;
	u64 debts_at_end; /* most frames whose flush was owed when a part ended */
	u64 held_pages_max; /* most frames held back at any moment of a part */
	u64 held_integral; /* frames held back times cycles, of so many cycles: */
	u64 held_cycles;
	u64 units; /* pages, or what else the headline is per */
	struct migrate_stats migrate;
	u64 deferral[DEFERRAL_COUNTERS_MAX]; /* its own counters */
	struct pmu_counts pmu; /* of all CPUs, with --pmu */
};

/* What threads felt in measured rounds. u64 words only: see sums.h. */
struct bench_felt {
	u64 ops, reads_verified, reads_in_window, stale_reads, wait_count;
	u64 longest_gap; /* cycles; not a sum: the longest of all */
	u64 in_window[MAX_CPUS]; /* [thread]: reads of pages while they were being moved */
	u64 latency[HIST_BUCKETS]; /* cycles per operation */
};

/* A sample of a round in which the host was busy: measured again, and in no figure. */
struct bench_disturbed {
	u64 round; /* from 1 */
	u64 value; /* of the headline series */
};

struct bench_variant {
	const char *scheme; /* as asked; "as-set" = the knobs as they are */
	char label[96]; /* scheme, and the varied knob behind it */
	bool label_cut; /* there was more: the run is refused */
	const char *vary_value[ARG_STRINGS_MAX]; /* of each knob that the run varies */
	char skipped[BENCH_ERROR_LEN]; /* why it is not measured, or "" */
	const char *unsafe, *not_modelled;
	bool knobs_known; /* else there is no such scheme or value */
	u32 knob[KNOBS_MAX]; /* values in force while it was measured */
	const struct deferral_counter *counters; /* of the deferral in force then */
	unsigned counter_count;
	struct bench_totals totals;
	u64 *values; /* [series * reps + rep] */
	u64 *waits; /* [rep]: longest wait of a thread, cycles; NULL without threads */
	struct bench_felt felt;
	struct bench_disturbed disturbed[BENCH_MAX_DISTURBED];
	unsigned disturbed_count;
};

struct workload;

/* See pace.c. */
struct bench_pace {
	u64 began, spoke; /* ns: when the first round began, when it last said how far it is */
	u64 warm_up; /* rounds of warm-up done */
	u64 done, all; /* rounds times variants, warm-up included */
};

/* What of the machine's own business fell into a run; see noise.c. */
struct bench_noise {
	bool smis_known, clock_known;
	u64 smis; /* system management interrupts */
	u64 slowest,
		fastest; /* CPU's mean clock while it was not halted, in percent of the nominal one */
};

/* A knob that a run varies. */
struct bench_vary {
	char knob[KNOB_NAME_LEN];
	const char *values; /* "v1\0v2\0" and an empty one */
};

struct bench {
	const struct workload *workload;
	struct bench_params params;
	struct bench_vary vary[ARG_STRINGS_MAX];
	unsigned vary_count;
	struct bench_series series[BENCH_MAX_SERIES];
	unsigned series_count;
	struct bench_variant *variant;
	unsigned variant_count;
	enum trust trust; /* of the headline series */
	u64 reps_done;
	struct bench_pace pace;
	u64 noise_floor; /* cycles between two clock reads */
	const char *
		pmu_why; /* --pmu counts nothing because of this; NULL: it does, or was not asked for */
	u32 pmu_events; /* bit per enum pmu_event that is counted */
	struct bench_noise noise;
	bool interrupted, brief; /* brief: only what is printed beside other workloads */
	bool quiet; /* announces nothing: beside another run, or for a caller that wants no table */
	bool any_unsafe;
	unsigned watched; /* CPUs that are calibrated between rounds; 0: no need */
	bool calm; /* as found when the host was looked at last */
	u64 withdrawn; /* round at which the trust in times was given up; 0: it was not */
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
	struct bench_totals totals; /* these: added to the variant's if the round counts */
	struct bench_felt felt;
};

/* Remember why; returns code. */
int bench_fail(struct bench *b, int code, const char *fmt, ...) __printf(3, 4);
/* A unit of time as a workload declares it, such as "ns/page", as it is here. */
const char *bench_time_unit(const char *unit);
/* Add a row to the table of series, under a name; in setup() only. Panics when there are too many. */
void bench_series_add(struct bench *b, const struct bench_series *row, const char *fmt, ...)
	__printf(3, 4);
/* One value of each series that has a measure() and is worth it (trust.h), in the order of the table. 0 or a code. */
int bench_series_measure(struct bench *b, struct bench_round *round);
/* cycles / per in nanoseconds with `digits` decimals, rounded; of virtual time in deterministic runs. */
u64 bench_ns_per(u64 cycles, u64 per, unsigned digits);
/* The same in the unit of samples: nanoseconds, or instructions in deterministic runs. */
u64 bench_time_per(u64 cycles, u64 per, unsigned digits);
/* Deterministic runs: nanoseconds of virtual time per instruction; else 0. */
u64 bench_ns_per_instruction(void);

/* Run fn(arg) as a context of an address space on a CPU and wait for it; on this CPU directly. */
int bench_run_on(unsigned cpu, struct aspace *as, void (*fn)(void *arg), void *arg);

/* Frames and small objects that somebody must give back. */
u64 bench_memory_in_use(void);

struct bench *bench_alloc(const struct workload *w);
void bench_free(struct bench *b);
/* From the node of this CPU, zeroed; NULL: there is none. */
void *bench_alloc_here(size_t bytes);
/* Bytes of a variant's samples. */
size_t bench_values_size(const struct bench *b);
