/* Objects: a kind of its own beside anonymous memory, whose pages are computed, kept and forgotten. */
#include "host_mm.h"

#include <kernel/error.h>
#include <mm/fault.h>
#include <mm/kmem.h>

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 8, OWN = 2 };

/* What the store has been asked, and how it answers. */
struct store {
	unsigned fills, writes, forgets, closes;
	int fill_err, write_err;
	u64 word[PAGES]; /* of each page's contents, the first word */
	u64 ref_given[PAGES];
	unsigned wrong; /* what it found otherwise than promised */
	bool locked; /* some call came with the space's lock held */
	struct aspace *as;
};

static bool space_is_locked(const struct store *s)
{
	return s->as && s->as->lock.arrived != s->as->lock.left;
}

static u64 pattern(u64 index)
{
	return 0xabc00000 + index;
}

static int store_fill(struct object *obj, u64 index, slot_t was, struct page *page)
{
	struct store *s = obj->store;
	u64 *word = page_to_virt(page);

	s->fills++;
	s->locked |= space_is_locked(s);
	s->wrong += !slot_is_busy(*object_slot(obj, index, false));
	if (s->fill_err)
		return s->fill_err;
	if (slot_is_ref(was))
		s->wrong += slot_ref(was) != s->ref_given[index];
	*word = slot_is_ref(was) ? s->word[index] : pattern(index);
	return 0;
}

static int store_write(struct object *obj, u64 index, struct page *page, u64 *ref)
{
	struct store *s = obj->store;

	s->writes++;
	s->wrong += !slot_is_busy(*object_slot(obj, index, false));
	s->wrong += page_get(page, PAGE_REF); /* nobody can get at it */
	if (s->write_err)
		return s->write_err;
	s->word[index] = *(u64 *)page_to_virt(page);
	*ref = s->ref_given[index] = (1UL << 60) + index;
	return 0;
}

static void store_forget(struct object *obj, u64 ref)
{
	struct store *s = obj->store;

	s->forgets++;
	s->wrong += ref != s->ref_given[ref & 0xff];
}

static void store_close(struct object *obj)
{
	((struct store *)obj->store)->closes++;
}

static const struct object_ops store_ops = {.name = "store",
					    .page_refs = OWN,
					    .fill = store_fill,
					    .write = store_write,
					    .forget = store_forget,
					    .close = store_close};

static u64 in_use(void)
{
	return pmm_used() - kmem_pages_kept() + kmem_objects_in_use();
}

/* The space goes, and with it the object's last user. */
static void unmapped(struct store *s)
{
	aspace_destroy(s->as);
	CHECK_EQ(s->wrong, 0);
	CHECK_EQ(s->closes, 1);
}

/* A space with the object mapped at *va, its only user. */
static struct aspace *mapped(struct store *s, vaddr_t *va)
{
	struct object *obj;
	int err;

	host_mm();
	obj = object_create_of(&store_ops, s, PAGES);
	s->as = aspace_create("object", 0);
	*va = aspace_map(s->as, obj, 0, 0, PAGES * PAGE_SIZE, RW, false, 0, &err);
	object_put(obj);
	aspace_load(s->as);
	return s->as;
}

static struct object *object_at(struct aspace *as, vaddr_t va)
{
	return aspace_find(as, va)->object;
}

TEST(object_slots_tell_their_kinds_apart)
{
	struct page *page = page_array + 77;
	const slot_t slots[] = {slot_none(), slot_of_page(page), slot_of_ref(0),
				slot_of_ref((1UL << 62) - 1), slot_busy(5)};

	for (unsigned i = 0; i < ARRAY_SIZE(slots); i++) {
		CHECK_EQ(slot_is_none(slots[i]), i == 0);
		CHECK_EQ(slot_is_page(slots[i]), i == 1);
		CHECK_EQ(slot_is_ref(slots[i]), i == 2 || i == 3);
		CHECK_EQ(slot_is_busy(slots[i]), i == 4);
	}
	CHECK_EQ(slot_busy_cpu(slots[4]), 5);
	CHECK(slot_page(slots[1]) == page);
	CHECK_EQ(slot_ref(slots[2]), 0);
	CHECK_EQ(slot_ref(slots[3]), (1UL << 62) - 1);
}

TEST(object_pages_come_from_the_store_without_the_spaces_lock)
{
	struct store s = {0};
	vaddr_t va;
	u64 before = in_use();
	struct aspace *as = mapped(&s, &va);

	for (u64 i = 0; i < PAGES; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), pattern(i));
	CHECK_EQ(s.fills, PAGES);
	CHECK(!s.locked);
	struct page *page = host_page(as, va);

	CHECK_EQ(page_refs(page), 1 + OWN);
	CHECK_EQ(page_expected_refs(page, 1), 1 + OWN);
	unmapped(&s);
	CHECK_EQ(in_use(), before); /* the circle of page and object was broken */
}

TEST(object_pages_are_populated_and_outlive_their_mappings)
{
	struct store s = {0};
	vaddr_t va;
	struct aspace *as = mapped(&s, &va);

	CHECK_EQ(aspace_populate(as, va, PAGES * PAGE_SIZE, 1), PAGES);
	CHECK_EQ(host_page(as, va)->node, 1);
	*host_word(as, va, true) = 5;
	CHECK_EQ(aspace_drop(as, va, PAGES * PAGE_SIZE), 0);
	CHECK_EQ(*host_word(as, va, false), 5);
	CHECK_EQ(s.fills, PAGES);
	unmapped(&s);
}

TEST(object_that_is_closed_with_a_pinned_page)
{
	struct store s = {0};
	struct page *page;
	vaddr_t va;
	u64 before = in_use();
	struct aspace *as = mapped(&s, &va);

	CHECK_EQ(aspace_pin(as, va, true, &page), 0);
	CHECK(host_word(as, va + PAGE_SIZE, true));
	unmapped(&s);
	CHECK(page->object && page_refs(page) == 1);
	page_put(page, PAGE_PIN);
	CHECK_EQ(in_use(), before);
}

TEST(object_pages_go_to_the_store_and_come_back)
{
	struct store s = {0};
	vaddr_t va;
	u64 before = in_use();
	struct aspace *as = mapped(&s, &va);
	struct object *obj = object_at(as, va);

	CHECK_EQ(object_empty(obj, 0), -ENOENT);
	*host_word(as, va, true) = 77;
	CHECK_EQ(object_empty(obj, 0), -EBUSY); /* mapped */
	u64 used = pmm_used();

	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
	CHECK_EQ(pmm_used(), used);
	CHECK_EQ(object_empty(obj, 0), 0);
	CHECK_EQ(pmm_used(), used - 1);
	CHECK(slot_is_ref(*object_slot(obj, 0, false)));
	CHECK_EQ(object_empty(obj, 0), -ENOENT);
	CHECK_EQ(*host_word(as, va, false), 77);
	CHECK_EQ(s.fills, 2);
	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
	CHECK_EQ(object_empty(obj, 0), 0);
	unmapped(&s);
	CHECK_EQ(s.forgets, 1);
	CHECK_EQ(in_use(), before);
}

TEST(object_pages_that_are_pinned_or_on_their_way_stay)
{
	struct store s = {0};
	struct page *page;
	vaddr_t va;
	struct aspace *as = mapped(&s, &va);
	struct object *obj = object_at(as, va);

	CHECK_EQ(aspace_pin(as, va, true, &page), 0);
	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
	CHECK_EQ(object_empty(obj, 0), -EBUSY);
	page_put(page, PAGE_PIN);
	CHECK(page_isolate(page));
	CHECK_EQ(object_empty(obj, 0), -EBUSY);
	page_end_isolation(page);
	CHECK_EQ(page_refs(page), OWN);
	CHECK_EQ(s.writes, 0);
	CHECK_EQ(object_empty(obj, 0), 0);
	unmapped(&s);
}

TEST(object_whose_store_fails_loses_nothing)
{
	struct store s = {.fill_err = -EIO};
	vaddr_t va;
	u64 before = in_use();
	struct aspace *as = mapped(&s, &va);
	struct object *obj = object_at(as, va);

	CHECK(!host_word(as, va, false)); /* an error for the access */
	CHECK(slot_is_none(*object_slot(obj, 0, false)));
	s.fill_err = 0;
	*host_word(as, va, true) = 9;
	struct page *page = host_page(as, va);

	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
	s.write_err = -EIO;
	CHECK_EQ(object_empty(obj, 0), -EIO);
	CHECK_EQ(page_refs(page), OWN);
	CHECK_EQ(*host_word(as, va, false), 9);
	CHECK(host_page(as, va) == page);
	s.write_err = 0;
	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
	CHECK_EQ(object_empty(obj, 0), 0);
	s.fill_err = -EIO;
	CHECK_EQ(aspace_populate(as, va, PAGE_SIZE, 0), -ENOMEM);
	CHECK(slot_is_ref(*object_slot(obj, 0, false)));
	s.fill_err = 0;
	CHECK_EQ(*host_word(as, va, false), 9);
	unmapped(&s);
	CHECK_EQ(in_use(), before);
}

TEST(object_pages_migrate_with_the_objects_references)
{
	struct store s = {0};
	struct migrate_stats stats;
	struct page *page;
	vaddr_t va;
	u64 before = in_use();
	struct aspace *as = mapped(&s, &va);

	for (u64 i = 0; i < PAGES; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = 100 + i;
	CHECK_EQ(aspace_pin(as, va, true, &page), 0);
	CHECK_EQ(host_migrate(as, va, PAGES, 1, &stats, NULL), 1);
	CHECK_EQ(stats.moved, PAGES - 1);
	CHECK_EQ(stats.failed[MIGRATE_PINNED], 1);
	page_put(page, PAGE_PIN);
	CHECK_EQ(host_migrate(as, va, PAGES, 1, &stats, NULL), 0);
	for (u64 i = 0; i < PAGES; i++) {
		CHECK_EQ(host_page(as, va + i * PAGE_SIZE)->node, 1);
		CHECK_EQ(page_refs(host_page(as, va + i * PAGE_SIZE)), 1 + OWN);
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), 100 + i);
	}
	CHECK_EQ(s.fills, PAGES);
	unmapped(&s);
	CHECK_EQ(in_use(), before);
}

TEST(object_in_two_spaces_closes_with_the_last)
{
	struct store s = {0};
	vaddr_t va, other;
	int err;
	u64 before = in_use();
	struct aspace *as = mapped(&s, &va), *b = aspace_create("b", 1);

	other = aspace_map(b, object_at(as, va), 2, 0, 2 * PAGE_SIZE, RW, false, 0, &err);
	*host_word(b, other, true) = 3;
	CHECK_EQ(*host_word(as, va + 2 * PAGE_SIZE, false), 3);
	CHECK_EQ(page_refs(host_page(b, other)), 2 + OWN);
	aspace_destroy(as);
	CHECK_EQ(s.closes, 0);
	CHECK_EQ(page_refs(host_page(b, other)), 1 + OWN);
	aspace_destroy(b);
	CHECK_EQ(s.closes, 1);
	CHECK_EQ(in_use(), before);
}

/* 2 MiB pages are for objects of anonymous memory alone. */
TEST(object_with_a_store_has_no_large_pages)
{
	struct store s = {0};
	struct object *obj;
	int err;

	host_mm();
	struct aspace *as = aspace_create("object", 0);

	obj = object_create_of(&store_ops, &s, HUGE_PAGES);
	CHECK(!aspace_map(as, obj, 0, 0, HUGE_SIZE, RW, true, 0, &err));
	CHECK_EQ(err, -EINVAL);
	object_put(obj);
	CHECK_EQ(s.closes, 1);
	obj = object_create(4);
	CHECK_EQ(object_empty(obj, 0), -EINVAL);
	object_put(obj);
	aspace_destroy(as);
}
