/* 2 MiB pages of which two nodes use a part each: split by hint faults, without a flush. */
#include <kernel/error.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/stats.h>
#include "core_fixture.h"
#include "mm_fixture.h"

#define RW (PROT_READ | PROT_WRITE)

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

/* One 2 MiB page, and a CPU on its node and one on another. */
struct halves {
	struct fixture fx;
	unsigned cpu[2];
};

/* False: skipped, or failed. */
static bool halves_init(struct halves *h)
{
	u32 node = numa_node_of_cpu(0);

	h->cpu[0] = 0;
	h->cpu[1] = cpu_count - 1;
	if (numa_node_of_cpu(h->cpu[1]) == node || !pmm_node_has_memory(node) ||
	    !pmm_node_has_memory(numa_node_of_cpu(h->cpu[1]))) {
		ktest_skip("the first and the last CPU need a node with memory each");
		return false;
	}
	if (!fixture_init(&h->fx, HUGE_PAGES, RW, true, node))
		return false;
	if (aspace_populate(h->fx.as, h->fx.va, h->fx.len, node) != (long)HUGE_PAGES ||
	    pgwalk_find(h->fx.as->root, h->fx.va, 0).level != 1) {
		fixture_fini(&h->fx);
		ktest_skip("no free 2 MiB page on node %u", node);
		return false;
	}
	fixture_fill(&h->fx, 70, 3);
	return true;
}

static struct halves the;

/* Each its half, from the CPU that runs. */
static void touch_half(void *arg)
{
	const unsigned *which = arg;
	vaddr_t va = the.fx.va + *which * HUGE_SIZE / 2;

	for (u64 i = 0; i < HUGE_PAGES / 2; i++)
		load_relaxed((u64 *)(va + i * PAGE_SIZE));
}

static void touch_all(void *arg __unused)
{
	for (vaddr_t va = the.fx.va; va < the.fx.va + the.fx.len; va += PAGE_SIZE)
		load_relaxed((u64 *)va);
}

/* A scan, then one of the two. */
static void turn(unsigned which)
{
	EXPECT(hint_mark(the.fx.as, the.fx.va, the.fx.va + the.fx.len) > 0);
	fixture_run(&the.fx, the.cpu[which], touch_half, &which);
}

static u64 parts_on(unsigned which)
{
	u64 n = 0;

	for (u64 i = 0; i < HUGE_PAGES / 2; i++)
		n += fixture_node_of(&the.fx, the.fx.va + which * HUGE_SIZE / 2 + i * PAGE_SIZE) ==
		     numa_node_of_cpu(the.cpu[which]);
	return n;
}

static void split_by_turns(const char *order)
{
	struct mm_counters before, after;

	if (!halves_init(&the))
		return;
	set_knob("hint", order);
	set_knob("numa_split", "shared");
	turn(0);
	turn(1);
	EXPECT_EQ(pgwalk_find(the.fx.as->root, the.fx.va, 0).level, 1);
	before = *counters();
	turn(0); /* there and back */
	after = *counters();
	EXPECT_EQ(pgwalk_find(the.fx.as->root, the.fx.va, 0).level, 0);
	EXPECT_EQ(after.pages_split - before.pages_split, 1);
	/* The fault that split started over, on a part. */
	EXPECT_EQ(after.retried_faults - before.retried_faults, 1);
	/* Not one flush beside the scan's own; the parts that nobody touched are hint entries. */
	EXPECT_EQ(after.shootdowns - before.shootdowns, 0);
	EXPECT_EQ(after.ipis_sent - before.ipis_sent, 0);
	EXPECT_EQ(after.bcast_syncs - before.bcast_syncs, 0);
	EXPECT_EQ(after.hint_faults - before.hint_faults, HUGE_PAGES / 2);
	EXPECT(pte_is_hint(pte_load(aspace_entry(the.fx.as, the.fx.va + HUGE_SIZE / 2))));
	for (unsigned i = 0; i < 4; i++)
		turn(i % 2);
	fixture_run(&the.fx, the.cpu[0], touch_half, &(unsigned){0}); /* what the last scan hid */
	EXPECT_EQ(parts_on(0), HUGE_PAGES / 2);
	EXPECT_EQ(parts_on(1), HUGE_PAGES / 2);
	EXPECT_EQ(counters()->pages_split - before.pages_split, 1);
	EXPECT_EQ(fixture_wrong(&the.fx, 70, 3), 0);
	set_knob("numa_split", "off");
	set_knob("hint", "early");
	fixture_fini(&the.fx);
}

TEST(split, halves_go_home_late)
{
	split_by_turns("late");
}

TEST(split, halves_go_home_early)
{
	split_by_turns("early");
}

/* A fault that is to split a page of a pending scan waits for its flush, in either order. */
TEST(split, waits_for_a_pending_scan)
{
	struct mm_counters before;
	struct context *ctx;

	NEED_CPUS(2);
	if (numa_node_of_cpu(1) != numa_node_of_cpu(0))
		SKIP("CPU 1 is not on CPU 0's node");
	if (!halves_init(&the))
		return;
	set_knob("numa_split", "shared");
	turn(0);
	turn(1);
	EXPECT_EQ(hint_mark(the.fx.as, the.fx.va, the.fx.va + the.fx.len), 1);
	hint_flush_begins(the.fx.as);
	before = *counters();
	ctx = context_spawn(the.cpu[1], "toucher", touch_all, NULL, the.fx.as); /* no turn */
	EXPECT(ctx);
	if (ctx)
		context_join(ctx);
	EXPECT_EQ(counters()->hint_waits - before.hint_waits, 0);
	EXPECT_EQ(hint_mark(the.fx.as, the.fx.va, the.fx.va + the.fx.len), 1);
	ctx = context_spawn(1, "toucher", touch_all, NULL, the.fx.as);
	EXPECT(ctx && POLL_UNTIL(counters()->hint_waits > before.hint_waits));
	EXPECT_EQ(counters()->pages_split - before.pages_split, 0);
	hint_flush_ended(the.fx.as);
	if (ctx)
		context_join(ctx);
	EXPECT_EQ(counters()->pages_split - before.pages_split, 1);
	EXPECT_EQ(counters()->split_raced - before.split_raced, 0);
	set_knob("numa_split", "off");
	fixture_fini(&the.fx);
}

/* Neither without the knob, nor a page that goes from one user to another for good. */
TEST(split, only_what_is_shared)
{
	u64 before;

	if (!halves_init(&the))
		return;
	before = counters()->pages_split;
	for (unsigned i = 0; i < 6; i++)
		turn(i % 2);
	set_knob("numa_split", "shared");
	hint_forget(the.fx.as, the.fx.va, the.fx.va + the.fx.len);
	for (unsigned i = 0; i < 4; i++)
		turn(0);
	for (unsigned i = 0; i < 4; i++)
		turn(1);
	turn(0);
	EXPECT_EQ(counters()->pages_split - before, 0);
	EXPECT_EQ(pgwalk_find(the.fx.as->root, the.fx.va, 0).level, 1);
	set_knob("numa_split", "off");
	fixture_fini(&the.fx);
}

/* A pinned page stays whole, and accessible. */
TEST(split, pinned_page_stays_whole)
{
	struct mm_counters before;
	struct page *page;

	if (!halves_init(&the))
		return;
	REQUIRE(aspace_pin(the.fx.as, the.fx.va, true, &page) == 0);
	set_knob("numa_split", "shared");
	before = *counters();
	for (unsigned i = 0; i < 3; i++)
		turn(i % 2);
	EXPECT_EQ(counters()->split_pinned - before.split_pinned, 1);
	EXPECT_EQ(counters()->hint_faults - before.hint_faults, 3);
	EXPECT_EQ(pgwalk_find(the.fx.as->root, the.fx.va, 0).level, 1);
	EXPECT(pte_is_writable(pte_load(aspace_entry(the.fx.as, the.fx.va))));
	page_put(page, PAGE_PIN);
	set_knob("numa_split", "off");
	fixture_fini(&the.fx);
}

/* Ranges may cut 2 MiB pages, under a CPU that has them cached. */
TEST(split, ranges_cut_pages)
{
	struct mm_counters before;

	if (!halves_init(&the))
		return;
	fixture_run(&the.fx, the.cpu[1], touch_all, NULL);
	before = *counters();
	EXPECT_EQ(aspace_drop(the.fx.as, the.fx.va + 8 * PAGE_SIZE, 16 * PAGE_SIZE), 0);
	EXPECT_EQ(counters()->pages_split - before.pages_split, 1);
	EXPECT(counters()->shootdowns - before.shootdowns >= 2); /* the break, and the drop */
	EXPECT_EQ(fixture_wrong(&the.fx, 70, 3), 16);
	fixture_run(&the.fx, the.cpu[1], touch_all, NULL);
	EXPECT_EQ(aspace_unmap(the.fx.as, the.fx.va, the.fx.len), 0);
	fixture_fini(&the.fx);
}
