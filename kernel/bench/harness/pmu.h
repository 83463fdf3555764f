/* --pmu: performance counters of all CPUs around each measured part. */
#pragma once

#include <kernel/pmu.h>

/* Names in records and tables; PMU_UNHALTED is what is told as "halted_ticks". */
extern const char *const pmu_names[PMU_EVENTS];

/* Runs from now on count if `wanted`. NULL, or why they cannot. *events: bit per event that a counter has. */
const char *pmu_open(bool wanted, u32 *events);
/* Around a part. Nothing where runs do not count. */
void pmu_part_begin(void);
void pmu_part_end(struct pmu_counts *sum); /* of all CPUs: added */
