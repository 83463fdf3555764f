/* Files: written by several CPUs while they are cleaned, invalidated and moved; every value is found in the end. */
#include "mm_writers.h"
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/smp.h>
#include <mm/clean.h>
#include <mm/cow.h>
#include <mm/file.h>
#include <mm/hint.h>
#include <mm/knob.h>

#define RW (PROT_READ | PROT_WRITE)

enum {
	PAGES = 16,
	ROUNDS = 60, /* of the whole file; the store's own checks look at each page of each */
};

static void clean_and_drop(struct fixture *fx, struct object *file, u64 round)
{
	for (u64 i = 0; i < PAGES; i++) {
		int err = i % 4 == round % 4 ? file_invalidate(file, i, 1, FILE_KEEP)
					     : file_clean(file, i);

		EXPECT(!err || err == -EBUSY || err == -ENOENT);
	}
	if (round % 3 == 0)
		hint_mark(fx->as, fx->va, fx->va + fx->len);
	if (round % 5 == 0)
		EXPECT_EQ(aspace_drop(fx->as, fx->va, fx->len / 2), 0);
	for (u32 node = 0; round % 4 == 0 && node < numa_node_count(); node++)
		if (pmm_node_has_memory(node))
			fixture_migrate(fx, node, NULL);
}

/* Nothing that is written is lost, whatever becomes of the page meanwhile, and the store is handed no torn page. */
TEST(file, writes_are_kept_while_pages_are_cleaned_dropped_and_moved)
{
	struct fixture fx = {.len = PAGES << PAGE_SHIFT};
	struct writers writers = {0};
	struct object *file = fixture_open(&fx, "file", false);

	REQUIRE(file);
	writers_start(&writers, &fx);
	for (u64 round = 0, rounds = ktest_rounds(ROUNDS); round < rounds; round++)
		clean_and_drop(&fx, file, round);
	writers_stop(&writers);
	writers_expect_stored(&writers, file);
	fixture_close(&fx, file);
}

/* The file's pages move and leave memory under a private view; copies move, too. */
static void move_and_drop(struct fixture *fx, struct object *file, u64 round)
{
	EXPECT_EQ(file_invalidate(file, round % PAGES, 1, FILE_KEEP), 0);
	if (round % 3 == 0)
		hint_mark(fx->as, fx->va, fx->va + fx->len);
	for (u32 node = 0; round % 4 == 0 && node < numa_node_count(); node++)
		if (pmm_node_has_memory(node))
			fixture_migrate(fx, node, NULL);
}

static void expect_unwritten(struct object *file, unsigned count)
{
	u64 words[WRITERS_FIRST_WORD + WRITERS_MAX];

	for (u64 i = 0; i < PAGES; i++) {
		EXPECT_EQ(file_read(file, i << PAGE_SHIFT, words, sizeof(words)), sizeof(words));
		for (unsigned n = 0; n < count; n++)
			EXPECT_EQ(words[WRITERS_FIRST_WORD + n], 0);
	}
}

/* What is written privately is kept, and is not in the file. */
TEST(file, private_writes_are_kept_and_stay_private)
{
	struct fixture fx = {.len = PAGES << PAGE_SHIFT};
	struct writers writers = {0};
	struct object *file = fixture_open(&fx, "private", true);

	REQUIRE(file);
	writers_start(&writers, &fx);
	for (u64 round = 0, rounds = ktest_rounds(ROUNDS); round < rounds; round++)
		move_and_drop(&fx, file, round);
	writers_stop(&writers);
	expect_unwritten(file, writers.count);
	fixture_close(&fx, file);
}

/* A file that is larger than memory, read in one mapping, page by page. */
TEST(file, pattern_file_larger_than_memory_is_verified)
{
	enum { ID = 5, STEP = 4099, READS = 64 };
	struct pmm_node_stats stats;
	u64 frames = 0, wrong = 0;
	int err;

	for (u32 node = 0; node < numa_node_count(); node++) {
		pmm_node_stats(node, &stats);
		frames += stats.total;
	}
	u64 pages = 2 * frames;
	struct aspace *as = aspace_create("pattern", BOOT_NODE_NONE);
	struct object *file = file_create(pattern_store_create(ID, pages));

	REQUIRE(as && file);
	vaddr_t va = aspace_map(as, file, 0, 0, pages << PAGE_SHIFT, PROT_READ, false,
				BOOT_NODE_NONE, &err);

	REQUIRE(va);
	aspace_load(as);
	for (u64 n = 0; n < READS; n++) {
		u64 index = n * STEP * 64 % pages;

		wrong += load_relaxed((u64 *)(va + (index << PAGE_SHIFT)) + n) !=
			 pattern_word(ID, index, 0, (unsigned)n);
	}
	aspace_load(NULL);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(file_truncate(file, 1), 0);
	aspace_destroy(as);
	EXPECT_EQ(file_close(file), 0);
	pmm_drain_caches();
}

TEST(file, store_takes_the_time_that_the_knob_says)
{
	enum { NS = 200000 };
	char err[80];
	u64 word = 1;
	struct store *store = memory_store_create(1, BOOT_NODE_NONE);
	struct object *file = store ? file_create(store) : NULL;

	REQUIRE(file);
	EXPECT_EQ(knob_set("store_ns", "200000", "set", err, sizeof(err)), 0);
	u64 begun = cycles_now();

	EXPECT_EQ(file_write(file, 8, &word, sizeof(word)), sizeof(word)); /* which reads it in */
	EXPECT(cycles_now() - begun >= ns_to_cycles(NS));
	EXPECT_EQ(file_sync(file), 0);
	EXPECT(cycles_now() - begun >= ns_to_cycles(2 * NS));
	EXPECT_EQ(knob_set("store_ns", "0", "set", err, sizeof(err)), 0);
	EXPECT_EQ(file_close(file), 0);
	pmm_drain_caches();
}

struct blocked {
	vaddr_t va;
	u32 done; /* atomic */
};

static void write_once(void *arg)
{
	struct blocked *b = arg;

	store_relaxed((u64 *)b->va + WRITERS_FIRST_WORD, 2UL);
	atomic_fetch_add(&b->done, 1U);
}

/* A writer that finds its page on the way to the store sleeps, and is woken when it is there. */
TEST(file, writer_is_woken_when_the_page_is_stored)
{
	struct store *store = memory_store_create(1, BOOT_NODE_NONE);
	struct object *file = store ? file_create(store) : NULL;
	struct aspace *as = aspace_create("file", BOOT_NODE_NONE);
	struct context *writer = NULL;
	char text[80];
	int err;

	REQUIRE(as && file);
	struct blocked b = {
		.va = aspace_map(as, file, 0, 0, PAGE_SIZE, RW, false, BOOT_NODE_NONE, &err)};
	u64 word = 1;

	REQUIRE(b.va);
	EXPECT_EQ(file_write(file, 8, &word, sizeof(word)), sizeof(word));
	EXPECT_EQ(knob_set("store_ns", "3000000", "set", text, sizeof(text)), 0);
	for_each_online_cpu (cpu)
		if (cpu != cpu_id() && !writer)
			writer = context_spawn(cpu, "writer", write_once, &b, as);
	EXPECT_EQ(file_sync(file), 0);
	if (writer)
		context_join(writer);
	EXPECT_EQ(knob_set("store_ns", "0", "set", text, sizeof(text)), 0);
	EXPECT_EQ(b.done, writer ? 1 : 0);
	EXPECT_EQ(file_sync(file), 0);
	EXPECT_EQ(memory_store_word(store, 0, WRITERS_FIRST_WORD), writer ? 2 : 1);
	aspace_destroy(as);
	EXPECT_EQ(file_close(file), 0);
	pmm_drain_caches();
}
