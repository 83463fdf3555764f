/* Readable tables of a run. */
#pragma once

#include <harness/bench.h>

/* A column behind the labels of variants. */
struct table_column {
	const char *name;
	const char *unit; /* "" where the name, the cells or the heading of the rows say it */
	int width;
};

/* Wide enough for the label of every variant: two that are cut might look alike. */
int table_label_width(const struct bench *b);
/* Two lines: names, and units below them. rows: what the labels are under. */
void table_heading(const struct bench *b, const char *rows, const struct table_column *columns,
		   unsigned count);

/* A text of UTF-8, on the right of so many columns behind a blank. */
void table_cell(const char *text, unsigned width);
/* Median and interval of a series of a variant: "870.7" and "[870.0, 871.2]"; "n/a": not to be shown. */
void table_median(const struct bench *b, unsigned variant, unsigned series, unsigned width);
void table_interval(const struct bench *b, unsigned variant, unsigned series, unsigned width);
/*
 * How the median differs from that of another variant (-1: there is none), as samples_change() says
 * it; where the intervals overlap "no change (±0.8 %)", the largest change that they leave possible.
 */
void table_change(const struct bench *b, unsigned variant, int other, unsigned series,
		  unsigned width);
/* The table of the workload, what was skipped, and the floor below it. */
void table_print(struct bench *b, struct bench *floor);
