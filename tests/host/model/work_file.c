/* The file of the workloads, and the store below it. */
#include "work.h"

#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <mm/file.h>
#include <mm/page_lock.h>
#include <mm/swap.h>
#include <string.h>

static struct aspace *a; /* that maps it first, at the address `at` */
static vaddr_t at;
static struct object *file;

/* ---- the store: whole pages, in memory that no CPU translates ------------------------- */

enum { PAGES = 2, SWAPPED = 8, MODEL_SPACES = 16 };
static u64 stored[PAGES + SWAPPED][PAGE_SIZE / sizeof(u64)]; /* of the file, then of swap */
static struct store swap;
static bool fails_next; /* the next write there */

static u64 place_in(const struct store *s, u64 index)
{
	return s == &swap ? PAGES + index : index;
}

static int read_page(struct store *s, u64 index, void *to)
{
	index = place_in(s, index);
	fake_frame_use(fake_frame_of(to)); /* it may be copied before anybody maps it */
	fake_plain(stored[index], false); /* the page's lock, or its slot's mark, orders them */
	fake_point(44);
	memcpy(to, stored[index], PAGE_SIZE);
	fake_point(44);
	return 0;
}

/* In two halves: a store of anybody that comes between them tears the page. */
static int write_page(struct store *s, u64 index, const void *from)
{
	enum { HALF = PAGE_SIZE / 2 };
	u64 frame = fake_frame_of(from);
	unsigned cpu;

	index = place_in(s, index);
	if (fake_may_hold(frame, true, &cpu))
		fake_fail("I2: page %lu is stored while CPU %u may hold it writable", index, cpu);
	if (fake_store_under_way(frame))
		fake_fail("I2: page %lu is stored while a store into it is on its way", index);
	fake_plain(stored[index], true);
	memcpy(stored[index], from, HALF);
	fake_point(45);
	memcpy((char *)stored[index] + HALF, (const char *)from + HALF, HALF);
	fake_point(45);
	if (memcmp(stored[index], from, PAGE_SIZE))
		fake_fail("I2: the store is handed a torn page %lu", index);
	if (s == &swap && fails_next) {
		fails_next = false;
		return -EIO;
	}
	return 0;
}

static void close_store(struct store *s __unused)
{
}

static const struct store_ops ops = {
	.name = "model", .read = read_page, .write = write_page, .close = close_store};
static struct store store = {.ops = &ops, .page_count = PAGES};
static struct store swap = {.ops = &ops, .page_count = SWAPPED};

void work_swap(bool fails)
{
	fails_next = fails;
	if (swap_on(&swap))
		fake_fail("scenario: no swap");
}

static bool is_shown(const struct object *obj, u64 index)
{
	const struct area *area;

	list_for_each_entry (area, &obj->areas, object_link)
		if (index - area->offset < (area->end - area->start) >> PAGE_SHIFT)
			return true;
	return false;
}

static struct references {
	u64 all,
		hidden; /* in slots; of pages that no area shows: those of an object that was shared stay until it is closed */
} references;

/* Of the objects of a space's areas, each once. */
static void count_references(struct aspace *as, void *arg __unused)
{
	struct area *area;

	list_for_each_entry (area, &as->areas, link) {
		struct object *obj = area->object;

		if (obj->areas.next != &area->object_link)
			continue;
		for (u64 index = 0; index < obj->page_count; index++) {
			slot_t *slot = object_slot(obj, index, false);
			bool in_swap = slot && slot_is_ref(slot_load(slot));

			references.all += in_swap;
			references.hidden += in_swap && obj->shared && !is_shown(obj, index);
			if (slot && slot_is_busy(slot_load(slot)))
				fake_fail("the slot of page %lu is busy at the end", index);
		}
	}
}

static void bring_back(struct aspace *as, void *list)
{
	struct aspace **next = list;

	while (*next)
		next++;
	*next = as;
}

void work_expect_swapped_in(void)
{
	struct aspace *spaces[MODEL_SPACES] = {NULL};
	struct area *area;

	references = (struct references){0};
	aspace_for_each(count_references, NULL);
	if (references.all != swap_references())
		fake_fail("%lu references to swap, of which slots have %lu", swap_references(),
			  references.all);
	aspace_for_each(bring_back, spaces);
	for (struct aspace **as = spaces; *as; as++)
		list_for_each_entry (area, &(*as)->areas, link)
			for (vaddr_t va = area->start; va < area->end; va += PAGE_SIZE) {
				u64 index = area->offset + ((va - area->start) >> PAGE_SHIFT);
				slot_t *slot = object_slot(area->object, index, false);

				if (slot && !slot_is_none(slot_load(slot)))
					aspace_populate(*as, va, PAGE_SIZE, BOOT_NODE_NONE);
			}
	if (swap_references() != references.hidden)
		fake_fail("%lu references to swap when all is read in", swap_references());
}

struct store *work_store(void)
{
	return &store;
}

struct object *work_file_in(const char *name, vaddr_t va, struct aspace **as)
{
	file = file_create(&store);
	at = va;
	a = *as = work_space_of(name, file, va, PAGES, RW);
	for (unsigned i = 0; i < PAGES; i++) /* their contents were put there */
		page_mark_dirty(phys_to_page(pte_pa(*aspace_entry(a, va + i * PAGE_SIZE), 0)));
	return file;
}

struct object *work_file(struct aspace **first, struct aspace **second)
{
	work_file_in("a", MODEL_VA, first);
	*second = aspace_create("b", 1);
	work_alias(*second, a, MODEL_VA, MODEL_FAR, PAGES, RW);
	work_load(a, 0);
	work_load(a, 1);
	work_load(*second, 2);
	return file;
}

void work_age(struct aspace *as, vaddr_t va, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++) {
		pte_t *entry = (pte_t *)aspace_entry(as, va + i * PAGE_SIZE);

		if (entry && pte_is_present(*entry))
			*entry = pte_mk_old(*entry);
	}
}

void work_expect_synced(void)
{
	int err = file_sync(file);

	if (err)
		fake_fail("the file cannot be written back at the end: %d", err);
	if (file->dirty)
		fake_fail("%u pages count as dirty when all are clean", file->dirty);
	for (unsigned i = 0; i < PAGES; i++)
		work_expect_page(i, stored[i]);
}

void work_expect_stored(void)
{
	work_expect_synced();
	aspace_populate(a, at, PAGES * PAGE_SIZE, BOOT_NODE_NONE);
	work_expect_all(a, at, PAGES);
	for (unsigned i = 0; i < PAGES; i++) {
		const char *page =
			page_to_virt(phys_to_page(pte_pa(*aspace_entry(a, at + i * PAGE_SIZE), 0)));

		/* Freeing marks the first words of a frame; here they are as the store gave them. */
		if (memcmp(page, stored[i], PAGE_SIZE))
			fake_fail("lost write: page %u is clean, and the store has other contents",
				  i);
	}
}

void work_expect(const char *what, int err)
{
	if (err && err != -EBUSY && err != -ENOENT)
		fake_fail("%s: %d", what, err);
}
