/*
 * Pages that leave their file: lock the page, isolate it, mark its slot busy, take down
 * every entry, flush, and only then empty the slot. In this order:
 *
 * The lock waits for the store and for file_write(), and keeps entries from becoming writable.
 * Isolated, the page is not moved meanwhile, and no debt of it is made after PAY_TRUNCATE.
 * Who finds the slot busy waits, so nothing is mapped where a flush is still owed (I6). A fault that
 * found the page before had its table before that, so its entry's place is found here (page_isolate()
 * and page_get() are full barriers); it looks at the slot again under the PTL: file_fault_map().
 * References of others, such as of a read under way, keep the frame until they are gone,
 * but it is no page of the file any more. It is freed after the flush (I1).
 */
#include <mm/clean.h>
#include <mm/copies.h>
#include <mm/deferral.h>
#include <mm/dirty.h>
#include <mm/leave.h>
#include <mm/page_lock.h>
#include <mm/pay.h>
#include <mm/store.h>
#include <kernel/error.h>
#include <kernel/panic.h>

static void isolate(struct page *page)
{
	/* A migrator has it: it fails, as we have a reference, or did not begin. */
	while (!page_isolate(page))
		cpu_relax();
}

int leave_begin(struct object *file, struct page *page, struct rmap_edit *edit)
{
	slot_store(object_slot(file, page->index, false), slot_busy(cpu_id()));
	pay(edit->why == CHANGE_RECLAIM ? PAY_RECLAIM : PAY_TRUNCATE, pay_page(page));
	return rmap_edit_unmap(edit, page, &page->taken);
}

/* The slot is empty, the page nobody's. */
static void leave(struct object *file, struct page *page, slot_t *slot)
{
	/* A fault that found the page reads it, and decides by its slot. */
	store_relaxed(&page->object, NULL);
	/* Relaxed: whoever looks at the file of a page has its lock. */
	if (atomic_fetch_and_relaxed(&page->flags, ~(u32)PG_DIRTY) & PG_DIRTY)
		dirty_ends(file);
	slot_settle(slot, slot_none());
	object_release(file); /* not the last: the caller keeps the file open */
	page_put(page, file->page_refs * PAGE_REF);
}

void leave_end(struct object *file, struct page *page, bool stays)
{
	slot_t *slot = object_slot(file, page->index, false);
	u32 taken = page->taken; /* whoever isolates it next has another use for it */

	if (stays)
		slot_settle(slot, slot_of_page(page));
	else
		leave(file, page, slot);
	page_end_isolation(page);
	rmap_put_taken(page, taken);
}

/* The page is locked, and ours to drop. */
static int drop_locked(struct object *file, struct page *page, bool pins_stay)
{
	struct rmap_edit edit;

	isolate(page);
	rmap_edit_begin(&edit, CHANGE_DROP);
	read_lock(&file->lock);
	int err = leave_begin(file, page, &edit);

	rmap_edit_end(&edit);
	read_unlock(&file->lock);
	if (!err && pins_stay && leave_is_pinned(page))
		err = -EBUSY;
	leave_end(file, page, err);
	return err;
}

/* ---- pages that left with their flush owed ------------------------------------------------ */

/*
 * Does it say less than this payment does? One that is from long ago may look like a later one: then it says more, for
 * as long as it is not paid.
 */
static bool says_less(u64 was, u64 payment)
{
	return !was || generation_before(was, payment) || !deferral->is_owed(was);
}

void file_leaves_owing(struct object *file)
{
	struct store *store = file->store;
	u64 payment = deferral->payment(), was = load_relaxed(&store->payment);

	/* Before the slot is empty (release); whoever fills it replaces that (full barrier) and then reads this. */
	while (was != payment && says_less(was, payment) &&
	       !atomic_cmpxchg_acquire(&store->payment, &was, payment))
		; /* somebody else changed it: `was` is theirs now */
}

/* May CPUs still read pages that have left the file? Of a slot that the caller found or made empty. */
static bool file_owes(const struct object *file)
{
	const struct store *store = file->store;
	u64 payment = load_relaxed(&store->payment);

	return unlikely(payment) && deferral->is_owed(payment);
}

void file_mark_copied(const struct object *file, struct page *page)
{
	if (file_owes(file))
		copies_mark(page);
}

struct page *file_settled_page(struct object *file, slot_t *slot)
{
	struct object_fill wait;

	for (;;) {
		slot_t seen = slot_load(slot);
		struct page *page = slot_is_page(seen) ? slot_page_get(slot, seen) : NULL;

		if (page || slot_is_none(seen))
			return page;
		if (slot_is_busy(seen)) {
			object_wait_begin(&wait, file, slot);
			object_fill_end(&wait);
		} else {
			cpu_relax();
		}
	}
}

static int drop_page(struct object *file, struct page *page, enum file_drop how, bool pins_stay)
{
	int err = 0;

	for (;;) {
		if (how == FILE_KEEP && (err = page_clean(file, page)))
			return err;
		page_lock(page);
		bool ours = page->object == file;

		/* Written again since it was cleaned: once more. */
		if (ours && how == FILE_KEEP && load_relaxed(&page->flags) & PG_DIRTY) {
			page_unlock(page);
			continue;
		}
		if (ours)
			err = drop_locked(file, page, pins_stay);
		page_unlock(page);
		return err;
	}
}

/* What left owing before we came is gone, too: on return nobody reads it. */
static void pay_for_range(struct object *file)
{
	if (file_owes(file))
		pay(PAY_TRUNCATE, pay_all());
}

static int drop_range(struct object *file, u64 first, u64 end, enum file_drop how, bool pins_stay)
{
	int result = 0;

	for (u64 i = first; i < end; i++) {
		slot_t *slot = object_slot(file, i, false);

		if (!slot) {
			i = ALIGN_DOWN(i, OBJECT_CHUNK) + OBJECT_CHUNK - 1;
			continue;
		}
		struct page *page = file_settled_page(file, slot);

		if (!page)
			continue;
		int err = drop_page(file, page, how, pins_stay);

		page_put(page, PAGE_REF);
		result = result ? result : err;
	}
	pay_for_range(file);
	return result;
}

int file_invalidate(struct object *file, u64 first, u64 count, enum file_drop how)
{
	ASSERT(first <= file->page_count && count <= file->page_count - first);
	return drop_range(file, first, first + count, how, true);
}

int file_truncate(struct object *file, u64 pages)
{
	u64 was = load_relaxed(&file->size);

	do {
		if (pages > was)
			return -EINVAL;
		/* Full barrier: shorter before we look for pages; partner: file_fault_map(), file_get_page(). */
	} while (!atomic_cmpxchg(&file->size, &was, pages));
	return drop_range(file, pages, file->page_count, FILE_DISCARD, false);
}
