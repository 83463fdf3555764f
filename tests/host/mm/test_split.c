/* Splitting 2 MiB pages: what the parts are, what cuts a page, and what refuses to be cut. */
#include "host_mm.h"

#include <fake/machine.h>
#include <kernel/error.h>
#include <mm/fault.h>
#include <mm/hint.h>
#include <mm/split.h>
#include <mm/stats.h>

#define RW (PROT_READ | PROT_WRITE)

static struct aspace *filled(u64 large, vaddr_t *va)
{
	struct aspace *as = host_space(large * HUGE_PAGES, RW, true, 0, va);

	for (u64 i = 0; as && i < large * HUGE_PAGES; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = 1000 + i;
	return as;
}

static u64 wrong(struct aspace *as, vaddr_t va, u64 first, u64 pages)
{
	u64 n = 0;

	for (u64 i = first; i < first + pages; i++) {
		const u64 *word = host_word(as, va + i * PAGE_SIZE, false);

		n += !word || *word != 1000 + i;
	}
	return n;
}

static int split(struct aspace *as, vaddr_t va)
{
	write_lock(&as->lock);
	int err = page_split(as, va);

	write_unlock(&as->lock);
	return err;
}

static struct mm_counters counters(void)
{
	struct mm_counters c;

	mm_counters_read(&c);
	return c;
}

static pte_t entry(struct aspace *as, vaddr_t va)
{
	return pte_load(pgwalk_find(as->root, va, 0).ptep);
}

/* A page of its own at each place, which is where the object says, too. */
static bool parts_are_pages(struct aspace *as, vaddr_t va, const struct page *head)
{
	for (u32 i = 0; i < HUGE_PAGES; i++) {
		const struct page *page = host_page(as, va + i * PAGE_SIZE);

		if (page != head + i || page->order || page->flags || page_refs(page) != 1 ||
		    page->mapcount != 1 || page->state != PAGE_USED || page->node != 0 ||
		    page->index != head->index + i || page->unmap ||
		    slot_page(*object_slot(head->object, page->index, false)) != page)
			return false;
	}
	return true;
}

TEST(split_makes_pages_that_live_and_go_one_by_one)
{
	struct pmm_node_stats before, after;
	struct migrate_stats stats;
	struct mm_counters c;
	vaddr_t va;

	host_mm();
	pmm_drain_caches();
	u64 used = pmm_used();

	pmm_node_stats(0, &before);
	struct aspace *as = filled(2, &va);
	struct page *head = host_page(as, va + HUGE_SIZE);

	/* Traces of what the frames were before: the parts must not inherit them. */
	head[7].unmap = head[7].last = head[7].mapcount = 77;
	c = counters();
	CHECK_EQ(split(as, va + HUGE_SIZE + 5 * PAGE_SIZE), 0);
	CHECK_EQ(counters().pages_split - c.pages_split, 1);
	CHECK_EQ(counters().shootdowns - c.shootdowns, 1);
	CHECK_EQ(split(as, va + HUGE_SIZE), 0); /* nothing left to split */
	CHECK_EQ(counters().pages_split - c.pages_split, 1);
	CHECK_EQ(pgwalk_find(as->root, va, 0).level, 1);
	CHECK_EQ(pgwalk_find(as->root, va + HUGE_SIZE, 0).level, 0);
	CHECK(parts_are_pages(as, va + HUGE_SIZE, head));
	CHECK_EQ(head[7].last, 0);
	CHECK_EQ(head->object->refs, 1U + 1 + HUGE_PAGES); /* area, the other page, the parts */
	CHECK_EQ(wrong(as, va, 0, 2 * HUGE_PAGES), 0);
	/* Some of them move, some go, all come back. */
	CHECK_EQ(host_migrate(as, va + HUGE_SIZE, 100, 1, &stats, NULL), 0);
	CHECK_EQ(stats.moved, 100);
	CHECK_EQ(wrong(as, va, 0, 2 * HUGE_PAGES), 0);
	CHECK_EQ(aspace_drop(as, va + HUGE_SIZE + 200 * PAGE_SIZE, 9 * PAGE_SIZE), 0);
	CHECK_EQ(wrong(as, va, 0, 2 * HUGE_PAGES), 9);
	aspace_destroy(as);
	pmm_drain_caches();
	pmm_node_stats(0, &after);
	CHECK_EQ(pmm_used(), used);
	CHECK_EQ(after.free_blocks[HUGE_ORDER], before.free_blocks[HUGE_ORDER]);
}

/* Rights, dirty and accessed state are those of the page, accessible or hinted. */
TEST(split_keeps_rights_and_state)
{
	for (unsigned kind = 0; kind < 16; kind++) {
		vaddr_t va;
		struct aspace *as = filled(1, &va);
		pte_t *ptep = pgwalk_find(as->root, va, 0).ptep, whole, part;

		if (kind & 1)
			aspace_protect(as, va, HUGE_SIZE, PROT_READ);
		if (kind & 2)
			pt_change(ptep, pte_mk_clean);
		if (kind & 4)
			pt_change(ptep, pte_mk_old);
		if (kind & 8)
			CHECK_EQ(hint_mark(as, va, va + HUGE_SIZE), 1);
		whole = pte_load(ptep);
		CHECK_EQ(split(as, va), 0);
		part = entry(as, va + 511 * PAGE_SIZE);
		CHECK_EQ(pte_is_hint(part), pte_is_hint(whole));
		if (kind & 8) {
			part = pte_from_hint(part);
			whole = pte_from_hint(whole);
		}
		CHECK_EQ(pte_prot(part), pte_prot(whole));
		CHECK_EQ(pte_is_dirty(part), pte_is_dirty(whole));
		CHECK_EQ(pte_is_accessed(part), pte_is_accessed(whole));
		CHECK_EQ(pte_pa(part, 0), pte_pa(whole, 1) + 511 * PAGE_SIZE);
		aspace_destroy(as);
	}
}

TEST(split_refuses_and_leaves_the_page_as_it_was)
{
	static struct page *taken[HOST_NODES * HOST_NODE_PAGES];
	struct mm_counters c;
	struct page *page;
	unsigned n = 0;
	vaddr_t va;

	struct aspace *as = filled(1, &va);
	pte_t before = entry(as, va);

	c = counters();
	CHECK_EQ(aspace_pin(as, va + 3 * PAGE_SIZE, true, &page), 0);
	CHECK_EQ(split(as, va), -EBUSY);
	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), -EBUSY);
	page_put(page, PAGE_PIN);
	while ((taken[n] = pmm_alloc(0, 0, PMM_RESERVE)))
		n++;
	CHECK_EQ(split(as, va), -ENOMEM);
	CHECK_EQ(counters().split_no_memory - c.split_no_memory, 1);
	CHECK_EQ(counters().split_pinned - c.split_pinned, 2);
	CHECK_EQ(counters().shootdowns - c.shootdowns, 1); /* a pin is seen before */
	pmm_free_bulk(taken, n);
	CHECK_EQ(counters().pages_split - c.pages_split, 0);
	CHECK_EQ(entry(as, va).v, before.v);
	CHECK_EQ(page->flags, 0);
	CHECK_EQ(page->order, HUGE_ORDER);
	CHECK_EQ(wrong(as, va, 0, HUGE_PAGES), 0);
	CHECK_EQ(split(as, va), 0);
	aspace_destroy(as);
}

/* As hint.c calls it: the entry must still be the one that was seen, and flushed. */
static int split_hint(struct aspace *as, vaddr_t va, pte_t seen)
{
	pte_t *ptep = pgwalk_find(as->root, va, 1).ptep;
	struct page *page = phys_to_page(pte_pa(seen, 1));

	read_lock(&as->lock);
	int err = page_isolate(page)
			  ? page_split_hint(as, ALIGN_DOWN(va, HUGE_SIZE), ptep, seen, page)
			  : -EINVAL;

	read_unlock(&as->lock);
	return page->flags ? -EINVAL : err;
}

TEST(split_of_a_hint_entry_flushes_nothing)
{
	struct mm_counters c;
	struct page *page;
	vaddr_t va;

	struct aspace *as = filled(1, &va);

	CHECK_EQ(hint_mark(as, va, va + HUGE_SIZE), 1);
	pte_t seen = entry(as, va);

	c = counters();
	hint_flush_begins(as); /* another scan: was the entry accessible in between? */
	CHECK_EQ(split_hint(as, va, seen), -EAGAIN);
	hint_flush_ended(as);
	CHECK_EQ(*host_word(as, va, false), 1000); /* a second thread: access again */
	CHECK_EQ(split_hint(as, va, seen), -EAGAIN);
	CHECK_EQ(counters().split_raced - c.split_raced, 2);
	page = host_page(as, va);
	CHECK_EQ(hint_mark(as, va, va + HUGE_SIZE), 1);
	CHECK(page_get(page,
		       PAGE_PIN)); /* by somebody who saw it accessible, and will look again */
	CHECK_EQ(split_hint(as, va, seen), -EBUSY);
	CHECK_EQ(counters().split_pinned - c.split_pinned, 1);
	page_put(page, PAGE_PIN);
	CHECK_EQ(split_hint(as, va, seen), 0);
	CHECK_EQ(counters().pages_split - c.pages_split, 1);
	CHECK_EQ(counters().shootdowns - c.shootdowns, 0);
	for (u64 i = 0; i < HUGE_PAGES; i++)
		CHECK(pte_is_hint(entry(as, va + i * PAGE_SIZE)));
	CHECK_EQ(wrong(as, va, 0, HUGE_PAGES), 0);
	CHECK(parts_are_pages(as, va, page));
	aspace_destroy(as);
}

/* Ranges that cut 2 MiB pages: each of the calls that take one. */
TEST(ranges_cut_large_pages)
{
	vaddr_t va;
	struct aspace *as = filled(4, &va);
	vaddr_t cut = va + HUGE_SIZE / 2;

	CHECK_EQ(aspace_drop(as, cut, HUGE_SIZE), 0); /* the first and the second, in halves */
	CHECK_EQ(*host_word(as, cut, false), 0);
	CHECK_EQ(wrong(as, va, 0, HUGE_PAGES / 2), 0);
	CHECK_EQ(wrong(as, va, HUGE_PAGES * 3 / 2, HUGE_PAGES * 5 / 2), 0);
	CHECK_EQ(pgwalk_find(as->root, va + 2 * HUGE_SIZE, 0).level, 1);
	cut = va + 2 * HUGE_SIZE;
	CHECK_EQ(aspace_protect(as, cut, 3 * PAGE_SIZE, PROT_READ), 0);
	CHECK(!host_word(as, cut + 2 * PAGE_SIZE, true));
	CHECK(host_word(as, cut + 3 * PAGE_SIZE, true));
	CHECK_EQ(pgwalk_find(as->root, va + 3 * HUGE_SIZE, 0).level, 1);
	cut = va + 3 * HUGE_SIZE;
	CHECK_EQ(aspace_unmap(as, cut + PAGE_SIZE, HUGE_SIZE - PAGE_SIZE), 0);
	CHECK(!host_word(as, cut + PAGE_SIZE, false));
	CHECK_EQ(wrong(as, va, 2 * HUGE_PAGES, HUGE_PAGES + 1), 0);
	aspace_destroy(as);
}

/* What is left of an area where no 2 MiB page fits any more gets small ones, within its borders. */
TEST(areas_that_were_cut_fault_small_pages_in)
{
	vaddr_t va;
	int err;

	struct aspace *as = host_space(2 * HUGE_PAGES, RW, true, 0, &va);

	CHECK_EQ(aspace_unmap(as, va + HUGE_SIZE + PAGE_SIZE, PAGE_SIZE), 0);
	CHECK_EQ(aspace_map(as, NULL, 0, va + HUGE_SIZE + PAGE_SIZE, PAGE_SIZE, RW, false, 0, &err),
		 va + HUGE_SIZE + PAGE_SIZE);
	for (u64 i = 0; i < 2 * HUGE_PAGES; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = 1000 + i;
	CHECK_EQ(pgwalk_find(as->root, va, 0).level, 1);
	CHECK_EQ(pgwalk_find(as->root, va + HUGE_SIZE, 0).level, 0);
	CHECK_EQ(wrong(as, va, 0, 2 * HUGE_PAGES), 0);
	aspace_destroy(as);
}

TEST(a_pinned_page_that_nothing_maps_is_not_cut)
{
	struct page *page;
	vaddr_t va;

	host_mm();
	struct aspace *as = filled(1, &va);

	CHECK_EQ(aspace_pin(as, va, true, &page), 0);
	CHECK_EQ(page->order, 9);
	CHECK_EQ(aspace_drop(as, va, HUGE_SIZE), 0);
	CHECK_EQ(aspace_unmap(as, va + HUGE_SIZE / 2, HUGE_SIZE / 2), -EBUSY);
	page_put(page, PAGE_PIN);
	CHECK_EQ(aspace_unmap(as, va + HUGE_SIZE / 2, HUGE_SIZE / 2), 0);
	CHECK(fault_handle(as, va, true, false));
	struct pt_pos pos = pgwalk_find(as->root, va, 0);

	CHECK_EQ(pos.level, 0);
	aspace_destroy(as);
}
