/*
 * Files: objects whose pages come from a store and go back to it. Any number of areas
 * in any number of spaces may show pages of a file; the kernel reads and writes it
 * without a mapping. All see the same pages, each of which is in memory at most once.
 *
 * Which pages are dirty is known by write protection: see <mm/clean.h>.
 */
#pragma once

#include <mm/object.h>
#include <mm/store.h>

extern const struct object_ops object_file_ops;

/*
 * A file of all pages of a store, which belongs to it from now on; the caller is a user.
 * NULL: no memory, and the store is the caller's still. Task context.
 */
struct object *file_create(struct store *store);
/*
 * Write back what is dirty and give up the file, and with it the store. 0, or with the file
 * as it was: -EBUSY (it is mapped, a fault that began while it was is not over yet, or somebody has
 * pinned a dirty page of it), or the store's error. The caller is its last user but for areas. Task context, no locks.
 */
int file_close(struct object *file);

/*
 * Copy len bytes from or to the file, from byte `at` on. Returns how many were copied,
 * fewer where the file ends; or an error if it is not even one: -ENOMEM, or the store's.
 * A page that is written is so as a whole: neither a store nor another file_write() sees
 * a part of it; mappings see each word as it comes. The caller is a user. Task context, no locks.
 */
s64 file_read(struct object *file, u64 at, void *to, u64 len);
s64 file_write(struct object *file, u64 at, const void *from, u64 len);

/*
 * Get the page of an index, read from the store if it is absent, with a reference in *page.
 * 0, -ENOENT (beyond the end), -ENOMEM, or the store's error. The caller is a user. Task context, no locks.
 */
int file_get_page(struct object *file, u64 index, struct page **page);

/*
 * Write every dirty page to the store. 0: each page that was dirty when it was asked is
 * written; else the first error, with that page still dirty: see file_clean(). The caller is
 * a user. Task context, no locks.
 */
int file_sync(struct object *file);

/* ---- mm/file_drop.c: pages that leave ---- */

enum file_drop {
	FILE_KEEP, /* what is dirty is written to the store first */
	FILE_DISCARD, /* what is dirty is lost: the store knows better */
};
/*
 * Take the pages of a range of indexes out of memory and out of every mapping; the next access reads the
 * store. On return no CPU reads the old ones (I7). 0, or an error with all pages gone but some:
 * -EBUSY (pinned), a subscriber's refusal, or for FILE_KEEP an error of file_clean(). The caller is a
 * user. Task context, no locks.
 */
int file_invalidate(struct object *file, u64 first, u64 count, enum file_drop how);
/*
 * The file ends after so many pages, at most as many as before (-EINVAL). On return no CPU
 * reaches a page beyond, but through a pin. 0, or a subscriber's refusal: then the file is shorter, but
 * some mappings of pages beyond the end remain. The same rules.
 */
int file_truncate(struct object *file, u64 pages);
