/* Duplicates of spaces: who sees what, what is copied and when, and that a failure leaves nothing. */
#include "host_file.h"

#include <mm/change.h>
#include <mm/cow.h>
#include <mm/dup.h>
#include <mm/fault.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/stats.h>

enum { PAGES = 4 };

struct pair {
	struct aspace *as, *dup;
	vaddr_t va;
	u64 before;
};

static vaddr_t at(const struct pair *t, u64 i)
{
	return t->va + i * PAGE_SIZE;
}

/* Pages that hold 100, 101, ...; the last one was never touched. */
static void setup(struct pair *t)
{
	*t = (struct pair){0};
	host_mm();
	t->before = host_in_use();
	t->as = host_space(PAGES, RW, false, 1, &t->va);
	for (u64 i = 0; i + 1 < PAGES; i++)
		*host_word(t->as, at(t, i), true) = 100 + i;
}

/* NULL: it failed, which no test that calls this one expects. */
static struct aspace *duplicate(struct aspace *as)
{
	int err = 1;
	struct aspace *dup = aspace_dup(as, "dup", 0, &err);

	return err ? NULL : dup;
}

static bool gone(struct pair *t)
{
	aspace_load(NULL);
	if (t->dup)
		aspace_destroy(t->dup);
	aspace_destroy(t->as);
	return host_in_use() == t->before;
}

#define SHOOTDOWNS (this_cpu_ptr(mm_counters)->shootdowns)

TEST(dup_pages_are_shared_until_they_are_written)
{
	struct pair t;

	setup(&t);
	u64 used = host_in_use(), flushes = SHOOTDOWNS;

	CHECK((t.dup = duplicate(t.as)));
	CHECK_EQ(SHOOTDOWNS, flushes + 1); /* one for all */
	CHECK(host_in_use() < used + 12); /* tables, no pages */
	for (u64 i = 0; i + 1 < PAGES; i++) {
		struct page *page = host_page(t.as, at(&t, i));

		CHECK(host_page(t.dup, at(&t, i)) == page);
		CHECK_EQ(page->mapcount, 2);
		CHECK_EQ(page_refs(page), 2);
		CHECK(!pte_is_writable(host_entry(t.as, at(&t, i))));
		CHECK(!pte_is_writable(host_entry(t.dup, at(&t, i))));
	}
	*host_word(t.as, t.va, true) = 7;
	CHECK_EQ(*host_word(t.dup, t.va, false), 100);
	*host_word(t.dup, at(&t, 1), true) = 8;
	CHECK_EQ(*host_word(t.as, at(&t, 1), false), 101);
	CHECK_EQ(*host_word(t.as, t.va, false), 7);
	CHECK_EQ(*host_word(t.dup, at(&t, 1), false), 8);
	CHECK(gone(&t));
}

/* What the one has new, the other has not; and what it gives up is zero, not what the other has there. */
TEST(dup_absent_pages_are_zero)
{
	struct pair t;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	*host_word(t.as, at(&t, PAGES - 1), true) = 5;
	CHECK_EQ(*host_word(t.dup, at(&t, PAGES - 1), false), 0);
	CHECK_EQ(aspace_drop(t.dup, t.va, PAGE_SIZE), 0);
	CHECK_EQ(*host_word(t.dup, t.va, false), 0);
	CHECK_EQ(*host_word(t.as, t.va, false), 100);
	CHECK(gone(&t));
}

/* The last one that maps a page writes it in place, and the first duplicate may be the last. */
TEST(dup_page_without_another_mapping_is_not_copied)
{
	struct pair t;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	struct page *page = host_page(t.as, t.va);

	aspace_load(NULL);
	aspace_destroy(t.dup);
	t.dup = NULL;
	*host_word(t.as, t.va, true) = 7;
	CHECK(host_page(t.as, t.va) == page);
	CHECK((t.dup = duplicate(t.as)));
	CHECK_EQ(*host_word(t.dup, t.va, false), 7);
	CHECK(gone(&t));

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	page = host_page(t.as, t.va);
	aspace_load(NULL);
	aspace_destroy(t.as);
	CHECK_EQ(*host_word(t.dup, t.va, false), 100);
	*host_word(t.dup, t.va, true) = 7;
	CHECK(host_page(t.dup, t.va) == page);
	t.as = t.dup;
	t.dup = NULL;
	CHECK(gone(&t));
}

/* A reference that is no mapping: whoever has it reads the page. */
TEST(dup_page_that_somebody_holds_is_copied)
{
	struct pair t;
	struct page *pinned;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	CHECK_EQ(aspace_pin(t.dup, t.va, false, &pinned), 0);
	aspace_destroy(t.dup);
	t.dup = NULL;
	*host_word(t.as, t.va, true) = 7;
	CHECK(host_page(t.as, t.va) != pinned);
	CHECK_EQ(*(u64 *)page_to_virt(pinned), 100);
	page_put(pinned, PAGE_PIN);
	CHECK(gone(&t));
}

TEST(dup_pinned_page_is_copied_and_stays)
{
	struct pair t;
	struct page *pinned;

	setup(&t);
	CHECK_EQ(aspace_pin(t.as, t.va, true, &pinned), 0);
	CHECK((t.dup = duplicate(t.as)));
	CHECK(host_page(t.as, t.va) == pinned);
	CHECK(host_page(t.dup, t.va) != pinned);
	CHECK_EQ(pinned->mapcount, 1);
	CHECK(host_page(t.dup, at(&t, 1)) == host_page(t.as, at(&t, 1)));
	*(u64 *)page_to_virt(pinned) = 9; /* the pin's owner writes, and only `as` sees it */
	CHECK_EQ(*host_word(t.as, t.va, false), 9);
	CHECK_EQ(*host_word(t.dup, t.va, false), 100);
	*host_word(t.as, t.va, true) = 10;
	CHECK(host_page(t.as, t.va) == pinned);
	CHECK_EQ(*(u64 *)page_to_virt(pinned), 10);
	*host_word(t.dup, t.va, true) = 11;
	CHECK_EQ(*host_word(t.as, t.va, false), 10);
	page_put(pinned, PAGE_PIN);
	CHECK(gone(&t));
}

/* There is one level of shadows. */
TEST(dup_of_a_duplicate_copies)
{
	struct pair t;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	*host_word(t.dup, t.va, true) = 7;
	struct aspace *third = duplicate(t.dup), *fourth = duplicate(t.as);

	CHECK(third && fourth);
	for (u64 i = 0; i + 1 < PAGES; i++) {
		CHECK_EQ(*host_word(third, at(&t, i), false), i ? 100 + i : 7);
		CHECK_EQ(*host_word(fourth, at(&t, i), false), 100 + i);
		CHECK(host_page(third, at(&t, i)) != host_page(t.dup, at(&t, i)));
		CHECK_EQ(host_page(fourth, at(&t, i))->mapcount, 1);
	}
	CHECK(pte_is_writable(host_entry(t.dup, t.va))); /* its own copy, which nobody shares */
	aspace_load(NULL);
	aspace_destroy(third);
	aspace_destroy(fourth);
	CHECK(gone(&t));
}

TEST(dup_of_shared_memory_shares_it)
{
	struct pair t = {0};
	vaddr_t x, y;

	host_mm();
	t.before = host_in_use();
	t.as = aspace_create("as", 0);
	struct aspace *other = aspace_create("other", 0);
	struct object *obj = host_shared(t.as, other, &x, &y);

	*host_word(t.as, x, true) = 1;
	CHECK((t.dup = duplicate(t.as)));
	*host_word(t.dup, x, true) = 2;
	CHECK_EQ(*host_word(t.as, x, false), 2);
	CHECK_EQ(*host_word(other, y, false), 2);
	object_put(obj);
	aspace_load(NULL);
	aspace_destroy(other);
	CHECK(gone(&t));
}

TEST(dup_of_files)
{
	struct test_store s = {0};
	vaddr_t va, own;
	int err;

	host_mm();
	u64 before = host_in_use();
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va), *dup;

	own = aspace_map_private(as, s.file, 1, 0, 2 * PAGE_SIZE, RW, 0, &err);
	*host_word(as, va + PAGE_SIZE, true) = 1;
	*host_word(as, va + 2 * PAGE_SIZE, true) = 2;
	*host_word(as, own, true) = 11;
	CHECK((dup = duplicate(as)));
	CHECK_EQ(*host_word(dup, own, false), 11); /* a copy of the copy */
	CHECK(host_page(dup, own) != host_page(as, own));
	CHECK_EQ(*host_word(dup, own + PAGE_SIZE, false), 2);
	*host_word(dup, va + 2 * PAGE_SIZE, true) = 3; /* shared, and shown by the private views */
	CHECK_EQ(*host_word(as, own + PAGE_SIZE, false), 3);
	*host_word(dup, own, true) = 12;
	CHECK_EQ(*host_word(as, own, false), 11);
	aspace_load(NULL);
	aspace_destroy(dup);
	CHECK(host_file_gone(&s, as, before));
}

TEST(dup_of_large_pages_copies_into_small_ones)
{
	struct pair t = {0};

	host_mm();
	t.before = host_in_use();
	t.as = host_space(HUGE_SIZE / PAGE_SIZE, RW, true, 0, &t.va);
	*host_word(t.as, t.va, true) = 1;
	*host_word(t.as, t.va + HUGE_SIZE - PAGE_SIZE, true) = 2;
	CHECK((t.dup = duplicate(t.as)));
	*host_word(t.as, t.va, true) = 3;
	CHECK_EQ(*host_word(t.dup, t.va, false), 1);
	CHECK_EQ(*host_word(t.dup, t.va + HUGE_SIZE - PAGE_SIZE, false), 2);
	CHECK_EQ(*host_word(t.dup, t.va + PAGE_SIZE, false), 0);
	CHECK(gone(&t));
}

/* Cut areas of one object, rights, and entries of a NUMA scan. */
TEST(dup_of_areas_that_were_cut)
{
	struct pair t;

	setup(&t);
	CHECK_EQ(aspace_protect(t.as, at(&t, 1), PAGE_SIZE, PROT_READ), 0);
	knobs.hint = HINT_EARLY;
	hint_mark(t.as, at(&t, 2), at(&t, 3));
	CHECK((t.dup = duplicate(t.as)));
	CHECK(!host_word(t.dup, at(&t, 1), true));
	CHECK_EQ(*host_word(t.as, at(&t, 2), false),
		 102); /* the hint entry lost write access, too */
	*host_word(t.as, at(&t, 2), true) = 7;
	CHECK_EQ(*host_word(t.dup, at(&t, 2), false), 102);
	CHECK_EQ(aspace_protect(t.as, at(&t, 1), PAGE_SIZE, RW), 0);
	*host_word(t.as, at(&t, 1), true) = 8;
	CHECK_EQ(*host_word(t.dup, at(&t, 1), false), 101);
	CHECK(gone(&t));
}

/* Pages of both move, as one that two spaces map. */
TEST(dup_pages_move)
{
	struct migrate_stats stats;
	struct pair t;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	CHECK_EQ(host_migrate(t.dup, t.va, PAGES, 0, &stats, NULL), 0);
	CHECK_EQ(stats.moved, PAGES - 1);
	CHECK_EQ(host_page(t.as, t.va)->node, 0);
	CHECK(host_page(t.as, t.va) == host_page(t.dup, t.va));
	*host_word(t.as, t.va, true) = 7;
	CHECK_EQ(*host_word(t.dup, t.va, false), 100);
	CHECK(gone(&t));
}

/*
 * A fault that may reuse the page, and one that copies it: each has decided, and sees what the other one has done
 * since. By hand, as they would have to meet between two of their steps.
 */
TEST(dup_reuse_and_copy_see_each_other)
{
	struct pair t;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	struct area *area = aspace_find(t.as, t.va);
	struct place at = {.obj = area->object, .slot = object_slot(area->object, 0, true)};
	struct pt_pos pos = pgwalk_find(t.as->root, t.va, 0);
	struct fault f = {
		.as = t.as,
		.va = t.va,
		.write = true,
		.seen = pte_load(pos.ptep),
		.reused = &at,
		.refs = 2, /* as if the duplicate's mapping were gone, and we held the page */
		.dirties = true};

	CHECK_EQ(cow_reuse(&f), FAULT_DONE);
	CHECK(!f.dirties);
	slot_store(at.slot, slot_busy(cpu_id()));
	CHECK_EQ(cow_reuse(&f), FAULT_WAIT);
	CHECK(f.fill.slot == at.slot && !f.fill.page); /* it waits for the copy */
	slot_settle(at.slot, slot_none());
	CHECK_EQ(object_fill_end(&f.fill), 0);

	f.seen = pte_mk_writable(
		pte_load(pos.ptep)); /* as if it had been read-only, and is reused now */
	struct page *copy = pmm_alloc(0, 0, 0);

	CHECK(object_fill_begin(&f.fill, at.obj, 0, at.slot, slot_none(), copy));
	CHECK_EQ(cow_unmap_below(&f, area, pos), FAULT_RETRY);
	CHECK(slot_is_none(slot_load(at.slot)));
	CHECK_EQ(host_page(t.as, t.va)->mapcount, 2);
	CHECK_EQ(host_page(t.as, t.va)->flags, PG_EXCLUSIVE);
	CHECK(gone(&t));
}

struct watcher {
	struct change_subscriber subscriber;
	const struct page *page;
	bool isolated; /* when its entry was about to go */
};

static int look(struct change_subscriber *s, const struct change *change)
{
	struct watcher *w = container_of(s, struct watcher, subscriber);

	if (change->why == CHANGE_COPY)
		w->isolated = w->page->flags & PG_ISOLATED;
	return 0;
}

static void ignore(struct change_subscriber *s __unused, const struct change *change __unused)
{
}

/* A migrator relies on the mappings of what it has isolated: so who takes one away isolates the page first. */
TEST(dup_page_is_isolated_while_its_entry_goes)
{
	struct watcher w = {.subscriber = {.begin = look, .end = ignore}};
	struct pair t;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	w.page = host_page(t.as, t.va);
	CHECK_EQ(change_subscribe(t.as, &w.subscriber), 0);
	*host_word(t.as, t.va, true) = 7;
	change_unsubscribe(t.as, &w.subscriber);
	CHECK(w.isolated);
	CHECK(host_page(t.as, t.va) != w.page);
	CHECK(!(w.page->flags & PG_ISOLATED));
	CHECK(gone(&t));
}

/* What was copied stays although its writer is not allowed to go on: its fault maps it before it lets go of the space. */
TEST(dup_copy_is_mapped_by_the_fault_that_made_it)
{
	struct pair t;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	u64 retried = this_cpu_ptr(mm_counters)->retried_faults;

	CHECK(fault_handle(t.as, t.va, true, false));
	CHECK(pte_is_writable(host_entry(t.as, t.va)));
	CHECK_EQ(this_cpu_ptr(mm_counters)->retried_faults, retried);
	CHECK(gone(&t));
}

/* ---- what fails ------------------------------------------------------------------------ */

static bool is_as_before(const struct pair *t)
{
	bool ok = !aspace_find(t->as, t->va)->object->is_shadow;

	for (u64 i = 0; i + 1 < PAGES; i++)
		ok &= *host_word(t->as, at(t, i), false) == 100 + i &&
		      pte_is_writable(host_entry(t->as, at(t, i))) &&
		      host_page(t->as, at(t, i))->mapcount == 1;
	return ok;
}

TEST(dup_without_memory_leaves_nothing)
{
	struct page *pinned;
	struct pair t;
	unsigned failed = 0;

	setup(&t);
	CHECK_EQ(aspace_pin(t.as, at(&t, 1), true, &pinned), 0);
	u64 used = host_in_use();

	for (unsigned left = 0; failed == left && left < 512; left++) {
		int err = 0;

		host_take_all(left);
		t.dup = aspace_dup(t.as, "dup", 0, &err);
		host_give_back();
		failed += !t.dup;
		if (t.dup)
			continue;
		CHECK_EQ(err, -ENOMEM);
		CHECK(is_as_before(&t));
		CHECK_EQ(host_in_use(), used);
	}
	CHECK(failed > 4 && failed < 512);
	page_put(pinned, PAGE_PIN);
	CHECK(gone(&t));
}

static int refuse(struct change_subscriber *s __unused, const struct change *change)
{
	return change->why == CHANGE_DUPLICATE ? -EBUSY : 0;
}

TEST(dup_that_a_subscriber_refuses)
{
	struct change_subscriber s = {.begin = refuse, .end = ignore};
	struct pair t;
	int err = 0;

	setup(&t);
	u64 used = host_in_use();

	CHECK_EQ(change_subscribe(t.as, &s), 0);
	CHECK(!aspace_dup(t.as, "dup", 0, &err));
	CHECK_EQ(err, -EBUSY);
	CHECK(is_as_before(&t));
	CHECK_EQ(host_in_use(), used);
	change_unsubscribe(t.as, &s);
	CHECK((t.dup = duplicate(t.as)));
	CHECK(gone(&t));
}

/*
 * When a fault looks, the frame may be somebody else's, or about to get its page back, and have one reference. The
 * entry is the same when the fault goes on, and the page has its mappings.
 */
TEST(dup_page_is_looked_at_again_before_it_is_written_in_place)
{
	struct place place;
	struct pair t;

	setup(&t);
	CHECK((t.dup = duplicate(t.as)));
	struct fault f = {.as = t.dup, .va = at(&t, 0), .write = true};
	struct page *page = host_page(t.dup, f.va);
	struct spinlock *ptl = pt_lock_of(pgwalk_find(t.dup->root, f.va, 0).ptep);
	u64 refs = page->refs;

	f.seen = host_entry(t.dup, f.va);
	page->refs = PAGE_REF;
	CHECK(!cow_must_copy(&f, aspace_find(t.dup, f.va), &place));
	page->refs = refs;
	spin_lock(ptl);
	CHECK_EQ(cow_reuse(&f), FAULT_RETRY);
	spin_unlock(ptl);
	CHECK(!(page->flags & PG_EXCLUSIVE));
	CHECK(gone(&t));
}
