/*
 * `tier`: a fast tier of memory (nodes with CPUs) and a slow one (a node without). Threads access more
 * pages than the fast tier has room for. Pages that they find on the slow one are promoted by hint
 * faults, what the fast one has no room for is demoted, and where the slow one is full, files' pages
 * are reclaimed. One sample per round: the time of all accesses, over their number. Each round begins with no
 * page in memory, and with accesses that are not measured, so that it is the same whatever ran before.
 *
 * Two shapes. llm: each thread reads a file of 1.7 times the fast tier from its beginning to its end, over and over, as
 * a program does that reads a model for each word; with three of them and the default ratio all together
 * are a little more than there is memory, as in the test that LUF was published with. xsbench: all threads look up pages of one such
 * table at random, as XSBench, with which MIGRC was published. With --mapping pages are
 * anonymous instead, 1.7 times the fast tier in all.
 *
 * Memory beyond --pages of the fast tier, and --ratio times as much of the slow one, is held by a memory
 * hog, so that a small run is under the same pressure as a large one.
 */
#include <harness/options.h>
#include <harness/region.h>
#include <harness/sums.h>
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <mm/deferral.h>
#include <mm/numa.h>
#include <mm/reclaim.h>
#include "tier.h"

static const char *const shapes[] = {"llm", "xsbench", NULL};
static u64 asked_ratio, asked_accesses;
static unsigned asked_shape;

static const struct bench_option options[] = {
	{OPTION_CHOICE("--shape", &asked_shape, shapes, TIER_LLM,
		       "tier: threads read files in turn, or look a table up at random"),
	 .key = "shape"},
	{OPTION_NUMBER("--ratio", &asked_ratio, 1, 64, 4,
		       "tier: frames of the slow tier for each of the fast one"),
	 .key = "ratio"},
	{OPTION_NUMBER("--accesses", &asked_accesses, 0, 1 << 30, 0,
		       "tier: of each thread in a round; 0: as its file has pages"),
	 .key = "accesses", .length = true},
	{.arg = {NULL}},
};

enum { DIGITS = 1 }; /* decimals of a time per access */

/* ---- set-up ------------------------------------------------------------------------- */

static bool is_anonymous(void)
{
	return option_given("--mapping");
}

static unsigned count_fast(const struct tier_run *run)
{
	unsigned n = 0;

	for (u64 left = run->fast_nodes; left; left &= left - 1)
		n++;
	return n;
}

static int tier_check(struct bench *b)
{
	struct bench_params *p = &b->params;

	if (!p->threads || p->procs > p->threads)
		return bench_fail(b, -EINVAL, "--threads %lu: at least one for each of %lu spaces",
				  p->threads, p->procs);
	if (p->write_pct && option_given("--write-pct") && !is_anonymous())
		return bench_fail(b, -EINVAL, "--write-pct %lu: files are read; --mapping rw",
				  p->write_pct);
	if (is_anonymous() && asked_shape == TIER_XSBENCH && p->procs > 1)
		return bench_fail(b, -EINVAL, "--procs %lu: one space has the table", p->procs);
	return 0;
}

/* Who is fast and who is slow, and how much of each is left. */
static int take_memory(struct bench *b, struct tier_run *run)
{
	const struct bench_params *p = &b->params;

	run->slow = demote_target(numa_node_of_cpu(cpu_id()));
	for (u32 node = 0; node < numa_node_count(); node++)
		if (pmm_node_has_memory(node) && numa_has_cpus(node))
			run->fast_nodes |= 1UL << node;
	if (numa_has_cpus(run->slow) || !run->fast_nodes)
		return bench_fail(b, -EINVAL,
				  "a tier is missing: nodes with CPUs and memory, and one with "
				  "memory and no CPU (NODES=4:256M,0:1G)");
	for (u32 node = 0; node < numa_node_count(); node++) {
		bool fast = run->fast_nodes >> node & 1;
		u64 room = fast ? p->pages / count_fast(run) : p->pages * asked_ratio;

		if (!fast && node != run->slow)
			continue;
		if (region_room(node) < room)
			return bench_fail(b, -ERANGE,
					  "--pages %lu: node %u has %lu frames free, not %lu",
					  p->pages, node, region_room(node), room);
		if (!memhog_take(&run->hog[node], node, room))
			return bench_fail(b, -ENOMEM, "a CPU keeps what it has in its cache");
	}
	return 0;
}

static int add_space(struct tier_run *run, u32 node)
{
	struct aspace *as = aspace_create("tier", node);

	if (!as)
		return -ENOMEM;
	run->demotion[run->spaces].as = as;
	run->scan[run->spaces] = (struct hint_scan){.as = as, .slow_only = true};
	run->space[run->spaces++] = as;
	return 0;
}

static struct object *add_file(struct tier_run *run, u64 pages)
{
	struct store *store = pattern_store_create(run->files, pages);
	struct object *file = store ? file_create(store) : NULL;

	if (store && !file)
		store->ops->close(store);
	if (file)
		run->file[run->files++] = file;
	return file;
}

/* Anonymous pages, each written once, then with the rights that were asked for. */
static int fill_area(const struct bench_params *p, struct tier_area *area)
{
	u64 len = area->pages << PAGE_SHIFT;

	area->version = kmem.alloc(area->pages * sizeof(u32), numa_node_of_cpu(cpu_id()));
	if (!area->version)
		return -ENOMEM;
	if (aspace_populate(area->as, area->base, len, BOOT_NODE_NONE) < 0)
		return -ENOMEM;
	aspace_load(area->as);
	tier_fill(area);
	aspace_load(NULL);
	return p->read_only ? aspace_protect(area->as, area->base, len, PROT_READ) : 0;
}

/* file: NULL for anonymous pages. */
static int add_area(struct bench *b, struct tier_run *run, unsigned space, struct object *file,
		    u64 pages)
{
	const struct bench_params *p = &b->params;
	struct tier_area *area = &run->area[run->areas++];
	struct object *shared = !file && p->mapping == MAPPING_SHARED ? object_create(pages) : NULL;
	int err = 0;

	*area = (struct tier_area){.as = run->space[space], .pages = pages};
	area->id = file ? run->files - 1 : run->areas;
	area->base =
		aspace_map(area->as, file ? file : shared, 0, 0, pages << PAGE_SHIFT,
			   file ? PROT_READ : PROT_READ | PROT_WRITE, false, BOOT_NODE_NONE, &err);
	if (shared)
		object_put(shared); /* the area keeps it */
	return err || file ? err : fill_area(p, area);
}

/* llm: one for each task. xsbench: one for each space, of one file. */
static int add_areas(struct bench *b, struct tier_run *run)
{
	unsigned areas = run->shape == TIER_LLM ? run->tasks : run->spaces;
	u64 pages = b->params.pages * TIER_TENTHS / 10;
	int err = 0;

	if (is_anonymous())
		pages = MAX(pages / areas, 1UL);
	for (unsigned i = 0; i < areas && !err; i++) {
		struct object *file = NULL;

		if (!is_anonymous())
			file = i && run->shape == TIER_XSBENCH ? run->file[0]
							       : add_file(run, pages);
		if (!file && !is_anonymous())
			return -ENOMEM;
		err = add_area(b, run, i % run->spaces, file, pages);
	}
	return err;
}

/* All of them, and what is in their pages. */
static int remove_areas(struct tier_run *run)
{
	int err = 0;

	for (; run->areas; run->areas--) {
		struct tier_area *area = &run->area[run->areas - 1];

		if (area->base && !err)
			err = aspace_unmap(area->as, area->base, area->pages << PAGE_SHIFT);
		if (area->version)
			kmem.free(area->version, area->pages * sizeof(u32));
	}
	while (run->files)
		object_put(run->file[--run->files]);
	return err;
}

/* As if nothing had run yet. */
static int start_anew(struct bench *b, struct tier_run *run)
{
	int err = add_areas(b, run);

	for (unsigned i = 0; i < run->spaces; i++) {
		run->demotion[i].next = 0;
		run->scan[i] = (struct hint_scan){.as = run->space[i], .slow_only = true};
	}
	for (unsigned i = 0; i < run->tasks; i++) {
		struct tier_task *t = run->task[i];

		t->area = &run->area[i % run->areas];
		t->at = 0;
		t->rng = t->sampler = b->params.seed + i;
	}
	return err;
}

static int add_tasks(struct bench *b, struct tier_run *run)
{
	const struct bench_params *p = &b->params;

	for (unsigned i = 0; i < run->tasks; i++) {
		unsigned cpu = p->cpu[i % p->cpu_count];
		struct tier_task *t = kmem.alloc(sizeof(*t), numa_node_of_cpu(cpu));

		if (!t)
			return -ENOMEM;
		*t = (struct tier_task){.run = run, .id = i, .cpu = cpu, .rng = p->seed + i};
		run->task[i] = t;
	}
	return 0;
}

static int tier_setup(struct bench *b)
{
	const struct bench_params *p = &b->params;
	struct tier_run *run = b->state;
	int rc = 0;

	reclaim_background(false);
	run->shape = asked_shape;
	run->ratio = asked_ratio;
	run->verify = region_readers_verify();
	run->relax = det_mode;
	run->write_pct = is_anonymous() && !p->read_only ? (unsigned)p->write_pct : 0;
	run->tasks = (unsigned)p->threads;
	bench_series_add(
		b,
		&(struct bench_series){
			.unit = "ns/page", .digits = DIGITS, .busy = run->tasks + 1, .time = true},
		"tier");
	for (unsigned i = 0; i < p->procs && !rc; i++)
		rc = add_space(run, numa_node_of_cpu(cpu_id()));
	if (!rc)
		rc = take_memory(b, run);
	if (!rc)
		rc = add_tasks(b, run);
	return !rc || b->error[0] ? rc : bench_fail(b, rc, "no memory for %u threads", run->tasks);
}

/* ---- rounds --------------------------------------------------------------------------- */

static void add_felt(struct bench *b, struct bench_round *round, const struct tier_run *run)
{
	for (unsigned i = 0; i < run->tasks; i++) {
		const struct tier_task *t = run->task[i];

		round->felt.ops += t->done;
		round->felt.reads_verified += t->verified;
		round->felt.stale_reads += t->wrong;
		round->felt.wait_count += t->waits;
		round->wait = MAX(round->wait, t->longest_wait);
		b->stale_total += t->wrong;
	}
}

static void keep_memory(void *arg)
{
	tier_go(arg);
}

/* So many accesses of each thread. */
static int run_tasks(struct bench *b, struct tier_run *run, bool measured,
		     struct bench_round *round)
{
	u64 ops = asked_accesses ? asked_accesses : run->area[0].pages, elapsed = 0;
	int rc = tier_spawn(run, ops);

	if (!rc && measured)
		part_begin(&run->part);
	if (!rc)
		rc = bench_run_on(b->params.initiator, NULL, keep_memory, run);
	for (unsigned i = 0; i < run->tasks && !rc; i++)
		elapsed = MAX(elapsed, run->task[i]->ended - run->start);
	if (!rc && measured) {
		elapsed += part_end(&run->part, elapsed, &round->totals);
		add_felt(b, round, run);
		round->totals.units = round->felt.ops;
		round->value[0] = bench_time_per(elapsed * run->tasks, round->totals.units, DIGITS);
	}
	tier_join(run);
	return rc;
}

static int tier_round(struct bench *b, struct bench_round *round)
{
	struct tier_run *run = b->state;
	int rc = start_anew(b, run);

	run->file_pages = run->area[0].pages;
	if (!rc)
		rc = run_tasks(b, run, false, round);
	deferral_settle(); /* what was owed before is none of this round's */
	if (!rc)
		rc = run_tasks(b, run, true, round);
	int removed = remove_areas(run);

	rc = rc ? rc : removed;
	return rc ? bench_fail(b, rc, "no memory for %u threads and their pages", run->tasks) : 0;
}

static void tier_add(struct bench *b, const struct bench_round *round)
{
	struct tier_run *run = b->state;

	struct tier_sums *sums = &run->sums[round->variant];

	sums->ops += round->totals.units;
	sums->passes += run->passes;
	for (unsigned i = 0; i < run->tasks; i++) {
		const struct tier_task *t = run->task[i];

		words_add(sums->alloc, t->alloc, sizeof(sums->alloc));
		sums->longest_alloc = MAX(sums->longest_alloc, t->longest_alloc);
		sums->allocs_failed += t->allocs_failed;
	}
}

static void tier_teardown(struct bench *b)
{
	struct tier_run *run = b->state;

	for (unsigned i = 0; i < run->tasks; i++)
		if (run->task[i])
			kmem.free(run->task[i], sizeof(*run->task[i]));
	for (unsigned i = 0; i < run->spaces; i++)
		aspace_destroy(run->space[i]);
	for (u32 node = 0; node < numa_node_count(); node++)
		memhog_leave(&run->hog[node]);
	reclaim_background(true);
}

WORKLOAD(workload_tier) = {
	.name = "tier",
	.summary = "threads access more than the fast tier holds: pages are promoted, demoted, "
		   "reclaimed",
	.unit = "ns/page",
	.min_cpus = 2,
	.min_nodes = 2,
	.separates = "defer batch reclaim_batch",
	.takes = OPT_PAGES | OPT_THREADS | OPT_WRITES | OPT_MAPPING | OPT_PROCS | OPT_CPUS,
	.options = options,
	.record_key = "tier",
	.default_threads = 3,
	.default_warmup = 0,
	.default_reps = 3,
	.state_size = sizeof(struct tier_run),
	.check = tier_check,
	.setup = tier_setup,
	.round = tier_round,
	.add = tier_add,
	.teardown = tier_teardown,
	.record = tier_record,
	.table = tier_table,
};
