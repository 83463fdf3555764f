/* The readable table of any workload: one row per series, one column per variant; and the floor. */
#include <harness/trust.h>
#include <harness/workload.h>
#include <kernel/fixed.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/utf8.h>
#include "figures.h"
#include <harness/pmu.h>
#include "table.h"

enum { NAME_WIDTH = 22, MEDIAN_WIDTH = 9, INTERVAL_WIDTH = 20, LABEL_WIDTH = 18, TEXT = 64 };

/* ---- headings --------------------------------------------------------------------- */

int table_label_width(const struct bench *b)
{
	int width = LABEL_WIDTH;

	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			width = MAX(width, (int)strlen(b->variant[i].label));
	return width;
}

void table_heading(const struct bench *b, const char *rows, const struct table_column *columns,
		   unsigned count)
{
	int width = table_label_width(b);

	kprintf("%-*s", width, rows);
	for (unsigned i = 0; i < count; i++)
		kprintf(" %*s", columns[i].width, columns[i].name);
	kprintf("\n%-*s", width, "");
	for (unsigned i = 0; i < count; i++)
		kprintf(" %*s", columns[i].width, columns[i].unit);
	kprintf("\n");
}

/* ---- cells ----------------------------------------------------------------------- */

void table_cell(const char *text, unsigned width)
{
	size_t bytes = strlen(text);

	kprintf(" %*s", (int)(width + bytes - utf8_count(text, bytes)), text);
}

static const char *number(char buf[TEXT / 2], u64 value, unsigned digits)
{
	fixed_format(buf, TEXT / 2, (s64)value, digits);
	return buf;
}

void table_median(const struct bench *b, unsigned variant, unsigned series, unsigned width)
{
	struct summary s;
	char text[TEXT / 2];

	table_cell(bench_summary(b, variant, series, &s)
			   ? number(text, s.median, b->series[series].digits)
			   : "n/a",
		   width);
}

void table_interval(const struct bench *b, unsigned variant, unsigned series, unsigned width)
{
	unsigned digits = b->series[series].digits;
	char text[TEXT], low[TEXT / 2], high[TEXT / 2];
	struct summary s;

	if (!bench_summary(b, variant, series, &s)) {
		table_cell("n/a", width);
		return;
	}
	ksnprintf(text, sizeof(text), "[%s, %s]", number(low, samples_interval(&s).low, digits),
		  number(high, samples_interval(&s).high, digits));
	table_cell(text, width);
}

void table_change(const struct bench *b, unsigned variant, int other, unsigned series,
		  unsigned width)
{
	struct summary new, old;
	char text[TEXT], percent[TEXT / 2];

	if (other < 0 || (unsigned)other == variant || !bench_summary(b, variant, series, &new) ||
	    !bench_summary(b, (unsigned)other, series, &old) || !old.median) {
		table_cell("-", width);
		return;
	}
	if (samples_differ(&new, &old)) {
		table_cell(samples_change(text, new.median, old.median), width);
		return;
	}
	ksnprintf(text, sizeof(text), "no change (±%s %%)",
		  number(percent, (u64)samples_change_bound(&new, &old), 1));
	table_cell(text, width);
}

/* ---- any workload ------------------------------------------------------------------ */

/* Wide enough for the variant's label above it and the median. */
static int interval_width(const struct bench_variant *v)
{
	return MAX((int)INTERVAL_WIDTH, (int)strlen(v->label) - MEDIAN_WIDTH - 1);
}

static void print_rows(const struct bench *b)
{
	kprintf("%-*s %-17s", NAME_WIDTH, "median [interval]", "unit");
	for (unsigned v = 0; v < b->variant_count; v++)
		if (!b->variant[v].skipped[0])
			kprintf(" %*s", MEDIAN_WIDTH + 1 + interval_width(&b->variant[v]),
				b->variant[v].label);
	kprintf("\n");
	for (unsigned i = 0; i < b->series_count; i++) {
		kprintf("%-*s %-17s", NAME_WIDTH, b->series[i].name, b->series[i].unit);
		for (unsigned v = 0; v < b->variant_count; v++) {
			if (b->variant[v].skipped[0])
				continue;
			table_median(b, v, i, MEDIAN_WIDTH);
			table_interval(b, v, i, (unsigned)interval_width(&b->variant[v]));
		}
		kprintf("\n");
	}
}

/* ---- the floor ---------------------------------------------------------------- */

static void print_floor(const struct bench *floor)
{
	char why[TRUST_WHY_LEN];
	const char *reason = trust_why(floor, why, sizeof(why));

	kprintf("floor, same boot:");
	for (unsigned i = 0; i < floor->series_count; i++) {
		const struct bench_series *s = &floor->series[i];

		kprintf("%s %s", i ? "," : "", s->name);
		table_median(floor, 0, i, 0);
		if (!bench_shown(floor, i))
			continue;
		table_interval(floor, 0, i, 0);
		kprintf(" %s", s->unit);
	}
	if (reason)
		kprintf(" (%s)", reason);
	kprintf("\n");
}

/* Where samples scatter so much that another run may say something else. */
static void print_noise(const struct bench *b)
{
	enum { NOISY = 1000 }; /* a coefficient of variation of 0.1, times 10^4 */
	char percent[TEXT / 2];
	struct summary s;

	for (unsigned i = 0; i < b->variant_count; i++)
		if (bench_summary(b, i, 0, &s) && s.cv_x10000 > NOISY)
			kprintf("noisy: %s, the samples scatter by %s %% of their mean\n",
				b->variant[i].label, number(percent, s.cv_x10000 / 10, 1));
}

/* --pmu: of all CPUs, per page or what else the headline is per. */
static void print_pmu_row(const struct bench *b, const struct bench_variant *v)
{
	char text[TEXT / 2];

	kprintf("pmu %s, per unit:", v->label);
	for (unsigned e = 0; e < PMU_EVENTS; e++)
		if (b->pmu_events >> e & 1)
			kprintf(" %s %s", pmu_names[e],
				number(text, v->totals.pmu.event[e] * 100 / v->totals.units, 2));
	kprintf("\n");
}

static void print_pmu(const struct bench *b)
{
	if (b->pmu_why) {
		kprintf("pmu: not here: %s\n", b->pmu_why);
		return;
	}
	for (unsigned i = 0; i < b->variant_count; i++)
		if (b->variant[i].totals.units)
			print_pmu_row(b, &b->variant[i]);
	kprintf("pmu: no counter for");
	for (unsigned e = 0; e < PMU_EVENTS; e++)
		if (!(b->pmu_events >> e & 1))
			kprintf(" %s", pmu_names[e]);
	kprintf("\n");
}

/* SMIs and a clock that was not the nominal one, where the machine tells. */
static void print_disturbances(const struct bench_noise *n)
{
	if (n->smis)
		kprintf("# %lu system management interrupts fell into this run\n", n->smis);
	if (n->clock_known && (n->slowest < 97 || n->fastest > 103))
		kprintf("# the CPUs ran at %lu to %lu %% of their nominal clock\n", n->slowest,
			n->fastest);
}

static bool shows_times(const struct bench *b)
{
	for (unsigned i = 0; i < b->series_count; i++)
		if (b->series[i].time && bench_shown(b, i))
			return true;
	return false;
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
	for (unsigned i = 0; i < b->variant_count; i++)
		if (b->variant[i].disturbed_count)
			kprintf("# %s: %u rounds in which the host was busy were measured again; "
				"they are in the record, in no figure\n",
				b->variant[i].label, b->variant[i].disturbed_count);
	if (b->reps_done && b->reps_done < 10)
		kprintf("# only %lu rounds: fewer than the 10 that make a sample worth quoting\n",
			b->reps_done);
	if (!b->interrupted && b->reps_done && b->reps_done < b->params.reps)
		kprintf("# %lu of %lu rounds: --time %lu was over; --rounds N measures N, however "
			"long it takes\n",
			b->reps_done, b->params.reps, b->params.time);
	if (b->interrupted)
		kprintf("# interrupted after %lu of %lu rounds\n", b->reps_done, b->params.reps);
}

void table_print(struct bench *b, struct bench *floor)
{
	char why[TRUST_WHY_LEN];

	if (b->reps_done) {
		const char *reason = trust_why(b, why, sizeof(why));

		const char *no_time = b->series_count && b->series[0].distrust
					      ? ", no time is shown: "
					      : ", but not for ";

		kprintf("\n%s: %lu rounds, seed %lu, trust %s%s%s\n", b->workload->name,
			b->reps_done, b->params.seed, trust_names[b->trust], reason ? no_time : "",
			reason ? reason : "");
		if (b->workload->table)
			b->workload->table(b);
		else
			print_rows(b);
		if (shows_times(b))
			kprintf("interval: of the median, %s\n",
				b->reps_done < SAMPLES_RANKED
					? "from the least to the greatest sample, as there are "
					  "fewer than 6"
					: "95 % by order statistics, whatever the distribution");
		print_noise(b);
		if (b->params.pmu)
			print_pmu(b);
		print_disturbances(&b->noise);
	}
	if (floor && floor->reps_done)
		print_floor(floor);
	print_notes(b);
}
