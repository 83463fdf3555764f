/* NUMA balancing: scans, hint faults early and late, and two threads on one page at once. */
#include <arch/cpu.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include "core_fixture.h"
#include "mm_fixture.h"

#define RW (PROT_READ | PROT_WRITE)

/* ---- what the tests share ---------------------------------------------------------- */

/* The last CPU and a node with memory that is not its own; false: there is none (skipped). */
static bool far_node(unsigned *cpu, u32 *node)
{
	*cpu = cpu_count - 1;
	*node = fixture_other_node(numa_node_of_cpu(*cpu));
	if (*node == BOOT_NODE_NONE || !pmm_node_has_memory(numa_node_of_cpu(*cpu)) ||
	    !cpumask_test(&cpu_online, *cpu)) {
		ktest_skip("one node with memory, or CPU %u has none", *cpu);
		return false;
	}
	return true;
}

static void set_knob(const char *name, const char *value)
{
	char err[128];

	EXPECT_EQ(knob_set(name, value, "test", err, sizeof(err)), 0);
}

/* Not by value: a test with some calls would have no stack left. Of CPU 0 alone; until the next call. */
static const struct mm_counters *counters(void)
{
	static struct mm_counters c;

	mm_counters_read(&c);
	return &c;
}

static u64 mark(struct fixture *fx)
{
	return hint_mark(fx->as, fx->va, fx->va + fx->len);
}

/* Entries of the range that are hint entries. */
static u64 hints(const struct fixture *fx)
{
	u64 n = 0;

	for (vaddr_t va = fx->va; va < fx->va + fx->len;) {
		struct pt_pos pos = pgwalk_find(fx->as->root, va, 0);

		n += pte_is_hint(pte_load(pos.ptep));
		va += PT_LEVEL_SIZE(pos.level);
	}
	return n;
}

/* Load the first word of each page, from the CPU that runs. */
static void touch(void *arg)
{
	const struct fixture *fx = arg;

	for (vaddr_t va = fx->va; va < fx->va + fx->len; va += PAGE_SIZE)
		load_relaxed((u64 *)va);
}

/* Scan, let a CPU touch everything; twice, which is what the filter asks for. */
static void balance(struct fixture *fx, unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		EXPECT(mark(fx) > 0);
		fixture_run(fx, cpu, touch, fx);
		EXPECT_EQ(hints(fx), 0);
	}
}

static bool filled(struct fixture *fx, u64 pages, bool huge, u32 node)
{
	if (!fixture_init(fx, pages, RW, huge, node))
		return false;
	EXPECT_EQ(aspace_populate(fx->as, fx->va, fx->len, node), pages);
	fixture_fill(fx, 70, 3);
	return true;
}

/* ---- order and flushes --------------------------------------------------------------- */

enum { PAGES = 40 };

/* Every counter that a flush may be counted in, but for the scanner's own. */
static u64 flush_counts(const struct mm_counters *c)
{
	return c->shootdowns + c->ipis_sent + c->ipis_received + c->ipis_merged +
	       c->flush_local_page + c->flush_local_full + c->flush_remote_page +
	       c->flush_remote_full + c->flush_skipped + c->bcast_ops + c->bcast_syncs;
}

static void check_order(const char *order, prot_t prot, bool flushes)
{
	struct mm_counters before, after;
	struct fixture fx;
	unsigned cpu;
	u32 node;

	if (!far_node(&cpu, &node))
		return;
	if (!numa_has_cpus(node)) /* a slow tier: at the first fault they come, not at the second */
		SKIP("pages of node %u are promoted", node);
	REQUIRE(filled(&fx, PAGES, false, node));
	EXPECT_EQ(aspace_protect(fx.as, fx.va, fx.len, prot), 0);
	set_knob("hint", order);
	before = *counters();
	balance(&fx, cpu);
	after = *counters();
	EXPECT_EQ(after.hint_faults - before.hint_faults, 2 * PAGES);
	EXPECT_EQ(after.hint_faults_local - before.hint_faults_local, 0);
	EXPECT_EQ(after.hint_faults_second - before.hint_faults_second, 0);
	EXPECT_EQ(after.hint_entries - before.hint_entries, 2 * PAGES);
	EXPECT_EQ(after.hint_moved - before.hint_moved, PAGES);
	EXPECT_EQ(after.hint_unflushed - before.hint_unflushed, flushes ? 0 : PAGES);
	EXPECT_EQ(after.shootdowns - before.shootdowns, flushes ? PAGES : 0);
	EXPECT_EQ(after.shootdowns_scanner - before.shootdowns_scanner, 2);
	EXPECT(after.flush_scanner > before.flush_scanner);
	/* The scan interrupted the CPU that had touched the pages, and nothing else counts that. */
	if (cpu != cpu_id())
		EXPECT(after.ipis_scanner + after.bcast_scanner >
		       before.ipis_scanner + before.bcast_scanner);
	if (!flushes)
		EXPECT_EQ(flush_counts(&after), flush_counts(&before));
	EXPECT_EQ(fixture_node_of(&fx, fx.va), numa_node_of_cpu(cpu));
	EXPECT_EQ(fixture_node_of(&fx, fx.va + fx.len - PAGE_SIZE), numa_node_of_cpu(cpu));
	EXPECT_EQ(fixture_wrong(&fx, 70, 3), 0);
	for (vaddr_t va = fx.va; va < fx.va + fx.len; va += PAGE_SIZE)
		EXPECT_EQ(pte_is_writable(pte_load(aspace_entry(fx.as, va))), prot == RW);
	set_knob("hint", "early");
	fixture_fini(&fx);
}

/* The same pages move either way; only one way needs a flush for each. */
TEST(hint, early_flushes_each_page)
{
	check_order("early", RW, true);
}

TEST(hint, late_flushes_nothing)
{
	check_order("late", RW, false);
}

TEST(hint, late_read_only)
{
	check_order("late", PROT_READ, false);
}

/* 2 MiB pages are hinted and moved whole. */
TEST(hint, late_huge)
{
	struct mm_counters before, after;
	struct fixture fx;
	unsigned cpu;
	u32 node;

	if (!far_node(&cpu, &node))
		return;
	REQUIRE(fixture_init(&fx, 2 * HUGE_PAGES, RW, true, node));
	if (aspace_populate(fx.as, fx.va, fx.len, node) != 2 * (long)HUGE_PAGES ||
	    pgwalk_find(fx.as->root, fx.va, 0).level != 1 ||
	    pgwalk_find(fx.as->root, fx.va + HUGE_SIZE, 0).level != 1) {
		fixture_fini(&fx);
		SKIP("no two free 2 MiB pages on node %u", node);
	}
	fixture_fill(&fx, 70, 3);
	set_knob("hint", "late");
	before = *counters();
	balance(&fx, cpu);
	after = *counters();
	EXPECT_EQ(after.hint_entries - before.hint_entries, 4);
	EXPECT_EQ(after.hint_moved - before.hint_moved, 2 * HUGE_PAGES);
	EXPECT_EQ(after.shootdowns - before.shootdowns, 0);
	EXPECT_EQ(fixture_node_of(&fx, fx.va + HUGE_SIZE), numa_node_of_cpu(cpu));
	EXPECT_EQ(pgwalk_find(fx.as->root, fx.va, 0).level, 1);
	EXPECT_EQ(fixture_wrong(&fx, 70, 3), 0);
	set_knob("hint", "early");
	fixture_fini(&fx);
}

/* A batch takes no flush for hint entries, unless a scan's own flush is still to come. */
TEST(hint, batch_leaves_hints_out)
{
	struct mm_counters before, after;
	struct fixture fx;
	unsigned cpu;
	u32 node;

	if (!far_node(&cpu, &node))
		return;
	u32 there = numa_node_of_cpu(cpu);

	REQUIRE(filled(&fx, PAGES, false, node));
	fixture_run(&fx, cpu, touch, &fx);
	set_knob("batch", "512");
	for (unsigned pending = 0; pending < 2; pending++) {
		EXPECT_EQ(mark(&fx), PAGES);
		atomic_fetch_add(&fx.as->flush_pending, pending);
		before = *counters();
		EXPECT_EQ(fixture_migrate(&fx, pending ? node : there, NULL), 0);
		after = *counters();
		atomic_fetch_add(&fx.as->flush_pending, -pending);
		EXPECT_EQ(after.hint_gathered - before.hint_gathered, pending ? PAGES : 0);
		EXPECT_EQ(after.hint_unflushed - before.hint_unflushed, pending ? 0 : PAGES);
		EXPECT_EQ(after.shootdowns - before.shootdowns, pending);
	}
	EXPECT_EQ(fixture_wrong(&fx, 70, 3), 0);
	set_knob("batch", "1");
	fixture_fini(&fx);
}

/* A fault that is to move a page of a pending scan waits for its flush, and then needs none. */
TEST(hint, late_waits_for_a_pending_scan)
{
	struct mm_counters before, after;
	struct context *ctx;
	struct fixture fx;
	unsigned cpu;
	u32 node;

	NEED_CPUS(2);
	if (!far_node(&cpu, &node))
		return;
	REQUIRE(filled(&fx, PAGES, false, node));
	set_knob("hint", "late");
	EXPECT_EQ(mark(&fx), PAGES);
	fixture_run(&fx, cpu, touch, &fx);
	EXPECT_EQ(mark(&fx), PAGES);
	hint_flush_begins(fx.as);
	before = *counters();
	ctx = context_spawn(cpu, "toucher", touch, &fx, fx.as);
	EXPECT(ctx && POLL_UNTIL(counters()->hint_waits > before.hint_waits));
	EXPECT_EQ(counters()->hint_moved - before.hint_moved, 0);
	EXPECT_EQ(hints(&fx), PAGES);
	hint_flush_ended(fx.as);
	if (ctx)
		context_join(ctx);
	after = *counters();
	EXPECT_EQ(after.hint_faults - before.hint_faults, PAGES);
	EXPECT_EQ(after.hint_moved - before.hint_moved, PAGES);
	EXPECT_EQ(after.hint_waits - before.hint_waits, 1);
	EXPECT_EQ(after.shootdowns - before.shootdowns, 0);
	set_knob("hint", "early");
	fixture_fini(&fx);
}

/* ---- hint entries and the rest of the memory manager ---------------------------------- */

TEST(hint, protect_and_unmap_see_them)
{
	struct fixture fx;
	u64 value = 0;

	REQUIRE(filled(&fx, PAGES, false, BOOT_NODE_NONE));
	EXPECT_EQ(mark(&fx), PAGES);
	EXPECT_EQ(mark(&fx), 0);
	EXPECT_EQ(aspace_protect(fx.as, fx.va, fx.len, PROT_READ), 0);
	EXPECT_EQ(hints(&fx), PAGES);
	aspace_load(fx.as);
	EXPECT(probe_store64(fx.va, 1) != 0);
	EXPECT_EQ(probe_load64(fx.va, &value), 0);
	EXPECT_EQ(value, 70);
	EXPECT(probe_store64(fx.va, 1) != 0);
	aspace_load(NULL);
	EXPECT_EQ(hints(&fx), PAGES - 1);
	EXPECT_EQ(aspace_protect(fx.as, fx.va, fx.len, RW), 0);
	aspace_load(fx.as);
	EXPECT_EQ(probe_store64(fx.va + PAGE_SIZE, 5), 0);
	aspace_load(NULL);
	EXPECT_EQ(aspace_drop(fx.as, fx.va, fx.len), 0);
	aspace_load(fx.as);
	EXPECT_EQ(probe_load64(fx.va + 2 * PAGE_SIZE, &value), 0);
	EXPECT_EQ(value, 0);
	aspace_load(NULL);
	EXPECT_EQ(mark(&fx), 1);
	fixture_fini(&fx);
}

/* A pinned page stays where it is, accessible again with its rights, whichever the order. */
TEST(hint, pinned_page_stays)
{
	struct fixture fx;
	struct page *page;
	unsigned cpu;
	u32 node;

	if (!far_node(&cpu, &node))
		return;
	if (!numa_has_cpus(node)) /* as in check_order() */
		SKIP("pages of node %u are promoted", node);
	for (unsigned late = 0; late < 2; late++) {
		set_knob("hint", late ? "late" : "early");
		REQUIRE(filled(&fx, 4, false, node));
		REQUIRE(aspace_pin(fx.as, fx.va + PAGE_SIZE, true, &page) == 0);
		u64 failed = counters()->failed[MIGRATE_PINNED];

		balance(&fx, cpu);
		EXPECT_EQ(counters()->failed[MIGRATE_PINNED] - failed, 1);
		EXPECT_EQ(fx.as->hints.failed, 1);
		EXPECT_EQ(fixture_node_of(&fx, fx.va + PAGE_SIZE), node);
		EXPECT_EQ(fixture_node_of(&fx, fx.va), numa_node_of_cpu(cpu));
		EXPECT(pte_is_writable(pte_load(aspace_entry(fx.as, fx.va + PAGE_SIZE))));
		page_put(page, PAGE_PIN);
		EXPECT_EQ(fixture_wrong(&fx, 70, 3), 0);
		fixture_fini(&fx);
	}
	set_knob("hint", "early");
}

/* Threads that share a writable page are grouped; the first patch for Linux grouped those that share a read-only one. */
static u64 grouped(prot_t prot)
{
	struct fixture fx;
	u64 before, n;

	if (!filled(&fx, 4, false, BOOT_NODE_NONE))
		return 0;
	EXPECT_EQ(aspace_protect(fx.as, fx.va, fx.len, prot), 0);
	before = counters()->hint_faults_grouped;
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		EXPECT_EQ(mark(&fx), 4);
		fixture_run(&fx, cpu, touch, &fx);
	}
	n = counters()->hint_faults_grouped - before;
	fixture_fini(&fx);
	return n;
}

TEST(hint, read_only_pages_make_no_group)
{
	NEED_CPUS(2);
	EXPECT_EQ(grouped(RW), 4);
	EXPECT_EQ(grouped(PROT_READ), 0);
}

/* Two nodes that take turns on a page pull it a few times, not for ever. */
TEST(hint, shared_page_does_not_ping_pong)
{
	enum { TURNS = 400 };
	struct fixture fx;
	unsigned cpu;
	u32 node;
	u64 before;

	if (!far_node(&cpu, &node) || !numa_node_of_cpu(cpu))
		SKIP("the first and the last CPU are on one node");
	REQUIRE(filled(&fx, 1, false, node));
	before = counters()->hint_moved;
	/* Three times one of them, three times the other: a filter of two alone would move it each time. */
	for (unsigned i = 0; i < TURNS; i++) {
		EXPECT_EQ(mark(&fx), 1);
		fixture_run(&fx, i / 3 % 2 ? 0 : cpu, touch, &fx);
	}
	EXPECT(counters()->hint_moved - before <= 4);
	/* One of them is left: it gets the page. */
	for (unsigned i = 0; i < 20; i++) {
		EXPECT_EQ(mark(&fx), 1);
		fixture_run(&fx, cpu, touch, &fx);
	}
	EXPECT_EQ(fixture_node_of(&fx, fx.va), numa_node_of_cpu(cpu));
	fixture_fini(&fx);
}

/* Windows go through all areas and start over; the pace follows what faults say. */
TEST(hint, scan_covers_and_adapts)
{
	struct fixture fx;
	int err;

	REQUIRE(filled(&fx, PAGES, false, BOOT_NODE_NONE));
	struct hint_scan scan = {.as = fx.as};

	EXPECT(aspace_map(fx.as, NULL, 0, 0, HUGE_SIZE, RW, false, BOOT_NODE_NONE, &err));
	set_knob("scan_size", "30");
	set_knob("scan_load", "100");
	set_knob("scan_min", "1000");
	set_knob("scan_max", "3000");
	EXPECT_EQ(hint_scan(&scan), 1000000);
	EXPECT_EQ(hints(&fx), 30);
	hint_scan(&scan);
	EXPECT_EQ(hints(&fx), PAGES);
	while (!scan.passes)
		hint_scan(&scan);
	EXPECT_EQ(scan.space_pages, PAGES + HUGE_PAGES);
	/* Nobody touched anything: twice as slow, up to the limit. */
	EXPECT_EQ(scan.period, 2000000);
	EXPECT_EQ(hint_scan(&scan), mul_div_u64(2000000, 30, PAGES + HUGE_PAGES));
	while (scan.passes < 2)
		hint_scan(&scan);
	EXPECT_EQ(scan.period, 3000000);
	set_knob("scan_size", "65536");
	set_knob("scan_max", "60000");
	set_knob("scan_load", "3");
	fixture_fini(&fx);
}

/*
 * The period after a pass, from 10 ms: Linux's rules. Faults by the CPU that
 * came last time count first, then local ones; from seven tenths on, later.
 */
TEST(hint, period_follows_the_faults)
{
	static const struct {
		struct hint_tally faults;
		u64 period; /* us */
	} pass[] = {
		{{.local = 10, .own = 10}, 13000},
		{{.local = 10, .own = 9, .shared = 1}, 12000},
		{{.remote = 10, .own = 7, .shared = 3}, 11000},
		{{.local = 8, .remote = 2, .own = 5, .shared = 5}, 11000},
		{{.local = 6, .remote = 4, .own = 5, .shared = 5}, 9000},
		{{.local = 2, .remote = 8, .own = 3, .shared = 7}, 6000},
		{{.remote = 10, .shared = 10}, 3000},
		{{.local = 10, .own = 10, .failed = 1}, 20000},
		{{.local = 0}, 20000},
	};
	struct fixture fx;

	REQUIRE(filled(&fx, 1, false, BOOT_NODE_NONE));
	for (unsigned i = 0; i < ARRAY_SIZE(pass); i++) {
		struct hint_scan scan = {.as = fx.as, .period = 10000000};

		fx.as->hints = pass[i].faults;
		hint_scan(&scan);
		EXPECT_EQ(scan.passes, 1);
		EXPECT_EQ(scan.period, pass[i].period * 1000);
		EXPECT_EQ(fx.as->scan_period, scan.period);
	}
	fixture_fini(&fx);
}

/* ---- two threads on one page at the same moment ---------------------------------------- */

struct duel {
	struct fixture fx;
	u32 go __aligned(CACHE_LINE); /* round; release by the referee */
	u32 done; /* fighters that have finished the round; atomic */
	unsigned referee, rounds;
	struct fighter {
		struct duel *duel;
		struct context *ctx;
		unsigned cpu, index;
		u64 stale, lost;
	} fighter[2];
};

/* Own word: one more each round; the other's: what it was, or one more. */
static void fight(void *arg)
{
	struct fighter *f = arg;
	struct duel *d = f->duel;
	u64 *mine = (u64 *)d->fx.va + f->index, *theirs = (u64 *)d->fx.va + !f->index;

	for (u32 round = 1; round <= d->rounds; round++) {
		wait_until(load_acquire(&d->go) >= round, "the next round");
		u64 old = load_relaxed(mine);

		f->lost += old != round - 1;
		store_relaxed(mine, (u64)round);
		u64 seen = load_relaxed(theirs);

		f->stale += seen + 1 != round && seen != round;
		if (atomic_fetch_add(&d->done, 1U) == 2 * round - 1)
			cpu_wake(d->referee);
	}
}

/* Scan, let both at it, take the page back to where it is far from both. */
static void referee(struct duel *d, u32 node)
{
	for (u32 round = 1; round <= d->rounds; round++) {
		EXPECT_EQ(mark(&d->fx), 1);
		store_release(&d->go, round);
		for (unsigned i = 0; i < 2; i++)
			cpu_wake(d->fighter[i].cpu);
		wait_until(load_acquire(&d->done) == 2 * round, "both threads");
		EXPECT_EQ(hints(&d->fx), 0);
		EXPECT_EQ(fixture_migrate(&d->fx, node, NULL), 0);
	}
}

static bool duel_start(struct duel *d)
{
	for (unsigned i = 0; i < 2; i++) {
		struct fighter *f = &d->fighter[i];

		*f = (struct fighter){.duel = d, .index = i, .cpu = cpu_count - 1 - i};
		f->ctx = context_spawn(f->cpu, "fighter", fight, f, d->fx.as);
		if (!EXPECT(f->ctx))
			return false;
	}
	return true;
}

static void judge(struct duel *d, const struct mm_counters *before, const char *order)
{
	struct mm_counters after = *counters();
	u64 faults = after.hint_faults - before->hint_faults;
	u64 second = after.hint_faults_second - before->hint_faults_second;
	u64 flushed = after.hint_second_flushed - before->hint_second_flushed;

	/* One entry was taken away each round: more than one account of it is a second thread's own. */
	EXPECT(faults >= d->rounds && faults <= d->rounds + second);
	EXPECT(flushed <= second);
	/* With yields inside the window there are second threads, or this tests nothing. */
	if (det_yield_enabled && d->rounds >= 1000 && !strcmp(order, "late"))
		EXPECT(flushed > 0);
	for (unsigned i = 0; i < 2; i++) {
		EXPECT_EQ(d->fighter[i].stale, 0);
		EXPECT_EQ(d->fighter[i].lost, 0);
	}
	kprintf("  # two_threads %s: %u rounds, %lu faults accounted, %lu second, %lu moved, "
		"%lu flushed because of a second\n",
		order, d->rounds, faults, second, after.hint_moved - before->hint_moved, flushed);
}

static void two_threads(const char *order)
{
	static struct duel d;
	struct mm_counters before;
	unsigned cpu;
	u32 node;

	NEED_CPUS(3);
	if (!far_node(&cpu, &node))
		return;
	d = (struct duel){.referee = cpu_id(), .rounds = (unsigned)ktest_rounds(200)};
	REQUIRE(fixture_init(&d.fx, 1, RW, false, node));
	EXPECT_EQ(aspace_populate(d.fx.as, d.fx.va, d.fx.len, node), 1);
	set_knob("hint", order);
	before = *counters();
	if (duel_start(&d)) {
		referee(&d, node);
		for (unsigned i = 0; i < 2; i++)
			context_join(d.fighter[i].ctx);
		judge(&d, &before, order);
	}
	set_knob("hint", "early");
	fixture_fini(&d.fx);
}

TEST(hint, two_threads_late)
{
	two_threads("late");
}

TEST(hint, two_threads_early)
{
	two_threads("early");
}
