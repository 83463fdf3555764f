/* Files: objects with a store, and reading and writing them without a mapping. */
#include <mm/clean.h>
#include <mm/dirty.h>
#include <mm/leave.h>
#include <mm/numa.h>
#include <mm/page_lock.h>
#include <mm/pay.h>
#include <mm/pmm.h>
#include <mm/reclaim.h>
#include <kernel/error.h>
#include <kernel/panic.h>
#include <kernel/string.h>

static int file_fill(struct object *obj, u64 index, slot_t was __unused, struct page *page)
{
	int err = store_read(obj->store, index, page);

	/* Its frame before may still be read: then it is not written before that is paid for (I5). */
	file_mark_copied(obj, page);
	return err;
}

static void file_closed(struct object *obj)
{
	struct store *store = obj->store;

	store->ops->close(store);
}

const struct object_ops object_file_ops = {
	.name = "file",
	.page_refs = 1,
	.tracked = true,
	.fill = file_fill,
	.closes = reclaim_remove,
	.close = file_closed,
};

struct object *file_create(struct store *store)
{
	struct object *file = object_create_of(&object_file_ops, store, store->page_count);

	if (file)
		reclaim_add(file);
	return file;
}

int file_sync(struct object *file)
{
	int first = 0;

	for (u64 i = 0; i < file->page_count; i++) {
		slot_t *slot = object_slot(file, i, false);

		if (!slot) { /* nothing of this chunk was ever there */
			i = ALIGN_DOWN(i, OBJECT_CHUNK) + OBJECT_CHUNK - 1;
			continue;
		}
		/* Waits for who moves it, or is about to write it himself: he may fail. */
		struct page *page = file_settled_page(file, slot);
		int err = page ? page_clean(file, page) : 0;

		if (page)
			page_put(page, PAGE_REF);
		if (err && !first)
			first = err;
	}
	return first;
}

int file_close(struct object *file)
{
	if (load_relaxed(&file->users) > 1)
		return -EBUSY;
	int err = file_sync(file);

	if (!err)
		object_put(file);
	return err;
}

/* ---- a page for the kernel ----------------------------------------------------------- */

/* The slot has no page: fill it, or wait for whoever does. *page stays NULL if it is to be looked at again. */
static int fill_page(struct object *file, u64 index, slot_t *slot, slot_t seen, struct page **page)
{
	struct object_fill fill;

	if (slot_is_busy(seen)) {
		object_wait_begin(&fill, file, slot);
	} else {
		struct page *fresh = pmm_alloc(numa_resolve(BOOT_NODE_NONE), 0, PMM_FALLBACK);

		if (!fresh)
			return -ENOMEM;
		if (!object_fill_begin(&fill, file, index, slot, seen, fresh))
			return 0;
	}
	int err = object_fill_end(&fill);

	if (!err)
		*page = fill.page;
	return err;
}

int file_get_page(struct object *file, u64 index, struct page **page)
{
	int err = 0;

	*page = NULL;
	while (!err && !*page) {
		if (index >= load_relaxed(&file->size))
			return -ENOENT;
		slot_t *slot = object_slot(file, index, true);

		if (!slot)
			return -ENOMEM;
		slot_t seen = slot_load(slot);

		if (!slot_is_page(seen))
			err = fill_page(file, index, slot, seen, page);
		else if (!(*page = slot_page_get(slot, seen)))
			cpu_relax(); /* being moved, or on its way out */
	}
	/* Again, after the full barrier by which we got it: see file_truncate(). */
	if (!err && index >= load_relaxed(&file->size)) {
		page_put(*page, PAGE_REF);
		err = -ENOENT;
	}
	return err;
}

/* ---- reading and writing --------------------------------------------------------------- */

static int read_part(struct object *file, u64 at, void *to, u64 len)
{
	struct page *page;
	int err = file_get_page(file, at >> PAGE_SHIFT, &page);

	if (err)
		return err;
	memcpy(to, (const char *)page_to_virt(page) + at % PAGE_SIZE, len);
	page_put(page, PAGE_REF);
	return 0;
}

/*
 * The page, locked. Our reference keeps it from moving until it is written: a migrator
 * compares the references after its entries are down (I10). So no debt of it is made either.
 */
static int lock_page_at(struct object *file, u64 index, struct page **page)
{
	for (;;) {
		int err = file_get_page(file, index, page);

		if (err)
			return err;
		page_lock(*page);
		if ((*page)->object == file)
			return 0;
		page_unlock(*page); /* it left the file before we had the lock */
		page_put(*page, PAGE_REF);
	}
}

static int write_part(struct object *file, u64 at, const void *from, u64 len)
{
	struct page *page;
	int err = lock_page_at(file, at >> PAGE_SHIFT, &page);

	if (err)
		return err;
	pay(PAY_FILE_WRITE, pay_page(page)); /* nobody may read an old copy of it any more (I5) */
	page_mark_dirty(page);
	memcpy((char *)page_to_virt(page) + at % PAGE_SIZE, from, len);
	page_unlock(page);
	page_put(page, PAGE_REF);
	return 0;
}

/* Part after part, each inside one page. */
s64 file_read(struct object *file, u64 at, void *to, u64 len)
{
	u64 done = 0, part;
	int err = 0;

	for (; done < len && !err; done += err ? 0 : part) {
		part = MIN(len - done, PAGE_SIZE - (at + done) % PAGE_SIZE);
		err = read_part(file, at + done, (char *)to + done, part);
	}
	return done || err == -ENOENT ? (s64)done : err;
}

s64 file_write(struct object *file, u64 at, const void *from, u64 len)
{
	u64 done = 0, part;
	int err = 0;

	for (; done < len && !err; done += err ? 0 : part) {
		part = MIN(len - done, PAGE_SIZE - (at + done) % PAGE_SIZE);
		err = write_part(file, at + done, (const char *)from + done, part);
	}
	if (dirty_over(file))
		dirty_throttle(file);
	return done || err == -ENOENT ? (s64)done : err;
}
