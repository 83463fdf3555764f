/* Readable tables of a run. */
#pragma once

#include "run.h"

/* The floor's figures that stand beside other workloads; false: not measured or not to be trusted. */
bool floor_value(const struct bench *floor, const char *series, u64 *value);

void table_migrate(struct bench *b);
