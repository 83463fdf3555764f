/*
 * `vm`: a guest with several virtual CPUs, whose memory is a range of a host's space, while the NUMA scan
 * goes through that space. Each virtual CPU uses a share that starts on the next node, page after page; part of
 * it is pinned, as for a device that was passed through. A round is --scans passes of the scan; after each, every
 * virtual CPU goes once round its pages, so that the next pass finds the guest's tables full. The sample is the time of
 * a round over the operations of one virtual CPU.
 *
 * Where there is a device (vm_dma.h), it reads and writes pinned pages meanwhile.
 *
 * What the scan tells the guest's MMU, and what that zaps, is in the counters `secondary_*`.
 */
#include <harness/keep.h>
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <mm/dup.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <harness/sums.h>
#include "vm.h"

struct vm_options vm_options;

static const char *const mmu_names[] = {"auto", "software", "hardware", NULL};
static const char *const device_names[] = {"auto", "none", "edu", NULL};

static const struct bench_option options[] = {
	{OPTION_NUMBER("--pinned", &vm_options.pinned, 0, 100, 0,
		       "vm: percent of each virtual CPU's pages that are pinned, its first ones"),
	 .key = "pinned"},
	{OPTION_FLAG("--spread", &vm_options.spread, "vm: pinned pages lie among the others"),
	 .key = "spread"},
	{OPTION_CHOICE("--mmu", &vm_options.mmu, mmu_names, MMU_AUTO,
		       "vm: what translates for the guest; auto: hardware if there is some")},
	{OPTION_CHOICE("--device", &vm_options.device, device_names, DEVICE_AUTO,
		       "vm: what does DMA into pinned pages; auto: edu if there is one")},
	{OPTION_NUMBER("--scans", &vm_options.scans, 1, 1000, 4,
		       "vm: passes of the NUMA scan in a round"),
	 .key = "scans"},
	{OPTION_FLAG("--no-scan", &vm_options.no_scan, "vm: the same rounds without the scan"),
	 .key = "no_scan"},
	{OPTION_FLAG("--snapshot", &vm_options.snapshot,
		     "vm: a duplicate of the host's space shows the pages, too"),
	 .key = "snapshot"},
	{.arg = {NULL}},
};

/* ---- set-up ------------------------------------------------------------------ */

/* What runs the guest of this run; NULL: the software MMU, and *why there is nothing else. */
static const struct hypervisor *choose(const char **why)
{
	*why = "as asked for";
	return vm_options.mmu == MMU_SOFTWARE ? NULL : hypervisor_find(why);
}

static unsigned vm_settle(struct bench *b)
{
	struct bench_params *p = &b->params;
	const char *why;

	if (vm_options.mmu == MMU_HARDWARE && !choose(&why))
		return command_usage_error(
			"bench", "--mmu hardware: %s; software, or auto, which takes that", why);
	if (!option_given("--pattern"))
		p->pattern = PATTERN_LINEAR;
	if (!option_given("--mapping"))
		p->mapping = MAPPING_PRIVATE;
	return RC_PASS;
}

static u64 unit_pages(const struct bench_params *p)
{
	return p->thp ? HUGE_PAGES : 1;
}

static int vm_check(struct bench *b)
{
	const struct bench_params *p = &b->params;

	if (!p->threads)
		return bench_fail(b, -EINVAL, "--threads 0: a guest has a virtual CPU");
	if (p->pages / p->threads < unit_pages(p))
		return bench_fail(b, -EINVAL, "--pages %lu: no %spage for each of %lu threads",
				  p->pages, p->thp ? "2 MiB " : "", p->threads);
	if (vm_options.snapshot && p->mapping != MAPPING_PRIVATE && p->mapping != MAPPING_RW)
		return bench_fail(b, -EINVAL, "--snapshot: of a private, writable mapping");
	for (unsigned i = 0; i < p->cpu_count; i++)
		if (!pmm_node_has_memory(numa_node_of_cpu(p->cpu[i])))
			return bench_fail(b, -ERANGE, "CPU %u is on node %u, which has no memory",
					  p->cpu[i], numa_node_of_cpu(p->cpu[i]));
	return vm_dma_check(b);
}

static u32 home_of(const struct bench *b, u64 share)
{
	return numa_node_of_cpu(b->params.cpu[share % b->params.cpu_count]);
}

/* Is the i-th unit of a share one that is to be pinned? */
static bool is_pinned(u64 i, u64 units)
{
	u64 percent = vm_options.pinned;

	return vm_options.spread ? (i + 1) * percent / 100 != i * percent / 100
				 : i < units * percent / 100;
}

/* Long-term, as for a device: whoever has them may write. */
static int pin_pages(struct vm_state *s, const struct bench_params *p)
{
	u64 unit = unit_pages(p), units = s->share_pages / unit, all = units * p->threads;

	s->pin = kmem.alloc(s->pages * sizeof(s->pin[0]), numa_node_of_cpu(cpu_id()));
	if (!s->pin)
		return -ENOMEM;
	for (u64 i = 0; i < all; i++) {
		vaddr_t va = s->region.base + (i * unit << PAGE_SHIFT);

		if (!is_pinned(i % units, units))
			continue;
		int err = aspace_pin(s->region.as, va, !p->read_only, &s->pin[s->pinned]);

		if (err)
			return err;
		s->pinned++;
	}
	s->pinned_pages = s->pinned * unit;
	return 0;
}

static int make_guest(struct bench *b, struct vm_state *s)
{
	struct aspace *as = s->region.as;
	int err = pin_pages(s, &b->params);

	if (err)
		return bench_fail(b, err, "cannot pin %lu %% of the pages", vm_options.pinned);
	if (s->hv)
		err = vcpus_create(&s->vcpus, s->hv, &s->region, b->params.threads,
				   (enum pattern_kind)b->params.pattern, home_of(b, 0));
	else
		err = softmmu_create(&s->mmu, as, s->region.base, s->pages, home_of(b, 0));
	s->has_mmu = !err;
	if (err)
		return bench_fail(b, err, "no memory for the guest's tables");
	if (vm_options.snapshot)
		s->snapshot = aspace_dup(as, "snapshot", home_of(b, 0), &err);
	return err ? bench_fail(b, err, "no memory for a duplicate of the space") : 0;
}

static int vm_setup(struct bench *b)
{
	const struct bench_params *p = &b->params;
	struct vm_state *s = b->state;
	u32 first = home_of(b, 0);

	s->hv = choose(&s->why);
	s->share_pages = p->pages / unit_pages(p) / p->threads * unit_pages(p);
	s->pages = s->share_pages * p->threads;
	for (u32 node = 0; node < numa_node_count(); node++) {
		int rc = pmm_node_has_memory(node) ? region_check_room(b, node, p->pages) : 0;

		if (rc)
			return rc;
	}
	bench_series_add(b,
			 &(struct bench_series){
				 .unit = "ns/op",
				 .digits = 1,
				 .busy = 1 + (unsigned)MIN(p->threads, p->cpu_count),
				 .time = true,
			 },
			 "vm");
	int rc = region_setup(b, &s->region, 0, s->pages, first);

	if (!rc)
		rc = make_guest(b, s);
	aspace_load(NULL); /* this CPU only filled the pages */
	return rc ? rc : vm_dma_setup(b, s);
}

/* ---- a round ------------------------------------------------------------------- */

/* Every virtual CPU touches as many pages as it uses, and so with the linear pattern each of them. */
static void let_guest_go_round(const struct vm_state *s)
{
	u64 from[MAX_CPUS];

	for (unsigned i = 0; i < s->guest.count; i++)
		from[i] = load_relaxed(&s->guest.victim[i]->now.ops);
	for (unsigned i = 0; i < s->guest.count; i++)
		/* The first one may have begun before we looked. */
		while (load_relaxed(&s->guest.victim[i]->now.ops) - from[i] <=
		       s->share_pages + victims_lag(&s->guest))
			cpu_relax();
}

/* A virtual CPU's share to the node after its own. How many pages did not move, but for those that are pinned. */
static u64 move_share(struct bench *b, struct vm_state *s, u64 share)
{
	struct aspace *as = s->region.as;
	u64 len = s->share_pages << PAGE_SHIFT;
	vaddr_t start = s->region.base + share * len;
	struct migrate_stats stats = {0};
	u32 to = region_next_node(home_of(b, share));
	struct migrate_request req = {
		.as = as,
		.start = start,
		.len = len,
		.from_nodes = ~(1UL << to),
		.to_node = to,
		.stats = &stats,
	};
	u64 failed = migrate_range(&req);

	hint_forget(as, start, start + len);
	return failed - stats.failed[MIGRATE_PINNED];
}

static int put_at_start(struct bench *b, struct vm_state *s)
{
	int rc = 0;

	/* No guest runs then: pages that nobody uses move without an interrupt. */
	for (u64 share = 0; share < b->params.threads && !rc; share++)
		if (move_share(b, s, share))
			rc = bench_fail(b, -EAGAIN, "cannot move pages to node %u",
					region_next_node(home_of(b, share)));
	s->scan = (struct hint_scan){.as = s->region.as};
	s->region.as->hints = (struct hint_tally){0};
	return rc;
}

/* On the initiator's CPU, which runs no guest. */
static void scan_and_go_round(void *arg)
{
	struct bench *b = arg;
	struct vm_state *s = b->state;
	u64 start = cycles_now();

	for (u64 pass = 1; pass <= vm_options.scans; pass++) {
		while (!vm_options.no_scan && s->scan.passes < pass)
			hint_scan(&s->scan);
		let_guest_go_round(s);
	}
	s->elapsed = cycles_now() - start;
	s->passes = s->scan.passes;
}

/* While the device is at work. On the initiator's CPU, too. */
static void move_and_scan(void *arg)
{
	struct bench *b = arg;
	struct vm_state *s = b->state;
	u64 passes = s->scan.passes;

	/* Guests pull them back meanwhile, so some do not move. */
	for (u64 share = 0; share < b->params.threads; share++)
		move_share(b, s, share);
	while (!vm_options.no_scan && s->scan.passes == passes)
		hint_scan(&s->scan);
	let_guest_go_round(s);
}

static int measure(struct bench *b, struct vm_state *s, struct bench_round *round)
{
	struct hint_stats before, after;

	let_guest_go_round(s);
	account_begin(&s->account, &s->guest);
	hint_stats_read(&before);
	part_begin(&s->part);
	int rc = bench_run_on(b->params.initiator, NULL, scan_and_go_round, b);
	u64 settle = part_end(&s->part, s->elapsed, &round->totals);

	hint_stats_read(&after);
	account_end(&s->account, &s->guest, b, round);
	if (rc)
		return bench_fail(b, rc, "no memory for a context on CPU %u", b->params.initiator);
	sums_add_difference(&round->totals.migrate, &after.migrate, &before.migrate);
	round->totals.units = round->felt.ops;
	round->value[0] =
		bench_time_per(s->elapsed + settle, round->felt.ops / b->params.threads, 1);
	return 0;
}

static int vm_round(struct bench *b, struct bench_round *round)
{
	struct vm_state *s = b->state;
	int rc = put_at_start(b, s);

	if (!rc && s->hv)
		rc = victims_setup_vcpus(b, &s->guest, &s->region, &s->vcpus, s->share_pages);
	else if (!rc)
		rc = victims_setup_guest(b, &s->guest, &s->region, &s->mmu, s->share_pages);
	if (!rc)
		rc = vm_dma_begin(b, s);
	if (!rc)
		rc = measure(b, s, round);
	if (!rc)
		rc = vm_dma_end(b, s, move_and_scan);
	victims_stop(&s->guest);
	return rc;
}

static void vm_add(struct bench *b, const struct bench_round *round)
{
	struct vm_state *s = b->state;

	s->sums[round->variant].passes += s->passes;
	s->sums[round->variant].elapsed += s->elapsed;
	sums_add(&s->sums[round->variant].dma, &s->dma.round);
}

static void vm_teardown(struct bench *b)
{
	struct vm_state *s = b->state;

	vm_dma_teardown(s);
	if (s->has_mmu && s->hv)
		vcpus_destroy(&s->vcpus, &s->region);
	else if (s->has_mmu)
		softmmu_destroy(&s->mmu);
	if (s->snapshot)
		aspace_destroy(s->snapshot);
	for (u64 i = 0; i < s->pinned; i++)
		page_put(s->pin[i], PAGE_PIN);
	if (s->pin)
		kmem.free(s->pin, s->pages * sizeof(s->pin[0]));
	region_finish(b, &s->region);
}

WORKLOAD(workload_vm) = {
	.name = "vm",
	.summary = "a guest whose memory is scanned and moved, part of it pinned for a device",
	.unit = "ns/op",
	.min_cpus = 2,
	.min_nodes = 2,
	.separates = "notify pinned",
	.takes = OPT_PAGES | OPT_THREADS | OPT_WRITES | OPT_PATTERN | OPT_THP | OPT_MAPPING |
		 OPT_CPUS,
	.options = options,
	.record_key = "vm",
	.default_threads = 2,
	.state_size = sizeof(struct vm_state),
	.settle = vm_settle,
	.check = vm_check,
	.setup = vm_setup,
	.round = vm_round,
	.add = vm_add,
	.teardown = vm_teardown,
	.record = vm_record,
	.table = vm_table,
};
