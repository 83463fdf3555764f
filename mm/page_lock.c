/*
 * The lock of a page: see page_lock.h. A waiter says which page it waits for, then
 * looks (full barrier in wait_turn()); who unlocks clears the bit (full barrier),
 * then looks who waits. So one of the two sees the other.
 */
#include <mm/page_lock.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

static PERCPU(struct page *, waits_for_page); /* whose lock this CPU waits for; NULL = none */
static PERCPU(struct page *, has_page_lock); /* the last one that it took. For the watchdog */

static void page_lock_blame(void *page)
{
	for_each_online_cpu (cpu)
		if (load_relaxed(cpu_ptr(cpu, has_page_lock)) == page)
			printk("page %#lx: locked by cpu %u\n", page_to_phys(page), cpu);
}

static bool is_locked(const struct page *page)
{
	return load_relaxed(&page->flags) & PG_LOCKED;
}

void page_lock_wait(struct page *page)
{
	struct page **mine = this_cpu_ptr(waits_for_page);

	store_relaxed(mine, page);
	/* Relaxed: the caller looks again, by an atomic. */
	wait_until_blame(!is_locked(page), "a locked page", page_lock_blame, page);
	store_relaxed(mine, NULL);
}

static void note_holder(struct page *page)
{
	store_relaxed(this_cpu_ptr(has_page_lock), page);
}

bool page_trylock(struct page *page)
{
	/* Acquire: what the last one did under the lock; and see page_begin_write(). */
	if (atomic_fetch_or_acquire(&page->flags, PG_LOCKED) & PG_LOCKED)
		return false;
	note_holder(page);
	return true;
}

void page_lock(struct page *page)
{
	while (!page_trylock(page))
		page_lock_wait(page);
}

bool page_lock_dirty(struct page *page)
{
	u32 flags = load_relaxed(&page->flags);

	for (;;) {
		if (flags & PG_LOCKED) {
			page_lock_wait(page);
			flags = load_relaxed(&page->flags);
			continue;
		}
		if (!(flags & PG_DIRTY))
			return false;
		/* Acquire: as in page_trylock(). */
		if (!atomic_cmpxchg_acquire(&page->flags, &flags,
					    (flags & ~(u32)PG_DIRTY) | PG_LOCKED))
			continue;
		/* Locked, it stays in its file; had it left before, it were not dirty. */
		dirty_ends(page->object);
		note_holder(page);
		return true;
	}
}

void page_unlock(struct page *page)
{
	store_relaxed(this_cpu_ptr(has_page_lock), NULL);
	/* Full barrier: before it what was done under the lock; partner: the one in wait_turn(). */
	u32 was = atomic_fetch_and(&page->flags, ~(u32)PG_LOCKED);

	ASSERT(was & PG_LOCKED);
	for_each_online_cpu (cpu)
		if (load_relaxed(cpu_ptr(cpu, waits_for_page)) == page)
			cpu_wake(cpu);
}
