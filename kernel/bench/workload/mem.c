/*
 * `mem`: what one call costs that changes a mapping: permissions, unmapping,
 * dropping, faulting. Each series is one operation, repeated over areas or
 * pages of its own, so that no call finds what an earlier one left.
 */
#include <harness/part.h>
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/error.h>
#include <load/spinner.h>
#include <mm/numa.h>

enum {
	SINGLE = 8, /* one-page calls per sample; each has an area, and a space has few of them */
	RUN = 512, /* pages of the long calls: one leaf table */
	RUNS = 2, /* long calls per sample */
};

enum operation {
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
	OPERATIONS,
};

struct mem_state {
	struct aspace *as;
	vaddr_t single[SINGLE], run[RUNS]; /* areas; 0 = not mapped now */
	struct spinner spinner[MAX_CPUS];
	struct bench_part part;
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

/* A store that finds no memory is a panic, so the pages are asked for before. */
static int fill(struct mem_state *s, vaddr_t va, u64 pages)
{
	if (aspace_populate(s->as, va, pages << PAGE_SHIFT, anywhere) != (long)pages)
		return -ENOMEM;
	touch(va, pages);
	return 0;
}

/* Map what is missing and fill it. */
static int refill(struct mem_state *s)
{
	int rc = 0;

	for (unsigned i = 0; i < SINGLE && !rc; i++) {
		if (!s->single[i])
			rc = map_one(s, &s->single[i], 1);
		if (!rc)
			rc = fill(s, s->single[i], 1);
	}
	for (unsigned i = 0; i < RUNS && !rc; i++) {
		if (!s->run[i])
			rc = map_one(s, &s->run[i], RUN);
		if (!rc)
			rc = fill(s, s->run[i], RUN);
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

/* ---- a round ------------------------------------------------------------------------ */

static const struct operation_row {
	const char *name; /* of the series */
	int (*run)(struct mem_state *s, vaddr_t *va, u64 pages);
	bool on_runs; /* on the long areas */
	bool fresh; /* every page mapped, writable, touched; else as the operation before left it */
} operations[OPERATIONS] = {
	[PROTECT_1] = {"mprotect_1", protect, false, true},
	[PROTECT_512] = {"mprotect_512", protect, true, true},
	[UNMAP_1] = {"munmap_1", unmap, false, true},
	[DROP_1] = {"drop_1", drop, false, true},
	[ALLOW_1] = {"mprotect_rw_1", allow, false, false},
	[ALLOW_512] = {"mprotect_rw_512", allow, true, false},
	[UNMAP_512] = {"munmap_512", unmap, true, false},
	[DROP_512] = {"drop_512", drop, true, true},
	[MAP_1] = {"mmap_1", map_one, false, false},
	[FAULT_1] = {"fault_zero_1", fault, false, false},
	[SPLIT_1] = {"mprotect_split_1", split, true, true},
};

/* One after the other, so that each finds the pages as it needs them. */
static const enum operation sequence[OPERATIONS] = {
	PROTECT_1,   ALLOW_1,	DROP_1,	  FAULT_1, UNMAP_1,   MAP_1,
	PROTECT_512, ALLOW_512, DROP_512, SPLIT_1, UNMAP_512,
};

/* A function of its own, so that what surrounds it does not change what is timed. */
static __attribute__((noinline)) int time_calls(struct mem_state *s, const struct operation_row *op,
						u64 *cycles)
{
	unsigned count = op->on_runs ? RUNS : SINGLE;
	u64 start, pages = op->on_runs ? RUN : 1;
	vaddr_t *va = op->on_runs ? s->run : s->single;
	int rc = 0;

	start = cycles_now();
	for (unsigned i = 0; i < count && !rc; i++)
		rc = op->run(s, &va[i], pages);
	*cycles = cycles_now() - start;
	return rc;
}

static int measure(struct mem_state *s, const struct operation_row *op, struct bench_totals *totals,
		   u64 *value)
{
	unsigned count = op->on_runs ? RUNS : SINGLE;
	u64 cycles;
	int rc;

	part_begin(&s->part);
	rc = time_calls(s, op, &cycles);
	cycles += part_end(&s->part, cycles, totals);
	totals->units += count;
	*value = bench_time_per(cycles, count, 0);
	return rc;
}

static int mem_round(struct bench *b, struct bench_round *round)
{
	struct mem_state *s = b->state;
	int rc = 0;

	for (unsigned i = 0; i < OPERATIONS && !rc; i++) {
		const struct operation_row *op = &operations[sequence[i]];

		if (op->fresh)
			rc = refill(s);
		if (!rc)
			rc = measure(s, op, &round->totals, &round->value[sequence[i]]);
	}
	return rc ? bench_fail(b, rc, "an operation failed (%d)", rc) : 0;
}

/* ---- set-up ------------------------------------------------------------------------- */

static int mem_setup(struct bench *b)
{
	struct mem_state *s = b->state;

	for (unsigned i = 0; i < OPERATIONS; i++)
		bench_series_add(b,
				 &(struct bench_series){
					 .unit = "ns",
					 .busy = 1 + (unsigned)b->params.threads,
					 .time = true,
				 },
				 "%s", operations[i].name);
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
	.takes = OPT_THREADS | OPT_CPUS,
	.default_threads = 0,
	.state_size = sizeof(struct mem_state),
	.setup = mem_setup,
	.start = mem_start,
	.round = mem_round,
	.teardown = mem_teardown,
};
