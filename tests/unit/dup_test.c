/* Duplicates of spaces on real CPUs: threads write while their space is duplicated again and again. */
#include <kernel/context.h>
#include <kernel/smp.h>
#include <mm/dup.h>
#include <mm/pmm.h>
#include "mm_fixture.h"

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 16, ROUNDS = 24, WRITERS = 3, WORDS = 16 };

/* Writes the number of its round to its word of every page, then the next one. */
struct writer {
	vaddr_t va;
	unsigned number;
	const u32 *stop;
	u64 wrong; /* pages that lost what was written last */
	u64 rounds; /* written to all pages; release and acquire */
};

static u64 *word_of(vaddr_t va, u64 page, unsigned number)
{
	return (u64 *)(va + (page << PAGE_SHIFT)) + WORDS * number;
}

static void write_until_stopped(void *arg)
{
	struct writer *w = arg;

	for (u64 round = 1; !load_acquire(w->stop); round++) {
		for (u64 i = 0; i < PAGES; i++) {
			u64 *word = word_of(w->va, i, w->number);

			w->wrong += load_relaxed(word) != round - 1;
			store_relaxed(word, round);
		}
		store_release(&w->rounds, round);
		cpu_relax();
	}
}

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
		r->value[i] = load_relaxed(word_of(r->va, i, r->number));
		r->wrong += r->value[i] < r->least;
	}
	for (u64 i = 0; i < PAGES; i++) {
		r->wrong += load_relaxed(word_of(r->va, i, r->number)) != r->value[i];
		if (i % 2)
			store_relaxed(word_of(r->va, i, r->number), ~0UL);
	}
}

static void run_here(struct aspace *as, void (*fn)(void *arg), void *arg)
{
	struct tlb_context *was = tlb_loaded();

	aspace_load(as);
	fn(arg);
	aspace_load(was ? container_of(was, struct aspace, ctx) : NULL);
}

static void duplicate_and_look(struct fixture *fx, const struct writer *w, unsigned count)
{
	struct reader r = {.va = fx->va};
	u64 least[WRITERS];
	int err;

	for (unsigned n = 0; n < count; n++)
		least[n] = load_acquire(&w[n].rounds);
	struct aspace *dup = aspace_dup(fx->as, "duplicate", BOOT_NODE_NONE, &err);

	REQUIRE(dup);
	for (unsigned n = 0; n < count; n++) {
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
	struct writer writers[WRITERS] = {0};
	struct context *running[WRITERS] = {NULL};
	unsigned count = 0;
	u32 stop = 0;
	int err;

	fx.as = aspace_create("original", BOOT_NODE_NONE);
	REQUIRE(fx.as);
	fx.va = aspace_map(fx.as, NULL, 0, 0, fx.len, RW, false, BOOT_NODE_NONE, &err);
	REQUIRE(fx.va);
	for_each_online_cpu (cpu)
		if (cpu != cpu_id() && count < WRITERS) {
			struct writer *w = &writers[count];

			*w = (struct writer){.va = fx.va, .number = count, .stop = &stop};
			running[count++] =
				context_spawn(cpu, "writer", write_until_stopped, w, fx.as);
		}
	for (unsigned round = 0; round < ROUNDS; round++) {
		duplicate_and_look(&fx, writers, count);
		for (u32 node = 0; round % 4 == 0 && node < numa_node_count(); node++)
			if (pmm_node_has_memory(node))
				fixture_migrate(&fx, node, NULL);
	}
	store_release(&stop, 1U);
	for (unsigned n = 0; n < count; n++) {
		if (running[n])
			context_join(running[n]);
		EXPECT_EQ(writers[n].wrong, 0);
	}
	aspace_destroy(fx.as);
	pmm_drain_caches();
}

static void write_all(void *arg)
{
	struct reader *r = arg;

	for (u64 i = 0; i < PAGES; i++)
		store_relaxed(word_of(r->va, i, r->number), i + 1);
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
