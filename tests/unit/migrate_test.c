/* Migration: pages arrive whole, failures stay where they were, every scheme keeps the promises. */
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/scheme.h>
#include "mm_fixture.h"
#include <kernel/error.h>
#include <kernel/cpumask.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <arch/cpu.h>
#include <arch/tlb.h>

#define RW (PROT_READ | PROT_WRITE)

static bool two_nodes(u32 *a, u32 *b)
{
	*a = pmm_node_has_memory(0) ? 0 : fixture_other_node(0);
	*b = fixture_other_node(*a);
	return *b != BOOT_NODE_NONE;
}

#define NEED_TWO_NODES(a, b)                                                                       \
	u32 a, b;                                                                                  \
	if (!two_nodes(&a, &b))                                                                    \
	SKIP("one node with memory")

/* Contents, permissions and placement after a move there and back, for every batch size and scheme. */
TEST(migrate, every_scheme_moves_every_page)
{
	NEED_TWO_NODES(from, to);
	char err[128];
	enum { PAGES = 600 }; /* a batch of the largest size and a part of one */

	for (unsigned i = 0; i < scheme_def_count; i++) {
		struct fixture fx;

		REQUIRE(fixture_init(&fx, PAGES, RW, false, from));
		EXPECT_EQ(aspace_populate(fx.as, fx.va, fx.len, from), PAGES);
		fixture_fill(&fx, 1000, 7);
		EXPECT_EQ(scheme_apply(scheme_defs[i].name, err, sizeof(err)), 0);
		EXPECT_EQ(fixture_migrate(&fx, to, NULL), 0);
		EXPECT_EQ(fixture_node_of(&fx, fx.va), to);
		EXPECT_EQ(fixture_node_of(&fx, fx.va + fx.len - PAGE_SIZE), to);
		EXPECT_EQ(fixture_wrong(&fx, 1000, 7), 0);
		fixture_fill(&fx, 5, 9);
		EXPECT_EQ(fixture_migrate(&fx, from, NULL), 0);
		EXPECT_EQ(fixture_wrong(&fx, 5, 9), 0);
		scheme_restore();
		fixture_fini(&fx);
	}
}

static void load_only(void *arg)
{
	(void)arg; /* its context had the space loaded, which is enough */
}

/* docs/linux.md: x86-64 batches only what another CPU has loaded; arm64 not where broadcasts must be repeated. */
TEST(migrate, linux_6_12_batches_as_on_this_isa)
{
	enum { SOME = 40 };
	NEED_TWO_NODES(from, to);
	bool by_ipi = !strcmp(cpu_isa(), "x86_64");
	u64 one_by_one = by_ipi || tlb_bcast_repeats() ? SOME : 1;
	struct fixture fx;
	char err[128];
	u64 before;

	REQUIRE(fixture_init(&fx, SOME, RW, false, from));
	EXPECT_EQ(aspace_populate(fx.as, fx.va, fx.len, from), SOME);
	fixture_fill(&fx, 3, 5);
	EXPECT_EQ(scheme_apply("like-linux-6.12", err, sizeof(err)), 0);
	before = this_cpu_ptr(mm_counters)->shootdowns;
	EXPECT_EQ(fixture_migrate(&fx, to, NULL), 0);
	EXPECT_EQ(this_cpu_ptr(mm_counters)->shootdowns - before, one_by_one);
	if (cpumask_weight(&cpu_online) > 1) {
		fixture_run(&fx, 1, load_only, NULL);
		before = this_cpu_ptr(mm_counters)->shootdowns;
		EXPECT_EQ(fixture_migrate(&fx, from, NULL), 0);
		EXPECT_EQ(this_cpu_ptr(mm_counters)->shootdowns - before, by_ipi ? 1 : one_by_one);
	}
	EXPECT_EQ(fixture_wrong(&fx, 3, 5), 0);
	scheme_restore();
	fixture_fini(&fx);
}

/* Old frames whose flush waits: those that are held, and those of the node that are free and owe. */
static u64 waiting(u32 node)
{
	struct pmm_node_stats s;

	pmm_node_stats(node, &s);
	return deferral->held() + s.owing;
}

/* Read-only pages under a deferring scheme: held, then paid by settle, write or unmap; never lost. */
TEST(migrate, deferral_holds_and_pays)
{
	NEED_TWO_NODES(from, to);
	char err[128];

	for (unsigned i = 1; deferrals[i]; i++) {
		struct fixture fx;

		REQUIRE(fixture_init(&fx, 64, RW, false, from));
		EXPECT_EQ(aspace_populate(fx.as, fx.va, fx.len, from), 64);
		fixture_fill(&fx, 3, 0);
		EXPECT_EQ(aspace_protect(fx.as, fx.va, fx.len, PROT_READ), 0);
		EXPECT_EQ(knob_set("defer", deferrals[i]->name, "test", err, sizeof(err)), 0);
		u64 before = waiting(from);

		EXPECT_EQ(fixture_migrate(&fx, to, NULL), 0);
		EXPECT_EQ(waiting(from), before + 64);
		EXPECT_EQ(fixture_wrong(&fx, 3, 0), 0);
		EXPECT_EQ(aspace_protect(fx.as, fx.va, fx.len, RW), 0);
		EXPECT_EQ(deferral->held(), 0);
		fixture_fill(&fx, 4, 0);
		EXPECT_EQ(fixture_migrate(&fx, from, NULL), 0);
		EXPECT_EQ(deferral->held(), 0);
		EXPECT_EQ(fixture_wrong(&fx, 4, 0), 0);
		EXPECT_EQ(knob_set("defer", "none", "test", err, sizeof(err)), 0);
		fixture_fini(&fx);
	}
}

/* A pinned page stays, with the reason, and moves once the pin is gone. */
TEST(migrate, pinned_page_stays)
{
	NEED_TWO_NODES(from, to);
	struct fixture fx;
	struct page *page;
	struct migrate_stats stats = {0};
	u8 result[16] = {0};

	REQUIRE(fixture_init(&fx, 16, RW, false, from));
	EXPECT_EQ(aspace_populate(fx.as, fx.va, fx.len, from), 16);
	fixture_fill(&fx, 1, 1);
	REQUIRE(aspace_pin(fx.as, fx.va + 5 * PAGE_SIZE, true, &page) == 0);
	struct migrate_request req = {.as = fx.as,
				      .start = fx.va,
				      .len = fx.len,
				      .from_nodes = 1UL << from,
				      .to_node = to,
				      .result = result,
				      .stats = &stats};

	EXPECT_EQ(migrate_range(&req), 1);
	EXPECT_EQ(stats.failed[MIGRATE_PINNED], 1);
	EXPECT_EQ(stats.moved, 15);
	EXPECT_EQ(result[5], MIGRATE_PINNED);
	EXPECT_EQ(result[4], MIGRATE_OK);
	EXPECT_EQ(fixture_node_of(&fx, fx.va + 5 * PAGE_SIZE), from);
	EXPECT_EQ(fixture_wrong(&fx, 1, 1), 0);
	page_put(page, PAGE_PIN);
	EXPECT_EQ(fixture_migrate(&fx, to, NULL), 0);
	EXPECT_EQ(fixture_node_of(&fx, fx.va + 5 * PAGE_SIZE), to);
	fixture_fini(&fx);
}

/* A page mapped at two addresses and in two spaces moves once, and all see the new frame. */
TEST(migrate, shared_page)
{
	NEED_TWO_NODES(from, to);
	struct fixture fx;
	int err;
	u64 value = 0;

	REQUIRE(fixture_init(&fx, 4, RW, false, from));
	struct object *obj = aspace_find(fx.as, fx.va)->object;
	struct aspace *other = aspace_create("test2", BOOT_NODE_NONE);

	REQUIRE(other);
	vaddr_t far = aspace_map(other, obj, 0, 0, 4 * PAGE_SIZE, RW, false, from, &err);

	EXPECT_EQ(aspace_populate(fx.as, fx.va, fx.len, from), 4);
	fixture_fill(&fx, 50, 1);
	aspace_load(other);
	EXPECT_EQ(probe_load64(far + PAGE_SIZE, &value), 0);
	EXPECT_EQ(value, 51);
	aspace_load(NULL);
	EXPECT_EQ(fixture_migrate(&fx, to, NULL), 0);
	EXPECT_EQ(fixture_wrong(&fx, 50, 1), 0);
	aspace_load(other);
	EXPECT_EQ(probe_store64(far + PAGE_SIZE, 99), 0);
	aspace_load(fx.as);
	EXPECT_EQ(probe_load64(fx.va + PAGE_SIZE, &value), 0);
	EXPECT_EQ(value, 99);
	aspace_load(NULL);
	aspace_destroy(other);
	fixture_fini(&fx);
}

/* 2 MiB pages move whole; small and large pages in one request both move. */
TEST(migrate, huge_pages)
{
	NEED_TWO_NODES(from, to);
	struct fixture fx;
	struct migrate_stats stats = {0};
	u64 value;

	REQUIRE(fixture_init(&fx, 2 * HUGE_PAGES, RW, true, from));
	if (aspace_populate(fx.as, fx.va, fx.len, from) != 2 * (long)HUGE_PAGES ||
	    pgwalk_find(fx.as->root, fx.va, 0).level != 1 ||
	    pgwalk_find(fx.as->root, fx.va + HUGE_SIZE, 0).level != 1) {
		fixture_fini(&fx);
		SKIP("no two free 2 MiB pages on node %u", from);
	}
	fixture_fill(&fx, 11, 13);
	EXPECT_EQ(fixture_migrate(&fx, to, &stats), 0);
	EXPECT_EQ(stats.moved_huge, 2);
	EXPECT_EQ(stats.moved, 2 * HUGE_PAGES);
	EXPECT_EQ(fixture_wrong(&fx, 11, 13), 0);
	EXPECT_EQ(pgwalk_find(fx.as->root, fx.va, 0).level, 1);
	aspace_load(fx.as);
	EXPECT_EQ(probe_load64(fx.va + HUGE_SIZE, &value), 0);
	EXPECT_EQ(value, 11 + HUGE_PAGES * 13);
	aspace_load(NULL);
	fixture_fini(&fx);
}

struct increments {
	vaddr_t va;
	u64 done;
	u32 stop, running;
	unsigned starter;
};

static void increment(void *arg)
{
	struct increments *inc = arg;

	while (!load_acquire(&inc->stop)) {
		u64 *word = (u64 *)inc->va;

		store_relaxed(word, load_relaxed(word) + 1);
		store_relaxed(&inc->done, inc->done + 1);
		if (!inc->running) {
			store_release(&inc->running, 1);
			cpu_wake(inc->starter);
		}
		cpu_relax();
	}
}

/* A counter on a page that moves back and forth loses no increment (T3, I2). */
TEST(migrate, no_lost_write)
{
	NEED_TWO_NODES(a, b);
	struct fixture fx;
	u64 value = 0;

	if (cpu_count < 2)
		SKIP("one CPU");
	REQUIRE(fixture_init(&fx, 8, RW, false, a));
	EXPECT_EQ(aspace_populate(fx.as, fx.va, fx.len, a), 8);
	struct increments inc = {.va = fx.va + 3 * PAGE_SIZE, .starter = cpu_id()};
	struct context *ctx = context_spawn(1, "increment", increment, &inc, fx.as);

	REQUIRE(ctx);
	wait_until(load_acquire(&inc.running), "the writer to start");
	for (unsigned i = 0; i < 200; i++)
		EXPECT_EQ(fixture_migrate(&fx, i % 2 ? a : b, NULL), 0);
	store_release(&inc.stop, 1);
	cpu_wake(1);
	context_join(ctx);
	aspace_load(fx.as);
	EXPECT_EQ(probe_load64(inc.va, &value), 0);
	aspace_load(NULL);
	EXPECT_EQ(value, inc.done);
	fixture_fini(&fx);
}
