/*
 * The lock of a page of a file, PG_LOCKED. Whoever has it is the only one who writes
 * the page by the kernel, or hands it to its store, or takes it out of its file. While
 * it is held, no entry of the page becomes writable: see page_begin_write().
 *
 * It is held across accesses to the store, so its waiters sleep. It comes before
 * object.lock and every spinlock; nobody waits for it with aspace.lock or object.lock held.
 * Reclaim, which comes with them, only tries.
 */
#pragma once

#include <mm/dirty.h>

/* Wait for the lock and take it. The caller has a reference. Task context, no locks. Acquire. */
void page_lock(struct page *page);
/* Take it if nobody has it: true. The same, but any locks may be held. */
bool page_trylock(struct page *page);
/*
 * The same if the page is dirty, which it is not any more then. False: it is clean, and not
 * locked. One step, so that a write comes before it, or finds the lock: see page_begin_write().
 */
bool page_lock_dirty(struct page *page);
/* Release the lock and wake who waits for it. Full barrier. On the CPU that took it. */
void page_unlock(struct page *page);
/* Wait until nobody has the lock, without taking it. The same rules as page_lock(). */
void page_lock_wait(struct page *page);

/*
 * A writable entry of the page is about to be made, with the PTL of the entry held: the
 * page is dirty from now on. False: it is locked, so the entry must stay read-only.
 *
 * Whoever cleans the page takes DIRTY and sets LOCKED in one step, then looks at every
 * entry under its PTL. So if this comes first, the cleaner finds the entry. It finds its table, too,
 * however new: the mapcount was counted between the table and this, a full barrier. If this comes
 * second, it sees LOCKED. Both steps are of one word, so acquire is all that the cleaner's needs.
 */
static inline bool page_begin_write(struct page *page)
{
	u32 flags = load_relaxed(&page->flags);

	do {
		if (flags & PG_LOCKED)
			return false;
	} while (!atomic_cmpxchg_acquire(&page->flags, &flags, flags | PG_DIRTY));
	if (!(flags & PG_DIRTY))
		/* It stays in its file, as its entry cannot be taken down. */
		dirty_begins(page->object);
	return true;
}

/* The page's contents are newer than its store's. The caller has the lock. */
static inline void page_mark_dirty(struct page *page)
{
	/* Relaxed: whoever cleans the page takes the lock, too. */
	if (!(atomic_fetch_or_relaxed(&page->flags, PG_DIRTY) & PG_DIRTY))
		dirty_begins(page->object);
}
