/*
 * `migrate`: pages moved to and fro between two nodes while threads use them,
 * as migratepages beside pmbench. One sample per round: the time the move
 * took, settling included, over the pages that moved.
 */
#include <harness/keep.h>
#include <harness/part.h>
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <load/account.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <report/figures.h>
#include "migrate.h"

enum {
	DIGITS = 1, /* decimals of a time per page */
	QUIET_SLICES = 20, /* periods without migration, for comparison */
};
#define QUIET_NS 2000000UL /* length of each: about a round of some thousand pages */

struct migrate_state {
	struct region region[BENCH_MAX_PROCS]; /* one per address space */
	unsigned regions;
	u32 at, to; /* nodes: where the pages are, where the next round moves them */
	struct victims victims;
	struct bench_part part;
	u64 cycles; /* of this round's moves */
	struct migrate_stats stats;
	u64 quiet_gap[QUIET_SLICES]; /* cycles: the longest gap of any victim in each slice */
	struct victim_account account;
};

/* ---- set-up ------------------------------------------------------------------ */

static int migrate_check(struct bench *b)
{
	const struct bench_params *p = &b->params;

	if (p->pages % p->procs)
		return bench_fail(b, -EINVAL, "--pages %lu: not a multiple of --procs %lu",
				  p->pages, p->procs);
	if (p->thp && p->pages / p->procs % HUGE_PAGES)
		return bench_fail(b, -EINVAL,
				  "--pages %lu: --thp needs a multiple of %lu per space", p->pages,
				  HUGE_PAGES);
	if (p->pin >= p->pages / p->procs)
		return bench_fail(b, -EINVAL, "--pin %lu: fewer than the %lu pages of a space",
				  p->pin, p->pages / p->procs);
	return 0;
}

static void declare(struct bench *b)
{
	const struct bench_series row = {
		.unit = "ns/page",
		.digits = DIGITS,
		.busy = 1 + (unsigned)MIN(b->params.threads, b->params.cpu_count),
		.time = true,
	};

	bench_series_add(b, &row, "migrate"); /* MIGRATE_WHOLE and so on */
	bench_series_add(b, &row, "settle");
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		bench_series_add(b, &row, "%s", migrate_phase_names[i]);
}

static int migrate_setup(struct bench *b)
{
	const struct bench_params *p = &b->params;
	struct migrate_state *s = b->state;
	int rc = region_check_room(b, (u32)p->from, p->pages);

	if (!rc)
		rc = region_check_room(b, (u32)p->to, p->pages);
	declare(b);
	for (; s->regions < p->procs && !rc; s->regions++)
		rc = region_setup(b, &s->region[s->regions], s->regions, p->pages / p->procs,
				  (u32)p->from);
	s->at = (u32)p->from;
	s->to = (u32)p->to;
	if (p->initiator != cpu_id())
		aspace_load(NULL); /* this CPU only filled the pages */
	return rc;
}

/* How long the same readers' longest gaps are when nothing is moved. */
static void measure_quiet(struct migrate_state *s)
{
	struct victim_report sum;

	victims_end_period(&s->victims);
	for (unsigned i = 0; i < QUIET_SLICES; i++) {
		u64 end = cycles_now() + ns_to_cycles(QUIET_NS);

		while (cycles_now() < end)
			cpu_relax();
		victims_end_period(&s->victims);
		victims_sum(&s->victims, &sum);
		s->quiet_gap[i] = sum.longest_gap;
	}
}

static int migrate_start(struct bench *b)
{
	struct migrate_state *s = b->state;
	int rc = victims_setup(b, &s->victims, s->region, s->regions, 0);

	if (!rc && b->params.threads)
		measure_quiet(s);
	return rc;
}

/* ---- a round ------------------------------------------------------------------ */

struct mover {
	struct migrate_state *s;
	struct region *region;
};

/* The timed part, on the initiator, with the space loaded. */
static void move_region(void *arg)
{
	struct mover *m = arg;
	struct migrate_request req = {
		.as = m->region->as,
		.start = m->region->base,
		.len = m->region->pages << PAGE_SHIFT,
		.from_nodes = 1UL << m->s->at,
		.to_node = m->s->to,
		.stats = &m->s->stats,
	};
	u64 start = cycles_now();

	migrate_range(&req);
	m->s->cycles += cycles_now() - start;
}

/* "other" takes what the phases leave, so that they add up. */
static void put_values(const struct migrate_state *s, u64 settle, u64 *value)
{
	u64 rest = s->cycles, moved = s->stats.moved;

	value[MIGRATE_WHOLE] = bench_time_per(s->cycles + settle, moved, DIGITS);
	value[MIGRATE_SETTLE] = bench_time_per(settle, moved, DIGITS);
	for (unsigned i = 0; i < PHASE_OTHER; i++) {
		value[MIGRATE_PHASES + i] = bench_time_per(s->stats.phase[i], moved, DIGITS);
		rest -= MIN(rest, s->stats.phase[i]);
	}
	value[MIGRATE_PHASES + PHASE_OTHER] = bench_time_per(rest, moved, DIGITS);
}

static int migrate_round(struct bench *b, struct bench_round *round)
{
	struct migrate_state *s = b->state;
	u64 settle;
	u32 at = s->at;
	int rc = 0;

	s->cycles = 0;
	s->stats = (struct migrate_stats){0};
	victims_settle_in(&s->victims);
	account_begin(&s->account, &s->victims);
	part_begin(&s->part);
	for (unsigned i = 0; i < s->regions && !rc; i++) {
		struct mover m = {s, &s->region[i]};

		rc = bench_run_on(b->params.initiator, s->region[i].as, move_region, &m);
	}
	settle = part_end(&s->part, s->cycles, &round->totals);
	account_end(&s->account, &s->victims, b, round);
	if (rc)
		return bench_fail(b, rc, "no memory for a context on CPU %u", b->params.initiator);
	if (!s->stats.moved)
		return bench_fail(b, -EAGAIN, "no page moved from node %u to node %u", s->at,
				  s->to);
	round->totals.migrate = s->stats;
	round->totals.units = s->stats.moved;
	put_values(s, settle, round->value);
	s->at = s->to;
	s->to = at;
	return 0;
}

/* ---- the end --------------------------------------------------------------------- */

static void migrate_teardown(struct bench *b)
{
	struct migrate_state *s = b->state;
	victims_stop(&s->victims);
	for (unsigned i = 0; i < s->regions; i++)
		keep_or_destroy(b, &s->region[i]);
}

static void migrate_record(struct bench *b, unsigned variant, struct json *j)
{
	const struct migrate_state *s = b->state;

	(void)variant;
	json_key(j, "quiet_gap");
	if (!b->params.threads || !bench_waits_shown(b)) {
		json_null(j);
		return;
	}
	json_array(j);
	for (unsigned i = 0; i < QUIET_SLICES; i++)
		json_u64(j, bench_ns_per(s->quiet_gap[i], 1, 0));
	json_array_end(j);
}

/* What a reader that nobody disturbs feels, and the first stale read if there was one. */
static void migrate_table(struct bench *b)
{
	const struct migrate_state *s = b->state;
	u64 sorted[QUIET_SLICES], per = bench_ns_per_instruction();
	struct summary sum;

	migrate_print(b);
	memcpy(sorted, s->quiet_gap, sizeof(sorted));
	samples_summary(sorted, QUIET_SLICES, &sum);
	if (b->params.threads && bench_waits_shown(b))
		kprintf("the same readers without migration: longest gap %lu %s in the median of "
			"%u periods\n",
			bench_ns_per(sum.median, 1, 0) / (per ? per : 1),
			per ? "instructions" : "ns", QUIET_SLICES);
	account_print_stale(&s->account);
}

WORKLOAD(workload_migrate) = {
	.name = "migrate",
	.summary = "pages moved between two nodes and back while threads use them",
	.unit = "ns/page",
	.min_cpus = 1,
	.min_nodes = 2,
	.separates = "batch batch_2m batch_alone batch_flush defer transport range pad",
	.takes = OPT_PAGES | OPT_THREADS | OPT_WRITES | OPT_PATTERN | OPT_NODES | OPT_THP |
		 OPT_MAPPING | OPT_PROCS | OPT_SLICE | OPT_PIN | OPT_CPUS | OPT_KEEP,
	.default_threads = 3,
	.state_size = sizeof(struct migrate_state),
	.check = migrate_check,
	.setup = migrate_setup,
	.start = migrate_start,
	.round = migrate_round,
	.teardown = migrate_teardown,
	.record = migrate_record,
	.table = migrate_table,
};
