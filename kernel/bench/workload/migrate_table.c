/* The table of `migrate`: who flushed, who waited, what it cost, against whom. */
#include <kernel/det.h>
#include <kernel/fixed.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <load/pattern.h>
#include <report/figures.h>
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
		number(a, ipis_per_page(v) / IPI_SHOWN, 4),
		compare(c, b, v, BASELINE, ipis_per_page), compare(d, b, v, STOCK, ipis_per_page),
		number(e, all_ipis_per_page(v) / IPI_SHOWN, 4),
		compare(f, b, v, BASELINE, all_ipis_per_page), t->settle_ipis, t->held_pages_max);
}

/* ---- time ------------------------------------------------------------------------- */

/* Nanoseconds per page, or instructions, with one decimal. */
static u64 per_page(const struct bench_variant *v, u64 cycles)
{
	u64 ns_x10 = bench_ns_per(cycles, v->totals.units, 1), per = bench_ns_per_instruction();

	return per ? ns_x10 / per : ns_x10;
}

static u64 whole_time(const struct bench_variant *v)
{
	return per_page(v, v->totals.cycles + v->totals.settle_cycles);
}

static u64 flush_share(const struct bench_variant *v)
{
	u64 total = v->totals.cycles + v->totals.settle_cycles;
	u64 flush = v->totals.migrate.phase[PHASE_FLUSH] + v->totals.settle_cycles;

	return total ? mul_div_u64(flush, 1000, total) : 0;
}

static void time_row(const struct bench *b, const struct bench_variant *v)
{
	const struct bench_totals *t = &v->totals;
	u64 rest = t->cycles;
	char a[TEXT], c[TEXT], d[TEXT], e[TEXT], f[TEXT];

	kprintf("%-*.*s %9s %9s %9s %9s %8s", LABEL, LABEL, v->label,
		number(a, per_page(v, t->cycles), 1), number(c, whole_time(v), 1),
		compare(d, b, v, BASELINE, whole_time), compare(e, b, v, STOCK, whole_time),
		number(f, flush_share(v), 1));
	for (unsigned i = 0; i < PHASE_OTHER; i++) {
		kprintf(" %8s", number(a, per_page(v, t->migrate.phase[i]), 1));
		rest -= MIN(rest, t->migrate.phase[i]);
	}
	kprintf(" %8s\n", number(a, per_page(v, rest), 1));
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

	kprintf("%-*.*s %11lu %11lu %9lu %6lu %8lu %13s %13s", LABEL, LABEL, v->label, v->ops,
		v->reads_verified, v->reads_in_window, v->stale_reads, v->wait_count,
		duration(a, b, bench_median_wait(b, v)), duration(c, b, v->longest_gap));
	if (b->trust == TRUST_TIME)
		kprintf(" %9s %9s", duration(a, b, hist_quantile(v->latency, 500)),
			duration(c, b, hist_quantile(v->latency, 990)));
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
		kprintf("\n%-*s %9s %9s %9s %9s %8s %8s %8s %8s %8s %8s\n", LABEL,
			b->trust == TRUST_PATH ? "instructions/page" : "ns/page", "measured",
			"+settle", "baseline", "6.12", "flush %", "unmap", "flush", "copy", "map",
			"other");
		for_each_measured(b, time_row);
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
