/* What victims felt in a round, taken from their reports. */
#pragma once

#include <harness/bench.h>
#include "victims.h"

struct victim_account {
	struct victim_report before[MAX_CPUS]; /* when the round began */
	struct stale_read first; /* of the run; tag 0 = none */
	unsigned first_cpu;
};

/* The measured part of a round begins. */
void account_begin(struct victim_account *a, struct victims *victims);
/* It has ended: into round->felt. Stale reads count for the run, whether the round does or not. */
void account_end(struct victim_account *a, struct victims *victims, struct bench *b,
		 struct bench_round *round);
/* The first stale read, if there was one. */
void account_print_stale(const struct victim_account *a);
