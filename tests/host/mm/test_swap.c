/* Swap: anonymous pages leave memory and come back, whoever has them meanwhile, and no reference is lost or used twice. */
#include "host_file.h"

#include <mm/change.h>
#include <mm/cow.h>
#include <mm/dup.h>
#include <mm/fault.h>
#include <mm/hint.h>
#include <mm/reclaim.h>
#include <mm/swap.h>
#include <fake/machine.h>

enum { PAGES = 8, ROOM = 32 };

/* Anonymous pages on node 0 that hold 100, 101, ..., not accessed since; swap is on. */
struct rig {
	struct test_store s;
	struct aspace *as;
	vaddr_t va;
	u64 before;
	struct mm_counters counters;
};

static vaddr_t at(const struct rig *t, u64 i)
{
	return t->va + i * PAGE_SIZE;
}

static void age(struct aspace *as, vaddr_t va)
{
	pte_t *ptep = pgwalk_find(as->root, va, 0).ptep;

	if (pte_is_present(pte_load(ptep)))
		pt_change(ptep, pte_mk_old);
}

static void age_all(const struct rig *t, struct aspace *as)
{
	for (u64 i = 0; i < PAGES; i++)
		age(as, at(t, i));
}

/* Pages that tests of other files have left: they stay where they are. */
static void pin_others(void)
{
	static bool done;
	u64 pfn = 0, count = HOST_NODE_PAGES;
	struct page *frame = done ? NULL : pmm_frames_from(0, &pfn, &count);

	for (; frame && count; frame++, count--)
		if (frame->state == PAGE_USED && frame->mapcount)
			page_get(frame, PAGE_PIN);
	done = true;
}

static void setup(struct rig *t)
{
	host_mm();
	pin_others();
	knobs.dirty_pages = 0;
	u64 before = host_in_use();

	CHECK(host_swap(&t->s, ROOM));
	t->before = before;
	t->as = host_space(PAGES, RW, false, 0, &t->va);
	for (u64 i = 0; i < PAGES; i++)
		*host_word(t->as, at(t, i), true) = 100 + i;
	age_all(t, t->as);
	t->counters = *this_cpu_ptr(mm_counters);
}

#define COUNTED(t, name) (this_cpu_ptr(mm_counters)->name - (t)->counters.name)

static bool gone(struct rig *t)
{
	knobs.reclaim_batch = 1;
	aspace_load(NULL);
	if (t->as)
		aspace_destroy(t->as);
	bool off = host_swap_gone(&t->s);

	return check_equal(host_in_use(), t->before, __FILE__, __LINE__, "in use") && off;
}

static bool is_here(struct aspace *as, vaddr_t va)
{
	return !pte_is_none(host_entry(as, va));
}

static unsigned count_here(const struct rig *t, struct aspace *as)
{
	unsigned here = 0;

	for (u64 i = 0; i < PAGES; i++)
		here += is_here(as, at(t, i));
	return here;
}

static bool reads_right(const struct rig *t, struct aspace *as)
{
	bool right = true;

	aspace_load(as);
	for (u64 i = 0; i < PAGES; i++) {
		u64 *word = host_word(as, at(t, i), false);

		right &= word && *word == 100 + i;
	}
	return right;
}

static slot_t slot_at(struct aspace *as, vaddr_t va)
{
	const struct area *area = aspace_find(as, va);

	return *object_slot(area->object, area->offset + ((va - area->start) >> PAGE_SHIFT), true);
}

/* ---- leaving, and coming back ------------------------------------------------------------ */

static void check_batches(u32 batch, u64 flushes)
{
	struct rig t;

	setup(&t);
	u64 used = pmm_used();

	knobs.reclaim_batch = batch;
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK_EQ(COUNTED(&t, shootdowns), flushes);
	CHECK_EQ(COUNTED(&t, reclaimed), PAGES);
	CHECK_EQ(COUNTED(&t, written_back), PAGES);
	CHECK_EQ(pmm_used(), used - PAGES);
	CHECK_EQ(swap_references(), PAGES);
	CHECK_EQ(t.as->owing | t.as->changing, 0);
	for (u64 i = 0; i < PAGES; i++) {
		CHECK(!is_here(t.as, at(&t, i)));
		CHECK(slot_is_ref(slot_at(t.as, at(&t, i))));
	}
	CHECK(reads_right(&t, t.as));
	CHECK_EQ(COUNTED(&t, read_in), PAGES);
	CHECK_EQ(COUNTED(&t, retried_faults), PAGES);
	CHECK_EQ(swap_references(), 0); /* what is read in is no longer there */
	for (u64 i = 0; i < PAGES; i++) {
		struct page *page = host_page(t.as, at(&t, i));

		CHECK_EQ(page_refs(page), 1);
		CHECK_EQ(page->flags & (PG_KEPT | PG_LOCKED | PG_ISOLATED), 0);
	}
	CHECK(gone(&t));
}

TEST(swap_takes_pages_with_one_flush_for_a_batch)
{
	check_batches(1, PAGES);
	check_batches(3, (PAGES + 2) / 3);
	check_batches(512, 1);
}

/* Accessed since the hand came by last: in the second round it goes all the same. */
TEST(swap_passes_accessed_pages_by_once)
{
	struct rig t;

	setup(&t);
	*host_word(t.as, t.va, true) = 100;
	pt_change(pgwalk_find(t.as->root, t.va, 0).ptep, pte_mk_young);
	CHECK_EQ(reclaim_pages(0, PAGES - 1), PAGES - 1);
	CHECK(is_here(t.as, t.va));
	CHECK_EQ(reclaim_pages(0, 1), 1);
	CHECK_EQ(count_here(&t, t.as), 0);
	CHECK(reads_right(&t, t.as));
	CHECK(gone(&t));
}

TEST(swap_is_of_one_node_and_takes_hint_entries_too)
{
	struct migrate_stats stats;
	struct rig t;

	setup(&t);
	CHECK_EQ(host_migrate(t.as, t.va, 2, 1, &stats, NULL), 0);
	age_all(&t, t.as);
	hint_mark(t.as, at(&t, 2), at(&t, 4));
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES - 2);
	CHECK_EQ(count_here(&t, t.as), 2);
	CHECK_EQ(reclaim_pages(1, PAGES), 2);
	CHECK(reads_right(&t, t.as));
	CHECK(gone(&t));
}

TEST(swap_that_is_off_or_full_takes_nothing)
{
	struct rig t;
	u64 before;

	host_mm();
	before = host_in_use();
	t.as = host_space(PAGES, RW, false, 0, &t.va);
	CHECK(host_word(t.as, t.va, true));
	age_all(&t, t.as);
	CHECK_EQ(reclaim_pages(0, 1), 0);
	CHECK_EQ(swap_off(), -ENOENT);
	CHECK(host_swap(&t.s, 2));
	CHECK_EQ(swap_on(&t.s.store), -EBUSY);
	for (u64 i = 0; i < PAGES; i++)
		*host_word(t.as, at(&t, i), true) = 100 + i;
	age_all(&t, t.as);
	CHECK_EQ(reclaim_pages(0, PAGES), 2);
	CHECK(!swap_has_room());
	CHECK_EQ(reclaim_pages(0, PAGES), 0);
	CHECK_EQ(swap_off(), -EBUSY);
	CHECK(reads_right(&t, t.as));
	t.before = before;
	CHECK(gone(&t));
}

/* No memory for the store or for its references, at whichever request. */
TEST(swap_without_memory_stays_off)
{
	struct store store = {.page_count = HOST_NODE_PAGES * HOST_NODES};

	host_mm();
	u64 before = host_in_use();

	CHECK(!swap_store_create(HOST_NODE_PAGES * HOST_NODES, 0));
	CHECK_EQ(host_in_use(), before);
	host_take_all(0);
	CHECK(!swap_store_create(1, 0));
	CHECK_EQ(swap_on(&store), -ENOMEM);
	host_give_back();
	CHECK(!swap_has_room());
	CHECK_EQ(host_in_use(), before);
}

/* ---- what keeps a page --------------------------------------------------------------------- */

static bool is_mapped_as_before(const struct rig *t, u64 i)
{
	pte_t pte = host_entry(t->as, at(t, i));
	struct page *page = host_page(t->as, at(t, i));

	return pte_is_present(pte) && pte_is_writable(pte) &&
	       page_refs(page) == 1 + page_pins(page) &&
	       !(page->flags & (PG_KEPT | PG_LOCKED | PG_ISOLATED));
}

static struct page *to_pin;

static int pin_late(struct change_subscriber *s __unused, const struct change *change __unused)
{
	if (to_pin && !page_pins(to_pin))
		page_get(to_pin, PAGE_PIN);
	return 0;
}

static void ignore(struct change_subscriber *s __unused, const struct change *change __unused)
{
}

/* Its owner may write it at any moment: it is not written, and mapped again with what it allowed. */
TEST(swap_leaves_pinned_pages_also_those_that_are_pinned_late)
{
	struct change_subscriber s = {.begin = pin_late, .end = ignore};
	struct page *page;
	struct rig t;

	setup(&t);
	CHECK_EQ(aspace_pin(t.as, at(&t, 1), true, &page), 0);
	to_pin = host_page(t.as, t.va);
	CHECK_EQ(change_subscribe(t.as, &s), 0);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES - 2);
	CHECK(COUNTED(&t, reclaim_skipped) >= 2);
	change_unsubscribe(t.as, &s);
	CHECK_EQ(COUNTED(&t, written_back), PAGES - 2);
	CHECK(is_mapped_as_before(&t, 0));
	CHECK(is_mapped_as_before(&t, 1));
	page_put(page, PAGE_PIN);
	page_put(to_pin, PAGE_PIN);
	to_pin = NULL;
	CHECK(reads_right(&t, t.as));
	CHECK(gone(&t));
}

/* As it does in a space of which nothing was ever in swap. */
TEST(swap_drop_leaves_a_pinned_page_where_it_is)
{
	for (unsigned in_swap = 0; in_swap < 2; in_swap++) {
		struct page *page;
		struct rig t;

		setup(&t);
		knobs.reclaim_batch = 1;
		if (in_swap)
			CHECK_EQ(reclaim_pages(0, in_swap), in_swap);
		CHECK_EQ(aspace_pin(t.as, at(&t, 5), true, &page), 0);
		CHECK_EQ(aspace_drop(t.as, t.va, PAGES * PAGE_SIZE), 0);
		CHECK_EQ(*host_word(t.as, t.va, false), 0);
		CHECK_EQ(*host_word(t.as, at(&t, 5), false), 105);
		CHECK(host_page(t.as, at(&t, 5)) == page);
		page_put(page, PAGE_PIN);
		CHECK(gone(&t));
	}
}

static int refuse(struct change_subscriber *s __unused, const struct change *change)
{
	return change->why == CHANGE_DROP ? -EBUSY : 0;
}

TEST(swap_that_a_subscriber_refuses_leaves_the_page)
{
	struct change_subscriber s = {.begin = refuse, .end = ignore};
	struct rig t;

	setup(&t);
	knobs.reclaim_batch = 4;
	CHECK_EQ(change_subscribe(t.as, &s), 0);
	CHECK_EQ(reclaim_pages(0, PAGES), 0);
	change_unsubscribe(t.as, &s);
	for (u64 i = 0; i < PAGES; i++)
		CHECK(is_mapped_as_before(&t, i));
	CHECK_EQ(t.as->owing, 0);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK(reads_right(&t, t.as));
	CHECK(gone(&t));
}

/* Who fails to write keeps the page, and who fails to read gets an error; both may try again. */
TEST(swap_survives_a_store_that_fails)
{
	struct rig t;

	setup(&t);
	t.s.write_err = -EIO;
	CHECK_EQ(reclaim_pages(0, PAGES), 0);
	CHECK(COUNTED(&t, store_errors) >= PAGES);
	CHECK(COUNTED(&t, reclaim_skipped) >= COUNTED(&t, store_errors));
	CHECK_EQ(swap_references(), 0);
	for (u64 i = 0; i < PAGES; i++)
		CHECK(is_mapped_as_before(&t, i));
	CHECK(reads_right(&t, t.as));
	t.s.write_err = 0;
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	t.s.read_err = -EIO;
	CHECK(!host_word(t.as, t.va, false));
	CHECK(!host_word(t.as, t.va, true));
	CHECK(slot_is_ref(slot_at(t.as, t.va)));
	CHECK_EQ(swap_references(), PAGES);
	t.s.read_err = 0;
	CHECK(reads_right(&t, t.as));
	CHECK(gone(&t));
}

/* ---- 2 MiB pages ------------------------------------------------------------------------------ */

enum { PART = 300 }; /* of a 2 MiB page, besides the first one */

/* A space with a 2 MiB page on node 0 alone, two parts of which were written; the small pages of the rig stay. */
static struct aspace *large_space(struct rig *t, vaddr_t *va)
{
	struct aspace *as = host_space(HUGE_PAGES, RW, true, 0, va);

	*host_word(as, *va, true) = 500;
	*host_word(as, *va + PART * PAGE_SIZE, true) = 800;
	for (u64 i = 0; i < PAGES; i++)
		page_get(host_page(t->as, at(t, i)), PAGE_PIN);
	t->counters = *this_cpu_ptr(mm_counters);
	return as;
}

static bool large_ends(struct rig *t, struct aspace *as, vaddr_t va)
{
	bool right = *host_word(as, va, false) == 500 &&
		     *host_word(as, va + PART * PAGE_SIZE, false) == 800 &&
		     *host_word(as, va + (PART + 1) * PAGE_SIZE, false) == 0;

	aspace_load(NULL);
	aspace_destroy(as);
	for (u64 i = 0; i < PAGES; i++)
		page_put(host_page(t->as, at(t, i)), PAGE_PIN);
	return reads_right(t, t->as) && gone(t) && right;
}

/* It was accessed, so it gets off once. Then it is split, and its parts go from the first one on. */
TEST(swap_splits_a_large_page_that_nobody_accesses)
{
	struct rig t;
	vaddr_t va;

	setup(&t);
	struct aspace *as = large_space(&t, &va);
	u64 used = pmm_used();

	CHECK_EQ(pgwalk_find(as->root, va, 0).level, 1);
	knobs.reclaim_batch = 4;
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK_EQ(COUNTED(&t, pages_split), 1);
	CHECK_EQ(COUNTED(&t, shootdowns), 1 + PAGES / 4);
	CHECK_EQ(pmm_used(), used - PAGES + 1); /* the table */
	CHECK(!pte_is_present(host_entry(as, va)));
	CHECK(slot_is_ref(slot_at(as, va)));
	CHECK(pte_is_present(host_entry(as, va + PART * PAGE_SIZE)));
	CHECK_EQ(as->owing | as->changing | as->lock.arrived % 4, 0);
	CHECK(large_ends(&t, as, va));
}

static int refuse_split(struct change_subscriber *s __unused, const struct change *change)
{
	return change->why == CHANGE_SPLIT ? -EBUSY : 0;
}

/* Then it is as before, and counted. It is split as soon as nothing is in the way. */
TEST(swap_leaves_a_large_page_that_it_cannot_split)
{
	struct change_subscriber s = {.begin = refuse_split, .end = ignore};
	struct page *page;
	struct rig t;
	vaddr_t va;

	setup(&t);
	struct aspace *as = large_space(&t, &va);

	CHECK_EQ(aspace_pin(as, va, true, &page), 0);
	CHECK_EQ(reclaim_pages(0, 1), 0);
	page_put(page, PAGE_PIN);
	u64 pinned = COUNTED(&t, reclaim_skipped);

	CHECK(pinned >= 1);
	pt_change(pgwalk_find(as->root, va, 1).ptep, pte_mk_old);
	write_lock(&as->lock); /* who allocates may have it */
	CHECK_EQ(reclaim_pages(0, 1), 0);
	write_unlock(&as->lock);
	u64 locked = COUNTED(&t, reclaim_skipped);

	CHECK(locked > pinned);
	CHECK_EQ(change_subscribe(as, &s), 0);
	CHECK_EQ(reclaim_pages(0, 1), 0);
	change_unsubscribe(as, &s);
	CHECK(COUNTED(&t, reclaim_skipped) > locked);
	CHECK_EQ(COUNTED(&t, split_no_memory), 0);
	host_take_all(0);
	CHECK_EQ(reclaim_pages(0, 1), 0);
	host_give_back();
	CHECK(COUNTED(&t, split_no_memory) >= 1);
	CHECK_EQ(COUNTED(&t, pages_split), 0);
	CHECK_EQ(COUNTED(&t, shootdowns), 0);
	CHECK_EQ(page_refs(page), 1);
	CHECK_EQ(page->flags & (PG_KEPT | PG_LOCKED | PG_ISOLATED), 0);
	CHECK_EQ(pgwalk_find(as->root, va, 0).level, 1);
	CHECK_EQ(reclaim_pages(0, 1), 1);
	CHECK_EQ(COUNTED(&t, pages_split), 1);
	CHECK(large_ends(&t, as, va));
}

static struct page *looked_at;
static unsigned splits_begun;

/* The first time reclaim comes and goes, and what stands for its reference is there until the second time. */
static int look_meanwhile(struct change_subscriber *s __unused, const struct change *change)
{
	if (change->why != CHANGE_SPLIT)
		return 0;
	if (!splits_begun++) {
		page_get(looked_at, PAGE_REF);
		reclaim_pages(0, 1);
	} else {
		page_put(looked_at, PAGE_REF);
	}
	return 0;
}

/* It had not begun before, and looks no more when somebody asks why the page could not be split: it is split all the same. */
TEST(swap_whose_look_came_and_went_is_no_reason_not_to_split)
{
	struct change_subscriber s = {.begin = look_meanwhile, .end = ignore};
	struct rig t;
	vaddr_t va;

	setup(&t);
	struct aspace *as = large_space(&t, &va);

	looked_at = phys_to_page(pte_pa(pte_load(pgwalk_find(as->root, va, 1).ptep), 1));
	splits_begun = 0;
	CHECK_EQ(change_subscribe(as, &s), 0);
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
	change_unsubscribe(as, &s);
	CHECK_EQ(splits_begun, 2);
	CHECK_EQ(COUNTED(&t, pages_split), 1);
	CHECK(large_ends(&t, as, va));
}

/* ---- contents that go ------------------------------------------------------------------------ */

TEST(swap_drop_unmap_and_exit_give_references_back)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK_EQ(aspace_drop(t.as, at(&t, 1), 2 * PAGE_SIZE), 0);
	CHECK_EQ(swap_references(), PAGES - 2);
	CHECK_EQ(*host_word(t.as, at(&t, 1), false), 0);
	CHECK_EQ(*host_word(t.as, at(&t, 2), true), 0);
	CHECK_EQ(aspace_unmap(t.as, at(&t, 4), PAGE_SIZE), 0);
	CHECK_EQ(swap_references(), PAGES - 3);
	CHECK_EQ(*host_word(t.as, t.va, false), 100);
	CHECK_EQ(*host_word(t.as, at(&t, 3), false), 103);
	CHECK_EQ(*host_word(t.as, at(&t, 5), false), 105);
	CHECK_EQ(swap_references(), PAGES - 6);
	CHECK(gone(&t));
}

/* The second area of the object came when its pages were in swap: they stay until the last one goes. */
TEST(swap_references_of_an_object_that_became_shared_go_with_it)
{
	struct rig t;
	int err;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	struct aspace *other = aspace_create("other", 0);
	struct object *obj = aspace_find(t.as, t.va)->object;
	vaddr_t va = aspace_map(other, obj, 0, 0, PAGES * PAGE_SIZE, RW, false, 0, &err);

	CHECK(va);
	CHECK_EQ(aspace_drop(t.as, t.va, PAGE_SIZE), 0);
	CHECK_EQ(*host_word(other, va, false), 100);
	CHECK_EQ(aspace_unmap(other, va, PAGES * PAGE_SIZE), 0);
	CHECK_EQ(swap_references(), PAGES - 1);
	CHECK_EQ(*host_word(t.as, at(&t, 2), false), 102);
	aspace_destroy(other);
	CHECK(gone(&t));
}

/* ---- while it is read in ---------------------------------------------------------------------- */

/* What another CPU does in the middle of a read: the fault has let go of its locks. */
static void (*in_read)(struct rig *t);
static struct rig *reading;

static int read_and_more(struct store *store, u64 index, void *to)
{
	struct test_store *s = container_of(store, struct test_store, store);
	int err = s->below->ops->read(s->below, index, to);

	if (in_read) {
		void (*fn)(struct rig * t) = in_read;

		in_read = NULL;
		fn(reading);
	}
	return err;
}

static void protect(struct rig *t)
{
	CHECK_EQ(aspace_protect(t->as, t->va, PAGE_SIZE, PROT_READ), 0);
}

static void use_store(struct rig *t, void (*fn)(struct rig *t))
{
	static struct store_ops ops;

	ops = *t->s.store.ops;
	ops.read = read_and_more;
	t->s.store.ops = &ops;
	in_read = fn;
	reading = t;
}

/* A write that is not allowed any more when it has been read in: it is all there is of the page. */
TEST(swap_keeps_what_was_read_in_and_may_not_be_mapped)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	use_store(&t, protect);
	CHECK(!host_word(t.as, t.va, true));
	CHECK(!is_here(t.as, t.va));
	CHECK(slot_is_page(slot_at(t.as, t.va)));
	CHECK_EQ(swap_references(), PAGES - 1);
	CHECK_EQ(*host_word(t.as, t.va, false), 100);
	CHECK_EQ(page_refs(host_page(t.as, t.va)), 1);
	CHECK_EQ(aspace_protect(t.as, t.va, PAGE_SIZE, RW), 0);
	CHECK_EQ(*host_word(t.as, t.va, true), 100);
	CHECK(gone(&t));
}

/* The same page goes with the area's contents, with the area, or with the space; a duplicate has it. */
TEST(swap_lets_go_of_what_was_read_in_and_not_mapped)
{
	for (unsigned how = 0; how < 4; how++) {
		struct rig t;
		int err;

		setup(&t);
		CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
		use_store(&t, protect);
		CHECK(!host_word(t.as, t.va, true));
		if (how == 1) {
			CHECK_EQ(aspace_drop(t.as, t.va, PAGE_SIZE), 0);
			CHECK_EQ(*host_word(t.as, t.va, false), 0);
		}
		if (how == 2)
			CHECK_EQ(aspace_unmap(t.as, t.va, PAGE_SIZE), 0);
		if (how == 3) {
			struct aspace *dup = aspace_dup(t.as, "dup", 0, &err);

			CHECK(dup);
			CHECK(reads_right(&t, dup));
			CHECK(reads_right(&t, t.as));
			aspace_load(NULL);
			aspace_destroy(dup);
		}
		CHECK(gone(&t));
	}
}

/* ---- private mappings and duplicates ------------------------------------------------------------ */

/* Copies of a file's pages go to swap, the file's own are dropped; and copies that are given up show the file again. */
TEST(swap_takes_copies_of_private_mappings)
{
	struct test_store file = {0};
	struct rig t;
	vaddr_t va;
	int err;

	setup(&t);
	host_file(&file, 4);
	u64 word = 7;

	CHECK_EQ(file_write(file.file, 0, &word, 8), 8);
	CHECK_EQ(file_sync(file.file), 0);
	va = aspace_map_private(t.as, file.file, 0, 0, 4 * PAGE_SIZE, RW, 0, &err);
	CHECK(va);
	*host_word(t.as, va, true) = 1;
	CHECK_EQ(*host_word(t.as, va + PAGE_SIZE, false), 0);
	age(t.as, va);
	CHECK(reclaim_pages(0, 2 * PAGES) >= PAGES + 1); /* whichever are asked first */
	CHECK(slot_is_ref(slot_at(t.as, va)));
	CHECK_EQ(*host_word(t.as, va, false), 1);
	CHECK_EQ(*host_word(t.as, va, true), 1);
	age(t.as, va);
	CHECK_EQ(reclaim_pages(0, 1), 1);
	CHECK_EQ(aspace_drop(t.as, va, PAGE_SIZE), 0);
	CHECK_EQ(*host_word(t.as, va, false), 7);
	CHECK_EQ(aspace_unmap(t.as, va, 4 * PAGE_SIZE), 0);
	CHECK_EQ(file_close(file.file), 0);
	CHECK_EQ(file.wrong, 0);
	CHECK(gone(&t));
}

static struct aspace *duplicate(struct aspace *as)
{
	int err = 1;
	struct aspace *dup = aspace_dup(as, "dup", 0, &err);

	return err ? NULL : dup;
}

/* What is there and what is in swap are both in the duplicate; each has its own from then on. */
TEST(swap_duplicates_have_what_is_in_swap)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, 3), 3);
	struct aspace *dup = duplicate(t.as), *third;

	CHECK(dup);
	CHECK_EQ(swap_references(), 6);
	CHECK_EQ(COUNTED(&t, read_in), 0);
	CHECK(reads_right(&t, dup));
	CHECK_EQ(swap_references(), 3);
	for (u64 i = 0; i < PAGES; i++)
		*host_word(dup, at(&t, i), true) = 7;
	CHECK(reads_right(&t, t.as));
	CHECK_EQ(swap_references(), 0);
	/* A duplicate's pages are copied when it is duplicated; what of them is in swap is shared. */
	age_all(&t, dup);
	aspace_load(dup);
	while (reclaim_pages(0, PAGES) && count_here(&t, dup))
		;
	CHECK(swap_references() >= PAGES);
	third = duplicate(dup);
	CHECK(third);
	for (u64 i = 0; i < PAGES; i++) {
		CHECK_EQ(*host_word(third, at(&t, i), false), 7);
		CHECK_EQ(*host_word(dup, at(&t, i), true), 7);
	}
	CHECK(reads_right(&t, t.as));
	aspace_load(NULL);
	aspace_destroy(dup);
	aspace_destroy(third);
	CHECK(gone(&t));
}

/* A page that both map leaves with one write: each slot has a reference, and each reads its own in. */
TEST(swap_takes_pages_that_a_space_and_its_duplicate_map)
{
	struct rig t;

	setup(&t);
	struct aspace *dup = duplicate(t.as);

	CHECK(dup);
	age_all(&t, t.as);
	age_all(&t, dup);
	knobs.reclaim_batch = 4;
	CHECK_EQ(reclaim_pages(0, PAGES), PAGES);
	CHECK_EQ(COUNTED(&t, written_back), PAGES);
	CHECK_EQ(swap_references(), 2 * PAGES);
	CHECK_EQ(count_here(&t, t.as) + count_here(&t, dup), 0);
	CHECK(reads_right(&t, dup));
	CHECK(reads_right(&t, t.as));
	CHECK_EQ(COUNTED(&t, read_in), 2 * PAGES);
	*host_word(dup, t.va, true) = 7;
	CHECK_EQ(*host_word(t.as, t.va, false), 100);
	/* And the last one that has it there gives it back. */
	age_all(&t, dup);
	CHECK(reclaim_pages(0, PAGES) >= PAGES);
	aspace_load(NULL);
	aspace_destroy(dup);
	CHECK(reads_right(&t, t.as));
	CHECK(gone(&t));
}

static struct page *pinned[PAGES]; /* by each page's number; NULL: is not */

/* Of pages that were pinned when they were copied, the first is let go of, and leaves before the space is divided. */
static void first_leaves(u64 to __unused, u64 from)
{
	if (from == page_to_phys(pinned[0]) >> PAGE_SHIFT)
		return;
	fake_hooks.copied = NULL;
	page_put(pinned[0], PAGE_PIN);
	pinned[0] = NULL;
	CHECK(reclaim_pages(0, PAGES) >= 1);
}

/* `step`: every page that is pinned. If all are, nothing but the copies needs slots. */
static void duplicate_while_first_leaves(u64 step)
{
	struct rig t;

	setup(&t);
	for (u64 i = 0; i < PAGES; i += step)
		CHECK(page_get(pinned[i] = host_page(t.as, at(&t, i)), PAGE_PIN));
	fake_hooks.copied = first_leaves;
	struct aspace *dup = duplicate(t.as);

	CHECK(dup && !pinned[0] && !is_here(t.as, t.va));
	CHECK(reads_right(&t, t.as));
	CHECK(reads_right(&t, dup));
	CHECK_EQ(swap_references(), 0);
	for (u64 i = step; i < PAGES; i += step)
		page_put(pinned[i], PAGE_PIN);
	aspace_load(NULL);
	aspace_destroy(dup);
	CHECK(gone(&t));
}

/* What the duplicate has a copy of is still all that the space itself has, wherever it is by then. */
TEST(swap_has_a_page_that_was_pinned_when_it_was_duplicated)
{
	duplicate_while_first_leaves(2);
	duplicate_while_first_leaves(1);
}

/* Whatever request of a duplication fails: the space is as before, and no reference is lost. */
TEST(swap_survives_duplications_without_memory)
{
	bool done = false;

	for (unsigned left = 0; !done && left < 64; left++) {
		struct rig t;
		int err;

		setup(&t);
		CHECK_EQ(reclaim_pages(0, 3), 3);
		host_take_all(left);
		struct aspace *dup = aspace_dup(t.as, "dup", 0, &err);

		host_give_back();
		done = dup;
		CHECK_EQ(swap_references(), dup ? 6 : 3);
		if (dup)
			CHECK(reads_right(&t, dup));
		CHECK(reads_right(&t, t.as));
		aspace_load(NULL);
		if (dup)
			aspace_destroy(dup);
		CHECK(gone(&t));
	}
	CHECK(done);
}

/* ---- when memory runs out ------------------------------------------------------------------------- */

/* Twice as many pages as there are frames for, written and read in turn. */
TEST(swap_runs_a_working_set_of_twice_the_memory)
{
	enum { LEFT = 24, MANY = 2 * LEFT, ROUNDS = 6 };
	struct test_store s;
	vaddr_t va;

	host_mm();
	u64 before = host_in_use();

	CHECK(host_swap(&s, MANY));
	struct aspace *as = host_space(MANY, RW, false, 0, &va);

	CHECK(host_word(as, va, true)); /* tables and slots are there */
	*host_word(as, va, true) = 0;
	host_leave_frames(LEFT);
	u64 reclaimed = this_cpu_ptr(mm_counters)->reclaimed;

	knobs.reclaim_batch = 8;
	for (u64 round = 0; round < ROUNDS; round++)
		for (u64 i = 0; i < MANY; i++) {
			u64 *word = host_word(as, va + i * PAGE_SIZE, true);

			CHECK(word && *word == round);
			*word = round + 1;
		}
	CHECK(this_cpu_ptr(mm_counters)->reclaimed >= reclaimed + (ROUNDS - 1) * LEFT);
	host_give_back();
	knobs.reclaim_batch = 1;
	aspace_load(NULL);
	aspace_destroy(as);
	CHECK(host_swap_gone(&s));
	CHECK_EQ(host_in_use(), before);
}

/* No frame, and no room in swap: an error of the access, nothing lost; and all goes on with more room. */
TEST(swap_that_is_full_with_no_frame_left_is_an_error)
{
	struct test_store s;
	vaddr_t va;

	host_mm();
	u64 before = host_in_use();

	CHECK(host_swap(&s, 4));
	struct aspace *as = host_space(64, RW, false, 0, &va);

	CHECK(host_word(as, va, true));
	host_leave_frames(16);
	u64 n = 0;
	u64 *word;

	for (; n < 64 && (word = host_word(as, va + n * PAGE_SIZE, true)); n++)
		*word = 100 + n;
	CHECK(n >= 16 && n < 64);
	CHECK(!host_word(as, va + n * PAGE_SIZE, false));
	host_give_back();
	for (u64 i = 0; i < n; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), 100 + i);
	aspace_load(NULL);
	aspace_destroy(as);
	CHECK(host_swap_gone(&s));
	CHECK_EQ(host_in_use(), before);
}
