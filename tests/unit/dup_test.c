/* Duplicates of spaces on real CPUs: threads write while their space is duplicated again and again. */
#include <kernel/context.h>
#include <kernel/smp.h>
#include <mm/dup.h>
#include <mm/pmm.h>
#include <mm/tlb_cpu.h>
#include "mm_writers.h"

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 16, ROUNDS = 24 };

struct reader {
	vaddr_t va;
	unsigned number; /* of the writer */
	u64 least; /* that each page must have */
	u64 value[PAGES]; /* as it was read first */
	u64 wrong;
};

/* In the duplicate: nothing is older than it was, nothing changes, and what is written here stays. */
static void read_twice(void *arg)
{
	struct reader *r = arg;

	for (u64 i = 0; i < PAGES; i++) {
		r->value[i] = load_relaxed(writers_word(r->va, i, r->number));
		r->wrong += r->value[i] < r->least;
	}
	for (u64 i = 0; i < PAGES; i++) {
		r->wrong += load_relaxed(writers_word(r->va, i, r->number)) != r->value[i];
		if (i % 2)
			store_relaxed(writers_word(r->va, i, r->number), ~0UL);
	}
}

static void run_here(struct aspace *as, void (*fn)(void *arg), void *arg)
{
	struct tlb_context *was = tlb_loaded();

	aspace_load(as);
	fn(arg);
	aspace_load(was ? container_of(was, struct aspace, ctx) : NULL);
}

static void duplicate_and_look(struct fixture *fx, const struct writers *w)
{
	struct reader r = {.va = fx->va};
	u64 least[WRITERS_MAX];
	int err;

	for (unsigned n = 0; n < w->count; n++)
		least[n] = load_acquire(&w->writer[n].rounds);
	struct aspace *dup = aspace_dup(fx->as, "duplicate", BOOT_NODE_NONE, &err);

	REQUIRE(dup);
	for (unsigned n = 0; n < w->count; n++) {
		r.number = n;
		r.least = least[n];
		run_here(dup, read_twice, &r);
	}
	EXPECT_EQ(r.wrong, 0);
	aspace_destroy(dup);
}

TEST(dup, writes_stay_where_they_are_while_the_space_is_duplicated)
{
	struct fixture fx = {.len = PAGES << PAGE_SHIFT};
	struct writers writers = {0};
	int err;

	fx.as = aspace_create("original", BOOT_NODE_NONE);
	REQUIRE(fx.as);
	fx.va = aspace_map(fx.as, NULL, 0, 0, fx.len, RW, false, BOOT_NODE_NONE, &err);
	REQUIRE(fx.va);
	writers_start(&writers, &fx);
	for (u64 round = 0, rounds = ktest_rounds(ROUNDS); round < rounds; round++) {
		duplicate_and_look(&fx, &writers);
		for (u32 node = 0; round % 4 == 0 && node < numa_node_count(); node++)
			if (pmm_node_has_memory(node))
				fixture_migrate(&fx, node, NULL);
	}
	writers_stop(&writers);
	aspace_destroy(fx.as);
	pmm_drain_caches();
}

static void write_all(void *arg)
{
	struct reader *r = arg;

	for (u64 i = 0; i < PAGES; i++)
		store_relaxed(writers_word(r->va, i, r->number), i + 1);
}

/* One after the other, on this CPU, which has both spaces in its TLB. */
TEST(dup, each_space_has_its_own_pages)
{
	struct fixture fx = {.len = PAGES << PAGE_SHIFT};
	struct reader first = {0}, second = {.number = 1};
	int err;

	fx.as = aspace_create("original", BOOT_NODE_NONE);
	REQUIRE(fx.as);
	first.va = second.va =
		aspace_map(fx.as, NULL, 0, 0, fx.len, RW, false, BOOT_NODE_NONE, &err);
	REQUIRE(first.va);
	run_here(fx.as, write_all, &first);
	struct aspace *dup = aspace_dup(fx.as, "duplicate", BOOT_NODE_NONE, &err);

	REQUIRE(dup);
	first.least = 1;
	run_here(dup, read_twice, &first);
	run_here(fx.as, write_all, &second);
	run_here(dup, read_twice, &second);
	EXPECT_EQ(first.wrong + second.wrong, 0);
	for (u64 i = 0; i < PAGES; i++) {
		EXPECT_EQ(first.value[i], i + 1);
		EXPECT_EQ(second.value[i], 0);
	}
	run_here(fx.as, read_twice, &first);
	EXPECT_EQ(first.value[1], 2);
	aspace_destroy(dup);
	aspace_destroy(fx.as);
	pmm_drain_caches();
}
