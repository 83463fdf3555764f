/* Private mappings of files: what is copied, what is seen, and what becomes of both. */
#include "host_file.h"

#include <mm/change.h>
#include <mm/cow.h>
#include <mm/deferral.h>
#include <mm/fault.h>
#include <mm/hint.h>

struct pair {
	struct test_store s;
	struct aspace *as, *b; /* private, and shared */
	vaddr_t va, vb;
	u64 before;
};

/* Pages 100, 101, ... of a file; the private view begins with page 2 of it. */
enum { SKIP = 2, PRIVATE = FILE_PAGES - SKIP };

static void setup(struct pair *t)
{
	int err;

	*t = (struct pair){0};
	host_mm();
	t->before = host_in_use();
	t->b = host_file_space(&t->s, FILE_PAGES, RW, &t->vb);
	t->as = aspace_create("private", 1);
	t->va = aspace_map_private(t->as, t->s.file, SKIP, 0, PRIVATE * PAGE_SIZE, RW, 1, &err);
	for (u64 i = 0; i < FILE_PAGES; i++)
		*host_word(t->b, t->vb + i * PAGE_SIZE, true) = 100 + i;
}

static bool gone(struct pair *t)
{
	aspace_destroy(t->as);
	return host_file_gone(&t->s, t->b, t->before);
}

static vaddr_t at(const struct pair *t, u64 i)
{
	return t->va + i * PAGE_SIZE;
}

static struct page *page_of_file(const struct pair *t, u64 i)
{
	return slot_page(*object_slot(t->s.file, SKIP + i, false));
}

TEST(private_pages_are_the_files_until_they_are_written)
{
	struct pair t;

	setup(&t);
	for (u64 i = 0; i < PRIVATE; i++) {
		CHECK_EQ(*host_word(t.as, at(&t, i), false), 102 + i);
		CHECK(host_page(t.as, at(&t, i)) == page_of_file(&t, i));
		CHECK(!pte_is_writable(host_entry(t.as, at(&t, i))));
		CHECK_EQ(page_of_file(&t, i)->mapcount, 2);
	}
	*host_word(t.b, t.vb + 2 * PAGE_SIZE, true) = 202; /* seen, as there is no copy yet */
	CHECK_EQ(*host_word(t.as, t.va, false), 202);
	*host_word(t.as, t.va, true) = 7;
	*host_word(t.b, t.vb + 2 * PAGE_SIZE, true) = 203;
	CHECK_EQ(*host_word(t.as, t.va, false), 7);
	CHECK_EQ(*host_word(t.b, t.vb + 2 * PAGE_SIZE, false), 203);
	CHECK(host_page(t.as, t.va) != page_of_file(&t, 0));
	CHECK_EQ(host_page(t.as, t.va)->node, 1);
	CHECK(!host_is_dirty(t.as, t.va)); /* of the file's pages alone that is said */
	CHECK_EQ(page_refs(host_page(t.as, t.va)), 1);
	CHECK_EQ(page_of_file(&t, 0)->mapcount, 1);
	CHECK_EQ(page_refs(page_of_file(&t, 0)), 2);
	CHECK(gone(&t));
}

/* A copy is no page of the file: it is not marked, nor counted, and who writes it is not throttled. */
TEST(copies_are_not_dirty_pages_of_the_file)
{
	struct pair t;

	setup(&t);
	knobs.dirty_pages = 1;
	u32 dirty = t.s.file->dirty;
	u64 throttled = this_cpu_ptr(mm_counters)->throttled;

	CHECK_EQ(dirty, FILE_PAGES); /* far over the budget, so each write to the file would be */
	for (u64 i = 0; i < PRIVATE; i++) {
		*host_word(t.as, at(&t, i), true) = i;
		CHECK(fault_handle(t.as, at(&t, i), true,
				   false)); /* once more, with the copy there */
	}
	CHECK_EQ(t.s.file->dirty, dirty);
	CHECK_EQ(this_cpu_ptr(mm_counters)->throttled, throttled);
	CHECK_EQ(file_sync(t.s.file), 0);
	CHECK(pte_is_writable(host_entry(t.as, t.va))); /* and is not cleaned */
	CHECK_EQ(t.s.file->dirty, 0);
	CHECK(gone(&t));
}

/* Without a page in memory, and without an entry, at one go. */
TEST(first_access_is_a_write)
{
	struct pair t;

	setup(&t);
	CHECK_EQ(file_invalidate(t.s.file, 0, FILE_PAGES, FILE_KEEP), 0);
	unsigned reads = t.s.reads;

	CHECK_EQ(*host_word(t.as, at(&t, 3), true), 105);
	CHECK_EQ(t.s.reads, reads + 1);
	*host_word(t.as, at(&t, 3), true) = 8;
	CHECK_EQ(*host_word(t.b, t.vb + 5 * PAGE_SIZE, false), 105);
	CHECK_EQ(t.s.reads, reads + 1);
	CHECK_EQ(*host_word(t.as, at(&t, 4), false), 106); /* read in for the private view alone */
	CHECK_EQ(t.s.reads, reads + 2);
	CHECK(gone(&t));
	CHECK_EQ(t.s.writes, FILE_PAGES);
}

static struct pay_scope mapped; /* the last that the deferral heard of */

static u64 note_map(enum pay_event why, const struct pay_scope *scope)
{
	if (why == PAY_MAP)
		mapped = *scope;
	return 0;
}

/* What was mapped there before may have a debt (I6). */
TEST(deferral_hears_of_a_copy_before_it_is_mapped)
{
	static const struct deferral probe = {.name = "probe", .pay = note_map};
	struct pair t;

	setup(&t);
	deferral_use(&probe);
	mapped = (struct pay_scope){0};
	*host_word(t.as, at(&t, 1), true) = 8;
	CHECK(mapped.ctx == &t.as->ctx && mapped.write);
	CHECK(mapped.start <= at(&t, 1) && at(&t, 1) < mapped.end);
	deferral_use(deferrals[0]);
	CHECK(gone(&t));
}

TEST(dropping_a_copy_shows_the_file_again)
{
	struct pair t;

	setup(&t);
	u64 used = pmm_used() + 1; /* and a table */

	*host_word(t.as, t.va, true) = 7;
	CHECK_EQ(aspace_drop(t.as, t.va, 2 * PAGE_SIZE), 0);
	CHECK(pmm_used() >= used);
	CHECK(slot_is_none(*object_slot(aspace_find(t.as, t.va)->object, 0, false)));
	CHECK_EQ(*host_word(t.as, t.va, false), 102);
	*host_word(t.as, t.va, true) = 9;
	CHECK_EQ(*host_word(t.b, t.vb + 2 * PAGE_SIZE, false), 102);
	CHECK(gone(&t));
}

/* Rights that come back do not make the file's page writable. */
TEST(protection_does_not_let_the_file_be_written)
{
	struct pair t;

	setup(&t);
	host_word(t.as, t.va, false);
	*host_word(t.as, at(&t, 1), true) = 7;
	CHECK_EQ(aspace_protect(t.as, t.va, 2 * PAGE_SIZE, PROT_READ), 0);
	CHECK(!host_word(t.as, at(&t, 1), true));
	CHECK_EQ(aspace_protect(t.as, t.va, 2 * PAGE_SIZE, RW), 0);
	CHECK(!pte_is_writable(host_entry(t.as, t.va)));
	struct page *copy = host_page(t.as, at(&t, 1));

	*host_word(t.as, t.va, true) = 6;
	*host_word(t.as, at(&t, 1), true) += 1;
	CHECK(host_page(t.as, at(&t, 1)) == copy); /* not once more */
	CHECK_EQ(*host_word(t.b, t.vb + 2 * PAGE_SIZE, false), 102);
	CHECK_EQ(*host_word(t.b, t.vb + 3 * PAGE_SIZE, false), 103);
	CHECK_EQ(*host_word(t.as, at(&t, 1), false), 8);
	CHECK(gone(&t));
}

TEST(truncation_reaches_private_views_but_not_copies)
{
	struct pair t;

	setup(&t);
	for (u64 i = 0; i < PRIVATE; i++)
		host_word(t.as, at(&t, i), i == 4);
	hint_mark(t.as, at(&t, 3), at(&t, 4));
	CHECK_EQ(file_truncate(t.s.file, SKIP + 2), 0);
	for (u64 i = 0; i < PRIVATE; i++) {
		CHECK_EQ(!pte_is_none(host_entry(t.as, at(&t, i))), i < 2 || i == 4);
		CHECK_EQ(!host_word(t.as, at(&t, i), false), i >= 2 && i != 4);
		CHECK_EQ(!host_word(t.as, at(&t, i), true), i >= 2 && i != 4);
	}
	CHECK_EQ(*host_word(t.as, at(&t, 4), false), 106);
	CHECK(gone(&t));
}

TEST(invalidation_reaches_private_views)
{
	struct pair t;

	setup(&t);
	CHECK_EQ(*host_word(t.as, t.va, false), 102);
	*host_word(t.as, at(&t, 1), true) = 7;
	CHECK_EQ(file_sync(t.s.file), 0);
	CHECK_EQ(memory_store_change(t.s.below, SKIP, 500), 0);
	CHECK_EQ(memory_store_change(t.s.below, SKIP + 1, 501), 0);
	CHECK_EQ(file_invalidate(t.s.file, 0, FILE_PAGES, FILE_DISCARD), 0);
	CHECK(pte_is_none(host_entry(t.as, t.va)));
	CHECK_EQ(*host_word(t.as, t.va, false), 500);
	CHECK_EQ(*host_word(t.as, at(&t, 1), false), 7);
	CHECK_EQ(*host_word(t.b, t.vb + 3 * PAGE_SIZE, false), 501);
	CHECK(gone(&t));
}

TEST(pages_of_private_views_move)
{
	struct migrate_stats stats = {0};
	struct pair t;

	setup(&t);
	for (u64 i = 0; i < PRIVATE; i++)
		host_word(t.as, at(&t, i), i & 1);
	CHECK(!load_relaxed(&t.s.file->sole)); /* or a move would look at one area only */
	CHECK_EQ(host_migrate(t.as, t.va, PRIVATE, 0, &stats, NULL), 0);
	CHECK_EQ(host_migrate(t.b, t.vb, FILE_PAGES, 1, &stats, NULL), 0);
	for (u64 i = 0; i < PRIVATE; i++) {
		CHECK_EQ(*host_word(t.as, at(&t, i), false), 102 + i);
		CHECK_EQ(host_page(t.as, at(&t, i))->node, i & 1 ? 0 : 1);
		CHECK_EQ(host_page(t.as, at(&t, i)) == page_of_file(&t, i), !(i & 1));
	}
	aspace_unmap(t.as, t.va, PRIVATE * PAGE_SIZE);
	CHECK(load_relaxed(&t.s.file->sole)); /* there is one area again, and no shadow */
	CHECK(gone(&t));
}

/* Areas are cut in the middle of a view, and the page is found in the right part. */
TEST(private_area_is_cut)
{
	struct pair t;

	setup(&t);
	for (u64 i = 0; i < PRIVATE; i++)
		host_word(t.as, at(&t, i), i == 1);
	CHECK_EQ(aspace_unmap(t.as, at(&t, 2), PAGE_SIZE), 0);
	CHECK_EQ(file_invalidate(t.s.file, 0, FILE_PAGES, FILE_KEEP), 0);
	for (u64 i = 0; i < PRIVATE; i++)
		CHECK_EQ(i != 2 && pte_is_none(host_entry(t.as, at(&t, i))), i != 1 && i != 2);
	*host_word(t.as, at(&t, 3), true) = 7;
	CHECK_EQ(*host_word(t.as, at(&t, 4), false), 106);
	CHECK_EQ(*host_word(t.b, t.vb + 5 * PAGE_SIZE, false), 105);
	CHECK(gone(&t));
}

TEST(private_map_refuses)
{
	struct pair t;
	int err = 0;

	setup(&t);
	struct object *anon = object_create(4);
	struct {
		struct object *obj;
		u64 offset, len;
		int err;
	} const refused[] = {
		{anon, 0, PAGE_SIZE, -EINVAL},
		{t.s.file, FILE_PAGES, PAGE_SIZE, -EINVAL},
		{t.s.file, ~0UL, 2 * PAGE_SIZE, -EINVAL},
		{t.s.file, 0, 0, -EINVAL},
		{t.s.file, 0, PAGE_SIZE + 1, -EINVAL},
		{aspace_find(t.as, t.va)->object, 0, PAGE_SIZE, -EINVAL},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
		CHECK_EQ(aspace_map_private(t.as, refused[i].obj, refused[i].offset, 0,
					    refused[i].len, RW, 0, &err),
			 0);
		CHECK_EQ(err, refused[i].err);
	}
	CHECK_EQ(aspace_map_private(t.as, t.s.file, 0, t.va, PAGE_SIZE, RW, 0, &err), 0);
	CHECK_EQ(err, -EEXIST);
	object_put(anon);
	CHECK(gone(&t));
}

/* ---- what fails ------------------------------------------------------------------------ */

/* Nothing of the try is left, and the next one succeeds. */
TEST(copy_without_memory_fails_and_leaves_the_file_mapped)
{
	struct pair t;
	unsigned failed = 0;

	setup(&t);
	CHECK_EQ(*host_word(t.as, t.va, false), 102);
	for (unsigned left = 0; failed == left && left < 512; left++) {
		host_take_all(left);
		failed += !fault_handle(t.as, t.va, true, false);
		CHECK_EQ(*host_word(t.as, t.va, false), 102);
		host_give_back();
	}
	CHECK(failed && failed < 512);
	*host_word(t.as, t.va, true) = 7;
	CHECK_EQ(page_of_file(&t, 0)->mapcount, 1);
	CHECK(gone(&t));
}

TEST(map_without_memory)
{
	struct pair t;
	unsigned failed = 0;
	int err = 0;

	setup(&t);
	for (unsigned left = 0; failed == left && left < 512; left++) {
		host_take_all(left);
		failed += !aspace_map_private(t.as, t.s.file, 0, 0, PAGE_SIZE, RW, 0, &err);
		CHECK(failed == left || err == -ENOMEM);
		host_give_back();
	}
	CHECK(failed < 512);
	CHECK(gone(&t));
}

TEST(copy_of_a_page_that_cannot_be_read)
{
	struct pair t;

	setup(&t);
	CHECK_EQ(file_invalidate(t.s.file, 0, FILE_PAGES, FILE_KEEP), 0);
	t.s.read_err = -EIO;
	CHECK(!host_word(t.as, t.va, true));
	CHECK(!host_word(t.as, t.va, false));
	CHECK(slot_is_none(*object_slot(aspace_find(t.as, t.va)->object, 0, false)));
	t.s.read_err = 0;
	CHECK_EQ(*host_word(t.as, t.va, true), 102);
	CHECK(gone(&t));
}

static int refuse_copies(struct change_subscriber *s __unused, const struct change *change)
{
	return change->why == CHANGE_COPY ? -EBUSY : 0;
}

static void ignore(struct change_subscriber *s __unused, const struct change *change __unused)
{
}

static unsigned begun, ended; /* copies */

static int count_begin(struct change_subscriber *s __unused, const struct change *change)
{
	begun += change->why == CHANGE_COPY;
	return 0;
}

static void count_end(struct change_subscriber *s __unused, const struct change *change)
{
	ended += change->why == CHANGE_COPY;
}

TEST(copy_is_told_to_subscribers_from_begin_to_end)
{
	struct change_subscriber s = {.begin = count_begin, .end = count_end};
	struct pair t;

	setup(&t);
	begun = ended = 0;
	CHECK_EQ(*host_word(t.as, t.va, false), 102);
	CHECK_EQ(change_subscribe(t.as, &s), 0);
	*host_word(t.as, t.va, true) = 7;
	CHECK_EQ(begun, 1);
	CHECK_EQ(ended, 1);
	change_unsubscribe(t.as, &s);
	CHECK(gone(&t));
}

TEST(copy_that_a_subscriber_refuses)
{
	struct change_subscriber s = {.begin = refuse_copies, .end = ignore};
	struct pair t;

	setup(&t);
	CHECK_EQ(*host_word(t.as, t.va, false), 102);
	CHECK_EQ(change_subscribe(t.as, &s), 0);
	u64 used = pmm_used();

	CHECK(!host_word(t.as, t.va, true));
	CHECK_EQ(pmm_used(), used);
	CHECK_EQ(*host_word(t.as, t.va, false), 102);
	CHECK(host_page(t.as, t.va) == page_of_file(&t, 0));
	change_unsubscribe(t.as, &s);
	*host_word(t.as, t.va, true) = 7;
	CHECK_EQ(*host_word(t.b, t.vb + 2 * PAGE_SIZE, false), 102);
	CHECK(gone(&t));
}
