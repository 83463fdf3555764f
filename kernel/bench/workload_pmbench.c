/*
 * `pmbench`: threads that load and store one word of a page at a time, chosen
 * by that program's patterns, each access timed; with --scan under NUMA
 * balancing, whose scheme they then feel. One sample per round: nanoseconds of
 * an access.
 */
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/printk.h>
#include <mm/hint.h>
#include <mm/numa.h>
#include "pmbench.h"
#include "region.h"
#include "run.h"

enum { PAGE_WORDS = PAGE_SIZE / sizeof(u32) };

struct pm_thread {
	struct pm_state *all;
	struct pmbench_walk walk;
	unsigned cpu;
	struct context *ctx;
	struct pmbench_totals totals; /* of a round */
};

struct pm_state {
	struct aspace *as;
	vaddr_t base;
	u64 set_pages, accesses, warm_up;
	u32 read_below; /* of 1024: a random number below it makes an access a load */
	unsigned count;
	struct pm_thread *thread[MAX_CPUS];
	u32 running; /* threads that have not finished; atomic */
	unsigned starter;
	struct bench_part part;
	struct hint_scan scan;
	struct {
		struct pmbench_totals totals;
		u64 took; /* cycles */
	} variant[BENCH_MAX_VARIANTS];
};

/* ---- a thread -------------------------------------------------------------------- */

/* A word holds zero, or the low bits of its address once it was written. */
static inline u64 one_access(struct pm_thread *t, bool *write)
{
	const struct pm_state *s = t->all;
	vaddr_t page = s->base + (pmbench_next(&t->walk) << PAGE_SHIFT);
	u32 *word = (u32 *)page + (rng_pmbench(&t->walk.rng) >> 21) % PAGE_WORDS, seen = 0;
	u64 start;

	*write = rng_pmbench(&t->walk.rng) % 1024 >= s->read_below;
	start = cycles_now();
	if (*write)
		store_relaxed(word, (u32)(vaddr_t)word);
	else
		seen = load_relaxed(word);
	start = cycles_now() - start;
	t->totals.wrong += seen && seen != (u32)(vaddr_t)word;
	return start;
}

static void run_accesses(struct pm_thread *t, u64 n)
{
	while (n--) {
		bool write;
		u64 took = one_access(t, &write);

		pmbench_add(write ? &t->totals.write : &t->totals.read, cycles_to_ns(took));
		t->totals.access_cycles += took;
		t->totals.accesses++;
		if (det_mode)
			cpu_relax(); /* instruction counting switches CPUs where they relax */
	}
}

static void thread_main(void *arg)
{
	struct pm_thread *t = arg;
	struct pm_state *s = t->all;
	u64 start;

	run_accesses(t, s->warm_up);
	t->totals = (struct pmbench_totals){0};
	start = cycles_now();
	run_accesses(t, s->accesses);
	t->totals.cycles = cycles_now() - start;
	atomic_fetch_add(&s->running, -1U);
}

/* ---- set-up ------------------------------------------------------------------------ */

static int create_threads(struct bench *b, struct pm_state *s)
{
	const struct bench_params *p = &b->params;

	for (; s->count < p->threads; s->count++) {
		unsigned cpu = p->cpu[s->count % p->cpu_count];
		struct pm_thread *t = kmem.alloc(sizeof(*t), numa_node_of_cpu(cpu));

		if (!t)
			return -ENOMEM;
		t->all = s;
		t->cpu = cpu;
		pmbench_start(&t->walk, (enum pmbench_access)p->access, s->set_pages, p->shape,
			      p->seed, s->count);
		s->thread[s->count] = t;
	}
	return 0;
}

static int create_map(struct bench *b, struct pm_state *s)
{
	u64 bytes = b->params.map_mib << 20;
	int err = -ENOMEM;

	s->as = aspace_create("pmbench", (u32)b->params.from);
	if (s->as)
		s->base = aspace_map(s->as, NULL, 0, 0, bytes, PROT_READ | PROT_WRITE,
				     b->params.thp, (u32)b->params.from, &err);
	if (!s->as || !s->base)
		return err;
	return aspace_populate(s->as, s->base, bytes, (u32)b->params.from) < 0 ? -ENOMEM : 0;
}

static int pm_setup(struct bench *b)
{
	const struct bench_params *p = &b->params;
	struct pm_state *s = b->state;
	int rc = 0;

	if (p->set_mib > p->map_mib)
		return bench_fail(b, -EINVAL, "--set-size %lu: more than --map-size %lu",
				  p->set_mib, p->map_mib);
	if (!p->threads)
		return bench_fail(b, -EINVAL, "--threads 0: nobody would access a page");
	if ((rc = region_check_room(b, (u32)p->from, p->map_mib << (20 - PAGE_SHIFT))))
		return rc;
	bench_series_add(b, "ns", 1, 1 + (unsigned)MIN(p->threads, p->cpu_count), true, "access");
	s->set_pages = p->set_mib << (20 - PAGE_SHIFT);
	s->accesses = p->accesses;
	s->read_below = (u32)(p->read_pct * 1024 / 100);
	rc = create_map(b, s);
	if (!rc)
		rc = create_threads(b, s);
	if (rc)
		return bench_fail(b, rc, "no memory for %lu MiB and %lu threads", p->map_mib,
				  p->threads);
	s->warm_up = p->cold ? 0 : pmbench_warm_up(&s->thread[0]->walk);
	return 0;
}

/* ---- a round ------------------------------------------------------------------------- */

/* Scan until the threads are done; without --scan, only wait. Nothing sleeps: no wake-ups to count. */
static void watch(void *arg)
{
	struct bench *b = arg;
	struct pm_state *s = b->state;

	while (load_acquire(&s->running)) {
		u64 until = b->params.scan ? cycles_now() + ns_to_cycles(hint_scan(&s->scan)) : 0;

		do
			cpu_relax();
		while (cycles_now() < until && load_acquire(&s->running));
	}
}

static int run_threads(struct bench *b, struct pm_state *s)
{
	int rc = 0;

	store_release(&s->running, s->count);
	for (unsigned i = 0; i < s->count; i++) {
		struct pm_thread *t = s->thread[i];

		t->ctx = context_spawn(t->cpu, "pmbench", thread_main, t, s->as);
		if (!t->ctx) {
			atomic_fetch_add(&s->running, -1U);
			rc = -ENOMEM;
		}
	}
	if (bench_run_on(b->params.initiator, NULL, watch, b))
		rc = -ENOMEM;
	for (unsigned i = 0; i < s->count; i++)
		if (s->thread[i]->ctx)
			context_join(s->thread[i]->ctx);
	return rc;
}

/* All pages where they began, so that each round of --scan has the same to do. */
static void put_back(struct bench *b, struct pm_state *s)
{
	struct migrate_stats stats = {0};
	struct migrate_request req = {
		.as = s->as,
		.start = s->base,
		.len = b->params.map_mib << 20,
		.from_nodes = ~(1UL << b->params.from),
		.to_node = (u32)b->params.from,
		.stats = &stats,
	};

	migrate_range(&req);
	hint_forget(s->as, req.start, req.start + req.len);
	s->scan = (struct hint_scan){.as = s->as};
}

static int pm_round(struct bench *b, struct bench_round *round)
{
	struct pm_state *s = b->state;
	struct pmbench_totals sum = {0};
	u64 start, took;
	int rc;

	put_back(b, s);
	bench_part_begin(&s->part);
	start = cycles_now();
	rc = run_threads(b, s);
	took = cycles_now() - start;
	bench_part_end(&s->part, took, &round->totals);
	if (rc)
		return bench_fail(b, rc, "no memory for a context");
	for (unsigned i = 0; i < s->count; i++)
		pmbench_merge(&sum, &s->thread[i]->totals);
	if (!b->variant[round->variant].unsafe)
		b->stale_total += sum.wrong;
	round->totals.units = sum.accesses;
	round->value[0] = bench_ns_per(sum.access_cycles, sum.accesses, 1);
	if (round->warm_up)
		return 0;
	b->variant[round->variant].ops += sum.accesses;
	pmbench_merge(&s->variant[round->variant].totals, &sum);
	s->variant[round->variant].took += took;
	return 0;
}

static void pm_teardown(struct bench *b)
{
	struct pm_state *s = b->state;

	for (unsigned i = 0; i < s->count; i++)
		kmem.free(s->thread[i], sizeof(*s->thread[i]));
	if (s->as)
		aspace_destroy(s->as);
}

/* ---- what is shown --------------------------------------------------------------------- */

static void put_histogram(struct json *j, const char *name, const struct pmbench_histogram *h)
{
	json_key(j, name), json_array(j);
	json_u64(j, h->below);
	for (unsigned i = 0; i < PMBENCH_BANDS * PMBENCH_BINS; i++)
		json_u64(j, h->fine[i / PMBENCH_BINS][i % PMBENCH_BINS]);
	for (unsigned i = 0; i < ARRAY_SIZE(h->coarse); i++)
		json_u64(j, h->coarse[i]);
	json_u64(j, h->rest);
	json_array_end(j);
}

static void pm_record(struct bench *b, unsigned variant, struct json *j)
{
	const struct pm_state *s = b->state;
	const struct pmbench_totals *t = &s->variant[variant].totals;

	json_key(j, "pmbench"), json_object(j);
	json_key(j, "accesses"), json_u64(j, t->accesses);
	json_key(j, "access"), json_string(j, pmbench_names[b->params.access]);
	json_key(j, "map_mib"), json_u64(j, b->params.map_mib);
	json_key(j, "set_mib"), json_u64(j, b->params.set_mib);
	json_key(j, "read_pct"), json_u64(j, b->params.read_pct);
	if (b->trust != TRUST_COUNTS) {
		put_histogram(j, "read", &t->read);
		put_histogram(j, "write", &t->write);
	}
	json_object_end(j);
}

/* One report of pmbench per variant: a line with `#`, which its parsers skip, says of which. */
static void pm_table(struct bench *b)
{
	const struct pm_state *s = b->state;

	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct bench_variant *v = &b->variant[i];

		if (v->skipped[0])
			continue;
		kprintf("# pmbench under %s: %lu pages moved, %lu hint faults, %lu interrupts for "
			"flushes%s\n",
			v->label, v->totals.mm.pages_migrated, v->totals.mm.hint_faults,
			v->totals.mm.ipis_sent,
			b->trust == TRUST_COUNTS ? "; its times mean nothing here, its counts do"
						 : "");
		pmbench_print(&s->variant[i].totals, s->variant[i].took);
	}
}

WORKLOAD(workload_pmbench) = {
	.name = "pmbench",
	.summary = "pmbench's accesses and latency histogram; --scan: under NUMA balancing",
	.unit = "ns",
	.min_cpus = 2,
	.min_nodes = 1,
	.separates = "hint",
	.options = OPT_THREADS | OPT_THP | OPT_CPUS | OPT_NODES | OPT_PMBENCH,
	.default_threads = 1,
	.state_size = sizeof(struct pm_state),
	.setup = pm_setup,
	.round = pm_round,
	.teardown = pm_teardown,
	.record = pm_record,
	.table = pm_table,
};
