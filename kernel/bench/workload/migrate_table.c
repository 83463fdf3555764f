/* The table of `migrate`: who flushed, who waited, what it cost, against whom. */
#include <kernel/det.h>
#include <kernel/fixed.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <load/pattern.h>
#include <report/figures.h>
#include <report/table.h>
#include "migrate.h"

enum { TEXT = 24 };

#define BASELINE "baseline"
#define STOCK "like-linux-6.12"

/* value with `digits` decimals, into buf. */
static const char *number(char buf[TEXT], u64 value, unsigned digits)
{
	fixed_format(buf, TEXT, (s64)value, digits);
	return buf;
}

static u64 per_unit(u64 count, const struct bench_totals *t, u64 scale)
{
	return t->units ? mul_div_u64(count, scale, t->units) : 0;
}

/* Per page is compared in ten-millionths, and shown in ten-thousandths. */
enum { PER_PAGE_SCALE = 10000000, PER_PAGE_SHOWN = 1000 };

static u64 shown(u64 per_page)
{
	return (per_page + PER_PAGE_SHOWN / 2) / PER_PAGE_SHOWN;
}

static u64 ipis_per_page(const struct bench_variant *v)
{
	return per_unit(v->totals.mm.ipis_sent, &v->totals, PER_PAGE_SCALE);
}

static u64 all_ipis_per_page(const struct bench_variant *v)
{
	return per_unit(bench_all_ipis(&v->totals), &v->totals, PER_PAGE_SCALE);
}

static u64 bcasts_per_page(const struct bench_variant *v)
{
	return per_unit(v->totals.mm.bcast_ops, &v->totals, PER_PAGE_SCALE);
}

static u64 syncs_per_page(const struct bench_variant *v)
{
	return per_unit(v->totals.mm.bcast_syncs, &v->totals, PER_PAGE_SCALE);
}

static u64 asked_per_page(const struct bench_variant *v)
{
	return per_unit(bench_asked(&v->totals.mm), &v->totals, PER_PAGE_SCALE);
}

static const struct bench_variant *other(const struct bench *b, const char *scheme_name)
{
	int i = bench_find_variant(b, scheme_name);

	return i < 0 ? NULL : &b->variant[i];
}

/* A variant is not compared with itself. */
static void compare(const struct bench *b, const struct bench_variant *v, const char *scheme_name,
		    u64 (*figure)(const struct bench_variant *), int width)
{
	const struct bench_variant *to = other(b, scheme_name);
	char text[SAMPLES_CHANGE_LEN];

	table_cell(to && to != v ? samples_change(text, figure(v), figure(to)) : "-",
		   (unsigned)width);
}

/* ---- flushes -------------------------------------------------------------------- */

/*
 * How other CPUs were reached: two figures per page that say what a flush cost
 * them, of which the first is compared with Linux 6.12, too.
 */
struct reach {
	struct table_column columns[10];
	u64 (*first)(const struct bench_variant *);
	u64 (*second)(const struct bench_variant *);
};

enum { FIRST = 3, SECOND = 6 }; /* columns of these figures; their changes follow */

#define COLUMNS(first_name, second_name)                                                           \
	{                                                                                          \
		{"pages", "moved", 9}, {"failed", "pages", 6}, {"shootdowns", "number", 10},       \
			{first_name, "number", MAX((int)sizeof(first_name) - 1, 9)},               \
			{"baseline", "change", 9}, {"Linux 6.12", "change", 10},                   \
			{second_name, "number", MAX((int)sizeof(second_name) - 1, 9)},             \
			{"baseline", "change", 9}, {"settle", "IPIs", 6}, {"held", "pages", 6},    \
	}

static const struct reach by_ipi = {COLUMNS("IPIs/page", "all/page"), ipis_per_page,
				    all_ipis_per_page};
static const struct reach by_bcast = {COLUMNS("bcasts/page", "syncs/page"), bcasts_per_page,
				      syncs_per_page};
/* Variants that differ in it: what both kinds have is compared. */
static const struct reach by_both = {COLUMNS("IPIs+syncs/page", "IPIs/page"), asked_per_page,
				     ipis_per_page};

static const struct reach *reach_of(const struct bench *b)
{
	if (!bench_broadcasts(b))
		return &by_ipi;
	return strcmp(bench_asked_name(b), "syncs") ? &by_both : &by_bcast;
}

static void flush_row(const struct bench *b, const struct bench_variant *v)
{
	const struct bench_totals *t = &v->totals;
	const struct reach *reach = reach_of(b);
	const struct table_column *first = &reach->columns[FIRST];
	const struct table_column *second = &reach->columns[SECOND];
	char text[TEXT];

	kprintf("%-*s %9lu %6lu %10lu %*s", table_label_width(b), v->label, t->migrate.moved,
		bench_failed(t), t->mm.shootdowns, first->width,
		number(text, shown(reach->first(v)), 4));
	compare(b, v, BASELINE, reach->first, first[1].width);
	compare(b, v, STOCK, reach->first, first[2].width);
	kprintf(" %*s", second->width, number(text, shown(reach->second(v)), 4));
	compare(b, v, BASELINE, reach->second, second[1].width);
	kprintf(" %6lu %6lu\n", t->settle_ipis, t->held_pages_max);
}

/* ---- time ------------------------------------------------------------------------- */

enum { MEDIAN = 9, INTERVAL = 20, CHANGE = 19 }; /* columns */

/* "ns", of "ns/page"; instructions by a word that fits a column. */
static const char *time_unit(const struct bench *b)
{
	return b->trust == TRUST_PATH ? "instr" : "ns";
}

static void time_rows(const struct bench *b)
{
	const char *unit = time_unit(b);
	const struct table_column columns[] = {
		{"median", unit, MEDIAN},
		{"interval", unit, INTERVAL},
		{"baseline", "change", CHANGE},
		{"Linux 6.12", "change", CHANGE},
	};

	kprintf("\n");
	table_heading(b, b->series[MIGRATE_WHOLE].unit, columns, ARRAY_SIZE(columns));
	for (unsigned i = 0; i < b->variant_count; i++) {
		if (b->variant[i].skipped[0])
			continue;
		kprintf("%-*s", table_label_width(b), b->variant[i].label);
		table_median(b, i, MIGRATE_WHOLE, MEDIAN);
		table_interval(b, i, MIGRATE_WHOLE, INTERVAL);
		table_change(b, i, bench_find_variant(b, BASELINE), MIGRATE_WHOLE, CHANGE);
		table_change(b, i, bench_find_variant(b, STOCK), MIGRATE_WHOLE, CHANGE);
		kprintf("\n");
	}
}

static void phase_rows(const struct bench *b)
{
	struct table_column columns[MIGRATE_PHASES + PHASE_COUNT];
	unsigned count = 0;

	for (unsigned s = MIGRATE_SETTLE; s < b->series_count; s++)
		columns[count++] = (struct table_column){b->series[s].name, time_unit(b), MEDIAN};
	kprintf("\n");
	table_heading(b, "of it, medians", columns, count);
	for (unsigned i = 0; i < b->variant_count; i++) {
		if (b->variant[i].skipped[0])
			continue;
		kprintf("%-*s", table_label_width(b), b->variant[i].label);
		for (unsigned s = MIGRATE_SETTLE; s < b->series_count; s++)
			table_median(b, i, s, MEDIAN);
		kprintf("\n");
	}
}

/* ---- readers ------------------------------------------------------------------------ */

/* Cycles as microseconds, or as instructions; "n/a" where neither means anything. */
static const char *duration(char buf[TEXT], const struct bench *b, u64 cycles)
{
	u64 ns = bench_ns_per(cycles, 1, 0);

	if (!bench_waits_shown(b))
		return "n/a";
	return det_mode ? number(buf, ns / bench_ns_per_instruction(), 0) : number(buf, ns, 3);
}

static void reader_row(const struct bench *b, const struct bench_variant *v)
{
	char a[TEXT], c[TEXT];

	kprintf("%-*s %11lu %11lu %9lu %6lu %8lu %13s %13s", table_label_width(b), v->label,
		v->felt.ops, v->felt.reads_verified, v->felt.reads_in_window, v->felt.stale_reads,
		v->felt.wait_count, duration(a, b, bench_median_wait(b, v)),
		duration(c, b, v->felt.longest_gap));
	if (b->trust == TRUST_TIME)
		kprintf(" %9s %9s", duration(a, b, hist_quantile(v->felt.latency, 500)),
			duration(c, b, hist_quantile(v->felt.latency, 990)));
	kprintf("\n");
}

/* ---- the whole ------------------------------------------------------------------------ */

static void for_each_measured(const struct bench *b,
			      void (*row)(const struct bench *, const struct bench_variant *))
{
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			row(b, &b->variant[i]);
}

static void print_heading(const struct bench *b)
{
	const struct bench_params *p = &b->params;

	kprintf("%lu pages%s, nodes %lu and %lu, %lu threads on %lu CPUs, %s, %lu %% writes, "
		"%s\n\n",
		p->pages, p->thp ? " in 2 MiB pages" : "", p->from, p->to, p->threads,
		MIN(p->threads, (u64)p->cpu_count), pattern_names[p->pattern],
		p->read_only ? 0 : p->write_pct, p->read_only ? "read-only" : "writable");
}

static void print_readers(const struct bench *b)
{
	const char *unit = det_mode ? "instr" : "us", *hidden = bench_stale_hidden(b);
	const struct table_column columns[] = {
		{"operations", "number", 11}, {"verified", "reads", 11}, {"in window", "reads", 9},
		{"stale", "reads", 6},	      {"waits", "number", 8},	 {"median wait", unit, 13},
		{"longest gap", unit, 13},    {"p50", unit, 9},		 {"p99", unit, 9},
	};

	kprintf("\n");
	table_heading(b, "readers", columns,
		      ARRAY_SIZE(columns) - (b->trust == TRUST_TIME ? 0 : 2));
	for_each_measured(b, reader_row);
	if (hidden)
		kprintf("stale reads: n/a, %s\n", hidden);
}

void migrate_print(const struct bench *b)
{
	const struct reach *reach = reach_of(b);

	print_heading(b);
	table_heading(b, "flushes", reach->columns, ARRAY_SIZE(reach->columns));
	for_each_measured(b, flush_row);
	if (b->trust != TRUST_COUNTS) {
		time_rows(b);
		phase_rows(b);
	}
	if (b->params.threads)
		print_readers(b);
}
