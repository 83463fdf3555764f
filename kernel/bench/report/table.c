/* The readable table of any workload: one row per series, one column per variant; and the floor. */
#include <harness/trust.h>
#include <harness/workload.h>
#include <kernel/fixed.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include "figures.h"
#include "table.h"

enum { NAME_WIDTH = 22, CELL_WIDTH = 13 };

/* A median; "n/a" where it may not be shown. */
static void print_cell(const struct bench *b, unsigned variant, unsigned series)
{
	const struct bench_series *s = &b->series[series];
	struct summary sum;
	char buf[32];

	if (!bench_summary(b, variant, series, &sum)) {
		kprintf(" %*s", CELL_WIDTH, "n/a");
		return;
	}
	fixed_format(buf, sizeof(buf), (s64)sum.median, s->digits);
	kprintf(" %*s", CELL_WIDTH, buf);
}

static void print_rows(const struct bench *b)
{
	kprintf("%-*s %-17s", NAME_WIDTH, "median", "unit");
	for (unsigned v = 0; v < b->variant_count; v++)
		if (!b->variant[v].skipped[0])
			kprintf(" %*.*s", CELL_WIDTH, CELL_WIDTH, b->variant[v].label);
	kprintf("\n");
	for (unsigned i = 0; i < b->series_count; i++) {
		const struct bench_series *s = &b->series[i];

		kprintf("%-*s %-17s", NAME_WIDTH, s->name, s->unit);
		for (unsigned v = 0; v < b->variant_count; v++)
			if (!b->variant[v].skipped[0])
				print_cell(b, v, i);
		kprintf("\n");
	}
}

/* ---- the floor ---------------------------------------------------------------- */

bool floor_value(const struct bench *floor, const char *name, u64 *value)
{
	struct summary s;

	for (unsigned i = 0; floor && i < floor->series_count; i++) {
		if (strcmp(floor->series[i].name, name) || !bench_summary(floor, 0, i, &s))
			continue;
		*value = s.median;
		return true;
	}
	return false;
}

static void print_floor(const struct bench *floor)
{
	kprintf("floor, same boot:");
	for (unsigned i = 0; i < floor->series_count; i++) {
		const struct bench_series *s = &floor->series[i];
		u64 value;

		kprintf("%s %s ", i ? "," : "", s->name);
		if (!floor_value(floor, s->name, &value))
			kprintf("n/a");
		else
			kprintf("%lu %s", value, s->unit);
	}
	kprintf("\n");
}

static void print_notes(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct bench_variant *v = &b->variant[i];

		if (v->skipped[0])
			kprintf("# SKIP %s: %s\n", v->label, v->skipped);
		else if (v->unsafe)
			kprintf("# UNSAFE %s: %s\n", v->label, v->unsafe);
		if (v->not_modelled)
			kprintf("# %s does not model: %s\n", v->label, v->not_modelled);
	}
	if (b->reps_done && b->reps_done < 10)
		kprintf("# only %lu rounds: fewer than the 10 that make a sample worth quoting\n",
			b->reps_done);
	if (b->interrupted)
		kprintf("# interrupted after %lu of %lu rounds\n", b->reps_done, b->params.reps);
}

void table_print(struct bench *b, struct bench *floor)
{
	if (b->reps_done) {
		kprintf("\n%s: %lu rounds, seed %lu, trust %s%s\n", b->workload->name, b->reps_done,
			b->params.seed, trust_names[b->trust],
			b->trust == TRUST_COUNTS ? " (no time is shown)" : "");
		if (b->workload->table)
			b->workload->table(b);
		else
			print_rows(b);
	}
	if (floor && floor->reps_done)
		print_floor(floor);
	print_notes(b);
}
