/* Migration: what moves, what does not and why, and that contents, rights and counts survive. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/debt.h>
#include <mm/deferral.h>
#include <mm/kmem.h>
#include <mm/scheme.h>
#include <mm/stats.h>

#define RW (PROT_READ | PROT_WRITE)

static struct aspace *filled(u64 pages, prot_t prot, u32 node, vaddr_t *va)
{
	struct aspace *as = host_space(pages, RW, false, node, va);

	for (u64 i = 0; as && i < pages; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = 1000 + i;
	if (as && prot != RW)
		aspace_protect(as, *va, pages * PAGE_SIZE, prot);
	return as;
}

static bool holds(struct aspace *as, vaddr_t va, u64 pages, u32 node)
{
	for (u64 i = 0; i < pages; i++)
		if (*host_word(as, va + i * PAGE_SIZE, false) != 1000 + i ||
		    host_page(as, va + i * PAGE_SIZE)->node != node ||
		    page_refs(host_page(as, va + i * PAGE_SIZE)) != 1 ||
		    host_page(as, va + i * PAGE_SIZE)->flags & ~(u32)PG_COPIED)
			return false;
	return true;
}

TEST(migrate_there_and_back)
{
	struct migrate_stats stats;
	vaddr_t va;

	struct aspace *as = filled(700, RW, 0, &va);
	u64 used = pmm_used();

	for (unsigned round = 0; round < 4; round++) {
		u32 to = 1 - round % 2;

		CHECK_EQ(host_migrate(as, va, 700, to, &stats, NULL), 0);
		CHECK_EQ(stats.moved, 700);
		CHECK(holds(as, va, 700, to));
		CHECK_EQ(pmm_used(), used);
	}
	CHECK_EQ(host_migrate(as, va, 700, 0, &stats, NULL), 0);
	CHECK_EQ(stats.moved, 0);
	aspace_destroy(as);
}

TEST(migrate_under_every_scheme)
{
	char err[160];

	host_mm();
	for (unsigned i = 0; i < scheme_def_count; i++) {
		struct migrate_stats stats;
		vaddr_t va;

		CHECK_EQ(scheme_apply(scheme_defs[i].name, err, sizeof(err)), 0);
		for (unsigned writable = 0; writable < 2; writable++) {
			struct aspace *as = filled(130, writable ? RW : PROT_READ, 0, &va);

			CHECK_EQ(host_migrate(as, va, 130, 1, &stats, NULL), 0);
			deferral_settle();
			CHECK_EQ(deferral->held(), 0);
			CHECK(holds(as, va, 130, 1));
			aspace_destroy(as);
		}
		scheme_restore();
	}
}

/* A fault that read the slot when the frame was last in it: late, but entitled to the reference. */
static void reference_destination(u64 to, u64 from __unused)
{
	page_get(phys_to_page(to << PAGE_SHIFT), PAGE_REF);
}

TEST(migrate_keeps_references_to_the_destination)
{
	struct migrate_stats stats;
	vaddr_t va;
	struct aspace *as = filled(1, RW, 0, &va);

	fake_hooks.copied = reference_destination;
	CHECK_EQ(host_migrate(as, va, 1, 1, &stats, NULL), 0);
	fake_hooks.copied = NULL;
	CHECK_EQ(stats.moved, 1);
	CHECK_EQ(page_refs(host_page(as, va)), 2);
	page_put(host_page(as, va), PAGE_REF);
	CHECK(holds(as, va, 1, 1));
	aspace_destroy(as);
}

/*
 * Another migrator published the page as its destination and has not mapped all
 * of its entries yet; meanwhile we give the page up and put our entries back.
 */
TEST(migrate_puts_back_only_what_it_took)
{
	struct migrate_stats stats = {0};
	vaddr_t a, b, x, y;

	struct aspace *other = filled(1, RW, 0, &b), *as = filled(1, RW, 0, &a);
	struct object *obj = host_shared(as, other, &x, &y);

	CHECK(host_word(as, x, true) && host_word(other, y, true));
	pte_t *theirs = pgwalk_find(other->root, y, 0).ptep, mapped = pte_load(theirs);
	pte_t moving = pte_mk_migration(pte_mk_leaf(page_to_phys(host_page(other, b)), RW, 0), 0);

	pt_take(theirs, moving);
	CHECK_EQ(host_migrate(as, x, 1, 1, &stats, NULL), 1);
	CHECK_EQ(stats.failed[MIGRATE_RACED], 1);
	CHECK(pte_is_present(pte_load(pgwalk_find(as->root, x, 0).ptep)));
	CHECK_EQ(pte_load(theirs).v, moving.v);
	pt_take(theirs, mapped);
	object_put(obj);
	aspace_destroy(as);
	aspace_destroy(other);
}

TEST(migrate_skips_pinned_pages_and_says_so)
{
	static u8 result[20];
	struct migrate_stats stats;
	struct page *page;
	vaddr_t va;

	struct aspace *as = filled(20, RW, 0, &va);

	CHECK_EQ(aspace_pin(as, va + 7 * PAGE_SIZE, true, &page), 0);
	memset(result, 99, sizeof(result));
	CHECK_EQ(host_migrate(as, va, 20, 1, &stats, result), 1);
	CHECK_EQ(stats.failed[MIGRATE_PINNED], 1);
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(result[i], i == 7 ? MIGRATE_PINNED : MIGRATE_OK);
	CHECK(host_page(as, va + 7 * PAGE_SIZE) == page);
	CHECK_EQ(page->node, 0);
	page_put(page, PAGE_PIN);
	CHECK_EQ(host_migrate(as, va, 20, 1, &stats, NULL), 0);
	CHECK(holds(as, va, 20, 1));
	aspace_destroy(as);
}

TEST(migrate_without_room_leaves_pages_where_they_were)
{
	static struct page *taken[HOST_NODE_PAGES];
	struct migrate_stats stats;
	unsigned n = 0;
	vaddr_t va;

	struct aspace *as = filled(64, RW, 0, &va);

	while (n < HOST_NODE_PAGES && (taken[n] = pmm_alloc(1, 0, PMM_STRICT)))
		n++;
	CHECK_EQ(host_migrate(as, va, 64, 1, &stats, NULL), 64);
	CHECK_EQ(stats.failed[MIGRATE_NO_MEMORY], 64);
	CHECK(holds(as, va, 64, 0));
	for (unsigned i = 0; i < 10; i++)
		pmm_free(taken[--n]);
	CHECK_EQ(host_migrate(as, va, 64, 1, &stats, NULL), 54);
	for (u64 i = 0; i < 64; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), 1000 + i);
	pmm_free_bulk(taken, n);
	aspace_destroy(as);
}

TEST(migrate_keeps_rights_and_dirty_state)
{
	struct migrate_stats stats;
	vaddr_t va;

	struct aspace *as = filled(4, RW, 0, &va);

	aspace_protect(as, va, PAGE_SIZE, PROT_READ);
	pt_change(pgwalk_find(as->root, va + PAGE_SIZE, 0).ptep, pte_mk_clean);
	pt_change(pgwalk_find(as->root, va + 2 * PAGE_SIZE, 0).ptep, pte_mk_old);
	CHECK_EQ(host_migrate(as, va, 4, 1, &stats, NULL), 0);
	pte_t pte[4];

	for (unsigned i = 0; i < 4; i++)
		pte[i] = pte_load(pgwalk_find(as->root, va + i * PAGE_SIZE, 0).ptep);
	CHECK(!pte_is_writable(pte[0]) && pte_is_dirty(pte[0]));
	CHECK(pte_is_writable(pte[1]) && !pte_is_dirty(pte[1]));
	CHECK(!pte_is_accessed(pte[2]) && pte_is_dirty(pte[2]));
	CHECK(pte_is_accessed(pte[3]) && pte_is_dirty(pte[3]));
	aspace_destroy(as);
}

TEST(migrate_moves_every_mapping_of_a_shared_page)
{
	struct migrate_stats stats;
	vaddr_t a, c;
	int err;

	struct aspace *as = host_space(1, RW, false, 0, &a);
	struct aspace *other = host_space(1, RW, false, 0, &c);
	struct object *obj = object_create(8);
	vaddr_t x = aspace_map(as, obj, 0, 0, 8 * PAGE_SIZE, RW, false, 0, &err);
	vaddr_t y = aspace_map(as, obj, 2, 0, 4 * PAGE_SIZE, PROT_READ, false, 0, &err);
	vaddr_t z = aspace_map(other, obj, 0, 0, 8 * PAGE_SIZE, RW, false, 0, &err);

	for (u64 i = 0; i < 8; i++)
		*host_word(as, x + i * PAGE_SIZE, true) = i;
	for (u64 i = 0; i < 4; i++)
		CHECK_EQ(*host_word(as, y + i * PAGE_SIZE, false), i + 2);
	for (u64 i = 0; i < 8; i += 2)
		CHECK_EQ(*host_word(other, z + i * PAGE_SIZE, false), i);
	CHECK_EQ(host_migrate(as, x, 8, 1, &stats, NULL), 0);
	for (u64 i = 0; i < 8; i++) {
		struct page *page = host_page(as, x + i * PAGE_SIZE);

		CHECK_EQ(page->node, 1);
		CHECK_EQ(page->mapcount, 1U + (i >= 2 && i < 6) + (i % 2 == 0));
		CHECK_EQ(page_refs(page), page->mapcount);
		CHECK_EQ(*host_word(other, z + i * PAGE_SIZE, false), i);
	}
	object_put(obj);
	aspace_destroy(as);
	aspace_destroy(other);
}

TEST(migrate_moves_large_pages_whole)
{
	struct migrate_stats stats;
	vaddr_t va;

	struct aspace *as = host_space(2 * HUGE_PAGES, RW, true, 0, &va);

	for (u64 i = 0; i < 2 * HUGE_PAGES; i += 17)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	CHECK_EQ(host_migrate(as, va, 2 * HUGE_PAGES, 1, &stats, NULL), 0);
	CHECK_EQ(stats.moved_huge, 2);
	CHECK_EQ(stats.moved, 2 * HUGE_PAGES);
	CHECK_EQ(host_page(as, va)->node, 1);
	for (u64 i = 0; i < 2 * HUGE_PAGES; i += 17)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), i);
	aspace_destroy(as);
}

/* From and to the inside of a large page: it moves whole, results tell of the range alone, nothing is skipped. */
TEST(migrate_from_and_to_the_inside_of_a_large_page)
{
	enum { SMALL = 4, HALF = HUGE_PAGES / 2, ROOM = 64 };
	static u8 bytes[ROOM + HALF + SMALL + ROOM];
	u8 *result = bytes + ROOM;
	struct migrate_stats stats;
	vaddr_t va, small;
	int err;

	struct aspace *as = host_space(HUGE_PAGES, RW, true, 0, &va);

	small = aspace_map(as, NULL, 0, va + HUGE_SIZE, SMALL * PAGE_SIZE, RW, false, 0, &err);
	CHECK_EQ(small, va + HUGE_SIZE);
	for (u64 i = 0; i < HUGE_PAGES + SMALL; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	memset(bytes, 99, sizeof(bytes));
	/* From its middle to the small pages behind it. */
	CHECK_EQ(host_migrate(as, va + HALF * PAGE_SIZE, HALF + SMALL, 1, &stats, result), 0);
	CHECK_EQ(stats.moved, HUGE_PAGES + SMALL);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		CHECK_EQ(bytes[i], i < ROOM || i >= ROOM + HALF + SMALL ? 99 : MIGRATE_OK);
	for (u64 i = 0; i < SMALL; i++)
		CHECK_EQ(host_page(as, small + i * PAGE_SIZE)->node, 1);
	CHECK_EQ(host_page(as, va)->node, 1);
	/* To its middle: a few pages of it. */
	memset(bytes, 99, sizeof(bytes));
	CHECK_EQ(host_migrate(as, va, SMALL, 0, &stats, result), 0);
	CHECK_EQ(stats.moved, HUGE_PAGES);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		CHECK_EQ(bytes[i], i < ROOM || i >= ROOM + SMALL ? 99 : MIGRATE_OK);
	for (u64 i = 0; i < HUGE_PAGES + SMALL; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), i);
	aspace_destroy(as);
}

/* Results of pages that another space maps, too. */
TEST(migrate_tells_what_became_of_shared_pages)
{
	struct migrate_stats stats;
	struct page *page;
	vaddr_t a, b, x, y;
	u8 result = 99;

	struct aspace *other = filled(1, RW, 0, &b), *as = filled(1, RW, 0, &a);
	struct object *obj = host_shared(as, other, &x, &y);

	CHECK(host_word(as, x, true) && host_word(other, y, true));
	CHECK_EQ(aspace_pin(other, y, true, &page), 0);
	CHECK_EQ(host_migrate(as, x, 1, 1, &stats, &result), 1);
	CHECK_EQ(result, MIGRATE_PINNED);
	page_put(page, PAGE_PIN);
	CHECK_EQ(host_migrate(as, x, 1, 1, &stats, &result), 0);
	CHECK_EQ(result, MIGRATE_OK);
	object_put(obj);
	aspace_destroy(as);
	aspace_destroy(other);
}

static bool scheme_is(const char *name)
{
	char err[160];

	return !scheme_apply(name, err, sizeof(err));
}

/* Two read-only pages of one space moved, their sources held. */
static struct aspace *moved_with_debts(const char *name, vaddr_t *va)
{
	struct migrate_stats stats;
	struct aspace *as = filled(2, PROT_READ, 0, va);

	if (!as || !scheme_is(name))
		return NULL;
	host_migrate(as, *va, 2, 1, &stats, NULL);
	return as;
}

/* What is freed without deferral may have been lent: older entries of other addresses lead to it. */
TEST(deferrals_that_lend_pay_before_anything_is_freed)
{
	struct migrate_stats stats;
	vaddr_t va, other_va;
	struct aspace *as = moved_with_debts("never", &va);
	struct aspace *other = filled(2, RW, 0, &other_va);

	CHECK(as && other);
	CHECK(deferral->lends);
	CHECK_EQ(deferral->held(), 2);
	CHECK_EQ(host_migrate(other, other_va, 2, 1, &stats, NULL), 0);
	CHECK_EQ(deferral->held(), 0);
	scheme_restore();
	aspace_destroy(as);
	aspace_destroy(other);
}

TEST(debts_are_paid_at_each_event)
{
	static const char *const deferring[] = {"never", "batch+defer=skeleton"};

	for (unsigned i = 0; i < 2; i++) {
		struct page *page;
		vaddr_t va;
		struct aspace *as = moved_with_debts(deferring[i], &va);

		CHECK(as);
		CHECK_EQ(deferral->held(), 2);
		CHECK_EQ(aspace_pin(as, va, false, &page), 0);
		CHECK_EQ(deferral->held(), 0); /* a pin */
		page_put(page, PAGE_PIN);
		aspace_destroy(as);

		as = moved_with_debts(deferring[i], &va);
		CHECK_EQ(deferral->held(), 2);
		CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW), 0);
		CHECK_EQ(deferral->held(), 0); /* a change of the range */
		aspace_destroy(as);

		as = moved_with_debts(deferring[i], &va);
		CHECK_EQ(deferral->held(), 2);
		deferral_settle();
		CHECK_EQ(deferral->held(), 0);
		aspace_destroy(as);
		scheme_restore();
	}
}

static u64 sums_of(const u64 buckets[TIME_BUCKETS])
{
	u64 sum = 0;

	for (unsigned i = 0; i < TIME_BUCKETS; i++)
		sum += buckets[i];
	return sum;
}

/* The most that was held at one moment, whether or not it was paid since. */
TEST(frames_held_are_counted_at_their_peak)
{
	vaddr_t va;

	debts_held_max_restart();
	struct aspace *as = moved_with_debts("batch+defer=skeleton", &va);

	CHECK(as);
	deferral_settle();
	CHECK_EQ(deferral->held(), 0);
	CHECK_EQ(debts_held_max(), 2);
	debts_held_max_restart();
	CHECK_EQ(debts_held_max(), 0);
	aspace_destroy(as);
	scheme_restore();
}

/* How much it adds up to, and how old the debt was: a clock that we set says so exactly. */
TEST(frames_held_are_counted_over_time)
{
	enum {
		LONG = 1000,
		BUCKET = 19
	}; /* steps of the clock, a microsecond each: 2^19 ns and more */
	vaddr_t va;
	struct aspace *as = moved_with_debts("batch+defer=skeleton", &va);
	struct mm_counters before = *host_counters(0);
	u64 start = cycles_now(), first = debts_held_integral(start);

	CHECK(as);
	fake_steps += LONG;
	CHECK_EQ(debts_held_integral(cycles_now()) - first, 2 * LONG);
	deferral_settle();
	u64 paid = cycles_now(), most = debts_held_integral(paid);

	CHECK(most - first >= 2 * LONG && most - first <= 2 * (paid - start));
	fake_steps += LONG;
	CHECK_EQ(debts_held_integral(cycles_now()), most);
	CHECK_EQ(host_counters(0)->age[BUCKET], before.age[BUCKET] + 1);
	CHECK_EQ(sums_of(host_counters(0)->age), sums_of(before.age) + 1);
	CHECK_EQ(sums_of(host_counters(0)->paid), sums_of(before.paid) + 1);
	CHECK_EQ(host_counters(0)->wait_paid - before.wait_paid, paid - start - LONG);
	aspace_destroy(as);
	scheme_restore();
}

/* Who finds nothing to pay has waited for nothing, and no debt was old. */
TEST(nothing_is_counted_where_nothing_is_owed)
{
	vaddr_t va;
	struct aspace *as = moved_with_debts("batch+defer=skeleton", &va);

	CHECK(as);
	deferral_settle();
	struct mm_counters before = *host_counters(0);

	fake_steps += 1000;
	deferral_settle();
	CHECK_EQ(sums_of(host_counters(0)->age), sums_of(before.age));
	CHECK_EQ(sums_of(host_counters(0)->paid), sums_of(before.paid));
	CHECK_EQ(host_counters(0)->wait_paid, before.wait_paid);
	aspace_destroy(as);
	scheme_restore();
}

static u64 nothing_owed(enum pay_event why, const struct pay_scope *scope)
{
	(void)why, (void)scope;
	return 0;
}

static bool keep_no_page(const struct page *src, struct page *dst)
{
	(void)src, (void)dst;
	return false;
}

/* It lets the entry wait, and then not the page. */
TEST(pages_that_the_deferral_withdraws_are_flushed)
{
	static const struct deferral withdraws = {
		.name = "withdraws", .pay = nothing_owed, .may_defer = keep_no_page};
	const struct mm_counters *c = this_cpu_ptr(mm_counters);
	struct migrate_stats stats;
	vaddr_t va;
	struct aspace *as = filled(1, PROT_READ, 0, &va);
	u64 shootdowns = c->shootdowns;

	deferral_use(&withdraws);
	CHECK_EQ(host_migrate(as, va, 1, 1, &stats, NULL), 0);
	CHECK_EQ(c->shootdowns, shootdowns + 1);
	deferral_use(deferrals[0]);
	aspace_destroy(as);
}

TEST(writable_pages_are_not_deferred)
{
	static const char *const deferring[] = {"never", "batch+defer=skeleton"};

	for (unsigned i = 0; i < 2; i++) {
		struct migrate_stats stats;
		vaddr_t va;
		struct aspace *as = filled(2, RW, 0, &va);

		CHECK(scheme_is(deferring[i]));
		CHECK_EQ(host_migrate(as, va, 2, 1, &stats, NULL), 0);
		CHECK_EQ(deferral->held(), 0);
		aspace_destroy(as);
		scheme_restore();
	}
}
