/* Pages that leave their file: by invalidation, and where a file gets shorter. */
#include "host_file.h"

#include <mm/change.h>
#include <mm/fault.h>
#include <mm/hint.h>

struct two {
	struct test_store s;
	struct aspace *as, *b;
	vaddr_t va, vb;
	u64 before;
};

static void setup(struct two *t)
{
	int err;

	*t = (struct two){0};
	host_mm();
	t->before = host_in_use();
	t->as = host_file_space(&t->s, FILE_PAGES, RW, &t->va);
	t->b = aspace_create("b", 1);
	t->vb = aspace_map(t->b, t->s.file, 0, 0, FILE_PAGES * PAGE_SIZE, RW, false, 1, &err);
	for (u64 i = 0; i < FILE_PAGES; i++) {
		*host_word(t->as, t->va + i * PAGE_SIZE, true) = 100 + i;
		host_word(t->b, t->vb + i * PAGE_SIZE, false);
	}
}

static bool gone(struct two *t)
{
	aspace_destroy(t->b);
	return host_file_gone(&t->s, t->as, t->before);
}

TEST(invalidate_writes_what_is_dirty_and_unmaps_everywhere)
{
	struct two t;

	setup(&t);
	u64 used = pmm_used();

	hint_mark(t.b, t.vb + 2 * PAGE_SIZE, t.vb + 3 * PAGE_SIZE);
	CHECK_EQ(file_invalidate(t.s.file, 1, 2, FILE_KEEP), 0);
	CHECK_EQ(pmm_used(), used); /* two frames went to the store, two came back */
	CHECK_EQ(t.s.writes, 2);
	for (u64 i = 0; i < FILE_PAGES; i++) {
		bool here = i != 1 && i != 2;

		CHECK_EQ(!pte_is_none(host_entry(t.as, t.va + i * PAGE_SIZE)), here);
		CHECK_EQ(!pte_is_none(host_entry(t.b, t.vb + i * PAGE_SIZE)), here);
		CHECK_EQ(slot_is_page(*object_slot(t.s.file, i, false)), here);
	}
	CHECK_EQ(*host_word(t.b, t.vb + PAGE_SIZE, false), 101);
	CHECK_EQ(*host_word(t.as, t.va + 2 * PAGE_SIZE, false), 102);
	CHECK_EQ(t.s.reads, FILE_PAGES + 2);
	CHECK_EQ(file_invalidate(t.s.file, 0, FILE_PAGES, FILE_KEEP), 0);
	CHECK_EQ(file_invalidate(t.s.file, 0, FILE_PAGES, FILE_KEEP), 0); /* nothing is left */
	CHECK(gone(&t));
}

/* A file of a server, which has changed it: the store knows better. */
TEST(invalidate_after_the_store_has_changed_a_page)
{
	struct two t;
	u64 word;

	setup(&t);
	CHECK_EQ(file_sync(t.s.file), 0);
	CHECK_EQ(memory_store_change(t.s.below, 3, 500), 0);
	*host_word(t.as, t.va + 3 * PAGE_SIZE, true) = 7; /* lost, as on any such file */
	CHECK_EQ(file_invalidate(t.s.file, 3, 1, FILE_DISCARD), 0);
	CHECK_EQ(t.s.writes, FILE_PAGES);
	CHECK_EQ(*host_word(t.b, t.vb + 3 * PAGE_SIZE, false), 500);
	CHECK_EQ(file_read(t.s.file, (3 << PAGE_SHIFT) + 8, &word, 8), 8);
	CHECK_EQ(word, 500);
	CHECK(gone(&t));
}

TEST(invalidate_leaves_pinned_pages_and_what_the_store_refuses)
{
	struct two t;
	struct page *page;

	setup(&t);
	CHECK_EQ(file_sync(t.s.file), 0);
	CHECK_EQ(aspace_pin(t.as, t.va, false, &page), 0);
	CHECK_EQ(file_invalidate(t.s.file, 0, 2, FILE_KEEP), -EBUSY);
	CHECK(slot_page(*object_slot(t.s.file, 0, false)) == page);
	CHECK(slot_is_none(*object_slot(t.s.file, 1, false)));
	CHECK_EQ(page_refs(page), 2); /* the file's and the pin's */
	CHECK(!(page->flags & (PG_ISOLATED | PG_LOCKED)));
	page_put(page, PAGE_PIN);
	*host_word(t.as, t.va, true) = 1000;
	t.s.write_err = -EIO;
	CHECK_EQ(file_invalidate(t.s.file, 0, 1, FILE_KEEP), -EIO);
	CHECK_EQ(*host_word(t.b, t.vb, false), 1000);
	t.s.write_err = 0;
	CHECK_EQ(file_invalidate(t.s.file, 0, 1, FILE_KEEP), 0);
	CHECK_EQ(*host_word(t.b, t.vb, false), 1000);
	CHECK(gone(&t));
}

TEST(truncate_takes_pages_from_every_mapping_and_gives_an_error_beyond)
{
	struct two t;
	u64 word = 1, used;

	setup(&t);
	used = pmm_used();
	CHECK_EQ(file_truncate(t.s.file, FILE_PAGES + 1), -EINVAL);
	CHECK_EQ(file_truncate(t.s.file, 3), 0);
	CHECK_EQ(pmm_used(), used - (FILE_PAGES - 3));
	CHECK_EQ(t.s.writes, 0);
	CHECK_EQ(*host_word(t.b, t.vb + 2 * PAGE_SIZE, false), 102);
	for (u64 i = 3; i < FILE_PAGES; i++) {
		CHECK(pte_is_none(host_entry(t.b, t.vb + i * PAGE_SIZE)));
		CHECK(!host_word(t.as, t.va + i * PAGE_SIZE, false));
		CHECK(!host_word(t.b, t.vb + i * PAGE_SIZE, true));
	}
	CHECK_EQ(file_read(t.s.file, 3 << PAGE_SHIFT, &word, 8), 0);
	CHECK_EQ(file_write(t.s.file, 3 << PAGE_SHIFT, &word, 8), 0);
	CHECK_EQ(file_read(t.s.file, (3 << PAGE_SHIFT) - 4, &word, 8), 4);
	CHECK_EQ(file_truncate(t.s.file, 4), -EINVAL);
	CHECK_EQ(file_truncate(t.s.file, 0), 0);
	CHECK(gone(&t));
	CHECK_EQ(t.s.writes, 0);
}

/* The pin's owner keeps the page; nobody else finds it. */
TEST(truncated_page_that_is_pinned_is_its_pins_alone)
{
	struct two t;
	struct page *page;
	vaddr_t last;

	setup(&t);
	last = t.va + (FILE_PAGES - 1) * PAGE_SIZE;
	CHECK_EQ(aspace_pin(t.as, last, true, &page), 0);
	CHECK_EQ(file_truncate(t.s.file, FILE_PAGES - 1), 0);
	CHECK(!page->object && page_refs(page) == 1 && page_pins(page) == 1);
	CHECK_EQ(page->mapcount, 0);
	CHECK_EQ(*(u64 *)page_to_virt(page), 100 + FILE_PAGES - 1);
	CHECK(!host_word(t.as, last, false));
	page_put(page, PAGE_PIN);
	CHECK(gone(&t));
}

static int refuse_drops(struct change_subscriber *s __unused, const struct change *change)
{
	return change->why == CHANGE_DROP ? -EBUSY : 0;
}

static void ignore(struct change_subscriber *s __unused, const struct change *change __unused)
{
}

TEST(truncate_that_a_subscriber_refuses_leaves_the_page_whole)
{
	struct change_subscriber s = {.begin = refuse_drops, .end = ignore};
	struct two t;

	setup(&t);
	CHECK_EQ(change_subscribe(t.b, &s), 0);
	CHECK_EQ(file_truncate(t.s.file, FILE_PAGES - 1), -EBUSY);
	change_unsubscribe(t.b, &s);
	struct page *page = host_page(t.b, t.vb + (FILE_PAGES - 1) * PAGE_SIZE);

	CHECK(page && slot_page(*object_slot(t.s.file, FILE_PAGES - 1, false)) == page);
	CHECK_EQ(page_refs(page), page_expected_refs(page, page->mapcount));
	CHECK(!(page->flags & (PG_ISOLATED | PG_LOCKED)));
	CHECK_EQ(file_truncate(t.s.file, FILE_PAGES - 1), 0);
	CHECK(gone(&t));
}

/* Of pages that are let go of together, some belong to no file any more: see page_put_all(). */
TEST(pages_that_left_their_file_are_put_with_others)
{
	struct two t;
	struct page *pages[3];

	setup(&t);
	u64 used = pmm_used();

	for (u64 i = 0; i < ARRAY_SIZE(pages); i++) {
		pages[i] = host_page(t.as, t.va + (i + 5) * PAGE_SIZE);
		CHECK(page_get(pages[i], PAGE_REF));
	}
	CHECK_EQ(file_truncate(t.s.file, 6), 0);
	CHECK(pages[0]->object && !pages[1]->object && !pages[2]->object);
	page_put_all(pages, ARRAY_SIZE(pages));
	CHECK_EQ(pmm_used(), used - 2);
	CHECK_EQ(*host_word(t.b, t.vb + 5 * PAGE_SIZE, false), 105);
	CHECK(gone(&t));
}
