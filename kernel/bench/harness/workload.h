/*
 * A workload: one file in workload/ that describes itself by this structure,
 * and a line in kernel/files.mk.
 */
#pragma once

#include <kernel/registry.h>
#include "options.h"

struct bench;
struct bench_round;
struct json;

struct workload {
	const char *name, *summary;
	const char *unit; /* of the headline value, the first series */
	unsigned min_cpus, min_nodes;
	const char *separates; /* knobs whose settings it tells apart, space separated; "" = none */
	unsigned
		takes; /* the common options that it understands, enum option_group; others are refused by name */
	const struct bench_option *options; /* its own, ended by a row without name; NULL: none */
	/*
	 * Key of its object in a record, which holds its own options and what
	 * record() adds. NULL: its name, or without options of its own none:
	 * record() adds to the record itself.
	 */
	const char *record_key;
	unsigned default_threads; /* cut to the machine unless asked for */
	unsigned default_warmup, default_reps; /* 0 reps: those of the options */
	size_t state_size; /* zeroed memory that lives until the records are printed */
	/* A word behind the workload's name. RC_PASS, or RC_USAGE after printing why. NULL: it takes none. */
	unsigned (*word)(const char *word);
	/*
	 * The options are read: settle what they mean here. If it fills
	 * params.cpu, threads run there. RC_PASS, or RC_USAGE after printing why. May be NULL.
	 */
	unsigned (*settle)(struct bench *b);
	/* Are the parameters a mistake? Changes nothing. 0 or a code with bench_fail(). May be NULL. */
	int (*check)(struct bench *b);
	/* Declare the series, get memory. 0 or a code with bench_fail(). */
	int (*setup)(struct bench *b);
	/* Start threads; from here on the CPUs are busy. May be NULL. */
	int (*start)(struct bench *b);
	/* One sample of every series under the knobs in force. 0 or a code with bench_fail(). */
	int (*round)(struct bench *b, struct bench_round *round);
	/* The round just measured counts: add to what the workload sums by itself. May be NULL. */
	void (*add)(struct bench *b, const struct bench_round *round);
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

/* NULL: no such workload. */
const struct workload *workload_find(const char *name);
