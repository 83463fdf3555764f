/* What a run of `numa_balance` knows, for the rounds and for the report. */
#pragma once

#include <harness/part.h>
#include <kernel/json.h>
#include <load/account.h>
#include <load/memhog.h>
#include <mm/hint.h>

/* Of a variant's measured rounds. */
struct numa_sums {
	u64 passes, elapsed; /* cycles */
	u64 home; /* pages at the end of rounds that are with their user */
	u64 away; /* at their start that were not */
	u64 used; /* pages that somebody uses, summed over rounds */
	u64 most_moves; /* of a round, per page, in hundredths */
};

struct numa_state {
	struct region region[BENCH_MAX_PROCS];
	struct hint_scan scan[BENCH_MAX_PROCS];
	unsigned regions;
	u64 share_pages; /* of a thread's share */
	unsigned shares; /* of a region */
	struct victims victims;
	struct bench_part part;
	struct victim_account account;
	struct memhog hog;
	u64 elapsed, passes, away, home; /* of this round */
	u64 split; /* 2 MiB pages since start-up, when the regions were made */
	u64 ops[MAX_CPUS]; /* [thread]: when passes were looked at last */
	struct numa_sums sums[BENCH_MAX_VARIANTS];
};

/* Into the object "numa" of a variant's record. */
void numa_record(struct bench *b, unsigned variant, struct json *j);
void numa_table(struct bench *b);
