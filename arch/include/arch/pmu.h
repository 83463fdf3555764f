/* CONTRACT: the CPU's performance counters. Nobody else uses them, and nothing runs unless it is called. */
#pragma once

#include <kernel/pmu.h>

/*
 * pmu_init - find out what can be counted on this machine. Any CPU, any time: its CPUs are alike.
 * Returns NULL, or why nothing can.
 */
const char *pmu_init(void);
/* Does a counter have it? After pmu_init(). */
bool pmu_has(enum pmu_event event);
/* This CPU: all counters from 0; what they show; none counts any more. */
void pmu_start(void);
void pmu_read(struct pmu_counts *counts); /* 0 for what no counter has */
void pmu_stop(void);
