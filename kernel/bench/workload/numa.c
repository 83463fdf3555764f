/*
 * `numa_balance`: every thread uses a share of the pages that starts on the
 * next node, or with --eat where its first touch found room; scans and hint
 * faults bring it home. A round ends when two passes of the scan in a row moved
 * nothing although every thread was there. One sample per round: the time that
 * hint faults took on all CPUs, over the pages that moved.
 */
#include <harness/keep.h>
#include <harness/pace.h>
#include <harness/sums.h>
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/command.h>
#include <kernel/console.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/hint.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "numa.h"

enum {
	/* Times that every thread went round its pages, with at least a pass of the scan for each. */
	ROUNDS_MIN = 4, /* the filter takes two, and at first not everything is touched */
	ROUNDS_MAX = 40, /* for pages that nobody ever settles on */
	QUIET_ROUNDS = 2, /* without a move */
};

/* ---- set-up ------------------------------------------------------------------ */

/* --eat "1:65". */
static unsigned numa_settle(struct bench *b)
{
	struct bench_params *p = &b->params;
	const char *colon = p->eat ? strchr(p->eat, ':') : NULL;
	u64 last;

	p->eat_percent = 0;
	if (!p->eat)
		return RC_PASS;
	if (!colon || parse_range(p->eat, (size_t)(colon - p->eat), &p->eat_node, &last) ||
	    last != p->eat_node || parse_u64(colon + 1, &p->eat_percent) || !p->eat_percent ||
	    p->eat_percent > 100 || p->eat_node >= numa_node_count())
		return command_usage_error(
			"bench", "--eat %.40s: not NODE:PERCENT, of nodes 0 to %u and 1 to 100",
			p->eat, numa_node_count() - 1);
	return RC_PASS;
}

static u64 share_pages_of(const struct bench_params *p)
{
	u64 unit = p->thp ? HUGE_PAGES : 1;

	return p->pages / unit / p->threads * unit;
}

static bool thread_on(const struct bench_params *p, u32 node)
{
	for (unsigned i = 0; i < MIN(p->threads, (u64)p->cpu_count); i++)
		if (numa_node_of_cpu(p->cpu[i]) == node)
			return true;
	return false;
}

static int check_cpus(struct bench *b)
{
	const struct bench_params *p = &b->params;

	for (unsigned i = 0; i < p->cpu_count; i++)
		if (!pmm_node_has_memory(numa_node_of_cpu(p->cpu[i])))
			return bench_fail(b, -ERANGE, "CPU %u is on node %u, which has no memory",
					  p->cpu[i], numa_node_of_cpu(p->cpu[i]));
	if (p->eat_percent && !thread_on(p, (u32)p->eat_node))
		return bench_fail(b, -EINVAL, "--eat %lu:%lu: no thread runs on that node",
				  p->eat_node, p->eat_percent);
	return 0;
}

static int numa_check(struct bench *b)
{
	const struct bench_params *p = &b->params;
	u64 per_space = p->threads / p->procs;

	if (!p->threads || p->threads % p->procs)
		return bench_fail(b, -EINVAL, "--threads %lu: not a multiple of --procs %lu",
				  p->threads, p->procs);
	if (p->share > per_space)
		return bench_fail(b, -EINVAL, "--share %lu: a space has %lu threads", p->share,
				  per_space);
	if (p->pages / p->threads < (p->thp ? HUGE_PAGES : 1))
		return bench_fail(b, -EINVAL, "--pages %lu: no %spage for each of %lu threads",
				  p->pages, p->thp ? "2 MiB " : "", p->threads);
	if (p->policy && p->eat_percent)
		return bench_fail(b, -EINVAL, "--eat: first touch places the pages, no policy");
	if (p->localalloc || p->membind)
		return bench_fail(b, -EINVAL, "%s would stay where they begin",
				  p->membind ? "--membind: bound pages"
					     : "--localalloc: pages at home");
	if (p->stripe && share_pages_of(p) % p->stripe)
		return bench_fail(b, -EINVAL, "--stripe %lu: no divisor of a thread's %lu pages",
				  p->stripe, share_pages_of(p));
	return check_cpus(b);
}

static u32 home_of(const struct bench *b, const struct numa_state *s, unsigned region,
		   unsigned share)
{
	unsigned thread = share * s->regions + region;

	return numa_node_of_cpu(b->params.cpu[thread % b->params.cpu_count]);
}

/* Pages that threads on a node use. */
static u64 pages_at_home_on(const struct bench *b, const struct numa_state *s, u32 node)
{
	u64 pages = 0;

	for (unsigned r = 0; r < s->regions; r++)
		for (unsigned share = 0; share < s->shares; share++)
			pages += home_of(b, s, r, share) == node ? s->share_pages : 0;
	return pages;
}

static int check_room(struct bench *b)
{
	for (u32 node = 0; node < numa_node_count(); node++) {
		int rc =
			pmm_node_has_memory(node) ? region_check_room(b, node, b->params.pages) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

static u32 any_node(void)
{
	return pmm_node_has_memory(0) ? 0 : region_next_node(0);
}

static u64 splits_so_far(void)
{
	struct mm_counters c;

	mm_counters_read(&c);
	return c.pages_split;
}

static int make_regions(struct bench *b, struct numa_state *s)
{
	u64 pages = s->share_pages * s->shares;
	int rc = 0;

	s->split = splits_so_far();
	for (s->regions = 0; s->regions < b->params.procs && !rc; s->regions++)
		rc = region_setup(b, &s->region[s->regions], s->regions, pages, any_node());
	aspace_load(NULL); /* this CPU only filled the pages */
	return rc;
}

/* Pages that a round split are 2 MiB pages again in the next, which may be another variant's. */
static int renew_regions(struct bench *b, struct numa_state *s)
{
	if (splits_so_far() == s->split)
		return 0;
	for (unsigned i = 0; i < s->regions; i++)
		region_finish(b, &s->region[i]);
	return make_regions(b, s);
}

static int numa_setup(struct bench *b)
{
	const struct bench_params *p = &b->params;
	struct numa_state *s = b->state;
	int rc = check_room(b);

	if (rc)
		return rc;
	bench_series_add(b,
			 &(struct bench_series){
				 .unit = "ns/page",
				 .digits = 1,
				 .busy = 1 + (unsigned)MIN(p->threads, p->cpu_count),
				 .time = true,
			 },
			 "numa_balance");
	s->shares = (unsigned)(p->threads / p->procs);
	s->share_pages = share_pages_of(p);
	return make_regions(b, s);
}

/*
 * ---- before a round: every share to the next node, its history forgotten ------------
 *
 * With --eat, new pages instead, where first touch puts them.
 *
 * No thread runs then: pages that nobody uses move without an interrupt, of which
 * each takes milliseconds where CPUs outnumber the host's.
 */

static int move_to_node(struct bench *b, struct aspace *as, vaddr_t start, u64 len, u32 node)
{
	struct migrate_stats stats = {0};
	struct migrate_request req = {
		.as = as,
		.start = start,
		.len = len,
		.from_nodes = ~(1UL << node),
		.to_node = node,
		.stats = &stats,
	};

	return migrate_range(&req) ? bench_fail(b, -EAGAIN, "cannot move pages to node %u", node)
				   : 0;
}

/* The next node, or as --preferred and --interleave say. */
static int start_share(struct bench *b, struct numa_state *s, unsigned r, unsigned share)
{
	const struct bench_params *p = &b->params;
	struct aspace *as = s->region[r].as;
	u64 len = s->share_pages << PAGE_SHIFT, unit = p->thp ? HUGE_SIZE : PAGE_SIZE;
	vaddr_t start = s->region[r].base + share * len;
	u64 nodes = p->policy_nodes;
	int rc = 0;

	if (!nodes)
		rc = move_to_node(b, as, start, len, region_next_node(home_of(b, s, r, share)));
	for (u64 at = 0; nodes && at < len && !rc; at += unit) {
		rc = move_to_node(b, as, start + at, unit, (u32)__builtin_ctzl(nodes));
		nodes &= nodes - 1;
		if (!nodes)
			nodes = p->policy_nodes;
	}
	hint_forget(as, start, start + len);
	return rc;
}

static int start_all(struct bench *b, struct numa_state *s)
{
	int rc = 0;

	for (unsigned r = 0; r < s->regions; r++)
		for (unsigned share = 0; share < s->shares && !rc; share++)
			rc = start_share(b, s, r, share);
	return rc;
}

/* The node's users find room for what is left of 100 percent of their pages. */
static int start_by_touch(struct bench *b, struct numa_state *s)
{
	const struct bench_params *p = &b->params;
	u64 pages = pages_at_home_on(b, s, (u32)p->eat_node);

	return memhog_touch_first(b, &s->hog, (u32)p->eat_node,
				  pages * (100 - p->eat_percent) / 100, s->region, s->regions,
				  s->share_pages);
}

static int put_at_start(struct bench *b, struct numa_state *s)
{
	int rc = b->params.eat_percent ? start_by_touch(b, s) : start_all(b, s);

	for (unsigned r = 0; r < s->regions; r++) {
		s->scan[r] = (struct hint_scan){.as = s->region[r].as};
		s->region[r].as->hints = (struct hint_tally){0};
	}
	s->passes = 0;
	return rc;
}

/* ---- a round: scan until nothing moves ----------------------------------------------- */

/* Pages that moved, or were split so that their parts can. */
static u64 changed_so_far(void)
{
	struct mm_counters c;

	mm_counters_read(&c);
	return c.hint_moved + c.pages_split;
}

/* A window of each space. Cycles to wait before the next ones. */
static u64 scan_all(struct numa_state *s)
{
	u64 pause = ~0UL;

	for (unsigned r = 0; r < s->regions; r++)
		pause = MIN(pause, hint_scan(&s->scan[r]));
	return ns_to_cycles(pause);
}

static u64 passes_ended(const struct numa_state *s)
{
	u64 passes = ~0UL;

	for (unsigned r = 0; r < s->regions; r++)
		passes = MIN(passes, s->scan[r].passes);
	return passes;
}

static void wait_cycles(u64 cycles)
{
	u64 end = cycles_now() + cycles;

	while (cycles_now() < end)
		cpu_relax();
}

/* Has every thread touched about as many pages as it uses since `ops` was noted? Notes anew if so. */
static bool all_went_round(const struct bench *b, struct numa_state *s)
{
	u64 enough = s->share_pages * b->params.share;

	for (unsigned i = 0; i < s->victims.count; i++)
		if (load_relaxed(&s->victims.victim[i]->now.ops) - s->ops[i] < enough)
			return false;
	for (unsigned i = 0; i < s->victims.count; i++)
		s->ops[i] = load_relaxed(&s->victims.victim[i]->now.ops);
	return true;
}

/* The scanner: on the initiator's CPU, which uses no page itself. */
static void scan_until_settled(void *arg)
{
	struct bench *b = arg;
	struct numa_state *s = b->state;
	u64 start = cycles_now(), moved = changed_so_far();
	unsigned quiet = 0, rounds = 0;

	for (unsigned i = 0; i < s->victims.count; i++)
		s->ops[i] = load_relaxed(&s->victims.victim[i]->now.ops);
	while (rounds < ROUNDS_MAX && quiet < QUIET_ROUNDS && !console_interrupted()) {
		wait_cycles(scan_all(s));
		bench_progress(b);
		/* Passes that nobody had time to answer say nothing. */
		if (passes_ended(s) == s->passes || !all_went_round(b, s))
			continue;
		u64 now = changed_so_far();

		s->passes = passes_ended(s);
		quiet = ++rounds >= ROUNDS_MIN && now == moved ? quiet + 1 : 0;
		moved = now;
	}
	s->elapsed = cycles_now() - start;
}

/* How many pages of private shares are where their thread is; of shared ones, where any user is. */
static u64 count_home(const struct bench *b, const struct numa_state *s, unsigned r, unsigned share)
{
	const struct region *region = &s->region[r];
	u64 first = share * s->share_pages, home = 0, users = 0;

	for (unsigned i = 0; i < b->params.share; i++)
		users |= 1UL << home_of(b, s, r, (share + i) % s->shares);
	for (u64 i = 0; i < s->share_pages; i++) {
		u64 page = striped_page(first + i, b->params.stripe, s->shares, s->share_pages);
		struct pt_pos pos =
			pgwalk_find(region->as->root, region->base + (page << PAGE_SHIFT), 0);

		home += users >> phys_to_page(pte_pa(pte_load(pos.ptep), pos.level))->node & 1;
	}
	return home;
}

static u64 count_all_home(const struct bench *b, const struct numa_state *s)
{
	u64 home = 0;

	for (unsigned r = 0; r < s->regions; r++)
		for (unsigned share = 0; share < s->shares; share++)
			home += count_home(b, s, r, share);
	return home;
}

static u64 pages_used(const struct numa_state *s)
{
	return s->share_pages * s->shares * s->regions;
}

static void numa_add(struct bench *b, const struct bench_round *round)
{
	struct numa_state *s = b->state;
	struct numa_sums *sums = &s->sums[round->variant];
	u64 used = pages_used(s);

	sums->home += s->home;
	sums->away += s->away;
	sums->used += used;
	sums->passes += s->passes;
	sums->elapsed += s->elapsed;
	sums->most_moves = MAX(sums->most_moves, round->totals.units * 100 / used);
}

static int measure(struct bench *b, struct numa_state *s, struct bench_round *round)
{
	struct hint_stats before, after;
	struct migrate_stats *m = &round->totals.migrate;
	u64 cycles, settle;
	int rc;

	s->away = pages_used(s) - count_all_home(b, s);
	victims_settle_in(&s->victims);
	account_begin(&s->account, &s->victims);
	hint_stats_read(&before);
	part_begin(&s->part);
	rc = bench_run_on(b->params.initiator, NULL, scan_until_settled, b);
	hint_stats_read(&after);
	cycles = after.cycles - before.cycles;
	settle = part_end(&s->part, cycles, &round->totals);
	account_end(&s->account, &s->victims, b, round);
	if (rc)
		return bench_fail(b, rc, "no memory for a context on CPU %u", b->params.initiator);
	sums_add_difference(m, &after.migrate, &before.migrate);
	if (!m->moved)
		return bench_fail(b, -EAGAIN, "no page moved in %lu passes", s->passes);
	round->totals.units = m->moved;
	round->value[0] = bench_time_per(cycles + settle, m->moved, 1);
	s->home = count_all_home(b, s);
	return 0;
}

static int numa_round(struct bench *b, struct bench_round *round)
{
	struct numa_state *s = b->state;
	int rc = renew_regions(b, s);

	if (!rc)
		rc = put_at_start(b, s);
	if (!rc)
		rc = victims_setup(b, &s->victims, s->region, s->regions, s->share_pages);
	if (!rc)
		rc = measure(b, s, round);
	victims_stop(&s->victims);
	return rc;
}

static void numa_teardown(struct bench *b)
{
	struct numa_state *s = b->state;

	for (unsigned i = 0; i < s->regions; i++)
		keep_or_destroy(b, &s->region[i]);
}

WORKLOAD(workload_numa) = {
	.name = "numa_balance",
	.summary = "scans and hint faults bring each thread's share from the next node home",
	.unit = "ns/page",
	.min_cpus = 2,
	.min_nodes = 2,
	.separates = "hint batch",
	.takes = OPT_PAGES | OPT_THREADS | OPT_WRITES | OPT_PATTERN | OPT_THP | OPT_MAPPING |
		 OPT_PROCS | OPT_SLICE | OPT_CPUS | OPT_SHARE | OPT_KEEP | OPT_POLICY | OPT_EAT,
	.record_key = "numa",
	.default_threads = 3,
	.state_size = sizeof(struct numa_state),
	.settle = numa_settle,
	.check = numa_check,
	.setup = numa_setup,
	.round = numa_round,
	.add = numa_add,
	.teardown = numa_teardown,
	.record = numa_record,
	.table = numa_table,
};
