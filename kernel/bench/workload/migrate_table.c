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

enum { LABEL = 18, TEXT = 24 };

#define BASELINE "baseline"
#define STOCK "like-linux-6.12"

/* value with `digits` decimals, into buf. */
static const char *number(char buf[TEXT], u64 value, unsigned digits)
{
	fixed_format(buf, TEXT, (s64)value, digits);
	return buf;
}

/* "-99.4 %", or "-" where there is nothing to compare with. */
static const char *change(char buf[TEXT], u64 new, u64 old)
{
	s32 tenths = samples_change(new, old);
	char digits[TEXT];

	if (tenths == INT32_MAX)
		return "-";
	fixed_format(digits, sizeof(digits), tenths, 1);
	ksnprintf(buf, TEXT, "%s%s %%", tenths > 0 ? "+" : "", digits);
	return buf;
}

static u64 per_unit(u64 count, const struct bench_totals *t, u64 scale)
{
	return t->units ? mul_div_u64(count, scale, t->units) : 0;
}

/* Interrupts per page are compared in ten-millionths, and shown in ten-thousandths. */
enum { IPI_SCALE = 10000000, IPI_SHOWN = 1000 };

static u64 shown(u64 ipis)
{
	return (ipis + IPI_SHOWN / 2) / IPI_SHOWN;
}

static u64 ipis_per_page(const struct bench_variant *v)
{
	return per_unit(v->totals.mm.ipis_sent, &v->totals, IPI_SCALE);
}

static const struct bench_variant *other(const struct bench *b, const char *scheme_name)
{
	int i = bench_find_variant(b, scheme_name);

	return i < 0 ? NULL : &b->variant[i];
}

/* A variant is not compared with itself. */
static const char *compare(char buf[TEXT], const struct bench *b, const struct bench_variant *v,
			   const char *scheme_name, u64 (*figure)(const struct bench_variant *))
{
	const struct bench_variant *to = other(b, scheme_name);

	return to && to != v ? change(buf, figure(v), figure(to)) : "-";
}

/* ---- flushes -------------------------------------------------------------------- */

static u64 all_ipis_per_page(const struct bench_variant *v)
{
	return per_unit(bench_all_ipis(&v->totals), &v->totals, IPI_SCALE);
}

static void flush_row(const struct bench *b, const struct bench_variant *v)
{
	const struct bench_totals *t = &v->totals;
	char a[TEXT], c[TEXT], d[TEXT], e[TEXT], f[TEXT];

	kprintf("%-*.*s %9lu %6lu %10lu %9s %9s %9s %9s %9s %6lu %6lu\n", LABEL, LABEL, v->label,
		t->migrate.moved, bench_failed(t), t->mm.shootdowns,
		number(a, shown(ipis_per_page(v)), 4), compare(c, b, v, BASELINE, ipis_per_page),
		compare(d, b, v, STOCK, ipis_per_page), number(e, shown(all_ipis_per_page(v)), 4),
		compare(f, b, v, BASELINE, all_ipis_per_page), t->settle_ipis, t->held_pages_max);
}

/* ---- time ------------------------------------------------------------------------- */

enum { MEDIAN = 9, INTERVAL = 20, CHANGE = 19 }; /* columns */

static void time_rows(const struct bench *b)
{
	kprintf("\n%-*s %*s %*s %*s %*s\n", LABEL, b->series[MIGRATE_WHOLE].unit, MEDIAN, "median",
		INTERVAL, "interval", CHANGE, "baseline", CHANGE, "6.12");
	for (unsigned i = 0; i < b->variant_count; i++) {
		if (b->variant[i].skipped[0])
			continue;
		kprintf("%-*.*s", LABEL, LABEL, b->variant[i].label);
		table_median(b, i, MIGRATE_WHOLE, MEDIAN);
		table_interval(b, i, MIGRATE_WHOLE, INTERVAL);
		table_change(b, i, bench_find_variant(b, BASELINE), MIGRATE_WHOLE, CHANGE);
		table_change(b, i, bench_find_variant(b, STOCK), MIGRATE_WHOLE, CHANGE);
		kprintf("\n");
	}
}

static void phase_rows(const struct bench *b)
{
	kprintf("\n%-*s", LABEL, "of it, medians");
	for (unsigned s = MIGRATE_SETTLE; s < b->series_count; s++)
		kprintf(" %*s", MEDIAN, b->series[s].name);
	kprintf("\n");
	for (unsigned i = 0; i < b->variant_count; i++) {
		if (b->variant[i].skipped[0])
			continue;
		kprintf("%-*.*s", LABEL, LABEL, b->variant[i].label);
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

	kprintf("%-*.*s %11lu %11lu %9lu %6lu %8lu %13s %13s", LABEL, LABEL, v->label, v->felt.ops,
		v->felt.reads_verified, v->felt.reads_in_window, v->felt.stale_reads,
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

void migrate_print(const struct bench *b)
{
	const char *hidden = bench_stale_hidden(b);

	print_heading(b);
	kprintf("%-*s %9s %6s %10s %9s %9s %9s %9s %9s %6s %6s\n", LABEL, "flushes", "pages",
		"failed", "shootdowns", "IPIs/page", "baseline", "6.12", "all/page", "baseline",
		"settle", "held");
	for_each_measured(b, flush_row);
	if (b->trust != TRUST_COUNTS) {
		time_rows(b);
		phase_rows(b);
	}
	if (!b->params.threads)
		return;
	kprintf("\n%-*s %11s %11s %9s %6s %8s %13s %13s%s\n", LABEL, "readers", "operations",
		"verified", "in window", "stale", "waits", det_mode ? "wait, instr" : "wait, us",
		det_mode ? "longest gap" : "longest, us",
		b->trust == TRUST_TIME ? "   p50, us   p99, us" : "");
	for_each_measured(b, reader_row);
	if (hidden)
		kprintf("stale reads: n/a, %s\n", hidden);
}
