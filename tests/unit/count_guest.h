/* What runs in guests of the tests: count_guest.c. All are entries of virtual CPUs, by the guest-physical address of their task. */
#pragma once

#include <kernel/types.h>

/* Shared with the host. */
struct count_task {
	u64 pages, step; /* every `step`-th page of the guest's, so many */
	u64 word; /* of each page: the guest's own */
	u64 laps,
		wrong; /* by the guest: times that it went round, and words that were not what it left */
	u64 address; /* reach_guest(), jump_guest() */
	u32 code[2]; /* by the host: instructions */
	u32 stop; /* by the host; spin_guest() */
};

/* Counts up its word in each of its pages, and calls after each time round. */
void count_guest(void *task);
/* Goes round nothing until it is to stop, and then calls, for ever. */
void spin_guest(void *task);
/* Reads `address`, then calls, for ever. */
void reach_guest(void *task);
/* Calls a function at `address`, which does not come back. */
void jump_guest(void *task);
