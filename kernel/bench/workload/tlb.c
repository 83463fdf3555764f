/*
 * `tlb`: the TLB by itself. What an access costs by the number of pages
 * touched, what each flush costs by the state of the entry, what comes back
 * after it, and what it costs to reach other CPUs by their number and distance.
 */
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/rng.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "tlb.h"

enum {
	LEAST_PAGES = 512, /* of 4 KiB: what the flushes need */
	ACCESSES = 4096, /* loads per sample */
};

static const unsigned small_counts[] = {16, 64, 256, 1024, TLB_SMALL_PAGES};
static const unsigned huge_counts[] = {1, 4, TLB_HUGE_BLOCKS};
static const unsigned full_counts[] = {0, 64, 512}; /* entries cached when everything is flushed */
static const unsigned range_counts[] = {8, 32, 512};

static const struct tlb_state *state_of(const struct bench *b)
{
	return b->state;
}

/* The same for several numbers, which the name ends with. */
static void add_counts(struct bench *b, int (*measure)(struct bench *b, u64 arg, u64 *value),
		       const unsigned *counts, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		char text[32];

		ksnprintf(text, sizeof(text), "%s_%u", name, counts[i]);
		tlb_bench_add(b, 1, measure, counts[i], text);
	}
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

static int access_at(struct bench *b, vaddr_t base, u64 step, u64 count, u64 *value)
{
	vaddr_t ring = link_ring(b->state, base, step, (unsigned)count, b->params.seed);

	walk_ring(ring, (unsigned)count); /* once around: what can be cached is */
	*value = tlb_bench_cost(walk_ring(ring, ACCESSES), ACCESSES);
	return 0;
}

static int access_small(struct bench *b, u64 count, u64 *value)
{
	return access_at(b, state_of(b)->small, PAGE_SIZE, count, value);
}

static int access_huge(struct bench *b, u64 count, u64 *value)
{
	return access_at(b, state_of(b)->huge, HUGE_SIZE, count, value);
}

/* The same steps of 4 KiB in one block of the direct map, which large pages map. */
static int access_direct(struct bench *b, u64 count, u64 *value)
{
	return access_at(b, (vaddr_t)page_to_virt(state_of(b)->block[0]), PAGE_SIZE, count, value);
}

/* How many of the counts, which grow, are at most `most`. */
static unsigned up_to(const unsigned *counts, unsigned n, u64 most)
{
	while (n && counts[n - 1] > most)
		n--;
	return n;
}

static void declare_accesses(struct bench *b, const struct tlb_state *s)
{
	const unsigned smalls = ARRAY_SIZE(small_counts), huges = ARRAY_SIZE(huge_counts);

	add_counts(b, access_small, small_counts, up_to(small_counts, smalls, s->small_pages),
		   "access_4k");
	add_counts(b, access_huge, huge_counts, up_to(huge_counts, huges, s->blocks), "access_2m");
	if (s->blocks)
		add_counts(b, access_direct, small_counts, up_to(small_counts, smalls, HUGE_PAGES),
			   "access_direct");
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

	for (u64 i = 0; i < TLB_FLUSHED; i++)
		tlb_flush_local(&s->as->ctx, base + (i << PAGE_SHIFT), 0);
	return cycles_now() - start;
}

static int page_cached(struct bench *b, u64 pages, u64 *value)
{
	const struct tlb_state *s = b->state;

	touch(s, (unsigned)pages);
	*value = tlb_bench_cost(flush_pages(s, s->small), pages);
	return 0;
}

/* From page `first` on. At 0 the row before has flushed them; behind the last there are none. */
static int page_not_cached(struct bench *b, u64 first, u64 *value)
{
	u64 cycles = flush_pages(state_of(b), state_of(b)->small + (first << PAGE_SHIFT));

	*value = tlb_bench_cost(cycles, TLB_FLUSHED);
	return 0;
}

static int flush_all_of(struct bench *b, u64 cached, u64 *value)
{
	const struct tlb_state *s = b->state;
	u64 total = 0;

	for (unsigned i = 0; i < TLB_REPEATS; i++) {
		tlb_bench_flush_all(s);
		touch(s, (unsigned)cached);
		total += tlb_bench_flush_all(s);
	}
	*value = tlb_bench_cost(total, TLB_REPEATS);
	return 0;
}

static int flush_range_of(struct bench *b, u64 pages, u64 *value)
{
	const struct tlb_state *s = b->state;
	u64 total = 0;

	for (unsigned i = 0; i < TLB_REPEATS; i++) {
		touch(s, (unsigned)pages);
		total += tlb_bench_flush_range(s, (unsigned)pages);
	}
	*value = tlb_bench_cost(total, TLB_REPEATS);
	return 0;
}

static void declare_flushes(struct bench *b, const struct tlb_state *s)
{
	tlb_bench_add(b, 1, page_cached, TLB_FLUSHED, "flush_page_cached");
	tlb_bench_add(b, 1, page_not_cached, 0, "flush_page_not_cached");
	tlb_bench_add(b, 1, page_not_cached, s->small_pages, "flush_page_not_mapped");
	add_counts(b, flush_all_of, full_counts, ARRAY_SIZE(full_counts), "flush_all_of");
	add_counts(b, flush_range_of, range_counts, ARRAY_SIZE(range_counts), "flush_range");
}

/* ---- what comes back ---------------------------------------------------------------- */

/* Touching pages after a flush: of nothing, of these pages one by one, of a range, of everything. */
static int refill_none(struct bench *b, u64 pages, u64 *value)
{
	touch(b->state, (unsigned)pages);
	*value = tlb_bench_cost(touch(b->state, (unsigned)pages), pages);
	return 0;
}

static int refill_pages(struct bench *b, u64 pages, u64 *value)
{
	const struct tlb_state *s = b->state;

	flush_pages(s, s->small);
	*value = tlb_bench_cost(touch(s, (unsigned)pages), pages);
	return 0;
}

static int refill_range(struct bench *b, u64 pages, u64 *value)
{
	tlb_bench_flush_range(b->state, 32);
	*value = tlb_bench_cost(touch(b->state, (unsigned)pages), pages);
	return 0;
}

static int refill_all(struct bench *b, u64 pages, u64 *value)
{
	touch(b->state, (unsigned)pages);
	tlb_bench_flush_all(b->state);
	*value = tlb_bench_cost(touch(b->state, (unsigned)pages), pages);
	return 0;
}

static void declare_refills(struct bench *b)
{
	tlb_bench_add(b, 1, refill_none, TLB_FLUSHED, "refill_none");
	tlb_bench_add(b, 1, refill_pages, TLB_FLUSHED, "refill_pages");
	tlb_bench_add(b, 1, refill_range, TLB_FLUSHED, "refill_range_32");
	tlb_bench_add(b, 1, refill_all, 512, "refill_all");
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
	for (; s->blocks < MIN(most, (u64)TLB_HUGE_BLOCKS); s->blocks++) {
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
	s->small_pages = MIN((u64)TLB_SMALL_PAGES, stats.free / 2);
	if (s->small_pages < LEAST_PAGES)
		return -ENOMEM;
	s->small = map_area(s, s->small_pages << PAGE_SHIFT, false, node);
	return s->small ? 0 : -ENOMEM;
}

static int tlb_setup(struct bench *b)
{
	struct tlb_state *s = b->state;
	u32 node = numa_node_of_cpu(cpu_id());

	s->as = aspace_create("tlb", node);
	if (!s->as)
		return bench_fail(b, -ENOMEM, "no memory");
	if (get_small(s, node) || get_blocks(s, node))
		return bench_fail(b, -ENOMEM, "no memory for %u pages on node %u", LEAST_PAGES,
				  node);
	aspace_load(s->as);
	declare_accesses(b, s);
	declare_flushes(b, s);
	declare_refills(b);
	tlb_bench_declare_others(b);
	return 0;
}

static int tlb_round(struct bench *b, struct bench_round *round)
{
	int rc = bench_series_measure(b, round);

	tlb_bench_stop_spinners(b->state);
	return rc ? bench_fail(b, rc, "no memory for a context") : 0;
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
	.takes = OPT_CPUS,
	.state_size = sizeof(struct tlb_state),
	.setup = tlb_setup,
	.round = tlb_round,
	.teardown = tlb_teardown,
};
