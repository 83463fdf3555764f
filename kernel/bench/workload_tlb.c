/*
 * `tlb`: the TLB by itself. What an access costs by the number of pages
 * touched, what each flush costs by the state of the entry, what comes back
 * after it, and what it costs to reach other CPUs by their number and distance.
 */
#include <kernel/clock.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/printf.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "run.h"
#include "spinner.h"

enum {
	SMALL_PAGES = 4096, /* of 4 KiB in the area; the largest count of pages touched */
	LEAST_PAGES = 512, /* of them: what the flushes need */
	HUGE_BLOCKS = 16, /* of 2 MiB, in an area of their own and by the direct map */
	ACCESSES = 4096, /* loads per sample */
	FLUSHED = 64, /* pages flushed one by one per sample */
	REPEATS = 8, /* flushes of everything, shootdowns and calls per sample */
	DIGITS = 2, /* decimals of a cost */
	SERIES_PER_COUNT = 3, /* see declare_others() */
	SERIES_PER_DISTANCE = 2,
};

static const unsigned small_counts[] = {16, 64, 256, 1024, SMALL_PAGES};
static const unsigned huge_counts[] = {1, 4, HUGE_BLOCKS};
static const unsigned full_counts[] = {0, 64, 512}; /* entries cached when everything is flushed */
static const unsigned range_counts[] = {8, 32, 512};

struct tlb_state {
	struct aspace *as;
	vaddr_t small, huge;
	u64 small_pages; /* of the area at `small` */
	struct page *block[HUGE_BLOCKS];
	unsigned blocks; /* obtained: nodes may be small */
	u32 order[SMALL_PAGES];
	struct spinner spinner[MAX_CPUS];
	unsigned spinners;
	u64 *value;
	unsigned next;
};

/* Cycles per item. Deterministic runs count instructions, which records derive from nanoseconds. */
static u64 cost(u64 cycles, u64 items)
{
	return det_mode ? bench_ns_per(cycles, items, DIGITS) : mul_div_u64(cycles, 100, items);
}

static void put(struct tlb_state *s, u64 cycles, u64 items)
{
	s->value[s->next++] = cost(cycles, items);
}

/* ---- accesses ------------------------------------------------------------------- */

/* A word of page i, in another cache line of each page: else they would all compete for one set. */
static u64 *word_of(vaddr_t base, u64 step, u64 i)
{
	return (u64 *)(base + i * step + i * CACHE_LINE % PAGE_SIZE);
}

/* Link places in random order into one ring: no load can begin before the last has ended. */
static vaddr_t link_ring(struct tlb_state *s, vaddr_t base, u64 step, unsigned count, u64 seed)
{
	u64 state = seed;

	for (unsigned i = 0; i < count; i++) {
		unsigned j = (unsigned)(rng_splitmix64(&state) % (i + 1));

		s->order[i] = s->order[j];
		s->order[j] = i;
	}
	for (unsigned i = 0; i < count; i++)
		*word_of(base, step, s->order[i]) =
			(u64)word_of(base, step, s->order[(i + 1) % count]);
	return (vaddr_t)word_of(base, step, s->order[0]);
}

static u64 walk_ring(vaddr_t at, unsigned loads)
{
	u64 start = cycles_now();

	while (loads--)
		at = load_relaxed((const u64 *)at);
	return cycles_now() - start;
}

static void measure_access(struct tlb_state *s, vaddr_t base, u64 step, unsigned count, u64 seed)
{
	vaddr_t ring = link_ring(s, base, step, count, seed);

	walk_ring(ring, count); /* once around: what can be cached is */
	put(s, walk_ring(ring, ACCESSES), ACCESSES);
}

static void measure_accesses(struct bench *b, struct tlb_state *s)
{
	u64 seed = b->params.seed;

	for (unsigned i = 0; i < ARRAY_SIZE(small_counts) && small_counts[i] <= s->small_pages; i++)
		measure_access(s, s->small, PAGE_SIZE, small_counts[i], seed);
	for (unsigned i = 0; i < ARRAY_SIZE(huge_counts) && huge_counts[i] <= s->blocks; i++)
		measure_access(s, s->huge, HUGE_SIZE, huge_counts[i], seed);
	/* The same steps of 4 KiB in one block of the direct map, which large pages map. */
	for (unsigned i = 0; small_counts[i] <= HUGE_PAGES && s->blocks; i++)
		measure_access(s, (vaddr_t)page_to_virt(s->block[0]), PAGE_SIZE, small_counts[i],
			       seed);
}

static void declare_accesses(struct bench *b, const struct tlb_state *s, const char *unit)
{
	for (unsigned i = 0; i < ARRAY_SIZE(small_counts) && small_counts[i] <= s->small_pages; i++)
		bench_series_add(b, unit, DIGITS, 1, true, "access_4k_%u", small_counts[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(huge_counts) && huge_counts[i] <= s->blocks; i++)
		bench_series_add(b, unit, DIGITS, 1, true, "access_2m_%u", huge_counts[i]);
	for (unsigned i = 0; small_counts[i] <= HUGE_PAGES && s->blocks; i++)
		bench_series_add(b, unit, DIGITS, 1, true, "access_direct_%u", small_counts[i]);
}

/* ---- flushes here ------------------------------------------------------------------- */

/* One piece of code for every caller, so that their costs can be compared. */
static __attribute__((noinline)) u64 touch(const struct tlb_state *s, unsigned count)
{
	u64 start = cycles_now();

	for (unsigned i = 0; i < count; i++)
		load_relaxed(word_of(s->small, PAGE_SIZE, i));
	return cycles_now() - start;
}

static u64 flush_pages(const struct tlb_state *s, vaddr_t base)
{
	u64 start = cycles_now();

	for (u64 i = 0; i < FLUSHED; i++)
		tlb_flush_local(&s->as->ctx, base + (i << PAGE_SHIFT), 0);
	return cycles_now() - start;
}

static u64 flush_range(const struct tlb_state *s, unsigned pages)
{
	struct tlb_gather g;
	u64 start = cycles_now();

	tlb_gather_init(&g, &s->as->ctx, 0);
	tlb_gather_add_range(&g, &s->as->ctx, s->small, s->small + ((u64)pages << PAGE_SHIFT), 0);
	tlb_gather_flush(&g);
	return cycles_now() - start;
}

static u64 flush_all(const struct tlb_state *s)
{
	u64 start = cycles_now();

	tlb_flush_context(&s->as->ctx);
	return cycles_now() - start;
}

static void measure_full(struct tlb_state *s, unsigned cached)
{
	u64 total = 0;

	for (unsigned i = 0; i < REPEATS; i++) {
		flush_all(s);
		touch(s, cached);
		total += flush_all(s);
	}
	put(s, total, REPEATS);
}

static void measure_range(struct tlb_state *s, unsigned pages)
{
	u64 total = 0;

	for (unsigned i = 0; i < REPEATS; i++) {
		touch(s, pages);
		total += flush_range(s, pages);
	}
	put(s, total, REPEATS);
}

static void measure_flushes(struct tlb_state *s)
{
	touch(s, FLUSHED);
	put(s, flush_pages(s, s->small), FLUSHED); /* cached */
	put(s, flush_pages(s, s->small), FLUSHED); /* mapped, not cached */
	put(s, flush_pages(s, s->small + (s->small_pages << PAGE_SHIFT)), FLUSHED); /* not mapped */
	for (unsigned i = 0; i < ARRAY_SIZE(full_counts); i++)
		measure_full(s, full_counts[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(range_counts); i++)
		measure_range(s, range_counts[i]);
}

static void declare_flushes(struct bench *b, const char *unit)
{
	static const char *const states[] = {"cached", "not_cached", "not_mapped"};

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
		bench_series_add(b, unit, DIGITS, 1, true, "flush_page_%s", states[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(full_counts); i++)
		bench_series_add(b, unit, DIGITS, 1, true, "flush_all_of_%u", full_counts[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(range_counts); i++)
		bench_series_add(b, unit, DIGITS, 1, true, "flush_range_%u", range_counts[i]);
}

/* ---- what comes back ---------------------------------------------------------------- */

static void measure_refills(struct tlb_state *s)
{
	const unsigned many = 512;

	touch(s, FLUSHED);
	put(s, touch(s, FLUSHED), FLUSHED); /* nothing to refill */
	flush_pages(s, s->small);
	put(s, touch(s, FLUSHED), FLUSHED);
	flush_range(s, 32);
	put(s, touch(s, FLUSHED), FLUSHED);
	touch(s, many);
	flush_all(s);
	put(s, touch(s, many), many);
}

static void declare_refills(struct bench *b, const char *unit)
{
	static const char *const names[] = {"refill_none", "refill_pages", "refill_range_32",
					    "refill_all"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		bench_series_add(b, unit, DIGITS, 1, true, "%s", names[i]);
}

/* ---- other CPUs ----------------------------------------------------------------------- */

/* 1, 2, 4, ... and all of them. */
static unsigned next_count(unsigned count, unsigned all)
{
	return count == all ? 0 : MIN(count * 2, all);
}

static int add_spinner(struct tlb_state *s, unsigned cpu)
{
	int rc = spinner_start(&s->spinner[s->spinners], cpu, SPIN_LOAD, s->as, s->small, FLUSHED);

	if (!rc)
		s->spinners++;
	return rc;
}

/* CPUs that have left the space are still asked once, to make them forget it: do that now. */
static void stop_spinners(struct tlb_state *s)
{
	while (s->spinners)
		spinner_stop(&s->spinner[--s->spinners]);
	flush_all(s);
}

static void measure_shootdowns(struct tlb_state *s)
{
	u64 pages = 0, all = 0;

	for (unsigned i = 0; i < REPEATS; i++)
		pages += flush_range(s, 1);
	for (unsigned i = 0; i < REPEATS; i++)
		all += flush_all(s);
	put(s, pages, REPEATS);
	put(s, all, REPEATS);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void measure_calls(const struct bench *b, struct tlb_state *s, unsigned count)
{
	struct cpumask mask;
	u64 start;

	cpumask_clear(&mask);
	for (unsigned i = 0; i < count; i++)
		cpumask_set(&mask, b->params.cpu[i]);
	start = cycles_now();
	for (unsigned i = 0; i < REPEATS; i++)
		smp_call(&mask, nothing, NULL);
	put(s, cycles_now() - start, REPEATS);
}

/* First CPU of the list on this package, or off it; MAX_CPUS: none. */
static unsigned cpu_at(const struct bench *b, bool near)
{
	u32 package = this_cpu_ptr(cpu_self)->package;

	for (unsigned i = 0; i < b->params.cpu_count; i++)
		if ((cpu_ptr(b->params.cpu[i], cpu_self)->package == package) == near)
			return b->params.cpu[i];
	return MAX_CPUS;
}

static int measure_distance(struct bench *b, struct tlb_state *s, bool near)
{
	unsigned cpu = cpu_at(b, near);
	int rc = 0;

	if (cpu == MAX_CPUS)
		return 0;
	if (!bench_worthwhile(b, s->next)) {
		s->next += SERIES_PER_DISTANCE;
		return 0;
	}
	rc = add_spinner(s, cpu);
	if (!rc)
		measure_shootdowns(s);
	stop_spinners(s);
	return rc;
}

static int measure_others(struct bench *b, struct tlb_state *s)
{
	const struct bench_params *p = &b->params;
	int rc = 0;

	for (unsigned n = 1; n && p->cpu_count && !rc; n = next_count(n, p->cpu_count)) {
		if (!bench_worthwhile(b, s->next)) {
			s->next += SERIES_PER_COUNT;
			continue;
		}
		measure_calls(b, s, n);
		while (s->spinners < n && !rc)
			rc = add_spinner(s, p->cpu[s->spinners]);
		if (!rc)
			measure_shootdowns(s);
		stop_spinners(s);
	}
	if (!rc)
		rc = measure_distance(b, s, true);
	return rc ? rc : measure_distance(b, s, false);
}

static void declare_shootdowns(struct bench *b, const char *unit, unsigned busy, const char *where)
{
	bench_series_add(b, unit, DIGITS, busy, true, "shootdown_page_%s", where);
	bench_series_add(b, unit, DIGITS, busy, true, "shootdown_all_%s", where);
}

static void declare_others(struct bench *b, const char *unit)
{
	const struct bench_params *p = &b->params;

	for (unsigned n = 1; n && p->cpu_count; n = next_count(n, p->cpu_count)) {
		char where[16];

		ksnprintf(where, sizeof(where), "%u_cpus", n);
		bench_series_add(b, unit, DIGITS, 1 + n, true, "call_halted_%s", where);
		declare_shootdowns(b, unit, 1 + n, where);
	}
	if (cpu_at(b, true) != MAX_CPUS)
		declare_shootdowns(b, unit, 2, "near");
	if (cpu_at(b, false) != MAX_CPUS)
		declare_shootdowns(b, unit, 2, "far");
}

/* ---- the workload ------------------------------------------------------------------------ */

static vaddr_t map_area(struct tlb_state *s, u64 len, bool huge, u32 node)
{
	int err = 0;
	vaddr_t va = aspace_map(s->as, NULL, 0, 0, len, PROT_READ | PROT_WRITE, huge, node, &err);

	if (va && aspace_populate(s->as, va, len, node) != (long)(len >> PAGE_SHIFT))
		return 0;
	return va;
}

/* Blocks for the direct map and, as many again, for the area of 2 MiB pages. */
static int get_blocks(struct tlb_state *s, u32 node)
{
	struct pmm_node_stats stats;
	u64 most;

	pmm_node_stats(node, &stats);
	most = stats.free_blocks[HUGE_ORDER] / 4;
	for (; s->blocks < MIN(most, (u64)HUGE_BLOCKS); s->blocks++) {
		s->block[s->blocks] = pmm_alloc(node, HUGE_ORDER, PMM_STRICT);
		if (!s->block[s->blocks])
			break;
	}
	if (!s->blocks)
		return 0;
	s->huge = map_area(s, s->blocks * HUGE_SIZE, true, node);
	return s->huge ? 0 : -ENOMEM;
}

/* As many as wanted, or half of what the node has; the flushes need LEAST_PAGES. */
static int get_small(struct tlb_state *s, u32 node)
{
	struct pmm_node_stats stats;

	pmm_node_stats(node, &stats);
	s->small_pages = MIN((u64)SMALL_PAGES, stats.free / 2);
	if (s->small_pages < LEAST_PAGES)
		return -ENOMEM;
	s->small = map_area(s, s->small_pages << PAGE_SHIFT, false, node);
	return s->small ? 0 : -ENOMEM;
}

static int tlb_setup(struct bench *b)
{
	struct tlb_state *s = b->state;
	u32 node = numa_node_of_cpu(cpu_id());
	const char *unit = det_mode ? "ns" : "cycles";

	s->as = aspace_create("tlb", node);
	if (!s->as)
		return bench_fail(b, -ENOMEM, "no memory");
	if (get_small(s, node) || get_blocks(s, node))
		return bench_fail(b, -ENOMEM, "no memory for %u pages on node %u", LEAST_PAGES,
				  node);
	aspace_load(s->as);
	declare_accesses(b, s, unit);
	declare_flushes(b, unit);
	declare_refills(b, unit);
	declare_others(b, unit);
	return 0;
}

static int tlb_round(struct bench *b, struct bench_round *round)
{
	struct tlb_state *s = b->state;

	s->value = round->value;
	s->next = 0;
	measure_accesses(b, s);
	measure_flushes(s);
	measure_refills(s);
	return measure_others(b, s) ? bench_fail(b, -ENOMEM, "no memory for a context") : 0;
}

static void tlb_teardown(struct bench *b)
{
	struct tlb_state *s = b->state;

	aspace_load(NULL);
	if (s->as)
		aspace_destroy(s->as);
	while (s->blocks)
		page_put(s->block[--s->blocks], PAGE_REF);
}

WORKLOAD(workload_tlb) = {
	.name = "tlb",
	.summary = "the TLB by itself: accesses, flushes, refills, shootdowns by CPUs and distance",
	.unit = "cycles",
	.min_cpus = 1,
	.min_nodes = 1,
	.separates = "transport range",
	.options = OPT_CPUS,
	.state_size = sizeof(struct tlb_state),
	.setup = tlb_setup,
	.round = tlb_round,
	.teardown = tlb_teardown,
};
