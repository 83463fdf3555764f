/* What the rest of the kernel sees of the workloads in kernel/bench/. */
#pragma once

#include <kernel/types.h>

/* Assemble the options of all workloads, and make the boot options known. Before the first command. */
void bench_init(void);
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
/* How many runs have left records since the boot: tells the last one from those before. */
u64 results_run(void);
/* Tells boots of one machine apart. */
u64 record_boot_id(void);
/* Print the records of the last run again; false: there is none. */
bool results_print(void);
/* Forget them and give their memory back. */
void results_clear(void);
