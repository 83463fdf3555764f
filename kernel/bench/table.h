/* Readable tables of a run. */
#pragma once

#include "run.h"

/* A figure of the floor; false: not measured, or it may not be shown. */
bool floor_value(const struct bench *floor, const char *series, u64 *value);

void table_migrate(struct bench *b);
