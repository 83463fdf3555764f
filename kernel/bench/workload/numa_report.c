/* The record and the table of `numa_balance`. */
#include <kernel/fixed.h>
#include <kernel/printk.h>
#include <load/pattern.h>
#include <report/figures.h>
#include <report/table.h>
#include "numa.h"

/* Operations of the threads per million instructions of all CPUs, in tenths; 0: nothing counts them. */
static u64 progress(const struct bench_variant *v, const struct numa_sums *sums)
{
	u64 per = bench_ns_per_instruction(), ns = bench_ns_per(sums->elapsed, 1, 0);

	return per && ns ? mul_div_u64(v->felt.ops, 10000000UL * per, ns) : 0;
}

/* Of the pages used: percent, in tenths. */
static u64 tenths(u64 pages, const struct numa_sums *sums)
{
	return sums->used ? mul_div_u64(pages, 1000, sums->used) : 0;
}

void numa_record(struct bench *b, unsigned variant, struct json *j)
{
	const struct numa_state *s = b->state;
	const struct numa_sums *sums = &s->sums[variant];
	u64 rate = progress(&b->variant[variant], sums);

	json_key(j, "passes"), json_u64(j, sums->passes);
	json_key(j, "pages_used"), json_u64(j, b->reps_done ? sums->used / b->reps_done : 0);
	json_key(j, "memhog_frames"), json_u64(j, s->hog.frames);
	json_key(j, "away_percent"), json_fixed(j, (s64)tenths(sums->away, sums), 1);
	json_key(j, "home_percent"), json_fixed(j, (s64)tenths(sums->home, sums), 1);
	json_key(j, "most_moves_per_page"), json_fixed(j, (s64)sums->most_moves, 2);
	json_key(j, "ops_per_minstr");
	if (rate)
		json_fixed(j, (s64)rate, 1);
	else
		json_null(j);
}

static const char *fixed(char buf[24], u64 value, unsigned digits)
{
	fixed_format(buf, 24, (s64)value, digits);
	return buf;
}

static void print_memhog(const struct bench *b)
{
	const struct numa_state *s = b->state;
	const char *before = "pages that started away from home: ";
	char away[24];

	for (unsigned i = 0; i < b->variant_count; i++) {
		if (b->variant[i].skipped[0])
			continue;
		kprintf("%s%s %s %%", before, b->variant[i].label,
			fixed(away, tenths(s->sums[i].away, &s->sums[i]), 1));
		before = ", ";
	}
	kprintf("; a program held %lu frames of node %u meanwhile\n", s->hog.frames, s->hog.node);
}

/* The last column only where something was broadcast. */
static void print_columns(const struct bench *b)
{
	const char *asked = bench_asked_name(b);
	const struct table_column columns[] = {
		{"moved", "pages", 8},	      {"faults", "number", 9},
		{"second", "faults", 7},      {"flushed", "moves", 7},
		{"shootdowns", "number", 10}, {asked, "per page", 10},
		{"scanner", asked, 10},	      {"home", "%", 6},
		{"most", "moves", 6},	      {"passes", "number", 6},
		{"ops/Minstr", "number", 10}, {"bcasts", "per page", 9},
	};

	table_heading(b, "hint faults", columns, ARRAY_SIZE(columns) - !bench_broadcasts(b));
}

static void print_row(const struct bench *b, unsigned i)
{
	const struct numa_state *s = b->state;
	const struct bench_variant *v = &b->variant[i];
	const struct mm_counters *c = &v->totals.mm;
	const struct numa_sums *sums = &s->sums[i];
	u64 units = MAX(v->totals.units, 1UL);
	char per_page[24], home[24], most[24], rate[24];

	kprintf("%-*s %8lu %9lu %7lu %7lu %10lu %10s %10lu %6s %6s %6lu %10s", table_label_width(b),
		v->label, v->totals.units, c->hint_faults, c->hint_faults_second,
		c->hint_second_flushed, c->shootdowns,
		fixed(per_page, mul_div_u64(bench_asked(c), 10000, units), 4),
		c->ipis_scanner + c->bcast_scanner, fixed(home, tenths(sums->home, sums), 1),
		fixed(most, sums->most_moves, 2), sums->passes,
		progress(v, sums) ? fixed(rate, progress(v, sums), 1) : "n/a");
	if (bench_broadcasts(b))
		kprintf(" %9s", fixed(per_page, mul_div_u64(c->bcast_ops, 10000, units), 4));
	kprintf("\n");
}

static void print_splits(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct mm_counters *c = &b->variant[i].totals.mm;

		if (c->pages_split)
			kprintf("%s: %lu 2 MiB pages split, %lu not\n", b->variant[i].label,
				c->pages_split,
				c->split_pinned + c->split_raced + c->split_no_memory);
	}
}

void numa_table(struct bench *b)
{
	const struct bench_params *p = &b->params;
	const struct numa_state *s = b->state;

	kprintf("%lu pages%s in %u spaces, %lu threads, each page used by %lu, %s, %s\n\n",
		s->share_pages * s->shares * s->regions, p->thp ? " in 2 MiB pages" : "",
		s->regions, p->threads, p->share, pattern_names[p->pattern],
		p->read_only ? "read-only" : "writable");
	print_columns(b);
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			print_row(b, i);
	kprintf("second: faults of other threads on a page that was being moved; flushed: moves "
		"that flushed for one;\nscanner: what the scan asked of other CPUs, in no other "
		"column; most: "
		"moves per page in the busiest round\n");
	print_splits(b);
	if (p->eat_percent)
		print_memhog(b);
	account_print_stale(&s->account);
}
