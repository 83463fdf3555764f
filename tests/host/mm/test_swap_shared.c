/* Swap of objects that several spaces show: a page leaves all of them by one slot, and comes back to all as one page. */
#include "host_file.h"

#include <mm/dup.h>
#include <mm/hint.h>
#include <mm/reclaim.h>
#include <mm/swap.h>
#include <fake/machine.h>

enum { PAGES = 8, SPACES = 3, ROOM = 32 };

/* An object on node 0 that holds 100, 101, ..., mapped everywhere, not accessed since; swap is on. */
struct rig {
	struct test_store s;
	struct object *obj;
	struct aspace *as[SPACES];
	vaddr_t va[SPACES];
	u64 before;
	struct mm_counters counters;
};

static vaddr_t at(const struct rig *t, unsigned space, u64 i)
{
	return t->va[space] + i * PAGE_SIZE;
}

static u64 *word(const struct rig *t, unsigned space, u64 i, bool write)
{
	aspace_load(t->as[space]);
	return host_word(t->as[space], at(t, space, i), write);
}

static bool is_here(const struct rig *t, unsigned space, u64 i)
{
	return !pte_is_none(host_entry(t->as[space], at(t, space, i)));
}

static slot_t slot_at(const struct rig *t, u64 i)
{
	return *object_slot(t->obj, i, false);
}

static void age(const struct rig *t)
{
	for (unsigned n = 0; n < SPACES; n++)
		for (u64 i = 0; t->as[n] && i < PAGES; i++) {
			pte_t *ptep = pgwalk_find(t->as[n]->root, at(t, n, i), 0).ptep;

			if (pte_is_present(pte_load(ptep)))
				pt_change(ptep, pte_mk_old);
		}
}

/* Pages that tests of other files have left: they stay where they are. */
static void pin_others(void)
{
	u64 pfn = 0, count = HOST_NODE_PAGES;
	struct page *frame = pmm_frames_from(0, &pfn, &count);

	for (; frame && count; frame++, count--)
		if (frame->state == PAGE_USED && frame->mapcount && !page_pins(frame))
			page_get(frame, PAGE_PIN);
}

static void setup(struct rig *t)
{
	int err;

	host_mm();
	pin_others();
	knobs.reclaim_batch = PAGES;
	u64 before = host_in_use();

	CHECK(host_swap(&t->s, ROOM));
	t->before = before;
	t->obj = object_create(PAGES);
	for (unsigned n = 0; n < SPACES; n++) {
		t->as[n] = aspace_create("shared", 0);
		t->va[n] =
			aspace_map(t->as[n], t->obj, 0, 0, PAGES * PAGE_SIZE, RW, false, 0, &err);
		for (u64 i = 0; i < PAGES; i++)
			*word(t, n, i, true) = 100 + i;
	}
	age(t);
	t->counters = *this_cpu_ptr(mm_counters);
}

#define COUNTED(t, name) (this_cpu_ptr(mm_counters)->name - (t)->counters.name)

static bool gone(struct rig *t)
{
	knobs.reclaim_batch = 1;
	aspace_load(NULL);
	for (unsigned n = 0; n < SPACES; n++)
		if (t->as[n])
			aspace_destroy(t->as[n]);
	if (t->obj)
		object_put(t->obj);
	bool off = host_swap_gone(&t->s);

	return check_equal(host_in_use(), t->before, __FILE__, __LINE__, "in use") && off;
}

static void destroy(struct rig *t, unsigned space)
{
	aspace_load(NULL);
	aspace_destroy(t->as[space]);
	t->as[space] = NULL;
}

static bool reads_right(const struct rig *t, unsigned space)
{
	bool right = true;

	for (u64 i = 0; i < PAGES; i++) {
		const u64 *w = word(t, space, i, false);

		right &= w && *w == 100 + i;
	}
	return right;
}

/* ---- leaving, and coming back --------------------------------------------------------------- */

/* A batch has at most one flush for each space, and a page one reference for all of them. */
TEST(shared_pages_leave_all_spaces_and_their_slot_says_where_they_are)
{
	struct rig t;

	setup(&t);
	u64 used = pmm_used();

	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK(COUNTED(&t, shootdowns) <= SPACES); /* of all pages: a broadcast is for all spaces */
	CHECK_EQ(COUNTED(&t, reclaimed), PAGES);
	CHECK_EQ(t.s.writes, PAGES);
	CHECK_EQ(swap_references(), PAGES);
	pmm_drain_caches();
	CHECK_EQ(pmm_used(), used - PAGES);
	for (u64 i = 0; i < PAGES; i++) {
		CHECK(slot_is_ref(slot_at(&t, i)));
		for (unsigned n = 0; n < SPACES; n++)
			CHECK(!is_here(&t, n, i));
	}
	CHECK(gone(&t));
}

/* Read in by one space, it is the page of all: nobody reads it a second time, and each sees what the others write. */
TEST(shared_page_that_is_read_in_is_the_page_of_all_spaces)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	*word(&t, 0, 2, true) = 55;
	CHECK_EQ(t.s.reads, 1);
	CHECK_EQ(swap_references(), PAGES - 1);
	CHECK_EQ(*word(&t, 1, 2, false), 55);
	*word(&t, 1, 2, true) = 102;
	CHECK_EQ(t.s.reads, 1);
	struct page *page = host_page(t.as[0], at(&t, 0, 2));

	CHECK(page == host_page(t.as[1], at(&t, 1, 2)));
	CHECK_EQ(page_refs(page), 3); /* two mappings, and the object's since it was read in */
	CHECK_EQ(page->flags, PG_HELD);
	for (unsigned n = 0; n < SPACES; n++)
		CHECK(reads_right(&t, n));
	CHECK_EQ(swap_references(), 0);
	CHECK(gone(&t));
}

/* What was read in goes again, from as many spaces as map it by then. */
TEST(shared_pages_go_again_and_again)
{
	struct rig t;

	setup(&t);
	for (unsigned round = 0; round < 2 * SPACES; round++) {
		CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
		CHECK_EQ(swap_references(), PAGES);
		CHECK(reads_right(&t, round % SPACES));
		age(&t);
	}
	CHECK_EQ(COUNTED(&t, read_in), 2 * SPACES * PAGES);
	CHECK(gone(&t));
}

/* One that somebody has accessed, in whichever space, stays for once. */
TEST(shared_page_that_one_space_accessed_stays_for_a_round)
{
	struct rig t;

	setup(&t);
	knobs.reclaim_batch = 1;
	pte_t *ptep = pgwalk_find(t.as[2]->root, at(&t, 2, 0), 0).ptep;

	pt_change(ptep, pte_mk_young);
	CHECK_EQ(reclaim_pages(0, PAGES - 1), PAGES - 1);
	CHECK(is_here(&t, 0, 0) && is_here(&t, 2, 0));
	CHECK_EQ(reclaim_pages(0, 1), 1);
	CHECK(!is_here(&t, 0, 0) && !is_here(&t, 2, 0));
	CHECK(gone(&t));
}

/* Entries of a scan leave as others do. */
TEST(shared_page_with_a_hint_entry_leaves_too)
{
	struct rig t;

	setup(&t);
	hint_mark(t.as[1], t.va[1], t.va[1] + PAGES * PAGE_SIZE);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	for (u64 i = 0; i < PAGES; i++)
		CHECK(!is_here(&t, 1, i));
	CHECK(reads_right(&t, 1));
	CHECK(gone(&t));
}

/* ---- who keeps it ------------------------------------------------------------------------------ */

/* The space that read it in gives it up; the others have mapped nothing since, and find it all the same. */
TEST(shared_page_stays_when_the_space_that_read_it_in_lets_go)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	for (u64 i = 0; i < PAGES; i++)
		*word(&t, 0, i, true) = 100 + i;
	CHECK_EQ(aspace_drop(t.as[0], t.va[0], PAGES / 2 * PAGE_SIZE), 0);
	destroy(&t, 0);
	CHECK(reads_right(&t, 1));
	CHECK(reads_right(&t, 2));
	CHECK_EQ(COUNTED(&t, read_in), PAGES);
	age(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK(reads_right(&t, 2));
	CHECK(gone(&t));
}

/* Spaces drop, unmap and end: what is in swap is the object's, until the last user goes. */
TEST(shared_pages_in_swap_are_given_back_when_the_object_is_closed)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK_EQ(aspace_drop(t.as[0], t.va[0], PAGES * PAGE_SIZE), 0);
	CHECK_EQ(swap_references(), PAGES);
	CHECK_EQ(*word(&t, 0, 3, false), 103);
	CHECK_EQ(aspace_unmap(t.as[1], t.va[1], PAGES * PAGE_SIZE), 0);
	for (unsigned n = 0; n < SPACES; n++)
		destroy(&t, n);
	CHECK_EQ(swap_references(), PAGES - 1);
	object_put(t.obj);
	t.obj = NULL;
	CHECK_EQ(swap_references(), 0);
	CHECK(gone(&t));
}

/* A page that was read in, and is pinned when the object is closed, is its owner's. */
TEST(shared_page_that_is_pinned_outlives_the_object)
{
	struct page *page;
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK_EQ(aspace_pin(t.as[0], at(&t, 0, 1), true, &page), 0);
	for (unsigned n = 0; n < SPACES; n++)
		destroy(&t, n);
	object_put(t.obj);
	t.obj = NULL;
	CHECK_EQ(page_refs(page), 1);
	CHECK_EQ(*(u64 *)page_to_virt(page), 101);
	page_put(page, PAGE_PIN);
	CHECK(gone(&t));
}

/* ---- who is in the way ------------------------------------------------------------------------- */

TEST(shared_page_that_was_in_swap_moves_with_all_its_mappings)
{
	struct migrate_stats stats;
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK(reads_right(&t, 0) && reads_right(&t, 1));
	CHECK_EQ(host_migrate(t.as[0], t.va[0], PAGES, 1, &stats, NULL), 0);
	CHECK_EQ(stats.moved, PAGES);
	for (u64 i = 0; i < PAGES; i++) {
		struct page *page = host_page(t.as[0], at(&t, 0, i));

		CHECK(page->node == 1 && page == host_page(t.as[1], at(&t, 1, i)));
		CHECK_EQ(page_refs(page), 3);
		CHECK_EQ(page->flags & PG_HELD, PG_HELD);
	}
	destroy(&t, 0);
	destroy(&t, 1);
	CHECK(reads_right(&t, 2));
	CHECK_EQ(COUNTED(&t, read_in), PAGES);
	age(&t);
	CHECK_EQ(reclaim_pages(1, PAGES), PAGES);
	CHECK(reads_right(&t, 2));
	CHECK(gone(&t));
}

TEST(shared_page_that_is_pinned_stays_in_all_spaces)
{
	struct migrate_stats stats;
	struct page *page;
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES); /* so that it has the object's reference, too */
	CHECK(reads_right(&t, 0) && reads_right(&t, 1));
	CHECK_EQ(aspace_pin(t.as[1], at(&t, 1, 4), true, &page), 0);
	age(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES - 1);
	CHECK(is_here(&t, 0, 4) && is_here(&t, 1, 4));
	CHECK(COUNTED(&t, reclaim_skipped) >= 1);
	CHECK_EQ(host_migrate(t.as[0], at(&t, 0, 4), 1, 1, &stats, NULL), 1);
	CHECK(host_page(t.as[0], at(&t, 0, 4)) == page);
	page_put(page, PAGE_PIN);
	age(&t);
	CHECK_EQ(reclaim_pages(0, 1), 1);
	CHECK(reads_right(&t, 0));
	CHECK(gone(&t));
}

/* In the middle of the write: whoever has no entry finds the slot busy. */
static void expect_busy(void *arg)
{
	const struct rig *t = arg;
	unsigned busy = 0;

	for (u64 i = 0; i < PAGES; i++)
		busy += slot_is_busy(slot_at(t, i));
	CHECK_EQ(busy, 1);
}

TEST(shared_page_is_busy_while_it_is_written_and_stays_where_that_fails)
{
	struct rig t;

	setup(&t);
	t.s.in_write = expect_busy;
	t.s.arg = &t;
	t.s.write_err = -EIO;
	CHECK_EQ(reclaim_pages(0, PAGES), 0);
	CHECK(COUNTED(&t, reclaim_skipped) >= COUNTED(&t, store_errors));
	CHECK(COUNTED(&t, store_errors) >= PAGES);
	CHECK_EQ(swap_references(), 0);
	for (u64 i = 0; i < PAGES; i++)
		for (unsigned n = 0; n < SPACES; n++)
			CHECK(is_here(&t, n, i) &&
			      pte_is_writable(host_entry(t.as[n], at(&t, n, i))));
	t.s.write_err = 0;
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	t.s.in_write = NULL;
	for (unsigned n = 0; n < SPACES; n++)
		CHECK(reads_right(&t, n));
	CHECK(gone(&t));
}

/* An error of the access, and the reference stays: the next one may have more luck. */
TEST(shared_page_that_cannot_be_read_in_stays_in_swap)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	t.s.read_err = -EIO;
	CHECK(!word(&t, 1, 0, false));
	CHECK_EQ(swap_references(), PAGES);
	t.s.read_err = 0;
	CHECK(reads_right(&t, 1));
	CHECK(gone(&t));
}

TEST(shared_pages_stay_shared_in_a_duplicate)
{
	struct rig t;
	int err;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	struct aspace *dup = aspace_dup(t.as[0], "duplicate", 0, &err);

	CHECK(dup);
	CHECK_EQ(swap_references(), PAGES);
	aspace_load(dup);
	*host_word(dup, at(&t, 0, 3), true) = 77;
	CHECK_EQ(*word(&t, 1, 3, false), 77);
	*word(&t, 1, 3, true) = 103;
	aspace_load(NULL);
	aspace_destroy(dup);
	CHECK(reads_right(&t, 2));
	CHECK(gone(&t));
}

/* ---- more than memory ------------------------------------------------------------------------------ */

/* Twice as many pages as there are frames for, written and read by two spaces in turn. */
TEST(shared_working_set_of_twice_the_memory)
{
	enum { LEFT = 24, MANY = 2 * LEFT, ROUNDS = 6 };
	struct test_store s;
	struct aspace *as[2];
	vaddr_t va[2];
	int err;

	host_mm();
	u64 before = host_in_use();

	CHECK(host_swap(&s, MANY));
	struct object *obj = object_create(MANY);

	for (unsigned n = 0; n < 2; n++) {
		as[n] = aspace_create("shared", 0);
		va[n] = aspace_map(as[n], obj, 0, 0, MANY * PAGE_SIZE, RW, false, 0, &err);
		aspace_load(as[n]);
		*host_word(as[n], va[n], true) = 0; /* tables and slots are there */
	}
	host_leave_frames(LEFT);
	u64 reclaimed = this_cpu_ptr(mm_counters)->reclaimed;

	knobs.reclaim_batch = 8;
	for (u64 round = 0; round < ROUNDS; round++) {
		aspace_load(as[round % 2]);
		for (u64 i = 0; i < MANY; i++) {
			u64 *w = host_word(as[round % 2], va[round % 2] + i * PAGE_SIZE, true);

			CHECK(w && *w == round);
			*w = round + 1;
		}
	}
	CHECK(this_cpu_ptr(mm_counters)->reclaimed >= reclaimed + (ROUNDS - 1) * LEFT);
	host_give_back();
	knobs.reclaim_batch = 1;
	aspace_load(NULL);
	for (unsigned n = 0; n < 2; n++)
		aspace_destroy(as[n]);
	object_put(obj);
	CHECK(host_swap_gone(&s));
	CHECK_EQ(host_in_use(), before);
}

/* No frame, and no room in swap: an error of the access, nothing lost. */
TEST(shared_pages_with_swap_full_and_no_frame_left)
{
	enum { MANY = 64 };
	struct test_store s;
	vaddr_t va;
	int err;

	host_mm();
	u64 before = host_in_use(), n = 0, *w;

	CHECK(host_swap(&s, 4));
	struct object *obj = object_create(MANY);
	struct aspace *as = aspace_create("shared", 0);

	va = aspace_map(as, obj, 0, 0, MANY * PAGE_SIZE, RW, false, 0, &err);
	aspace_load(as);
	CHECK(host_word(as, va, true));
	host_leave_frames(16);
	for (; n < MANY && (w = host_word(as, va + n * PAGE_SIZE, true)); n++)
		*w = 100 + n;
	CHECK(n >= 16 && n < MANY);
	CHECK(!host_word(as, va + n * PAGE_SIZE, false));
	host_give_back();
	for (u64 i = 0; i < n; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), 100 + i);
	aspace_load(NULL);
	aspace_destroy(as);
	object_put(obj);
	CHECK(host_swap_gone(&s));
	CHECK_EQ(host_in_use(), before);
}
