/*
 * `pmbench`: threads that load and store one word of a page at a time, chosen
 * by that program's patterns, each access timed; with --scan under NUMA
 * balancing, whose scheme they then feel. One sample per round: nanoseconds of
 * an access.
 */
#include <harness/sums.h>
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/command.h>
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "pmbench.h"

/* Accesses between looks at the clock: a tenth of a millisecond where they are slow. */
enum { CHUNK = 64 };
/* Shorter delays than the loop that makes them are none, as in pmbench. */
enum { DELAY_MIN = 10 };

enum { DURATION_MAX = 86400 }; /* seconds */

/* ---- options ---------------------------------------------------------------------- */

struct pmbench_options pmbench_options;

/* Null where any word may be accessed. */
static void put_offset(const struct bench_params *p, struct json *j)
{
	(void)p;
	json_key(j, "offset");
	if (pmbench_options.offset < PMBENCH_WORDS)
		json_u64(j, pmbench_options.offset);
	else
		json_null(j);
}

#define ASKED(field) &pmbench_options.field

static const struct bench_option options[] = {
	{OPTION_CHOICE("--access", ASKED(access), pmbench_names, PMBENCH_UNIFORM,
		       "pmbench: which page is next"),
	 .key = "access"},
	{OPTION_NUMBER("--map-size", ASKED(map_mib), 1, 1 << 20, 32, "pmbench: MiB mapped"),
	 .key = "map_mib"},
	{OPTION_NUMBER("--set-size", ASKED(set_mib), 1, 1 << 20, 16, "pmbench: MiB of them used"),
	 .key = "set_mib"},
	{OPTION_NUMBER("--read-pct", ASKED(read_pct), 0, 100, 50, "pmbench: percent that read"),
	 .key = "read_pct"},
	{OPTION_NUMBER("--shape", ASKED(shape), 0, 1UL << 40, 0,
		       "pmbench: thousandths of its shape: pareto exponent, sigma or stride in "
		       "pages; 0: 1161, an eighth of the set, 1000"),
	 .key = "shape", .digits = 3},
	/* In no record: what each thread did is there. */
	{OPTION_NUMBER("--accesses", ASKED(accesses), 1, 1UL << 32, 20000,
		       "pmbench: by each thread in a round")},
	{OPTION_NUMBER("--duration", ASKED(duration), 0, DURATION_MAX, 0,
		       "pmbench: seconds that the measured rounds share out, instead of "
		       "--accesses; also as the word behind pmbench"),
	 .key = "duration_s", .length = true},
	{OPTION_NUMBER("--delay", ASKED(delay), 0, 1UL << 32, 0,
		       "pmbench: cycles between accesses"),
	 .key = "delay"},
	{OPTION_NUMBER("--offset", ASKED(offset), 0, PMBENCH_WORDS, PMBENCH_WORDS,
		       "pmbench: word of the page that is accessed; 1024: any"),
	 .put = put_offset},
	{OPTION_FLAG("--initialize", ASKED(initialize), "pmbench: no zeros at first"),
	 .key = "initialize"},
	{OPTION_FLAG("--cold", ASKED(cold), "pmbench: no warm-up accesses"), .key = "cold"},
	{OPTION_FLAG("--scan", ASKED(scan), "pmbench: NUMA scans meanwhile"), .key = "scan"},
	{OPTION_TEXT("--affinity", ASKED(affinity.text),
		     "pmbench: CPUS[:THREADS]/...: a map for each set of CPUs, bound to their "
		     "nodes"),
	 .key = "affinity"},
	{.arg = {NULL}},
};

/* "bench pmbench 60", as that program is called. */
static unsigned pm_word(const char *word)
{
	struct pmbench_options *o = &pmbench_options;

	if (parse_u64(word, &o->duration) || !o->duration || o->duration > DURATION_MAX)
		return command_usage_error("bench", "%.40s: not a duration of 1 to %d seconds",
					   word, DURATION_MAX);
	return RC_PASS;
}

static unsigned pm_settle(struct bench *b)
{
	struct pmbench_options *o = &pmbench_options;

	o->affinity.sets = 0;
	if (o->duration && option_given("--accesses"))
		return command_usage_error("bench", "--duration and --accesses exclude each other");
	if (!o->affinity.text)
		return RC_PASS;
	if (b->params.cpus || option_given("--threads"))
		return command_usage_error("bench", "--affinity and --%s exclude each other",
					   b->params.cpus ? "cpus" : "threads");
	return affinity_parse(&o->affinity, &b->params);
}

/* ---- a thread -------------------------------------------------------------------- */

static inline u64 one_access(struct pm_thread *t, bool *write)
{
	const struct pm_state *s = t->all;
	const struct pmbench_options *o = s->options;
	vaddr_t page = s->set[t->set].base + (pmbench_next(&t->walk) << PAGE_SHIFT);
	u64 offset = o->offset < PMBENCH_WORDS ? o->offset : rng_pmbench(&t->walk.rng) >> 21;
	u32 *word = (u32 *)page + offset, self = (u32)(vaddr_t)word, seen = self;
	u64 start;

	*write = rng_pmbench(&t->walk.rng) % 1024 >= s->read_below;
	start = cycles_now();
	if (*write)
		store_relaxed(word, self);
	else
		seen = load_relaxed(word);
	start = cycles_now() - start;
	t->totals.wrong += seen != self && seen != pm_first_word(s, word);
	return start;
}

static void between_accesses(struct pm_thread *t)
{
	const struct pm_state *s = t->all;
	const struct pmbench_options *o = s->options;

	if (o->delay > DELAY_MIN) {
		u64 end = cycles_now() + o->delay;

		while (cycles_now() < end)
			cpu_relax();
	}
	if (s->slice && !t->slice_left--) {
		t->slice_left = s->slice;
		context_yield();
	}
	if (det_mode)
		cpu_relax(); /* instruction counting switches CPUs where they relax */
}

static void run_accesses(struct pm_thread *t, u64 n)
{
	while (n--) {
		bool write;
		u64 took = one_access(t, &write);

		pmbench_add(write ? &t->totals.write : &t->totals.read, cycles_to_ns(took));
		t->totals.access_cycles += took;
		t->times.accesses++;
		between_accesses(t);
	}
}

static void look_at_memory(struct pm_state *s, enum pmbench_moment moment)
{
	struct pmm_node_stats stats;
	u64 pages = 0;

	for (u32 node = 0; node < numa_node_count(); node++) {
		pmm_node_stats(node, &stats);
		pages += stats.free + stats.cached;
	}
	s->free_kib[moment] = pages << PAGE_SHIFT >> 10;
}

static void look_once(struct pm_thread *t, enum pmbench_moment moment)
{
	if (!t->id)
		look_at_memory(t->all, moment);
}

/* Not measured: draw as many pages as there are, then the accesses of the warm-up. */
static void prepare(void *arg)
{
	struct pm_thread *t = arg;
	struct pm_state *s = t->all;
	u64 start = cycles_now();

	for (u64 i = 0; i < s->set_pages; i++)
		pmbench_next(&t->walk);
	t->times =
		(struct pmbench_thread){.draws = s->set_pages, .draw_cycles = cycles_now() - start};
	look_once(t, PMBENCH_PRE_WARMUP);
	start = cycles_now();
	run_accesses(t, s->warm_up);
	t->times.warm = s->warm_up;
	t->times.warm_cycles = cycles_now() - start;
	t->times.accesses = 0;
	t->totals = (struct pmbench_totals){0};
	look_once(t, PMBENCH_PRE_RUN);
}

static void run_until(struct pm_thread *t, u64 deadline)
{
	while (cycles_now() < deadline && !load_relaxed(&t->all->stop))
		run_accesses(t, CHUNK);
}

static void measure(void *arg)
{
	struct pm_thread *t = arg;
	struct pm_state *s = t->all;
	u64 start = cycles_now(), half = s->options->accesses / 2;

	if (s->round_cycles) {
		run_until(t, start + s->round_cycles / 2);
		look_once(t, PMBENCH_MID_RUN);
		run_until(t, start + s->round_cycles);
	} else {
		run_accesses(t, half);
		look_once(t, PMBENCH_MID_RUN);
		run_accesses(t, s->options->accesses - half);
	}
	t->times.cycles = cycles_now() - start;
	look_once(t, PMBENCH_POST_RUN);
	/* Full barrier; pairs with the acquire in stopped(): what was measured is there. */
	atomic_fetch_add(&s->running, -1U);
}

/* ---- set-up ------------------------------------------------------------------------ */

static unsigned busy_cpus(const struct bench_params *p)
{
	struct cpumask cpus = {0};

	if (pmbench_options.scan)
		cpumask_set(&cpus, p->initiator);
	for (u64 i = 0; i < p->threads; i++)
		cpumask_set(&cpus, p->cpu[i % p->cpu_count]);
	return cpumask_weight(&cpus);
}

static int pm_check(struct bench *b)
{
	const struct pmbench_options *o = &pmbench_options;

	if (o->set_mib > o->map_mib)
		return bench_fail(b, -EINVAL, "--set-size %lu: more than --map-size %lu",
				  o->set_mib, o->map_mib);
	if (!b->params.threads)
		return bench_fail(b, -EINVAL, "--threads 0: nobody would access a page");
	return 0;
}

static int pm_setup(struct bench *b)
{
	const struct bench_params *p = &b->params;
	const struct pmbench_options *o = &pmbench_options;
	struct pm_state *s = b->state;
	int rc;

	bench_series_add(b,
			 &(struct bench_series){
				 .unit = "ns", .digits = 1, .busy = busy_cpus(p), .time = true},
			 "access");
	s->params = p;
	s->options = o;
	s->seed = p->seed;
	s->slice = p->slice;
	s->initialize = o->initialize;
	s->map_pages = o->map_mib << (20 - PAGE_SHIFT);
	s->set_pages = o->set_mib << (20 - PAGE_SHIFT);
	s->round_cycles = ns_to_cycles(o->duration * 1000000000UL / p->reps);
	s->read_below = (u32)(o->read_pct * 1024 / 100);
	rc = pm_maps_create(b, s);
	if (!rc)
		s->warm_up = o->cold ? 0 : pmbench_warm_up(&s->thread[0]->walk);
	return rc;
}

/* ---- a round ------------------------------------------------------------------------- */

/* After the first round memory is as it was before it: the first look at a moment counts. */
static void pm_add(struct bench *b, const struct bench_round *round)
{
	struct pm_state *s = b->state;
	struct pm_variant *v = &s->variant[round->variant];
	bool first = !v->free_kib[PMBENCH_POST_RUN];

	sums_add(&v->totals, &s->sum);
	for (unsigned i = 0; i < PMBENCH_POST_UNMAP; i++)
		if (first || i == PMBENCH_POST_RUN)
			v->free_kib[i] = s->free_kib[i];
	for (unsigned i = 0; i < s->count; i++)
		sums_add(&v->thread[i], &s->thread[i]->times);
	pm_maps_count(s, v->on_node);
}

static int pm_round(struct bench *b, struct bench_round *round)
{
	struct pm_state *s = b->state;
	u64 start, took, accesses = 0;
	int rc = pmbench_options.scan ? pm_maps_put_back(b, s) : 0;

	if (!rc)
		rc = pm_run(b, s, prepare, false, false);
	if (rc)
		return b->error[0] ? rc : bench_fail(b, rc, "no memory for a context");
	part_begin(&s->part);
	start = cycles_now();
	rc = pm_run(b, s, measure, pmbench_options.scan, s->round_cycles);
	took = cycles_now() - start;
	part_end(&s->part, took, &round->totals);
	if (rc)
		return bench_fail(b, rc, "no memory for a context");
	s->sum = (struct pmbench_totals){0};
	for (unsigned i = 0; i < s->count; i++) {
		sums_add(&s->sum, &s->thread[i]->totals);
		accesses += s->thread[i]->times.accesses;
	}
	if (!b->variant[round->variant].unsafe)
		b->stale_total += s->sum.wrong;
	round->totals.units = accesses;
	round->value[0] = bench_time_per(s->sum.access_cycles, accesses, 1);
	round->felt.ops = accesses;
	return 0;
}

static void pm_teardown(struct bench *b)
{
	struct pm_state *s = b->state;

	for (unsigned i = 0; i < s->count; i++)
		kmem.free(s->thread[i], sizeof(*s->thread[i]));
	pm_maps_finish(b, s);
	look_at_memory(s, PMBENCH_POST_UNMAP);
	for (unsigned i = 0; i < b->variant_count; i++)
		s->variant[i].free_kib[PMBENCH_POST_UNMAP] = s->free_kib[PMBENCH_POST_UNMAP];
}

/* ---- what is shown --------------------------------------------------------------------- */

static const char *about_times(const struct bench *b)
{
	if (b->trust == TRUST_COUNTS)
		return "; its times mean nothing here, its counts do";
	return b->trust == TRUST_PATH ? "; its times are virtual, 8 ns per instruction" : "";
}

/* One report of pmbench per variant: a line with `#`, which its parsers skip, says of which. */
static void pm_table(struct bench *b)
{
	const struct pm_state *s = b->state;

	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct bench_variant *v = &b->variant[i];
		struct pmbench_report report = {&pmbench_options,	b->params.threads,
						&s->variant[i].totals,	s->variant[i].thread,
						s->variant[i].free_kib, b->interrupted};

		if (v->skipped[0])
			continue;
		kprintf("# pmbench under %s: %lu pages moved, %lu hint faults, %lu interrupts for "
			"flushes%s\n",
			v->label, v->totals.mm.pages_migrated, v->totals.mm.hint_faults,
			v->totals.mm.ipis_sent, about_times(b));
		pmbench_print(&report);
	}
}

WORKLOAD(workload_pmbench) = {
	.name = "pmbench",
	.summary = "pmbench's accesses and latency histogram; --scan: under NUMA balancing",
	.unit = "ns",
	.min_cpus = 2,
	.min_nodes = 1,
	.separates = "hint",
	.takes = OPT_THREADS | OPT_THP | OPT_CPUS | OPT_NODES | OPT_SLICE | OPT_KEEP | OPT_POLICY,
	.options = options,
	.word = pm_word,
	.settle = pm_settle,
	.default_threads = 1,
	.state_size = sizeof(struct pm_state),
	.check = pm_check,
	.setup = pm_setup,
	.round = pm_round,
	.add = pm_add,
	.teardown = pm_teardown,
	.record = pm_record,
	.table = pm_table,
};
