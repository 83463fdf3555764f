/*
 * Workloads register where they are written; `bench` runs them. What a
 * workload sees of the run is in kernel/bench/run.h.
 */
#pragma once

#include <kernel/registry.h>

struct bench;
struct bench_round;
struct json;

/* The common options a workload understands; others are refused by name. */
enum bench_option {
	OPT_PAGES = 1 << 0,
	OPT_THREADS = 1 << 1,
	OPT_WRITES = 1 << 2, /* --write-pct */
	OPT_PATTERN = 1 << 3,
	OPT_NODES = 1 << 4, /* --from --to */
	OPT_THP = 1 << 5,
	OPT_MAPPING = 1 << 6,
	OPT_PROCS = 1 << 7,
	OPT_SLICE = 1 << 8,
	OPT_PIN = 1 << 9,
	OPT_CPUS = 1 << 10,
	OPT_SHARE = 1 << 11,
	OPT_KEEP = 1 << 13,
	OPT_POLICY = 1 << 14, /* --localalloc --preferred --interleave --membind */
	OPT_EAT = 1 << 15,
	OPT_PMBENCH = 1 << 12, /* what only pmbench has: its map, shape, accesses */
};

struct workload {
	const char *name, *summary;
	const char *unit; /* of the headline value, the first series */
	unsigned min_cpus, min_nodes;
	const char *separates; /* knobs whose settings it tells apart, space separated; "" = none */
	unsigned options; /* enum bench_option */
	unsigned default_threads; /* cut to the machine unless asked for */
	size_t state_size; /* zeroed memory that lives until the records are printed */
	/* Are the parameters a mistake? Changes nothing. 0 or a code with bench_fail(). May be NULL. */
	int (*check)(struct bench *b);
	/* Declare the series, get memory. 0 or a code with bench_fail(). */
	int (*setup)(struct bench *b);
	/* Start threads; from here on the CPUs are busy. May be NULL. */
	int (*start)(struct bench *b);
	/* One sample of every series under the knobs in force. 0 or a code with bench_fail(). */
	int (*round)(struct bench *b, struct bench_round *round);
	/* Give everything back, also after a setup() or start() that failed half way. */
	void (*teardown)(struct bench *b);
	/* Further keys of the record of variant v; may be NULL. */
	void (*record)(struct bench *b, unsigned v, struct json *j);
	/* The readable table; NULL = one row per series. */
	void (*table)(struct bench *b);
};

/* WORKLOAD(workload_migrate) = {.name = "migrate", ...}; */
#define WORKLOAD(ident) REGISTER(workload, ident, "workloads")

extern const struct workload *const __start_workloads[], *const __stop_workloads[];

/* Make its boot options known. */
bool bench_readers_verify(void); /* check=full or check=reads */
void bench_init(void);
/* NULL: no such workload. */
const struct workload *workload_find(const char *name);
/* The verb: argv[1] is the workload. Returns RC_*. */
unsigned bench_command(int argc, char **argv);

/* What came of a run, for callers that want no table. */
struct bench_outcome {
	u64 units; /* pages moved in measured rounds, all variants */
	u64 failed; /* pages that could not be moved */
	u64 reads_verified, stale_reads;
	unsigned skipped; /* variants */
	unsigned records; /* results_record() has that many */
};
/* The same without table and records on the console; wrong words are still complained about. */
unsigned bench_quietly(int argc, char **argv, struct bench_outcome *out);

/* The i-th record of the last run, one line with its newline; NULL behind the last. */
const char *results_record(unsigned i, size_t *len);
/* Print the records of the last run again; false: there is none. */
bool results_print(void);
/* Forget them and give their memory back. */
void results_clear(void);
