/* The verb `bench`: which variants, the floor beside them, tables, records, verdict. */
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include <mm/scheme.h>
#include "kept.h"
#include "run.h"

const struct workload *workload_find(const char *name)
{
	for (const struct workload *const *w = __start_workloads; w < __stop_workloads; w++)
		if (!strcmp((*w)->name, name))
			return *w;
	return NULL;
}

/* ---- variants ----------------------------------------------------------------- */

/* Does "batch=512 defer=none" set one of the space-separated knobs? */
static bool touches(const char *settings, const char *knobs_named)
{
	while (*settings) {
		size_t len = 0;

		while (settings[len] && settings[len] != '=')
			len++;
		for (const char *k = knobs_named; *k;) {
			size_t klen = 0;

			while (k[klen] && k[klen] != ' ')
				klen++;
			if (klen == len && !strncmp(k, settings, len))
				return true;
			k += klen + (k[klen] == ' ');
		}
		while (*settings && *settings != ' ')
			settings++;
		settings += *settings == ' ';
	}
	return false;
}

static bool scheme_touches(const struct scheme_def *def, const char *knobs_named)
{
	const char *settings;

	for (unsigned piece = 0; (settings = scheme_settings(def, piece)); piece++)
		if (touches(settings, knobs_named))
			return true;
	return false;
}

static const struct scheme_def *find_scheme(const char *name)
{
	for (unsigned i = 0; i < scheme_def_count; i++)
		if (!strcmp(scheme_defs[i].name, name))
			return &scheme_defs[i];
	return NULL;
}

/* One more variant, labelled SCHEME or SCHEME-KNOB.VALUE. False: there are too many. */
static bool add_variant(struct bench *b, const char *scheme_name, const char *vary_value)
{
	const struct scheme_def *def = find_scheme(scheme_name);
	struct bench_variant *v = &b->variant[b->variant_count];

	if (b->variant_count == BENCH_MAX_VARIANTS)
		return false;
	b->variant_count++;
	v->scheme = scheme_name;
	v->vary_value = vary_value;
	v->not_modelled = def ? def->not_modelled : NULL;
	int len = vary_value ? ksnprintf(v->label, sizeof(v->label), "%s-%s.%s", scheme_name,
					 b->vary, vary_value)
			     : ksnprintf(v->label, sizeof(v->label), "%s", scheme_name);

	v->label_cut = (size_t)len >= sizeof(v->label);
	return true;
}

/* The scheme once, or once per value of --vary. The list is cut into words in place. */
static bool add_scheme(struct bench *b, const char *scheme_name)
{
	const char *value = b->vary_values;

	if (!value)
		return add_variant(b, scheme_name, NULL);
	for (; *value; value += strlen(value) + 1)
		if (!add_variant(b, scheme_name, value))
			return false;
	return true;
}

/* "a,b" as "a\0b\0\0". NULL: too long, or an element is empty. */
static char *split_list(const char *list, char *buf, size_t size)
{
	size_t len = strlcpy(buf, list, size - 1);
	char *start = buf;

	if (len >= size - 1)
		return NULL;
	buf[len + 1] = '\0';
	for (char *p = buf;; p++) {
		if (*p && *p != ',')
			continue;
		if (p == start)
			return NULL;
		start = p + 1;
		if (!*p)
			return buf;
		*p = '\0';
	}
}

enum { LIST_LEN = 512 };

static unsigned make_variants(struct bench *b)
{
	static char schemes[LIST_LEN], values[LIST_LEN]; /* variants point into them */
	bool fits = true;

	if (b->vary[0] && !(b->vary_values = split_list(b->vary_values, values, LIST_LEN)))
		return command_usage_error("bench", "--vary: an empty value, or over %d characters",
					   LIST_LEN);
	if (!b->schemes) {
		fits = add_scheme(b, "as-set");
	} else if (!strcmp(b->schemes, "all")) {
		for (unsigned i = 0; i < scheme_def_count; i++)
			if (scheme_touches(&scheme_defs[i], b->workload->separates))
				fits = fits && add_scheme(b, scheme_defs[i].name);
	} else {
		const char *name = split_list(b->schemes, schemes, LIST_LEN);

		if (!name)
			return command_usage_error(
				"bench", "--schemes: an empty name, or over %d characters",
				LIST_LEN);
		for (; *name && fits; name += strlen(name) + 1)
			fits = add_scheme(b, name);
	}
	if (!fits || !b->variant_count)
		return command_usage_error("bench", "%s variants, from 1 to %d are possible",
					   b->variant_count ? "more" : "no", BENCH_MAX_VARIANTS);
	return RC_PASS;
}

/*
 * A name or value that does not exist is a mistake and ends the command; one
 * that this machine cannot offer is a variant skipped.
 */
static unsigned check_variants(struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		struct bench_variant *v = &b->variant[i];
		int rc = bench_variant_try(b, v);

		if (rc && rc != -ENOTSUP)
			return command_usage_error("bench", "%s", v->skipped);
		if (v->label_cut) /* another variant's might look the same */
			return command_usage_error("bench",
						   "%s...: longer than the %d characters "
						   "that a record has for it",
						   v->label, (int)sizeof(v->label) - 1);
	}
	return RC_PASS;
}

/* ---- running --------------------------------------------------------------------- */

static const char *cannot_run(const struct bench *b, char *buf, size_t size)
{
	unsigned cpus = cpumask_weight(&cpu_online);
	u32 nodes = numa_node_count();

	if (nodes < b->workload->min_nodes)
		ksnprintf(buf, size, "%s needs %u nodes, there is %u", b->workload->name,
			  b->workload->min_nodes, nodes);
	else if (cpus < b->workload->min_cpus)
		ksnprintf(buf, size, "%s needs %u CPUs, there is %u", b->workload->name,
			  b->workload->min_cpus, cpus);
	else
		return NULL;
	return buf;
}

enum {
	FLOOR_WARMUP = 5,
	FLOOR_REPS = 30
}; /* at most: it stands beside the run, it is not the run */

/* The floor in short, with this run's nodes, page size and seed. NULL: it could not be measured. */
static struct bench *run_floor(const struct bench *b)
{
	const struct workload *w = workload_find("floor");
	struct bench *floor = w && w != b->workload ? bench_alloc(w) : NULL;

	if (!floor)
		return NULL;
	floor->params = b->params;
	floor->params.threads = 0;
	floor->params.warmup = MIN(b->params.warmup, (u64)FLOOR_WARMUP);
	floor->params.reps = MIN(b->params.reps, (u64)FLOOR_REPS);
	floor->params.keep = false;
	floor->brief = true;
	add_variant(floor, "as-set", NULL);
	if (bench_variant_try(floor, &floor->variant[0]) || bench_measure(floor)) {
		kprintf("# no floor: %s\n", floor->error);
		bench_free(floor);
		return NULL;
	}
	return floor;
}

static unsigned verdict(const struct bench *b, int rc)
{
	if (rc == -EINVAL || rc == -ERANGE)
		return command_usage_error("bench", "%s", b->error);
	if (rc)
		return command_failed("bench", "%s", b->error);
	if (b->stale_total)
		return command_failed("bench", "%lu stale reads", b->stale_total);
	if (b->damaged)
		return command_failed("bench", "%lu pages with wrong contents after the last round",
				      b->damaged);
	if (b->leaked)
		return command_failed("bench", "%lu frames or objects were not given back",
				      b->leaked);
	if (b->interrupted)
		return RC_FAIL;
	return b->reps_done ? RC_PASS : RC_SKIP;
}

static void print_all(struct bench *b, struct bench *floor)
{
	table_print(b, floor);
	if (!results_print())
		return;
	record_print_values(b);
	if (floor)
		record_print_values(floor);
}

static void sum_up(const struct bench *b, struct bench_outcome *out)
{
	size_t len;

	*out = (struct bench_outcome){0};
	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct bench_variant *v = &b->variant[i];

		out->units += v->totals.units;
		out->failed += bench_failed(&v->totals);
		out->reads_verified += v->reads_verified;
		out->skipped += v->skipped[0] != '\0';
	}
	out->stale_reads = b->stale_total;
	while (results_record(out->records, &len))
		out->records++;
}

/* out: say nothing, sum up instead. */
static void report(struct bench *b, struct bench_outcome *out)
{
	struct bench *floor = b->interrupted ? NULL : run_floor(b);

	record_make(b, floor);
	if (out)
		sum_up(b, out);
	else
		print_all(b, floor);
	if (floor)
		bench_free(floor);
}

static unsigned run(struct bench *b, struct bench_outcome *out)
{
	char why[BENCH_ERROR_LEN];
	unsigned rc = make_variants(b);
	u64 leaked;
	int err = 0;

	if (!rc)
		rc = check_variants(b);
	if (rc)
		return rc;
	if (cannot_run(b, why, sizeof(why))) {
		kprintf("# SKIP %s\n", why);
		return RC_SKIP;
	}
	/* A mistake costs nothing that is there: neither results nor what an earlier run kept. */
	if (b->workload->check)
		err = b->workload->check(b);
	if (err)
		return verdict(b, err);
	results_clear();
	leaked = kept_drop();
	err = bench_measure(b);
	b->leaked += leaked;
	/* A run that failed on its way still shows what it has. */
	if (!err || b->reps_done)
		report(b, out);
	if (!out)
		kept_print();
	return verdict(b, err);
}

static unsigned parse_and_run(int argc, char **argv, struct bench_outcome *out)
{
	struct bench *b;
	unsigned rc = params_parse(argc, argv, &b);

	if (rc)
		return rc;
	rc = run(b, out);
	bench_free(b);
	return rc;
}

unsigned bench_command(int argc, char **argv)
{
	return parse_and_run(argc, argv, NULL);
}

unsigned bench_quietly(int argc, char **argv, struct bench_outcome *out)
{
	return parse_and_run(argc, argv, out);
}

void bench_init(void)
{
	/* Asked for here, so that it is known before unknown options are reported. */
	option_get("host.cpus");
}
