/* Readable tables of a run. */
#pragma once

#include <harness/bench.h>

/* A figure of the floor; false: not measured, or it may not be shown. */
bool floor_value(const struct bench *floor, const char *series, u64 *value);

/* The table of the workload, what was skipped, and the floor below it. */
void table_print(struct bench *b, struct bench *floor);
