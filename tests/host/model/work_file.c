/* The file of the workloads, and the store below it. */
#include "work.h"

#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <mm/file.h>
#include <mm/page_lock.h>
#include <string.h>

static struct aspace *a; /* that maps it first, at the address `at` */
static vaddr_t at;
static struct object *file;

/* ---- the store: whole pages, in memory that no CPU translates ------------------------- */

enum { PAGES = 2 };
static u64 stored[PAGES][PAGE_SIZE / sizeof(u64)];

static int read_page(struct store *s, u64 index, void *to)
{
	(void)s;
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

	(void)s;
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
	return 0;
}

static void close_store(struct store *s __unused)
{
}

static const struct store_ops ops = {
	.name = "model", .read = read_page, .write = write_page, .close = close_store};
static struct store store = {.ops = &ops, .page_count = PAGES};

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
