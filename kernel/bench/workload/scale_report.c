/* The record and the table of the tests of will-it-scale. */
#include <kernel/det.h>
#include <kernel/fixed.h>
#include <kernel/printk.h>
#include <report/figures.h>
#include <report/table.h>
#include <mm/rules.h>
#include "scale.h"

enum { TEXT = 24, WIDTH = 10, INTERVAL = 20 };

/* Operations of all tasks by the median: in a second, where paths are trusted in a million instructions, in tenths; 0: not to be shown. */
static u64 rate(const struct bench *b, unsigned variant)
{
	const struct scale *run = b->state;
	u64 scale = b->trust == TRUST_PATH ? 10000000UL : 1000000000UL;
	struct summary s;

	if (!bench_summary(b, variant, SCALE_OP, &s) || !s.median)
		return 0;
	for (unsigned i = 0; i < b->series[SCALE_OP].digits; i++)
		scale *= 10;
	return mul_div_u64(scale, run->tasks, s.median);
}

static void put_rate(struct json *j, const char *key, u64 value, unsigned digits)
{
	json_key(j, key);
	if (value)
		json_fixed(j, (s64)value, digits);
	else
		json_null(j);
}

void scale_record(struct bench *b, unsigned variant, struct json *j)
{
	const struct scale *run = b->state;
	bool path = b->trust == TRUST_PATH;

	json_key(j, "tasks"), json_u64(j, run->tasks);
	json_key(j, "spaces"), json_u64(j, run->spaces);
	json_key(j, "ops"), json_u64(j, b->variant[variant].totals.units);
	put_rate(j, "ops_per_s", path ? 0 : rate(b, variant), 0);
	put_rate(j, "ops_per_minstr", path ? rate(b, variant) : 0, 1);
}

/* ---- the table ----------------------------------------------------------------------- */

/* Per operation, with four decimals. */
static const char *per_op(char buf[TEXT], u64 count, const struct bench_variant *v)
{
	u64 ops = MAX(v->totals.units, 1UL);

	fixed_format(buf, TEXT, (s64)mul_div_u64(count, 10000, ops), 4);
	return buf;
}

/* The last column only where something was broadcast. */
static void count_rows(const struct bench *b)
{
	bool bcast = bench_broadcasts(b);
	const struct table_column columns[] = {
		{"operations", "number", WIDTH},
		{"faults", "per op", WIDTH},
		{"retried", "per op", WIDTH},
		{"spurious", "per op", WIDTH},
		{"fix-ups", "per op", WIDTH},
		{"shootdowns", "per op", WIDTH},
		{bench_asked_name(b), "per op", WIDTH},
		{"verified", "reads", WIDTH},
		{"wrong", "reads", 6},
		{"bcasts", "per op", WIDTH},
	};

	table_heading(b, "counts", columns, ARRAY_SIZE(columns) - !bcast);
	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct bench_variant *v = &b->variant[i];
		const struct mm_counters *c = &v->totals.mm;
		char t[6][TEXT];

		if (v->skipped[0])
			continue;
		kprintf("%-*s %10lu %10s %10s %10s %10s %10s %10s %10lu %6lu", table_label_width(b),
			v->label, v->totals.units, per_op(t[0], c->page_faults, v),
			per_op(t[1], c->retried_faults, v), per_op(t[2], c->spurious_faults, v),
			per_op(t[5], c->spurious_flushes, v), per_op(t[3], c->shootdowns, v),
			per_op(t[4], bench_asked(c), v), v->felt.reads_verified,
			v->felt.stale_reads);
		if (bcast)
			kprintf(" %10s", per_op(t[0], c->bcast_ops, v));
		kprintf("\n");
	}
}

/* Why faults that changed nothing were not followed by a flush, where there were some. */
static void print_fixups(const struct bench *b)
{
	u64 spurious = 0;

	for (unsigned i = 0; i < b->variant_count; i++)
		spurious += b->variant[i].totals.mm.spurious_faults;
	if (spurious && rules.set->fixup == RULE_NONE)
		kprintf("fix-ups: none by the rules of %s, whose faults drop what the CPU holds of "
			"the address\n",
			rules.set->name);
	else if (spurious)
		kprintf("fix-ups: flushes everywhere after a fault that changed nothing, by the "
			"rules of %s and the knob `spurious`\n",
			rules.set->name);
}

static void time_rows(const struct bench *b)
{
	bool path = b->trust == TRUST_PATH;
	const char *unit = path ? "instr" : "ns";
	const struct table_column columns[] = {
		{"median", unit, WIDTH},
		{"interval", unit, INTERVAL},
		{"of it loop", unit, WIDTH},
		{"ends", unit, WIDTH},
		{"all", path ? "ops/Minstr" : "ops/s", 12},
	};

	char all[TEXT];

	kprintf("\n");
	table_heading(b, b->series[SCALE_OP].unit, columns, ARRAY_SIZE(columns));
	for (unsigned i = 0; i < b->variant_count; i++) {
		if (b->variant[i].skipped[0])
			continue;
		kprintf("%-*s", table_label_width(b), b->variant[i].label);
		table_median(b, i, SCALE_OP, WIDTH);
		table_interval(b, i, SCALE_OP, INTERVAL);
		table_median(b, i, SCALE_LOOP, WIDTH);
		table_median(b, i, SCALE_ENDS, WIDTH);
		fixed_format(all, TEXT, (s64)rate(b, i), path);
		kprintf(" %12s\n", all);
	}
	kprintf("loop: the operations by themselves; ends: mapping before and unmapping after "
		"them\n");
}

/* Several busy CPUs under instruction counting take turns: together they have a path. */
static void all_cpus_rows(const struct bench *b)
{
	const struct table_column columns[] = {{"median", "instr", WIDTH},
					       {"interval", "instr", INTERVAL}};

	kprintf("\n");
	table_heading(b, "all CPUs, per op", columns, ARRAY_SIZE(columns));
	for (unsigned i = 0; i < b->variant_count; i++) {
		if (b->variant[i].skipped[0])
			continue;
		kprintf("%-*s", table_label_width(b), b->variant[i].label);
		table_median(b, i, SCALE_ALL_CPUS, WIDTH);
		table_interval(b, i, SCALE_ALL_CPUS, INTERVAL);
		kprintf("\n");
	}
}

void scale_table(struct bench *b)
{
	const struct scale *run = b->state;

	kprintf("%u task%s in %u space%s, %lu pages each; an operation: %s\n\n", run->tasks,
		run->tasks == 1 ? "" : "s", run->spaces, run->spaces == 1 ? "" : "s",
		b->params.pages, run->test->operation);
	count_rows(b);
	print_fixups(b);
	if (b->trust != TRUST_COUNTS)
		time_rows(b);
	else if (det_mode)
		all_cpus_rows(b);
	if (run->wrong)
		kprintf("# WRONG page %lu of task %u on CPU %u: read %#lx, not %#lx\n",
			run->first_wrong.page, run->first_wrong.task, run->first_wrong.cpu,
			run->first_wrong.found, run->first_wrong.expected);
}
