/* Litmus tests on the modelled machine. */
#pragma once

#include <fake/machine.h>
#include "../../litmus/litmus.h"

struct litmus_search {
	const struct litmus_test *test;
	struct litmus_run *run;
	u64 seed;
	u64 executions; /* at most; half of what is tried of each kind if not all can be */
};

struct litmus_found {
	struct litmus_result result; /* counts complete executions */
	bool all; /* every ordering there is */
	char failure[512]; /* of the model, as a deadlock */
	char schedule[1024]; /* of the first execution that ended as asked */
};

/* ---- search.c ---- */
/* The machine stands where a run begins. */
void litmus_search(const struct litmus_search *search, struct litmus_found *found);
/* One schedule; its outcome. False: not a schedule, or the model failed. */
bool litmus_replay(const struct litmus_search *search, const char *schedule, u32 *key);
