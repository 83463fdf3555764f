/* pmbench's affinity sets, "CPUS[:THREADS]/...": which threads run where, by sets that share a map. */
#pragma once

#include <kernel/types.h>

struct bench_params;

enum { AFFINITY_SETS = 16 };

struct affinity {
	const char *text; /* as asked, or NULL */
	unsigned sets; /* set i ends before thread set_end[i] */
	u16 set_end[AFFINITY_SETS];
};

/* a->text into the rest, and into threads and CPUs of p. RC_PASS, or RC_USAGE after printing why. */
unsigned affinity_parse(struct affinity *a, struct bench_params *p);
