/* Page frames: what is allocated is distinct, counted, on the right node, and comes back. */
#include "mm_fixture.h"
#include <kernel/string.h>

enum { MANY = 600 };
static struct page *pages[MANY];

static u64 available(u32 node)
{
	struct pmm_node_stats s;

	pmm_node_stats(node, &s);
	return s.free + s.cached;
}

/* Single pages are distinct frames with one reference; freeing brings the count back. */
TEST(pmm, single_pages)
{
	u64 before = available(0);
	unsigned n = pmm_alloc_bulk(0, PMM_STRICT, pages, MANY);

	EXPECT_EQ(n, MANY);
	EXPECT_EQ(available(0), before - n);
	for (unsigned i = 0; i < n; i++) {
		EXPECT(pages[i]->node == 0 && page_refs(pages[i]) == 1 && !pages[i]->mapcount);
		for (unsigned j = i + 1; j < MIN(n, i + 8); j++)
			EXPECT(pages[i] != pages[j]);
	}
	pmm_free_bulk(pages, n);
	EXPECT_EQ(available(0), before);
}

/* Frames of two nodes and a block between them go back to where they came from, each to its node. */
TEST(pmm, bulk_of_several_nodes_and_sizes)
{
	enum { EACH = 20, BLOCK = 3 };
	u32 other = fixture_other_node(0);
	unsigned n = 0;

	if (other == BOOT_NODE_NONE)
		SKIP("two nodes with memory are needed");
	u64 here = available(0), there = available(other);

	n += pmm_alloc_bulk(0, PMM_STRICT, pages, EACH);
	pages[n++] = pmm_alloc(0, BLOCK, PMM_STRICT);
	n += pmm_alloc_bulk(other, PMM_STRICT, pages + n, EACH);
	REQUIRE(n == 2 * EACH + 1 && pages[EACH]);
	EXPECT_EQ(available(0), here - EACH - (1 << BLOCK));
	EXPECT_EQ(available(other), there - EACH);
	pmm_free_bulk(pages, n);
	EXPECT_EQ(available(0), here);
	EXPECT_EQ(available(other), there);
	pmm_free_bulk(pages, 0);
	EXPECT_EQ(available(0), here);
}

/* Blocks are aligned to their size and merge again when both halves are free. */
TEST(pmm, blocks_merge)
{
	struct pmm_node_stats a, b;

	pmm_drain_caches();
	pmm_node_stats(0, &a);
	for (unsigned order = 0; order <= PMM_MAX_ORDER; order++) {
		struct page *page = pmm_alloc(0, order, PMM_STRICT);

		REQUIRE(page);
		EXPECT_EQ(page_to_phys(page) & ((PAGE_SIZE << order) - 1), 0);
		EXPECT_EQ(page->order, order);
		pmm_free(page);
		pmm_drain_caches();
	}
	pmm_node_stats(0, &b);
	EXPECT_EQ(memcmp(&a, &b, sizeof(a)), 0);
}

/* A zeroed page is zero although it was dirty before. */
TEST(pmm, zeroed)
{
	struct page *page = pmm_alloc(0, 0, PMM_STRICT);

	REQUIRE(page);
	memset(page_to_virt(page), 0x5a, PAGE_SIZE);
	pmm_free(page);
	page = pmm_alloc(0, 0, PMM_STRICT | PMM_ZERO);
	REQUIRE(page);
	u64 sum = 0, *word = page_to_virt(page);

	for (u64 i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		sum |= word[i];
	EXPECT_EQ(sum, 0);
	pmm_free(page);
}

/* Freed memory carries poison where canaries are, unless poison=off. */
TEST(pmm, poison)
{
	if (pmm_poison == POISON_OFF)
		SKIP("poison=off");
	struct page *page = pmm_alloc(0, 0, PMM_STRICT);

	REQUIRE(page);
	u64 *word = page_to_virt(page);

	memset(word, 0, PAGE_SIZE);
	pmm_free(page);
	for (unsigned i = 0; i < POISON_MARK_WORDS; i++)
		EXPECT_EQ(word[i], POISON_WORD);
	EXPECT_EQ(word[PAGE_SIZE / 8 - 1], pmm_poison == POISON_FULL ? POISON_WORD : 0);
}

/* Strict requests stay on their node; the others fall back by distance. */
TEST(pmm, strict_and_fallback)
{
	u32 other = fixture_other_node(0);

	if (other == BOOT_NODE_NONE)
		SKIP("one node with memory");
	struct page *page = pmm_alloc(other, 0, PMM_STRICT);

	REQUIRE(page);
	EXPECT_EQ(page->node, other);
	pmm_free(page);
	unsigned n;
	const u8 *order = pmm_fallback_order(other, &n);

	EXPECT_EQ(n, numa_node_count());
	EXPECT_EQ(order[0], other);
	for (unsigned i = 2; i < n; i++)
		EXPECT(numa_distance(other, order[i - 1]) <= numa_distance(other, order[i]));
}

/* A strict request on an exhausted node fails, a normal one is served elsewhere; nothing leaks. */
TEST(pmm, exhaustion)
{
	u32 node = fixture_other_node(0);
	struct page *list = NULL, *page;
	u64 taken = 0;

	if (node == BOOT_NODE_NONE)
		SKIP("one node with memory");
	if (available(node) > (1UL << 18))
		SKIP("node %u has more than 1 GiB: exhausting it takes too long", node);
	u64 before = available(node);

	while ((page = pmm_alloc(node, PMM_MAX_ORDER, PMM_STRICT)) ||
	       (page = pmm_alloc(node, 0, PMM_STRICT))) {
		page->next = list;
		list = page;
		taken++;
	}
	EXPECT(taken > 0);
	page = pmm_alloc(node, 0, PMM_FALLBACK);
	if (EXPECT(page)) {
		EXPECT(page->node != node);
		pmm_free(page);
	}
	while ((page = list)) {
		list = page->next;
		pmm_free(page);
	}
	pmm_drain_caches();
	EXPECT_EQ(available(node), before);
}
