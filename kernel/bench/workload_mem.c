/*
 * `mem`: what one call costs that changes a mapping: permissions, unmapping,
 * dropping, faulting. Each series is one operation, repeated over areas or
 * pages of its own, so that no call finds what an earlier one left.
 */
#include <kernel/clock.h>
#include <kernel/error.h>
#include <mm/numa.h>
#include "run.h"
#include "spinner.h"

enum {
	SINGLE = 8, /* one-page calls per sample; each has an area, and a space has few of them */
	RUN = 512, /* pages of the long calls: one leaf table */
	RUNS = 2, /* long calls per sample */
};

enum series {
	PROTECT_1,
	PROTECT_512,
	UNMAP_1,
	DROP_1, /* as the stock kernel's figures: the first is the headline */
	ALLOW_1,
	ALLOW_512,
	UNMAP_512,
	DROP_512,
	MAP_1,
	FAULT_1,
	SPLIT_1,
	SERIES,
};

static const char *const names[SERIES] = {
	[PROTECT_1] = "mprotect_1", [PROTECT_512] = "mprotect_512", [UNMAP_1] = "munmap_1",
	[DROP_1] = "drop_1",	    [ALLOW_1] = "mprotect_rw_1",    [ALLOW_512] = "mprotect_rw_512",
	[UNMAP_512] = "munmap_512", [DROP_512] = "drop_512",	    [MAP_1] = "mmap_1",
	[FAULT_1] = "fault_zero_1", [SPLIT_1] = "mprotect_split_1",
};

struct mem_state {
	struct aspace *as;
	vaddr_t single[SINGLE], run[RUNS]; /* areas; 0 = not mapped now */
	struct spinner spinner[MAX_CPUS];
	struct bench_part part;
	u64 cycles[SERIES];
	struct bench_totals *totals;
};

#define RW (PROT_READ | PROT_WRITE)

static const u32 anywhere = BOOT_NODE_NONE;

/* ---- areas ---------------------------------------------------------------------- */

static int map_one(struct mem_state *s, vaddr_t *va, u64 pages)
{
	int err = 0;

	*va = aspace_map(s->as, NULL, 0, 0, pages << PAGE_SHIFT, RW, false, anywhere, &err);
	return *va ? 0 : err;
}

/* Store to each page, so that it is there, dirty, and in this CPU's TLB. */
static void touch(vaddr_t va, u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		store_relaxed((u64 *)(va + (i << PAGE_SHIFT)), i);
}

/* Map what is missing and fill it. */
static int refill(struct mem_state *s)
{
	int rc = 0;

	for (unsigned i = 0; i < SINGLE && !rc; i++) {
		if (!s->single[i])
			rc = map_one(s, &s->single[i], 1);
		if (!rc)
			touch(s->single[i], 1);
	}
	for (unsigned i = 0; i < RUNS && !rc; i++) {
		if (!s->run[i])
			rc = map_one(s, &s->run[i], RUN);
		if (!rc)
			touch(s->run[i], RUN);
	}
	return rc;
}

/* ---- operations ------------------------------------------------------------------- */

static int protect(struct mem_state *s, vaddr_t *va, u64 pages)
{
	return aspace_protect(s->as, *va, pages << PAGE_SHIFT, PROT_READ);
}

static int allow(struct mem_state *s, vaddr_t *va, u64 pages)
{
	return aspace_protect(s->as, *va, pages << PAGE_SHIFT, RW);
}

static int drop(struct mem_state *s, vaddr_t *va, u64 pages)
{
	return aspace_drop(s->as, *va, pages << PAGE_SHIFT);
}

static int unmap(struct mem_state *s, vaddr_t *va, u64 pages)
{
	vaddr_t gone = *va;

	*va = 0;
	return aspace_unmap(s->as, gone, pages << PAGE_SHIFT);
}

static int fault(struct mem_state *s, vaddr_t *va, u64 pages)
{
	(void)s;
	touch(*va, pages);
	return 0;
}

/* One page in the middle of an area, which is cut in three by it. */
static int split(struct mem_state *s, vaddr_t *va, u64 pages)
{
	return aspace_protect(s->as, *va + (pages / 2 << PAGE_SHIFT), PAGE_SIZE, PROT_READ);
}

static int measure(struct mem_state *s, enum series which, vaddr_t *va, unsigned count, u64 pages,
		   int (*op)(struct mem_state *s, vaddr_t *va, u64 pages))
{
	int rc = 0;
	u64 start;

	bench_part_begin(&s->part);
	start = cycles_now();
	for (unsigned i = 0; i < count && !rc; i++)
		rc = op(s, &va[i], pages);
	s->cycles[which] = cycles_now() - start;
	s->cycles[which] += bench_part_end(&s->part, s->cycles[which], s->totals);
	s->totals->units += count;
	return rc;
}

struct step {
	enum series which;
	bool run; /* on the long areas */
	bool fresh; /* every page mapped, writable, touched; else as the step above left it */
	int (*op)(struct mem_state *s, vaddr_t *va, u64 pages);
};

static const struct step steps[] = {
	{PROTECT_1, false, true, protect},  {ALLOW_1, false, false, allow},
	{DROP_1, false, true, drop},	    {FAULT_1, false, false, fault},
	{UNMAP_1, false, true, unmap},	    {MAP_1, false, false, map_one},
	{PROTECT_512, true, true, protect}, {ALLOW_512, true, false, allow},
	{DROP_512, true, true, drop},	    {SPLIT_1, true, true, split},
	{UNMAP_512, true, false, unmap},
};

static int mem_round(struct bench *b, struct bench_round *round)
{
	struct mem_state *s = b->state;
	int rc = 0;

	s->totals = &round->totals;
	for (unsigned i = 0; i < ARRAY_SIZE(steps) && !rc; i++) {
		const struct step *step = &steps[i];

		if (step->fresh)
			rc = refill(s);
		if (rc)
			break;
		if (step->run)
			rc = measure(s, step->which, s->run, RUNS, RUN, step->op);
		else
			rc = measure(s, step->which, s->single, SINGLE, 1, step->op);
		round->value[step->which] =
			bench_ns_per(s->cycles[step->which], step->run ? RUNS : SINGLE, 0);
	}
	return rc ? bench_fail(b, rc, "an operation failed (%d)", rc) : 0;
}

/* ---- set-up ------------------------------------------------------------------------- */

static int mem_setup(struct bench *b)
{
	struct mem_state *s = b->state;

	for (unsigned i = 0; i < SERIES; i++)
		bench_series_add(b, "ns", 0, 1 + (unsigned)b->params.threads, true, "%s", names[i]);
	s->as = aspace_create("mem", numa_node_of_cpu(cpu_id()));
	if (!s->as)
		return bench_fail(b, -ENOMEM, "no memory");
	aspace_load(s->as);
	return refill(s) ? bench_fail(b, -ENOMEM, "no memory for the areas") : 0;
}

/* Threads that have the space loaded and do nothing: each operation has to reach them. */
static int mem_start(struct bench *b)
{
	struct mem_state *s = b->state;

	for (unsigned i = 0; i < b->params.threads; i++)
		if (spinner_start(&s->spinner[i], b->params.cpu[i], SPIN_RELAX, s->as, 0, 0))
			return bench_fail(b, -ENOMEM, "no memory for %lu threads",
					  b->params.threads);
	return 0;
}

static void mem_teardown(struct bench *b)
{
	struct mem_state *s = b->state;

	for (unsigned i = 0; i < b->params.threads; i++)
		spinner_stop(&s->spinner[i]);
	aspace_load(NULL);
	if (s->as)
		aspace_destroy(s->as);
}

WORKLOAD(workload_mem) = {
	.name = "mem",
	.summary = "what mprotect, munmap, dropping and faulting cost, of 1 and of 512 pages",
	.unit = "ns",
	.min_cpus = 1,
	.min_nodes = 1,
	.separates = "transport range defer",
	.options = OPT_THREADS | OPT_CPUS,
	.default_threads = 0,
	.state_size = sizeof(struct mem_state),
	.setup = mem_setup,
	.start = mem_start,
	.round = mem_round,
	.teardown = mem_teardown,
};
