/* Address spaces: faults, protection, unmapping, dropping; what a CPU may reach afterwards. */
#include "mm_fixture.h"
#include <kernel/error.h>
#include <arch/cpu.h>

#define RW (PROT_READ | PROT_WRITE)

/* Anonymous memory reads zero, keeps what is written, and faults once per page. */
TEST(aspace, demand_faults)
{
	struct fixture fx;
	struct mm_counters a, b;

	REQUIRE(fixture_init(&fx, 16, RW, false, BOOT_NODE_NONE));
	EXPECT_EQ(fixture_wrong(&fx, 0, 0), 0);
	mm_counters_read(&a);
	fixture_fill(&fx, 7, 3);
	EXPECT_EQ(fixture_wrong(&fx, 7, 3), 0);
	mm_counters_read(&b);
	EXPECT_EQ(b.page_faults, a.page_faults);
	fixture_fini(&fx);
}

struct probe {
	vaddr_t va;
	int load, store;
};

static void probe_here(void *arg)
{
	struct probe *p = arg;
	u64 value;

	p->load = probe_load64(p->va, &value);
	p->store = probe_store64(p->va, 1);
}

/* What protect and unmap promise holds on every CPU when they return (I7). */
TEST(aspace, protect_and_unmap_reach_every_cpu)
{
	struct fixture fx;

	REQUIRE(fixture_init(&fx, 4, RW, false, BOOT_NODE_NONE));
	struct probe p = {.va = fx.va};

	for_each_online_cpu (cpu) {
		fixture_run(&fx, cpu, probe_here, &p);
		EXPECT(p.load == 0 && p.store == 0);
	}
	EXPECT_EQ(aspace_protect(fx.as, fx.va, PAGE_SIZE, PROT_READ), 0);
	for_each_online_cpu (cpu) {
		fixture_run(&fx, cpu, probe_here, &p);
		EXPECT(p.load == 0 && p.store == -EFAULT);
	}
	EXPECT_EQ(aspace_protect(fx.as, fx.va, PAGE_SIZE, RW), 0);
	fixture_run(&fx, cpu_count - 1, probe_here, &p);
	EXPECT(p.load == 0 && p.store == 0);
	EXPECT_EQ(aspace_unmap(fx.as, fx.va, PAGE_SIZE), 0);
	for_each_online_cpu (cpu) {
		fixture_run(&fx, cpu, probe_here, &p);
		EXPECT(p.load == -EFAULT && p.store == -EFAULT);
	}
	fixture_fini(&fx);
}

static __noinline __aligned(64) u64 code_to_copy(void)
{
	return 0x5eed;
}

struct call {
	vaddr_t va;
	int result;
	u64 value;
};

static void call_here(void *arg)
{
	struct call *c = arg;

	c->value = 0;
	c->result = probe_execute(c->va, &c->value);
}

static bool runs_everywhere(struct fixture *fx, struct call *c)
{
	bool all = true;

	for_each_online_cpu (cpu) {
		fixture_run(fx, cpu, call_here, c);
		all &= c->result == 0 && c->value == 0x5eed;
	}
	return all;
}

static bool refused_everywhere(struct fixture *fx, struct call *c)
{
	bool all = true;

	for_each_online_cpu (cpu) {
		fixture_run(fx, cpu, call_here, c);
		all &= c->result == -EFAULT;
	}
	return all;
}

/* Code runs from a page exactly while its rights say so, on every CPU (I7), and from where it has moved. */
TEST(aspace, execution_is_granted_and_taken)
{
	struct fixture fx;
	const prot_t rx = PROT_READ | PROT_EXEC;

	REQUIRE(fixture_init(&fx, 1, RW, false, BOOT_NODE_NONE));
	struct call c = {.va = fx.va};

	aspace_load(fx.as);
	memcpy((void *)fx.va, (const void *)code_to_copy, 64);
	aspace_load(NULL);
	fixture_run(&fx, 0, call_here, &c);
	if (!c.result) {
		fixture_fini(&fx);
		SKIP("this CPU cannot forbid execution");
	}
	for (unsigned round = 0; round < 2; round++) {
		EXPECT(refused_everywhere(&fx, &c));
		EXPECT_EQ(aspace_protect(fx.as, fx.va, PAGE_SIZE, round ? RW | PROT_EXEC : rx), 0);
		EXPECT(runs_everywhere(&fx, &c));
		for (u32 node = 0; node < numa_node_count(); node++)
			if (pmm_node_has_memory(node)) {
				EXPECT_EQ(fixture_migrate(&fx, node, NULL), 0);
				EXPECT(runs_everywhere(&fx, &c));
			}
		EXPECT_EQ(aspace_protect(fx.as, fx.va, PAGE_SIZE, round ? RW : PROT_READ), 0);
	}
	EXPECT(refused_everywhere(&fx, &c));
	fixture_fini(&fx);
}

/* Dropped pages read zero again, their neighbours keep their contents. */
TEST(aspace, drop)
{
	struct fixture fx;

	REQUIRE(fixture_init(&fx, 8, RW, false, BOOT_NODE_NONE));
	fixture_fill(&fx, 5, 0);
	EXPECT_EQ(aspace_drop(fx.as, fx.va + 2 * PAGE_SIZE, 3 * PAGE_SIZE), 0);
	EXPECT_EQ(fixture_wrong(&fx, 5, 0), 3);
	fixture_fini(&fx);
}

/* Bad ranges are refused with the reason and change nothing. */
TEST(aspace, bad_ranges)
{
	struct fixture fx;
	int err;

	REQUIRE(fixture_init(&fx, 4, RW, false, BOOT_NODE_NONE));
	EXPECT_EQ(aspace_unmap(fx.as, fx.va + 1, PAGE_SIZE), -EINVAL);
	EXPECT_EQ(aspace_unmap(fx.as, fx.va, 0), -EINVAL);
	EXPECT_EQ(aspace_drop(fx.as, ~0UL << PAGE_SHIFT, 2 * PAGE_SIZE), -EINVAL);
	EXPECT_EQ(aspace_protect(fx.as, fx.va, PAGE_SIZE, 0), -EINVAL);
	EXPECT_EQ(aspace_map(fx.as, NULL, 0, fx.va, PAGE_SIZE, RW, false, 0, &err), 0);
	EXPECT_EQ(err, -EEXIST);
	EXPECT_EQ(aspace_map(fx.as, NULL, 0, PT_VA_LOW_END, PAGE_SIZE, RW, false, 0, &err), 0);
	EXPECT_EQ(err, -EINVAL);
	EXPECT_EQ(aspace_map(fx.as, NULL, 0, 0, PAGE_SIZE, PROT_WRITE, false, 0, &err), 0);
	EXPECT_EQ(err, -EINVAL);
	fixture_fill(&fx, 1, 1);
	EXPECT_EQ(fixture_wrong(&fx, 1, 1), 0);
	fixture_fini(&fx);
}

/* A hole cut into an area splits it; the rest keeps its pages; the hole can be mapped again. */
TEST(aspace, split_and_remap)
{
	struct fixture fx;
	int err;

	REQUIRE(fixture_init(&fx, 8, RW, false, BOOT_NODE_NONE));
	fixture_fill(&fx, 9, 1);
	EXPECT_EQ(aspace_unmap(fx.as, fx.va + 3 * PAGE_SIZE, PAGE_SIZE), 0);
	struct probe p = {.va = fx.va + 3 * PAGE_SIZE};

	fixture_run(&fx, 0, probe_here, &p);
	EXPECT_EQ(p.load, -EFAULT);
	EXPECT_EQ(aspace_map(fx.as, NULL, 0, p.va, PAGE_SIZE, RW, false, 0, &err), p.va);
	EXPECT_EQ(fixture_wrong(&fx, 9, 1), 1);
	fixture_fini(&fx);
}

/* Two areas of one object show the same pages, in one space and in two. */
TEST(aspace, shared_object)
{
	struct fixture fx;
	int err;
	u64 value = 0;

	REQUIRE(fixture_init(&fx, 4, RW, false, BOOT_NODE_NONE));
	struct object *obj = aspace_find(fx.as, fx.va)->object;
	struct aspace *other = aspace_create("test2", BOOT_NODE_NONE);

	REQUIRE(other);
	vaddr_t alias = aspace_map(fx.as, obj, 1, 0, 2 * PAGE_SIZE, RW, false, 0, &err);
	vaddr_t far = aspace_map(other, obj, 0, 0, 4 * PAGE_SIZE, PROT_READ, false, 0, &err);

	EXPECT(alias && far && alias != fx.va);
	fixture_fill(&fx, 100, 1);
	aspace_load(fx.as);
	EXPECT_EQ(probe_load64(alias, &value), 0);
	EXPECT_EQ(value, 101);
	aspace_load(other);
	EXPECT_EQ(probe_load64(far + 2 * PAGE_SIZE, &value), 0);
	EXPECT_EQ(value, 102);
	EXPECT_EQ(probe_store64(far, 1), -EFAULT);
	aspace_load(NULL);
	aspace_destroy(other);
	EXPECT_EQ(fixture_wrong(&fx, 100, 1), 0);
	fixture_fini(&fx);
}

/* 2 MiB pages are used where asked for, and freed whole. */
TEST(aspace, huge_pages)
{
	struct fixture fx;
	u64 value;

	REQUIRE(fixture_init(&fx, HUGE_PAGES, RW, true, BOOT_NODE_NONE));
	aspace_load(fx.as);
	EXPECT_EQ(probe_store64(fx.va + HUGE_SIZE - 8, 77), 0);
	EXPECT_EQ(probe_load64(fx.va + HUGE_SIZE - 8, &value), 0);
	EXPECT_EQ(value, 77);
	aspace_load(NULL);
	EXPECT_EQ(pgwalk_find(fx.as->root, fx.va, 0).level, 1);
	EXPECT_EQ(aspace_drop(fx.as, fx.va, HUGE_SIZE), 0);
	aspace_load(fx.as);
	EXPECT_EQ(probe_load64(fx.va + HUGE_SIZE - 8, &value), 0);
	EXPECT_EQ(value, 0);
	aspace_load(NULL);
	fixture_fini(&fx);
}

static u64 pages_on(struct fixture *fx, u32 node)
{
	u64 n = 0;

	for (vaddr_t va = fx->va; va < fx->va + fx->len; va += PAGE_SIZE)
		n += fixture_node_of(fx, va) == node;
	return n;
}

static void place_and_fill(struct fixture *fx, enum placement placement, u64 nodes)
{
	EXPECT_EQ(aspace_drop(fx->as, fx->va, fx->len), 0);
	EXPECT_EQ(aspace_place(fx->as, fx->va, fx->len, placement, nodes), 0);
	fixture_fill(fx, 1, 1);
}

/* local, preferred, interleave, bind: where new pages go. */
TEST(aspace, placement)
{
	enum { PAGES = 60 };
	struct fixture fx;
	u32 here = numa_node_of_cpu(cpu_id()), other = fixture_other_node(here);

	if (other == BOOT_NODE_NONE || !pmm_node_has_memory(here))
		SKIP("one node with memory");
	REQUIRE(fixture_init(&fx, PAGES, PROT_READ | PROT_WRITE, false, BOOT_NODE_NONE));
	place_and_fill(&fx, PLACE_PREFERRED, 0);
	EXPECT_EQ(pages_on(&fx, here), PAGES);
	place_and_fill(&fx, PLACE_PREFERRED, 1UL << other);
	EXPECT_EQ(pages_on(&fx, other), PAGES);
	place_and_fill(&fx, PLACE_INTERLEAVE, 1UL << other | 1UL << here);
	EXPECT_EQ(pages_on(&fx, other), PAGES / 2);
	EXPECT_EQ(pages_on(&fx, here), PAGES / 2);
	EXPECT(fixture_node_of(&fx, fx.va) != fixture_node_of(&fx, fx.va + PAGE_SIZE));
	place_and_fill(&fx, PLACE_BIND, 1UL << other);
	EXPECT_EQ(pages_on(&fx, other), PAGES);
	EXPECT_EQ(aspace_place(fx.as, fx.va, fx.len, PLACE_BIND, 0), -EINVAL);
	if (numa_node_count() < MAX_NODES)
		EXPECT_EQ(aspace_place(fx.as, fx.va, fx.len, PLACE_BIND, 1UL << (MAX_NODES - 1)),
			  -EINVAL);
	EXPECT_EQ(aspace_place(fx.as, fx.va, fx.len, PLACE_PREFERRED, 1UL << here | 1UL << other),
		  -EINVAL);
	EXPECT_EQ(fixture_wrong(&fx, 1, 1), 0);
	fixture_fini(&fx);
}
