/* The record and the table of `tier`. */
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/printk.h>
#include <kernel/det.h>
#include <harness/sums.h>
#include <report/figures.h>
#include <report/record.h>
#include <report/table.h>
#include "tier.h"

enum { TEXT = 24 };

/* How often the frames of the fast tier were given up for other pages, in hundredths. */
static u64 turns(const struct bench *b, const struct bench_variant *v)
{
	return mul_div_u64(v->totals.mm.pages_demoted, 100, MAX(b->params.pages, 1UL));
}

static u64 count_allocs(const struct tier_sums *sums)
{
	return words_total(sums->alloc, sizeof(sums->alloc));
}

/* What so many of 1000 do not exceed, in cycles: the upper edge of a bucket, and never more than the longest. */
static u64 alloc_quantile(const struct tier_sums *sums, unsigned permille)
{
	return MIN(hist_quantile(sums->alloc, permille), sums->longest_alloc);
}

/* As instructions, or in ns, as this run has time. */
static u64 time_of(u64 cycles)
{
	return bench_time_per(cycles, 1, 0);
}

static void put_alloc(const struct bench *b, const struct tier_sums *sums, struct json *j)
{
	json_key(j, "allocs"), json_u64(j, count_allocs(sums));
	json_key(j, "allocs_failed"), json_u64(j, sums->allocs_failed);
	json_key(j, "alloc_ns");
	if (!bench_waits_shown(b)) {
		json_null(j);
		return;
	}
	json_object(j);
	json_key(j, "p50"), json_u64(j, bench_ns_per(alloc_quantile(sums, 500), 1, 0));
	json_key(j, "p99"), json_u64(j, bench_ns_per(alloc_quantile(sums, 990), 1, 0));
	json_key(j, "max"), json_u64(j, bench_ns_per(sums->longest_alloc, 1, 0));
	json_object_end(j);
}

void tier_record(struct bench *b, unsigned variant, struct json *j)
{
	const struct tier_run *run = b->state;
	const struct bench_variant *v = &b->variant[variant];

	json_key(j, "fast_frames"), json_u64(j, b->params.pages);
	json_key(j, "slow_frames"), json_u64(j, b->params.pages * run->ratio);
	json_key(j, "file_pages"), json_u64(j, run->file_pages);

	json_key(j, "ops"), json_u64(j, run->sums[variant].ops);
	json_key(j, "scans"), json_u64(j, run->sums[variant].passes);
	json_key(j, "pages_reclaimed"), json_u64(j, v->totals.mm.reclaimed);
	json_key(j, "fast_turns"), json_fixed(j, (s64)turns(b, v), 2);
	put_alloc(b, &run->sums[variant], j);
	record_debts(b, &v->totals, j);
}

/* By how much there are fewer (or more) than under like-than-6.12. */
static void print_change(u64 now, u64 then)
{
	char text[TEXT];

	if (!then) {
		kprintf(" %9s", "-");
		return;
	}
	fixed_format(text, sizeof(text), (s64)mul_div_u64(now, 1000, then) - 1000, 1);
	kprintf(" %7s %%", text);
}

static void print_row(const struct bench *b, unsigned i, int than)
{
	const struct bench_variant *v = &b->variant[i];
	const struct mm_counters *c = &v->totals.mm;
	char text[TEXT];

	fixed_format(text, sizeof(text), (s64)turns(b, v), 2);
	kprintf("%-*s %8lu %8lu %9lu %6s %10lu", table_label_width(b), v->label, c->pages_promoted,
		c->pages_demoted, c->reclaimed, text, c->shootdowns);
	print_change(c->shootdowns, than < 0 ? 0 : b->variant[than].totals.mm.shootdowns);
	kprintf(" %10lu", bench_asked(c));
	print_change(bench_asked(c), than < 0 ? 0 : bench_asked(&b->variant[than].totals.mm));
	kprintf(" %8lu %8lu\n", c->forced[PAY_LEAVE], v->totals.held_pages_max);
}

static void print_times(const struct bench *b, unsigned i)
{
	const struct tier_run *run = b->state;
	const struct bench_totals *t = &b->variant[i].totals;
	const struct tier_sums *sums = &run->sums[i];
	u64 payments = words_total(t->mm.paid, sizeof(t->mm.paid));
	char text[TEXT];

	fixed_format(text, sizeof(text), (s64)bench_held_mean(t), 2);
	kprintf("%-*s %7lu %7lu %8lu %8lu %8lu %9lu %9s\n", table_label_width(b),
		b->variant[i].label, count_allocs(sums), time_of(alloc_quantile(sums, 500)),
		time_of(alloc_quantile(sums, 990)), time_of(sums->longest_alloc), payments,
		payments ? time_of(t->mm.wait_paid / payments) : 0, text);
}

/* What allocations take, and who pays waits. */
static void times_table(const struct bench *b)
{
	const char *unit = det_mode ? "instr" : "ns";
	const struct table_column columns[] = {
		{"allocs", "number", 7},   {"p50", unit, 7},	      {"p99", unit, 8},
		{"longest", unit, 8},	   {"payments", "number", 8}, {"mean wait", unit, 9},
		{"mean held", "pages", 9},
	};

	if (!bench_waits_shown(b))
		return;
	kprintf("\n");
	table_heading(b, "allocations", columns, ARRAY_SIZE(columns));
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			print_times(b, i);
}

void tier_table(struct bench *b)
{
	const struct tier_run *run = b->state;
	int than = bench_find_variant(b, "like-than-6.12");
	const char *asked = bench_asked_name(b);
	const struct table_column columns[] = {
		{"promoted", "pages", 8}, {"demoted", "pages", 8},	{"reclaimed", "pages", 9},
		{"turns", "number", 6},	  {"shootdowns", "number", 10}, {"Linux 6.12", "change", 9},
		{asked, "number", 10},	  {"Linux 6.12", "change", 9},	{"leaving", "debts", 8},
		{"held", "pages", 8},
	};

	kprintf("%lu fast and %lu slow frames, %lu pages for each of %u threads in %u space%s\n\n",
		b->params.pages, b->params.pages * run->ratio, run->file_pages, run->tasks,
		run->spaces, run->spaces == 1 ? "" : "s");
	table_heading(b, "tiers", columns, ARRAY_SIZE(columns));
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			print_row(b, i, than);
	kprintf("turns: how often the fast frames were given up for other pages; leaving: debts "
		"that allocations paid\n");
	times_table(b);
}
