/* Waiting for pages that are being moved. */
#include <mm/migrate_batch.h>
#include <mm/migrate_wait.h>
#include <mm/stats.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

void (*migration_blame_leaving)(const struct page *page);

/* The page this CPU waits for; set under the PTL of its migration entry, cleared by its migrator. */
static PERCPU(struct page *, waiting_for);

/*
 * Ask the migrator to move this page before others. PTL of a migration entry that names it held. Of one that is locked
 * we do not ask: reclaim may have it, which has no state of a migration.
 */
static void migration_want(struct page *src)
{
	struct migration *m = src->migration;

	ASSERT(m && src->slot < MIGRATE_MAX);
	/* Relaxed would do for the bit: the release below orders it before wanted_any. */
	atomic_fetch_or(&m->wanted[src->slot / 64], 1UL << (src->slot % 64));
	store_release(&m->wanted_any, 1);
}

static void migration_blame(void *src)
{
	const struct page *page = src;

	u32 flags = load_relaxed(&page->flags);

	if (flags & PG_ISOLATED && flags & PG_LOCKED)
		migration_blame_leaving(page);
	else if (flags & PG_ISOLATED) /* or it has just arrived */
		printk("page %#lx: on its way, by cpu %u\n", page_to_phys(page),
		       page->migration->cpu);
}

/*
 * The migrator maps the page under the same PTL before it looks at PG_WAITERS,
 * so a waiter that registered is always seen, and one that came later finds
 * the page mapped.
 */
void migration_wait(struct page *src, struct spinlock *ptl)
{
	struct page **mine = this_cpu_ptr(waiting_for);

	ASSERT(spin_is_locked(ptl));
	store_relaxed(mine, src);
	/* Relaxed: the PTL orders it. */
	if (!(atomic_fetch_or_relaxed(&src->flags, PG_WAITERS) & PG_LOCKED))
		migration_want(src);
	spin_unlock(ptl);
	/*
	 * The migrator needs nothing that we hold: no spinlock, and not aspace.lock of its space.
	 * Relaxed: nothing is read on the strength of it; who wants the entry looks again under the PTL.
	 */
	wait_until_blame(load_relaxed(mine) != src, "page under migration", migration_blame, src);
	count(migration_waits);
}

void migration_wake(struct page *src)
{
	for_each_online_cpu (cpu) {
		struct page **theirs = cpu_ptr(cpu, waiting_for);

		if (load_relaxed(theirs) != src)
			continue;
		/* Relaxed: cpu_wake() is a barrier between this and the waiter's halt. */
		store_relaxed(theirs, NULL);
		cpu_wake(cpu);
	}
}
