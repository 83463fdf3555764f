/* The page allocator: every frame is handed out once, comes back whole, and stays on its node. */
#include "host_mm.h"
#include "random.h"

#include <fake/machine.h>
#include <mm/buddy.h>

static u64 free_frames(u32 node)
{
	struct pmm_node_stats s;

	pmm_drain_caches();
	pmm_node_stats(node, &s);
	return s.free;
}

TEST(pmm_gives_each_frame_once_until_the_watermark)
{
	static struct page *got[HOST_NODE_PAGES];
	static bool seen[HOST_NODES * HOST_NODE_PAGES];
	struct pmm_node_stats s;
	unsigned n = 0;

	host_mm();
	u64 before = free_frames(1);

	while (n < HOST_NODE_PAGES && (got[n] = pmm_alloc(1, 0, PMM_STRICT)))
		n++;
	pmm_node_stats(1, &s);
	CHECK(n > HOST_NODE_PAGES / 2);
	CHECK_EQ(before - n, s.watermark_min);
	for (unsigned i = 0; i < n; i++) {
		u64 frame = page_to_phys(got[i]) / PAGE_SIZE - fake_first_frame();

		CHECK_EQ(got[i]->node, 1);
		CHECK_EQ(frame / HOST_NODE_PAGES, 1);
		CHECK(!seen[frame]);
		seen[frame] = true;
		CHECK_EQ(page_refs(got[i]), 1);
	}
	/* Page tables may still come from the reserve. */
	struct page *table = pmm_alloc(1, 0, PMM_STRICT | PMM_RESERVE);

	CHECK(table);
	pmm_free(table);
	pmm_free_bulk(got, n);
	CHECK_EQ(free_frames(1), before);
}

/* What a page table takes from the reserve opens it for nobody else. */
TEST(pmm_reserve_is_not_for_the_next_ordinary_allocation)
{
	static struct page *got[HOST_NODE_PAGES];
	struct page *tables[3];
	struct pmm_node_stats s;
	unsigned n = 0;

	host_mm();
	u64 before = free_frames(1);

	while (n < HOST_NODE_PAGES && (got[n] = pmm_alloc(1, 0, PMM_STRICT)))
		n++;
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		tables[i] = pmm_alloc(1, 0, PMM_STRICT | PMM_RESERVE);
		CHECK(tables[i]);
		CHECK(!pmm_alloc(1, 0, PMM_STRICT));
	}
	pmm_node_stats(1, &s);
	CHECK_EQ(s.free, s.watermark_min - ARRAY_SIZE(tables));
	CHECK_EQ(s.cached, 0);
	/* Freed, they fill the reserve again; then there is room for the others' frames in the caches. */
	pmm_free_bulk(tables, ARRAY_SIZE(tables));
	CHECK(!pmm_alloc(1, 0, PMM_STRICT));
	pmm_node_stats(1, &s);
	CHECK_EQ(s.free, s.watermark_min);
	pmm_free_bulk(got, n);
	pmm_node_stats(1, &s);
	CHECK(s.cached > 64);
	CHECK_EQ(free_frames(1), before);
}

TEST(pmm_falls_back_by_distance_and_not_when_strict)
{
	static struct page *got[HOST_NODE_PAGES];
	unsigned n = 0;

	host_mm();
	while (n < HOST_NODE_PAGES && (got[n] = pmm_alloc(0, 0, PMM_STRICT)))
		n++;
	struct page *elsewhere = pmm_alloc(0, 0, PMM_FALLBACK);

	CHECK(elsewhere);
	CHECK_EQ(elsewhere->node, 1);
	CHECK(!pmm_alloc(0, 0, PMM_STRICT));
	pmm_free(elsewhere);
	pmm_free_bulk(got, n);
}

TEST(pmm_merges_buddies_again)
{
	static struct page *got[512];
	struct pmm_node_stats before, after;
	struct rng rng;

	host_mm();
	rng_seed(&rng, 7);
	pmm_drain_caches();
	pmm_node_stats(0, &before);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < ARRAY_SIZE(got); i++)
			got[i] = pmm_alloc(0, (unsigned)rng_below(&rng, 4), PMM_STRICT);
		for (unsigned i = ARRAY_SIZE(got); i > 0; i--) {
			unsigned j = (unsigned)rng_below(&rng, i);

			CHECK(got[j]);
			pmm_free(got[j]);
			got[j] = got[i - 1];
		}
	}
	pmm_drain_caches();
	pmm_node_stats(0, &after);
	CHECK_EQ(after.free, before.free);
	for (unsigned o = 0; o <= PMM_MAX_ORDER; o++)
		CHECK_EQ(after.free_blocks[o], before.free_blocks[o]);
}

/* A node may end in the middle of a large block: its last frames and the next node's first stay apart. */
TEST(pmm_buddies_of_two_nodes_do_not_merge)
{
	enum { HALF = PMM_MAX_ORDER - 1 };
	static struct pmm_node low, high;

	host_mm();
	struct page *block = pmm_alloc(0, PMM_MAX_ORDER, PMM_STRICT),
		    *second = block + (1UL << HALF);

	for (u64 i = 0; i < 1UL << HALF; i++)
		second[i].node = 1;
	buddy_free(&high, second, HALF, false);
	buddy_free(&low, block, HALF, false);
	u64 apart[] = {low.free[HALF].count, high.free[HALF].count, low.free[PMM_MAX_ORDER].count};

	CHECK(buddy_alloc(&low, HALF, false) == block);
	CHECK(buddy_alloc(&high, HALF, false) == second);
	for (u64 i = 0; i < 1UL << HALF; i++)
		second[i].node = 0;
	buddy_free(&low, second, HALF, false); /* of one node: they do */
	buddy_free(&low, block, HALF, false);
	CHECK_EQ(low.free[PMM_MAX_ORDER].count, 1);
	CHECK(buddy_alloc(&low, PMM_MAX_ORDER, false) == block);
	store_relaxed(&block->state, (u8)PAGE_USED);
	pmm_free(block);
	CHECK_EQ(apart[0], 1);
	CHECK_EQ(apart[1], 1);
	CHECK_EQ(apart[2], 0);
}

/* Of the node's blocks those come first that owe nothing, then those that were freed owing before the last payment. */
TEST(pmm_blocks_that_owe_come_last)
{
	enum { SMALL = PMM_MAX_ORDER - 2, BLOCK = 1 << SMALL };
	static struct pmm_node node;

	host_mm();
	struct page *block = pmm_alloc(0, PMM_MAX_ORDER, PMM_STRICT), *clean = block + 2 * BLOCK;

	buddy_free(&node, block, SMALL, true);
	CHECK(!buddy_alloc(&node, SMALL, false));
	buddy_free(&node, clean, SMALL, false);
	CHECK(buddy_alloc(&node, SMALL, false) == clean);
	buddy_free(&node, clean, SMALL, false);
	buddy_free(&node, clean + BLOCK, SMALL, false); /* now the larger one is clean */
	CHECK(buddy_alloc(&node, SMALL, false) == clean);
	CHECK(buddy_alloc(&node, SMALL, false) == clean + BLOCK);
	CHECK(!buddy_alloc(&node, SMALL, false));
	buddy_free(&node, block + BLOCK, SMALL, false); /* stays apart from one that owes */
	CHECK_EQ(node.unpaid[SMALL].count, 1);
	CHECK(buddy_alloc(&node, SMALL, false) == block + BLOCK);
	buddy_free(&node, block + BLOCK, SMALL, true); /* they owe alike */
	CHECK_EQ(node.unpaid[SMALL + 1].count, 1);
	CHECK(!buddy_alloc(&node, SMALL, false));
	buddy_free(&node, clean, SMALL, false);
	buddy_paid(&node); /* now it is like others, of its size or not */
	CHECK_EQ(node.unpaid[SMALL + 1].count, 0);
	CHECK(buddy_alloc(&node, SMALL + 1, false) == block);
	CHECK(buddy_alloc(&node, SMALL, false) == clean);
	buddy_free(&node, block, SMALL + 1, true);
	buddy_paid(&node);
	buddy_free(&node, clean, SMALL, true);
	CHECK(buddy_alloc(&node, SMALL, false) == block); /* and not the one that is large enough */
	buddy_free(&node, block, SMALL, true); /* its half is paid for */
	CHECK(buddy_alloc(&node, SMALL, false) == block + BLOCK);
	CHECK(!buddy_alloc(&node, SMALL, false));
	CHECK(buddy_alloc(&node, SMALL, true) == block);
	CHECK(buddy_alloc(&node, SMALL, true) == clean);
	buddy_free(&node, block, SMALL, true);
	buddy_free(&node, block + BLOCK, SMALL, false);
	buddy_paid(&node); /* now they merge */
	CHECK_EQ(node.unpaid[SMALL].count, 0);
	CHECK(buddy_alloc(&node, SMALL + 1, false) == block);
	CHECK_EQ(node.free_pages, 0);
	buddy_free(&node, block, SMALL, false);
	buddy_free(&node, clean, SMALL, true);
	buddy_paid(&node); /* behind what has never owed */
	CHECK_EQ(node.free[SMALL].count, 2);
	CHECK(buddy_alloc(&node, SMALL, false) == block);
	CHECK(buddy_alloc(&node, SMALL, false) == clean);
	CHECK(!node.free[SMALL].first && !node.free[SMALL].last);
	store_relaxed(&block->state, (u8)PAGE_USED);
	block->order = PMM_MAX_ORDER;
	pmm_free(block);
}

TEST(pmm_large_blocks_are_aligned_and_separate)
{
	struct page *a, *b;

	host_mm();
	a = pmm_alloc(0, PMM_MAX_ORDER, PMM_STRICT | PMM_ZERO);
	b = pmm_alloc(0, PMM_MAX_ORDER, PMM_STRICT);
	CHECK(a && b);
	CHECK_EQ(page_to_phys(a) % HUGE_SIZE, 0);
	CHECK_EQ(page_to_phys(b) % HUGE_SIZE, 0);
	CHECK(page_to_phys(a) != page_to_phys(b));
	const u64 *words = page_to_virt(a);

	for (u64 i = 0; i < HUGE_SIZE / sizeof(u64); i++)
		CHECK_EQ(words[i], 0);
	pmm_free(a);
	pmm_free(b);
}

TEST(pmm_zeroes_when_asked_and_poisons_when_freed)
{
	host_mm();
	struct page *page = pmm_alloc(0, 0, PMM_STRICT | PMM_ZERO);
	u64 *words = page_to_virt(page);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		CHECK_EQ(words[i], 0);
	words[0] = 1;
	pmm_free(page);
	CHECK_EQ(words[0], POISON_WORD);
}

TEST(pmm_bulk_is_the_same_pages)
{
	struct page *got[100];

	host_mm();
	u64 before = pmm_used();

	CHECK_EQ(pmm_alloc_bulk(1, PMM_STRICT, got, 100), 100);
	CHECK_EQ(pmm_used(), before + 100);
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(got[i]->node, 1);
	pmm_free_bulk(got, 100);
	CHECK_EQ(pmm_used(), before);
}

TEST(page_references_free_the_last_time)
{
	host_mm();
	struct page *page = pmm_alloc(0, 0, PMM_STRICT);
	u64 used = pmm_used();

	CHECK(page_get(page, PAGE_REF));
	CHECK(page_get(page, PAGE_PIN));
	CHECK_EQ(page_refs(page), 3);
	CHECK_EQ(page_pins(page), 1);
	page_put(page, PAGE_PIN);
	page_put(page, PAGE_REF);
	CHECK_EQ(pmm_used(), used);
	page_put(page, PAGE_REF);
	CHECK_EQ(pmm_used(), used - 1);
	CHECK(!page_get(page, PAGE_REF));
	CHECK(page_isolate(page));
	CHECK(!page_isolate(page));
}
