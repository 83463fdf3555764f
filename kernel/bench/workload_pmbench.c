/*
 * `pmbench`: threads that load and store one word of a page at a time, chosen
 * by that program's patterns, each access timed; with --scan under NUMA
 * balancing, whose scheme they then feel. One sample per round: nanoseconds of
 * an access.
 */
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/printk.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "pmbench_state.h"

/* Accesses between looks at the clock: a tenth of a millisecond where they are slow. */
enum { CHUNK = 64 };
/* Shorter delays than the loop that makes them are none, as in pmbench. */
enum { DELAY_MIN = 10 };

/* How often the console is looked at in a round of --duration: soon enough for a person. */
#define NAP_NS 50000000UL

/* ---- a thread -------------------------------------------------------------------- */

static inline u64 one_access(struct pm_thread *t, bool *write)
{
	const struct pm_state *s = t->all;
	const struct bench_params *p = s->params;
	vaddr_t page = s->set[t->set].base + (pmbench_next(&t->walk) << PAGE_SHIFT);
	u64 offset = p->offset < PMBENCH_WORDS ? p->offset : rng_pmbench(&t->walk.rng) >> 21;
	u32 *word = (u32 *)page + offset, self = (u32)(vaddr_t)word, seen = self;
	u64 start;

	*write = rng_pmbench(&t->walk.rng) % 1024 >= s->read_below;
	start = cycles_now();
	if (*write)
		store_relaxed(word, self);
	else
		seen = load_relaxed(word);
	start = cycles_now() - start;
	t->totals.wrong += seen != self && seen != pm_first_word(p, word);
	return start;
}

static void between_accesses(struct pm_thread *t)
{
	const struct bench_params *p = t->all->params;

	if (p->delay > DELAY_MIN) {
		u64 end = cycles_now() + p->delay;

		while (cycles_now() < end)
			cpu_relax();
	}
	if (p->slice && !t->slice_left--) {
		t->slice_left = p->slice;
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
	u64 start = cycles_now(), half = s->params->accesses / 2;

	if (s->round_cycles) {
		run_until(t, start + s->round_cycles / 2);
		look_once(t, PMBENCH_MID_RUN);
		run_until(t, start + s->round_cycles);
	} else {
		run_accesses(t, half);
		look_once(t, PMBENCH_MID_RUN);
		run_accesses(t, s->params->accesses - half);
	}
	t->times.cycles = cycles_now() - start;
	look_once(t, PMBENCH_POST_RUN);
	atomic_fetch_add(&s->running, -1U);
}

/* A round of --duration may be long: the console ends it. */
static bool stopped(struct pm_state *s)
{
	if (s->round_cycles && console_interrupted())
		store_relaxed(&s->stop, 1);
	return !load_acquire(&s->running);
}

/* Scan until the threads are done. It spins in between, so that no wake-up is counted. */
static void scan(void *arg)
{
	struct pm_state *s = arg;

	while (!stopped(s)) {
		u64 until = cycles_now() + ns_to_cycles(hint_scan(&s->scan));

		do
			cpu_relax();
		while (cycles_now() < until && !stopped(s));
	}
}

int pm_run(struct bench *b, struct pm_state *s, void (*fn)(void *thread), bool scanned)
{
	int rc = 0;

	store_relaxed(&s->stop, 0);
	store_release(&s->running, s->count);
	for (unsigned i = 0; i < s->count; i++) {
		struct pm_thread *t = s->thread[i];

		t->ctx = context_spawn(b->params.cpu[i % b->params.cpu_count], "pmbench", fn, t,
				       s->as);
		if (!t->ctx) {
			atomic_fetch_add(&s->running, -1U);
			rc = -ENOMEM;
		}
	}
	if (scanned && bench_run_on(b->params.initiator, NULL, scan, s))
		rc = -ENOMEM;
	while (fn == measure && s->round_cycles && !stopped(s))
		wait_nap(NAP_NS);
	for (unsigned i = 0; i < s->count; i++)
		if (s->thread[i]->ctx)
			context_join(s->thread[i]->ctx);
	return rc;
}

/* ---- set-up ------------------------------------------------------------------------ */

static unsigned busy_cpus(const struct bench_params *p)
{
	struct cpumask cpus = {0};

	if (p->scan)
		cpumask_set(&cpus, p->initiator);
	for (u64 i = 0; i < p->threads; i++)
		cpumask_set(&cpus, p->cpu[i % p->cpu_count]);
	return cpumask_weight(&cpus);
}

static int pm_check(struct bench *b)
{
	const struct bench_params *p = &b->params;

	if (p->set_mib > p->map_mib)
		return bench_fail(b, -EINVAL, "--set-size %lu: more than --map-size %lu",
				  p->set_mib, p->map_mib);
	if (!p->threads)
		return bench_fail(b, -EINVAL, "--threads 0: nobody would access a page");
	return 0;
}

static int pm_setup(struct bench *b)
{
	const struct bench_params *p = &b->params;
	struct pm_state *s = b->state;
	int rc;

	bench_series_add(b, "ns", 1, busy_cpus(p), true, "access");
	s->map_pages = p->map_mib << (20 - PAGE_SHIFT);
	s->set_pages = p->set_mib << (20 - PAGE_SHIFT);
	s->round_cycles = ns_to_cycles(p->duration * 1000000000UL / p->reps);
	s->read_below = (u32)(p->read_pct * 1024 / 100);
	rc = pm_maps_create(b, s);
	if (!rc)
		s->warm_up = p->cold ? 0 : pmbench_warm_up(&s->thread[0]->walk);
	return rc;
}

/* ---- a round ------------------------------------------------------------------------- */

/* After the first round memory is as it was before it: the first look at a moment counts. */
static void add_round(struct bench *b, struct pm_variant *v, const struct pmbench_totals *sum)
{
	const struct pm_state *s = b->state;
	bool first = !v->free_kib[PMBENCH_POST_RUN];

	pmbench_merge(&v->totals, sum);
	for (unsigned i = 0; i < PMBENCH_POST_UNMAP; i++)
		if (first || i == PMBENCH_POST_RUN)
			v->free_kib[i] = s->free_kib[i];
	for (unsigned i = 0; i < s->count; i++) {
		u64 *to = (u64 *)&v->thread[i];
		const u64 *from = (const u64 *)&s->thread[i]->times;

		for (size_t k = 0; k < sizeof(v->thread[i]) / sizeof(u64); k++)
			to[k] += from[k];
	}
	pm_maps_count(s, v->on_node);
}

static int pm_round(struct bench *b, struct bench_round *round)
{
	struct pm_state *s = b->state;
	struct pmbench_totals sum = {0};
	u64 start, took, accesses = 0;
	int rc = b->params.scan ? pm_maps_put_back(b, s) : 0;

	if (!rc)
		rc = pm_run(b, s, prepare, false);
	if (rc)
		return b->error[0] ? rc : bench_fail(b, rc, "no memory for a context");
	bench_part_begin(&s->part);
	start = cycles_now();
	rc = pm_run(b, s, measure, b->params.scan);
	took = cycles_now() - start;
	bench_part_end(&s->part, took, &round->totals);
	if (rc)
		return bench_fail(b, rc, "no memory for a context");
	for (unsigned i = 0; i < s->count; i++) {
		pmbench_merge(&sum, &s->thread[i]->totals);
		accesses += s->thread[i]->times.accesses;
	}
	if (!b->variant[round->variant].unsafe)
		b->stale_total += sum.wrong;
	round->totals.units = accesses;
	round->value[0] = bench_ns_per(sum.access_cycles, accesses, 1);
	if (round->warm_up)
		return 0;
	b->variant[round->variant].ops += accesses;
	add_round(b, &s->variant[round->variant], &sum);
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

/* One report of pmbench per variant: a line with `#`, which its parsers skip, says of which. */
static void pm_table(struct bench *b)
{
	const struct pm_state *s = b->state;

	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct bench_variant *v = &b->variant[i];
		struct pmbench_report report = {&b->params, &s->variant[i].totals,
						s->variant[i].thread, s->variant[i].free_kib,
						b->interrupted};

		if (v->skipped[0])
			continue;
		kprintf("# pmbench under %s: %lu pages moved, %lu hint faults, %lu interrupts for "
			"flushes%s\n",
			v->label, v->totals.mm.pages_migrated, v->totals.mm.hint_faults,
			v->totals.mm.ipis_sent,
			b->trust == TRUST_COUNTS ? "; its times mean nothing here, its counts do"
						 : "");
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
	.options = OPT_THREADS | OPT_THP | OPT_CPUS | OPT_NODES | OPT_SLICE | OPT_KEEP |
		   OPT_POLICY | OPT_PMBENCH,
	.default_threads = 1,
	.state_size = sizeof(struct pm_state),
	.check = pm_check,
	.setup = pm_setup,
	.round = pm_round,
	.teardown = pm_teardown,
	.record = pm_record,
	.table = pm_table,
};
