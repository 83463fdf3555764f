/* Readable tables of a run. */
#pragma once

#include <harness/bench.h>

/* A figure of the floor; false: not measured, or it may not be shown. */
bool floor_value(const struct bench *floor, const char *series, u64 *value);

/* A text of UTF-8, on the right of so many columns behind a blank. */
void table_cell(const char *text, unsigned width);
/* Median and interval of a series of a variant: "870.7" and "[870.0, 871.2]"; "n/a": not to be shown. */
void table_median(const struct bench *b, unsigned variant, unsigned series, unsigned width);
void table_interval(const struct bench *b, unsigned variant, unsigned series, unsigned width);
/*
 * How the median differs from that of another variant, -1: there is none: "-14.6 %", or "no change
 * (±0.8 %)" where the intervals overlap, with the largest change that they leave possible.
 */
void table_change(const struct bench *b, unsigned variant, int other, unsigned series,
		  unsigned width);
/* The table of the workload, what was skipped, and the floor below it. */
void table_print(struct bench *b, struct bench *floor);
