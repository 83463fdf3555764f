/* The software MMU without concurrency: what is zapped, flushed, refilled, and counted, by each knob's value. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/dup.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/softmmu.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>
#include <kernel/error.h>

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 8 };

static struct softmmu guest;
static struct mm_counters before;

static bool set(const char *knob, const char *value)
{
	char err[160];

	return !knob_set(knob, value, "test", err, sizeof(err));
}

/* One access by the guest on this CPU, which comes for it and goes. NULL: not allowed. */
static u64 *reach(u64 page, bool write)
{
	for (;;) {
		irqflags_t flags = irq_save();

		softmmu_enter(&guest);
		u64 *at = softmmu_translate(&guest, page, write);

		softmmu_leave(&guest);
		irq_restore(flags);
		if (at || !softmmu_fault(&guest, page, write))
			return at;
	}
}

struct access {
	u64 page;
	u64 *at;
};

static void reach_from(void *arg)
{
	struct access *a = arg;

	a->at = reach(a->page, true);
}

static void stay(void *arg)
{
	struct access *a = arg;

	reach_from(a);
	irqflags_t flags = irq_save();

	softmmu_enter(&guest);
	a->at = softmmu_translate(&guest, a->page, true);
	irq_restore(flags);
}

static void go(void *arg __unused)
{
	irqflags_t flags = irq_save();

	softmmu_leave(&guest);
	irq_restore(flags);
}

static struct aspace *begin(u64 pages, bool huge, vaddr_t *va)
{
	struct aspace *as = host_space(pages, RW, huge, 0, va);

	aspace_populate(as, *va, pages << PAGE_SHIFT, 0);
	if (softmmu_create(&guest, as, *va, pages, 0))
		return NULL;
	before = *host_counters(0);
	return as;
}

static void finish(struct aspace *as)
{
	softmmu_destroy(&guest);
	set("notify", "start");
	set("pinned", "mark");
	aspace_destroy(as);
}

/* Since the last time. */
static u64 zapped(void)
{
	u64 n = host_counters(0)->secondary_invalidations - before.secondary_invalidations;

	before.secondary_invalidations += n;
	return n;
}

static u64 broken(void)
{
	u64 n = host_counters(0)->secondary_broken_2m - before.secondary_broken_2m;

	before.secondary_broken_2m += n;
	return n;
}

static u64 rebuilt(void)
{
	u64 n = host_counters(0)->secondary_rebuilt_2m - before.secondary_rebuilt_2m;

	before.secondary_rebuilt_2m += n;
	return n;
}

static u64 refills(void)
{
	u64 n = host_counters(0)->secondary_refills - before.secondary_refills;

	before.secondary_refills += n;
	return n;
}

static u64 useless(void)
{
	u64 n = host_counters(0)->secondary_useless - before.secondary_useless;

	before.secondary_useless += n;
	return n;
}

static bool touch_all(void)
{
	for (u64 page = 0; page < guest.pages; page++)
		if (!reach(page, true))
			return false;
	return true;
}

TEST(guest_sees_and_writes_what_the_space_has)
{
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as);
	*host_word(as, va + 3 * PAGE_SIZE, true) = 7;
	CHECK_EQ(*reach(3, false), 7);
	*reach(3, true) = 8;
	CHECK_EQ(*host_word(as, va + 3 * PAGE_SIZE, false), 8);
	CHECK_EQ(refills(), 1);
	CHECK(reach(3, true) == reach(3, false));
	CHECK_EQ(refills(), 0);
	CHECK_EQ(host_counters(0)->guest_exits_fault - before.guest_exits_fault, 1);
	CHECK_EQ(aspace_protect(as, va, PAGES * PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(zapped(), 1);
	CHECK(!reach(3, true));
	CHECK_EQ(*reach(3, false), 8);
	CHECK(!reach(3, true)); /* though the CPU holds it, read-only */
	CHECK_EQ(aspace_unmap(as, va, PAGES * PAGE_SIZE), 0);
	CHECK(!reach(3, false));
	finish(as);
}

/* The seed's waste: every page of a window goes, though none becomes inaccessible; and who is spared by what. */
TEST(scan_zaps_as_the_knobs_say)
{
	static const struct {
		const char *notify, *pinned;
		u64 zapped, useless; /* of PAGES, of which the first half is pinned */
	} rows[] = {
		{"start", "mark", PAGES, PAGES},
		{"start", "skip", PAGES, PAGES},
		{"protect", "mark", PAGES, PAGES},
		{"protect", "skip", PAGES / 2, PAGES / 2},
		{"protect", "skip-cow", PAGES / 2, PAGES / 2},
		{"late", "skip", PAGES / 2, PAGES / 2},
		{"late", "mark", PAGES, PAGES},
	};
	struct page *page[PAGES / 2];
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as);
	for (unsigned i = 0; i < PAGES / 2; i++)
		CHECK_EQ(aspace_pin(as, va + i * PAGE_SIZE, true, &page[i]), 0);
	CHECK(touch_all());
	refills();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK(set("notify", rows[i].notify) && set("pinned", rows[i].pinned));
		hint_mark(as, va, va + PAGES * PAGE_SIZE);
		CHECK_EQ(zapped(), rows[i].zapped);
		CHECK(touch_all());
		CHECK_EQ(refills(), rows[i].zapped);
		CHECK_EQ(useless(), rows[i].useless);
	}
	/* Behind the first that is not pinned, too. */
	for (unsigned i = 0; i < PAGES / 2; i++)
		page_put(page[i], PAGE_PIN);
	CHECK_EQ(aspace_pin(as, va + 5 * PAGE_SIZE, true, &page[0]), 0);
	CHECK(set("notify", "late") && set("pinned", "skip"));
	CHECK_EQ(hint_mark(as, va, va + PAGES * PAGE_SIZE), PAGES - 1);
	CHECK_EQ(zapped(), PAGES - 1);
	CHECK(reach(5, true));
	CHECK_EQ(refills(), 0);
	CHECK(touch_all());
	CHECK_EQ(refills(), PAGES - 1);
	page_put(page[0], PAGE_PIN);
	finish(as);
}

/* A page that moves: zapped before the copy, refilled with another frame. */
TEST(guest_follows_a_page_that_moves)
{
	struct migrate_stats stats;
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as);
	*reach(2, true) = 11;
	refills();
	CHECK_EQ(host_migrate(as, va, PAGES, 1, &stats, NULL), 0);
	CHECK_EQ(zapped(), 1);
	CHECK_EQ(*reach(2, false), 11);
	CHECK(virt_to_page(reach(2, false)) == host_page(as, va + 2 * PAGE_SIZE));
	CHECK_EQ(refills(), 1);
	CHECK_EQ(useless(), 0);
	finish(as);
}

/* Another CPU runs the guest: it is asked, by one request for both stages where the scan gathers. */
TEST(guest_elsewhere_is_flushed_with_the_scan)
{
	struct mm_counters *theirs = cpu_ptr(1, mm_counters), there;
	struct access a = {.page = 1};
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as);
	fake_on_cpu(1, stay, &a);
	CHECK(a.at);
	there = *theirs;
	CHECK(set("notify", "protect"));
	CHECK_EQ(hint_mark(as, va, va + PAGES * PAGE_SIZE), PAGES);
	CHECK_EQ(theirs->secondary_flushes - there.secondary_flushes, 1);
	CHECK_EQ(theirs->guest_exits_shootdown - there.guest_exits_shootdown, 1);
	CHECK(!guest.owing && !guest.changing);
	for (unsigned i = 0; i < SOFT_TLB_SLOTS; i++)
		CHECK(!cpu_ptr(1, soft_tlb)->slot[i].of);
	fake_on_cpu(1, go, NULL);
	/* One that has gone is not asked, and flushes when it comes back. */
	fake_on_cpu(1, reach_from, &a);
	there = *theirs;
	CHECK_EQ(aspace_drop(as, va, PAGES * PAGE_SIZE), 0);
	CHECK_EQ(theirs->secondary_flushes, there.secondary_flushes);
	fake_on_cpu(1, reach_from, &a);
	CHECK_EQ(theirs->secondary_flushes - there.secondary_flushes, 1);
	CHECK_EQ(*a.at, 0);
	finish(as);
}

/* 2 MiB: one entry, which goes whole with any part of it, from what CPUs hold, too. */
TEST(guest_has_large_pages)
{
	struct access a = {.page = 300};
	struct change change;
	vaddr_t va;
	struct aspace *as = begin(2 * HUGE_PAGES, true, &va);

	CHECK(as);
	*host_word(as, va + 300 * PAGE_SIZE, true) = 5;
	fake_on_cpu(1, stay, &a);
	CHECK(a.at && *a.at == 5);
	CHECK(reach(0, true) && reach(511, true));
	CHECK_EQ(refills(), 0); /* the other CPU installed it */
	CHECK(reach(HUGE_PAGES, true));
	CHECK_EQ(refills(), 1);
	CHECK_EQ(host_counters(0)->secondary_refills_2m - before.secondary_refills_2m, 1);
	/* A change of one small part. */
	CHECK_EQ(change_begin(&change, as, CHANGE_PROTECT, va, va + PAGE_SIZE), 0);
	CHECK_EQ(zapped(), 1);
	for (unsigned i = 0; i < SOFT_TLB_SLOTS; i++)
		CHECK(!cpu_ptr(1, soft_tlb)->slot[i].of);
	change_end(&change);
	fake_on_cpu(1, go, NULL);
	CHECK(reach(0, true));
	CHECK_EQ(useless(), 1);
	/* The scan takes 2 MiB entries as they are, with one flush. */
	CHECK(set("notify", "protect"));
	CHECK_EQ(hint_mark(as, va, va + 2 * HUGE_SIZE), 2);
	CHECK_EQ(zapped(), 2);
	/* Cut: small ones from now on. */
	CHECK(reach(0, true));
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(zapped(), 1);
	refills();
	CHECK_EQ(broken(), 0);
	CHECK(reach(0, false) && reach(1, true) && reach(2, true));
	CHECK_EQ(refills(), 3);
	CHECK_EQ(broken(), 1);
	CHECK_EQ(*reach(300, false), 5);
	CHECK_EQ(broken(), 0);
	finish(as);
}

/* It is broken up when the space's page is cut, which no scan and no move of all of it does, and whole again when that is. */
TEST(guest_breaks_large_pages_only_where_it_must)
{
	struct migrate_stats stats;
	vaddr_t va;
	int err = 0;
	struct aspace *as = begin(2 * HUGE_PAGES, true, &va);

	CHECK(as && reach(0, true) && reach(HUGE_PAGES, true));
	for (unsigned i = 0; i < 3; i++) {
		CHECK(set("notify", i == 0 ? "start" : i == 1 ? "protect" : "late"));
		CHECK_EQ(hint_mark(as, va, va + PAGE_SIZE), 1); /* of all its page */
		CHECK_EQ(host_migrate(as, va, 2 * HUGE_PAGES, (i + 1) % 2, &stats, NULL), 0);
		CHECK(reach(7, true) && reach(HUGE_PAGES + 7, true));
	}
	CHECK(broken() == 0 && rebuilt() == 0);
	CHECK_EQ(host_counters(0)->pages_split, before.pages_split);
	CHECK_EQ(aspace_protect(as, va + 5 * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(aspace_protect(as, va + 5 * PAGE_SIZE, PAGE_SIZE, RW), 0);
	CHECK(reach(5, true) && reach(6, true) && reach(HUGE_PAGES, true));
	CHECK(broken() == 1 && rebuilt() == 0);
	CHECK_EQ(host_counters(0)->pages_split - before.pages_split, 1);
	/* The table goes with the memory, and other memory has a page of 2 MiB there. */
	CHECK_EQ(aspace_unmap(as, va, HUGE_SIZE), 0);
	CHECK_EQ(aspace_map(as, NULL, 0, 0, HUGE_SIZE, RW, true, 0, &err), va);
	CHECK(reach(5, true) && reach(6, true));
	CHECK(broken() == 0 && rebuilt() == 1);
	CHECK(reach(300, true) && !*reach(300, true));
	CHECK(broken() == 0 && rebuilt() == 0);
	finish(as);
}

/* The end of the guest's memory lies within a 2 MiB page of the space. */
TEST(guest_with_part_of_a_large_page)
{
	vaddr_t va;
	struct aspace *as = host_space(HUGE_PAGES, RW, true, 0, &va);

	CHECK_EQ(aspace_populate(as, va, HUGE_SIZE, 0), HUGE_PAGES);
	CHECK_EQ(softmmu_create(&guest, as, va, 10, 0), 0);
	before = *host_counters(0);
	*host_word(as, va + 9 * PAGE_SIZE, true) = 3;
	CHECK_EQ(*reach(9, true), 3);
	CHECK(reach(0, true));
	CHECK_EQ(host_counters(0)->secondary_refills_2m, before.secondary_refills_2m);
	CHECK_EQ(hint_mark(as, va, va + HUGE_SIZE), 1);
	CHECK_EQ(zapped(), 2);
	finish(as);
}

/* Changes of other memory of the space do not concern it. */
TEST(guest_is_not_told_of_other_memory)
{
	vaddr_t va, other;
	int err = 0;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as && touch_all());
	other = aspace_map(as, NULL, 0, 0, PAGES * PAGE_SIZE, RW, false, 0, &err);
	CHECK_EQ(aspace_populate(as, other, PAGES * PAGE_SIZE, 0), PAGES);
	CHECK_EQ(hint_mark(as, other, other + PAGES * PAGE_SIZE), PAGES);
	CHECK(set("notify", "late"));
	CHECK_EQ(aspace_populate(as, other, PAGES * PAGE_SIZE, 0), PAGES);
	CHECK_EQ(aspace_unmap(as, other, PAGES * PAGE_SIZE), 0);
	CHECK_EQ(zapped(), 0);
	CHECK_EQ(guest.ended, 0);
	finish(as);
}

TEST(guest_finds_no_place)
{
	struct softmmu more[CHANGE_SUBSCRIBERS];
	u64 stages;
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as);
	stages = tlb_stage2_count;
	for (unsigned i = 1; i < CHANGE_SUBSCRIBERS; i++)
		CHECK_EQ(softmmu_create(&more[i], as, va, PAGES, 0), 0);
	CHECK_EQ(softmmu_create(&more[0], as, va, PAGES, 0), -EBUSY);
	CHECK_EQ(tlb_stage2_count, stages + CHANGE_SUBSCRIBERS - 1);
	for (unsigned i = 1; i < CHANGE_SUBSCRIBERS; i++)
		softmmu_destroy(&more[i]);
	finish(as);
}
