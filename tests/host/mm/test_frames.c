/* Migration that starts from frames: wherever they are mapped, and whoever maps them. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/rmap.h>
#include <mm/scheme.h>

#define RW (PROT_READ | PROT_WRITE)

static struct aspace *filled(u64 pages, vaddr_t *va)
{
	struct aspace *as = host_space(pages, RW, false, 0, va);

	for (u64 i = 0; as && i < pages; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = 1000 + i;
	return as;
}

static u64 move_frames(struct page **list, unsigned n, u32 to, struct migrate_stats *stats,
		       u8 *result, bool isolated)
{
	const struct migrate_request req = {.from_nodes = ~0UL,
					    .to_node = to,
					    .result = result,
					    .stats = stats,
					    .isolated = isolated};

	memset(stats, 0, sizeof(*stats));
	return migrate_pages(list, n, &req);
}

/* The frame at va, with a reference. */
static struct page *frame(struct aspace *as, vaddr_t va)
{
	struct page *page = host_page(as, va);

	return page_get(page, PAGE_REF) ? page : NULL;
}

TEST(frames_of_several_spaces_move_together)
{
	enum { PAGES = 700 };
	static struct page *list[2 * PAGES];
	static u8 result[2 * PAGES];
	struct migrate_stats stats;
	vaddr_t a, b;
	struct aspace *as = filled(PAGES, &a), *other = filled(PAGES, &b);
	u64 used = pmm_used();

	for (unsigned i = 0; i < PAGES; i++) { /* in no order of any space */
		list[2 * i] = frame(as, a + (PAGES - 1 - i) * PAGE_SIZE);
		list[2 * i + 1] = frame(other, b + i * PAGE_SIZE);
	}
	memset(result, 99, sizeof(result));
	CHECK_EQ(move_frames(list, 2 * PAGES, 1, &stats, result, false), 0);
	CHECK_EQ(stats.moved, 2 * PAGES);
	CHECK_EQ(pmm_used(), used);
	for (unsigned i = 0; i < 2 * PAGES; i++)
		CHECK(!list[i] && result[i] == MIGRATE_OK);
	for (u64 i = 0; i < PAGES; i++) {
		struct page *page = host_page(as, a + i * PAGE_SIZE);

		CHECK(page->node == 1 && page_refs(page) == 1 && !page->flags);
		CHECK_EQ(*host_word(as, a + i * PAGE_SIZE, false), 1000 + i);
		CHECK_EQ(*host_word(other, b + i * PAGE_SIZE, false), 1000 + i);
	}
	aspace_destroy(as);
	aspace_destroy(other);
}

/* Under like-linux-6.12 a batch looks at what it has gathered before there is any context in it. */
TEST(frames_move_under_every_scheme)
{
	char err[160];

	host_mm();
	for (unsigned i = 0; i < scheme_def_count; i++) {
		struct migrate_stats stats;
		struct page *list[3];
		vaddr_t va;
		struct aspace *as = filled(3, &va);

		CHECK_EQ(scheme_apply(scheme_defs[i].name, err, sizeof(err)), 0);
		for (unsigned p = 0; p < 3; p++)
			list[p] = frame(as, va + p * PAGE_SIZE);
		CHECK(page_isolate(list[0]));
		CHECK_EQ(move_frames(list, 3, 1, &stats, NULL, false), 1);
		page_end_isolation(list[0]);
		page_put(list[0], PAGE_REF);
		CHECK_EQ(stats.moved, 2);
		scheme_restore();
		aspace_destroy(as);
	}
}

TEST(frames_that_cannot_move_stay_with_their_reference)
{
	enum { PINNED, UNMAPPED, ELSEWHERE, ISOLATED, KERNEL, MOVES, ALL };
	struct page *list[ALL], *before[ALL], *pin;
	struct migrate_stats stats;
	u8 result[ALL];
	vaddr_t va;
	struct aspace *as = filled(ALL, &va);

	CHECK_EQ(host_migrate(as, va + ELSEWHERE * PAGE_SIZE, 1, 1, &stats, NULL), 0);
	for (unsigned i = 0; i < ALL; i++)
		list[i] = frame(as, va + i * PAGE_SIZE);
	page_put(list[KERNEL], PAGE_REF);
	list[KERNEL] = pmm_alloc(0, 0, PMM_STRICT);
	CHECK_EQ(aspace_pin(as, va + PINNED * PAGE_SIZE, true, &pin), 0);
	CHECK_EQ(aspace_drop(as, va + UNMAPPED * PAGE_SIZE, PAGE_SIZE), 0);
	CHECK(page_isolate(list[ISOLATED]));
	memcpy(before, list, sizeof(list));
	memset(result, 99, sizeof(result));
	CHECK_EQ(move_frames(list, ALL, 1, &stats, result, false), 4);
	CHECK_EQ(result[PINNED], MIGRATE_PINNED);
	CHECK_EQ(result[UNMAPPED], MIGRATE_GONE);
	CHECK_EQ(result[ELSEWHERE], 99);
	CHECK_EQ(result[ISOLATED], MIGRATE_RACED);
	CHECK_EQ(result[KERNEL], MIGRATE_GONE);
	CHECK_EQ(result[MOVES], MIGRATE_OK);
	page_end_isolation(list[ISOLATED]);
	page_put(pin, PAGE_PIN);
	CHECK(!list[MOVES]);
	for (unsigned i = 0; i < MOVES; i++) {
		CHECK(list[i] == before[i] && !list[i]->flags);
		CHECK_EQ(page_refs(list[i]), 1 + (i != UNMAPPED && i != KERNEL));
		page_put(list[i], PAGE_REF);
	}
	aspace_destroy(as);
}

/* Somebody else's reference, which may be used to write: it is seen when the page is frozen. */
TEST(frames_that_others_hold_are_mapped_again)
{
	struct migrate_stats stats;
	struct page *list[1];
	vaddr_t va;
	struct aspace *as = filled(1, &va);

	list[0] = frame(as, va);
	CHECK(page_get(list[0], PAGE_REF));
	CHECK_EQ(move_frames(list, 1, 1, &stats, NULL, false), 1);
	CHECK_EQ(stats.failed[MIGRATE_RACED], 1);
	CHECK(host_page(as, va) == list[0] && page_refs(list[0]) == 3);
	page_put(list[0], PAGE_REF);
	CHECK_EQ(move_frames(list, 1, 1, &stats, NULL, false), 0);
	CHECK_EQ(host_page(as, va)->node, 1);
	aspace_destroy(as);
}

TEST(frames_of_both_sizes_isolated_by_the_caller)
{
	struct page *list[4];
	struct migrate_stats stats;
	vaddr_t small, large;
	struct aspace *as = host_space(HUGE_PAGES, RW, true, 0, &large);
	struct aspace *other = filled(3, &small);

	*host_word(as, large, true) = 7;
	list[0] = frame(other, small);
	list[1] = frame(as, large);
	list[2] = frame(other, small + PAGE_SIZE);
	list[3] = frame(other, small + 2 * PAGE_SIZE);
	for (unsigned i = 0; i < 4; i++)
		CHECK(page_isolate(list[i]));
	CHECK_EQ(host_migrate(other, small, 3, 1, &stats, NULL), 3); /* they are ours */
	CHECK_EQ(move_frames(list, 4, 1, &stats, NULL, true), 0);
	CHECK_EQ(stats.moved, HUGE_PAGES + 3);
	CHECK_EQ(stats.moved_huge, 1);
	CHECK_EQ(host_page(as, large)->node, 1);
	CHECK_EQ(host_page(as, large)->flags, 0);
	CHECK_EQ(*host_word(as, large, false), 7);
	/* Not wanted: their isolation ends all the same. */
	list[0] = frame(other, small);
	CHECK(page_isolate(list[0]));
	CHECK_EQ(move_frames(list, 1, 1, &stats, NULL, true), 0);
	CHECK_EQ(list[0]->flags, 0);
	page_put(list[0], PAGE_REF);
	aspace_destroy(as);
	aspace_destroy(other);
}

static bool count_area(struct area *area, vaddr_t va, void *arg)
{
	unsigned *left = arg;

	return pte_is_present(*aspace_entry(area->aspace, va)) && --*left;
}

TEST(rmap_walk_visits_each_area_until_told_to_stop)
{
	vaddr_t a, b, x, y;
	struct aspace *as = filled(1, &a), *other = filled(1, &b);
	struct object *obj = host_shared(as, other, &x, &y);
	unsigned left = 9;

	CHECK(host_word(as, x, true) && host_word(other, y, true));
	read_lock(&obj->lock);
	CHECK(rmap_walk(host_page(as, x), count_area, &left));
	CHECK_EQ(left, 7);
	left = 1;
	CHECK(!rmap_walk(host_page(as, x), count_area, &left));
	CHECK_EQ(left, 0);
	read_unlock(&obj->lock);
	object_put(obj);
	aspace_destroy(as);
	aspace_destroy(other);
}
