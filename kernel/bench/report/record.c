/* Benchmark records: JSON Lines "tarry.bench/1", one per variant and one for the floor. */
#include <harness/options.h>
#include <harness/trust.h>
#include <harness/workload.h>
#include <kernel/bench.h>
#include <kernel/console.h>
#include <kernel/crc32.h>
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/kmem.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/version.h>
#include <mm/knob.h>
#include <mm/numa.h>
#include "figures.h"
#include "lines.h"
#include "record.h"

enum {
	RECORD_BASE = 16 << 10, /* bytes: every key with its greatest number, measured 6 KiB */
	RECORD_PER_SAMPLE = 48, /* digits of a sample and of a longest wait */
	RECORD_PER_SERIES = 384,
	RECORD_PER_THREAD = 256, /* what pmbench says of one, which is most */
	MAX_RECORDS = BENCH_MAX_VARIANTS + 1,
	LINE_WIDTH =
		960, /* bytes of a line by default: a logger's 1,024 columns, with its time stamp before it */
	ARENA = 128 << 10, /* bytes: a run of ten variants with 30 rounds each */
};

/*
 * The last run's records. They lie in the arena one behind the other, so that
 * what is kept for `results` is no memory that somebody else misses; a run
 * that does not fit takes memory for the rest.
 */
static char arena[ARENA];
static size_t arena_used;
static struct record {
	char *text; /* one line, newline included */
	size_t size; /* bytes to give back; 0: it lies in the arena */
	size_t len;
} results[MAX_RECORDS];
static unsigned result_count;
static u64 result_run;

static bool printed; /* with each table */
static size_t line_width; /* bytes; 0: any */

BOOT_OPTION(records, "records", "off|on|auto",
	    "JSON records with each table; auto: where nobody types");
BOOT_OPTION(width, "records.width", "N", "bytes of a record's lines on the console, 0: any");

void record_init(void)
{
	static const char *const choices[] = {"off", "on", "auto", NULL};
	unsigned choice = option_choice("records", choices, 2);

	printed = choice == 2 ? !console_attended() : choice;
	line_width = option_u64("records.width", LINE_WIDTH, 0, RECORD_LINE_MAX);
}

bool records_printed(void)
{
	return printed;
}

void results_clear(void)
{
	while (result_count) {
		struct record *r = &results[--result_count];

		if (r->size)
			kmem.free(r->text, r->size);
	}
	arena_used = 0;
}

u64 results_run(void)
{
	return result_run;
}

const char *results_record(unsigned i, size_t *len)
{
	if (i >= result_count)
		return NULL;
	*len = results[i].len;
	return results[i].text;
}

void record_print_mark(bool begin)
{
	const char *mark = begin ? "BENCH-BEGIN\n" : "BENCH-END\n";

	console_record(mark, strlen(mark));
}

void record_print(const char *text, size_t len)
{
	record_lines(text, len, line_width, console_record);
}

bool results_print(void)
{
	if (!result_count)
		return false;
	record_print_mark(true);
	for (unsigned i = 0; i < result_count; i++)
		record_print(results[i].text, results[i].len);
	record_print_mark(false);
	return true;
}

static void put_or_null(struct json *j, const char *key, bool shown, u64 value, unsigned digits)
{
	json_key(j, key);
	if (shown)
		json_fixed(j, (s64)value, digits);
	else
		json_null(j);
}

/* ---- one record ---------------------------------------------------------------- */

/* Null where there are too few ranks for an interval. */
static void put_interval(const struct summary *s, unsigned digits, struct json *j)
{
	json_key(j, "ci95");
	if (s->n < 6) {
		json_null(j);
		return;
	}
	json_array(j);
	json_fixed(j, (s64)s->ci_low, digits);
	json_fixed(j, (s64)s->ci_high, digits);
	json_array_end(j);
}

static void put_summary_keys(const struct summary *s, unsigned digits, struct json *j)
{
	json_key(j, "n"), json_u64(j, s->n);
	json_key(j, "mean"), json_fixed(j, (s64)s->mean_x10, digits + 1);
	json_key(j, "median"), json_fixed(j, (s64)s->median, digits);
	json_key(j, "stddev"), json_fixed(j, (s64)s->stddev_x10, digits + 1);
	json_key(j, "cv"), json_fixed(j, (s64)s->cv_x10000, 4);
	json_key(j, "min"), json_fixed(j, (s64)s->min, digits);
	json_key(j, "max"), json_fixed(j, (s64)s->max, digits);
	json_key(j, "p50"), json_fixed(j, (s64)s->p50, digits);
	json_key(j, "p90"), json_fixed(j, (s64)s->p90, digits);
	json_key(j, "p95"), json_fixed(j, (s64)s->p95, digits);
	json_key(j, "p99"), json_fixed(j, (s64)s->p99, digits);
	put_interval(s, digits, j);
	json_key(j, "ci95_method"), json_string(j, "rank");
	json_key(j, "outliers"), json_u64(j, s->outliers);
}

static void put_null_keys(u64 n, struct json *j)
{
	static const char *const keys[] = {"mean", "median",	  "stddev",  "cv",  "min",
					   "max",  "p50",	  "p90",     "p95", "p99",
					   "ci95", "ci95_method", "outliers"};

	json_key(j, "n"), json_u64(j, n);
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		json_key(j, keys[i]), json_null(j);
}

static void put_samples(const struct bench *b, unsigned variant, struct json *j)
{
	const struct bench_variant *v = &b->variant[variant];
	struct summary s;
	bool shown = bench_summary(b, variant, 0, &s);

	json_key(j, "samples");
	if (!shown) {
		json_null(j);
		put_null_keys(v->skipped[0] ? 0 : b->reps_done, j);
		return;
	}
	json_array(j);
	for (u64 i = 0; i < b->reps_done; i++)
		json_fixed(j, (s64)v->values[i], b->series[0].digits);
	json_array_end(j);
	put_summary_keys(&s, b->series[0].digits, j);
}

/* Rounds in which the host was busy, measured again: in no figure. */
static void put_disturbed(const struct bench *b, const struct bench_variant *v, struct json *j)
{
	json_key(j, "disturbed_rounds");
	json_array(j);
	for (unsigned i = 0; i < v->disturbed_count; i++) {
		json_object(j);
		json_key(j, "round"), json_u64(j, v->disturbed[i].round);
		json_key(j, "sample");
		json_fixed(j, (s64)v->disturbed[i].value, b->series[0].digits);
		json_object_end(j);
	}
	json_array_end(j);
}

/* Every series in short; the first one, the headline, is above in full. */
static void put_points(const struct bench *b, unsigned variant, struct json *j)
{
	json_key(j, "points");
	json_array(j);
	for (unsigned i = 0; i < b->series_count; i++) {
		const struct bench_series *series = &b->series[i];
		struct summary s = {0};
		bool shown = bench_summary(b, variant, i, &s);

		json_object(j);
		json_key(j, "name"), json_string(j, series->name);
		json_key(j, "unit"), json_string(j, series->unit);
		json_key(j, "trust"), json_string(j, trust_names[series->trust]);
		put_or_null(j, "median", shown, s.median, series->digits);
		put_interval(&s, series->digits, j);
		put_or_null(j, "min", shown, s.min, series->digits);
		put_or_null(j, "p99", shown, s.p99, series->digits);
		put_or_null(j, "cv", shown, s.cv_x10000, 4);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_knobs(const struct bench_variant *v, struct json *j)
{
	json_key(j, "knobs");
	json_object(j);
	for (unsigned i = 0; i < knob_count(); i++) {
		const struct knob *k = knob_at(i);

		json_key(j, k->name);
		if (!v->knobs_known)
			json_null(j);
		else if (k->choices)
			json_string(j, k->choices[v->knob[i]]);
		else if (k->unbounded && !v->knob[i])
			json_string(j, "inf");
		else
			json_u64(j, v->knob[i]);
	}
	json_object_end(j);
}

/* The knobs that were varied, "a,b", or null. */
static void put_vary(const struct bench *b, struct json *j)
{
	char names[ARG_STRINGS_MAX * KNOB_NAME_LEN] = "";
	size_t len = 0;

	for (unsigned i = 0; i < b->vary_count; i++)
		len += (size_t)ksnprintf(names + len, sizeof(names) - len, "%s%s", i ? "," : "",
					 b->vary[i].knob);
	json_key(j, "vary"), json_string(j, len ? names : NULL);
}

static void put_params(const struct bench *b, struct json *j)
{
	json_object(j);
	options_record(NULL, &b->params, j);
	put_vary(b, j);
	json_object_end(j);
}

static void put_head(const struct bench *b, const struct bench_variant *v, struct json *j)
{
	char why[TRUST_WHY_LEN];

	json_key(j, "schema"), json_string(j, "tarry.bench/1");
	json_key(j, "name"), json_string(j, b->workload->name);
	json_key(j, "scheme"), json_string(j, v->scheme);
	json_key(j, "variant"), json_string(j, v->label);
	json_key(j, "arch"), json_string(j, tarry_arch);
	json_key(j, "accel"), json_string(j, cpu_accel());
	json_key(j, "smp"), json_u64(j, cpumask_weight(&cpu_online));
	json_key(j, "nodes"), json_u64(j, numa_node_count());
	json_key(j, "seed"), json_u64(j, b->params.seed);
	json_key(j, "params"), put_params(b, j);
	put_knobs(v, j);
	json_key(j, "unsafe"), json_string(j, v->unsafe);
	json_key(j, "not_modelled"), json_string(j, v->not_modelled);
	json_key(j, "skipped"), json_string(j, v->skipped[0] ? v->skipped : NULL);
	json_key(j, "interrupted"), json_bool(j, b->interrupted);
	json_key(j, "trust"), json_string(j, trust_names[b->trust]);
	json_key(j, "trust_by"), json_string(j, trust_by());
	json_key(j, "trust_why"), json_string(j, trust_why(b, why, sizeof(why)));
	put_or_null(j, "ns_per_instruction", bench_ns_per_instruction(), bench_ns_per_instruction(),
		    0);
}

/* Of the median, as everywhere. */
static void put_rate(const struct bench *b, unsigned variant, struct json *j)
{
	u64 second = 1000000000UL;
	struct summary s;
	bool shown = b->trust == TRUST_TIME && b->variant[variant].totals.migrate.moved &&
		     bench_summary(b, variant, 0, &s) && s.median;

	for (unsigned i = 0; i < b->series[0].digits; i++)
		second *= 10;
	put_or_null(j, "pages_per_s", shown, shown ? second / s.median : 0, 0);
}

static void put_settle(const struct bench *b, const struct bench_totals *t, struct json *j)
{
	put_or_null(j, "settle_ns", b->trust != TRUST_COUNTS, bench_ns_per(t->settle_cycles, 1, 0),
		    0);
	json_key(j, "settle_ipis"), json_u64(j, t->settle_ipis);
	json_key(j, "settle_flushes"), json_u64(j, t->settle_flushes);
	json_key(j, "debts_at_end"), json_u64(j, t->debts_at_end);
	json_key(j, "held_pages_max"), json_u64(j, t->held_pages_max);
	json_key(j, "held_bytes_max"), json_u64(j, t->held_pages_max << PAGE_SHIFT);
}

/* What only this workload has: its options, and what its record() adds. */
static void put_workload(struct bench *b, unsigned variant, struct json *j)
{
	const struct workload *w = b->workload;
	const char *key = w->record_key || !w->options ? w->record_key : w->name;

	if (key)
		json_key(j, key), json_object(j);
	options_record(w, &b->params, j);
	if (w->record)
		w->record(b, variant, j);
	if (key)
		json_object_end(j);
}

static void put_body(struct bench *b, unsigned variant, struct json *j)
{
	const struct bench_variant *v = &b->variant[variant];
	bool trusted = b->trust != TRUST_COUNTS;
	const char *hidden = bench_stale_hidden(b);

	json_key(j, "unit"), json_string(j, b->series_count ? b->series[0].unit
							    : bench_time_unit(b->workload->unit));
	json_key(j, "better"), json_string(j, "lower");
	json_key(j, "warmup"), json_u64(j, b->params.warmup);
	put_samples(b, variant, j);
	put_disturbed(b, v, j);
	put_points(b, variant, j);
	put_rate(b, variant, j);
	json_key(j, "phase_ns"), record_phases(v, trusted, j);
	put_settle(b, &v->totals, j);
	json_key(j, "counters"), record_counters(v, j);
	if (b->params.pmu)
		record_pmu(b, v, j);
	json_key(j, "wait_ns"), record_waits(v, trusted, j);
	json_key(j, "ack_ns"), record_ack(v, trusted, j);
	record_victim_keys(b, v, j);
	json_key(j, "stale_visible"), json_bool(j, !hidden);
	json_key(j, "stale_hidden_by"), json_string(j, hidden);
	if (!v->skipped[0])
		put_workload(b, variant, j);
	record_machine_keys(b, j);
}

static size_t record_size(const struct bench *b)
{
	return RECORD_BASE + b->params.reps * RECORD_PER_SAMPLE +
	       b->series_count * RECORD_PER_SERIES + b->params.threads * RECORD_PER_THREAD;
}

/* The checksum covers every byte before its comma, so the object is closed by hand. */
size_t record_seal(char *text, size_t len, size_t size)
{
	u32 crc = crc32_update(0, text, len);

	len += (size_t)ksnprintf(text + len, size - len, ",\"crc\":\"%08x\"}\n", crc);
	ASSERT(len < size); /* RECORD_TAIL */
	return len;
}

/* Into `size` bytes at `text`. 0, or -ERANGE: it does not fit. */
static int write_record(struct bench *b, unsigned variant, struct record *r, char *text,
			size_t size)
{
	struct json j;
	long len;

	if (size <= RECORD_TAIL)
		return -ERANGE;
	json_init(&j, text, size - RECORD_TAIL);
	json_object(&j);
	put_head(b, &b->variant[variant], &j);
	put_body(b, variant, &j);
	len = json_finish(&j);
	if (len < 0)
		return (int)len;
	*r = (struct record){.text = text, .len = record_seal(text, (size_t)len, size)};
	return 0;
}

static int make_record(struct bench *b, unsigned variant, struct record *r)
{
	size_t size = record_size(b);
	char *text;
	int err = write_record(b, variant, r, arena + arena_used, ARENA - arena_used);

	if (!err) {
		arena_used += r->len;
		return 0;
	}
	text = kmem.alloc(size, numa_node_of_cpu(cpu_id()));
	if (!text)
		return -ENOMEM;
	err = write_record(b, variant, r, text, size);
	if (err)
		kmem.free(text, size);
	else
		r->size = size;
	return err;
}

/* ---- all of them, and the lines for people who grep ------------------------------- */

static void make_records(struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		ASSERT(result_count < MAX_RECORDS);
		int err = make_record(b, i, &results[result_count]);

		if (!err)
			result_count++;
		else
			kprintf("# no record for %s: %s\n", b->variant[i].label,
				err == -ENOMEM ? "no memory" : "too long");
	}
}

/* LAVA and others take measurements from this line. */
static void print_value_line(const struct bench *b, unsigned i)
{
	const struct bench_variant *v = &b->variant[i];
	char number[32];
	struct summary s;

	if (v->skipped[0] || !b->reps_done)
		return;
	if (bench_summary(b, i, 0, &s)) {
		fixed_format(number, sizeof(number), (s64)s.median, b->series[0].digits);
		kprintf("# bench %s.%s value=%s unit=%s\n", b->workload->name, v->label, number,
			b->series[0].unit);
	} else if (v->totals.units) {
		const struct mm_counters *c = &v->totals.mm;
		bool broadcast = c->bcast_syncs > c->ipis_sent;
		bool per_page = v->totals.migrate.moved && !strcmp(b->workload->unit, "ns/page");
		u64 asked = broadcast ? c->bcast_syncs : c->ipis_sent;

		fixed_format(number, sizeof(number),
			     (s64)mul_div_u64(asked, 10000, v->totals.units), 4);
		kprintf("# bench %s.%s value=%s unit=%s/%s\n", b->workload->name, v->label, number,
			broadcast ? "syncs" : "ipis", per_page ? "page" : "call");
	}
}

void record_print_values(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++)
		print_value_line(b, i);
}

void record_make(struct bench *b, struct bench *floor)
{
	results_clear();
	result_run++;
	make_records(b);
	if (floor)
		make_records(floor);
}
