/* What both parts of reclaim use: who waits for whom, and which pages were accessed. */
#include <mm/pmm.h>
#include <mm/reclaim.h>
#include <mm/reclaim_part.h>
#include <mm/rmap.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

/* Batches that this CPU has begun and ended: odd while pages are in one. */
static PERCPU(u32, batches);
/* This CPU waits until another one has ended its batch, or is through with a file. */
PERCPU(bool, reclaim_waits);

/* ---- who waits for whom ------------------------------------------------------------------- */

void reclaim_wake_waiters(void)
{
	/* The change before the look at who waits. Partner: wait_turn(), between what a waiter says and its next look. */
	smp_mb();
	for_each_online_cpu (cpu)
		if (load_relaxed(cpu_ptr(cpu, reclaim_waits)))
			cpu_wake(cpu);
}

void reclaim_blame(const struct page *page)
{
	for_each_online_cpu (cpu)
		if (load_relaxed(cpu_ptr(cpu, batches)) % 2)
			printk("page %#lx: on its way, by cpu %u\n", page_to_phys(page), cpu);
}

static void batch_blame(void *theirs)
{
	for_each_online_cpu (cpu)
		if (cpu_ptr(cpu, batches) == theirs)
			printk("batch: of cpu %u\n", cpu);
}

/* Until each batch that others have under way is over. False: there is none. */
bool reclaim_wait_for_batches(void)
{
	bool waited = false;

	store_relaxed(this_cpu_ptr(reclaim_waits), true);
	for_each_online_cpu (cpu) {
		u32 *theirs = cpu_ptr(cpu, batches), seen = load_relaxed(theirs);

		if (!(seen % 2))
			continue;
		/* They want nothing that we hold. Acquire: what they freed; pairs with reclaim_batch_ended(). */
		wait_until_blame(load_acquire(theirs) != seen, "a batch that is reclaimed",
				 batch_blame, theirs);
		waited = true;
	}
	store_relaxed(this_cpu_ptr(reclaim_waits), false);
	return waited;
}

void reclaim_batch_begins(void)
{
	store_relaxed(this_cpu_ptr(batches), *this_cpu_ptr(batches) + 1);
}

void reclaim_batch_ended(void)
{
	pmm_drain_caches(); /* who waits for the batch cannot reach what lies in ours */
	/* Release: the frames are free; pairs with the acquire in reclaim_wait_for_batches(). */
	store_release(this_cpu_ptr(batches), *this_cpu_ptr(batches) + 1);
	reclaim_wake_waiters();
}

/* ---- who looks at a page ----------------------------------------------------------------- */

u64 reclaim_looks;
/* The page to which this CPU has a reference, or is about to take one, though its entries may go meanwhile. */
static PERCPU(struct page *, looks_at);

/*
 * Both relaxed. The reference is taken by page_get(), a full barrier, or was there while the page's entries were migration entries,
 * which are mapped back under their PTLs; it is dropped by page_put(), a full barrier, too. Who drops an entry's
 * reference either finds ours, and then sees the announcement, or dropped it before we came.
 */
void reclaim_begin_look(struct page *page)
{
	store_relaxed(this_cpu_ptr(looks_at), page);
}

/* The reference is dropped; or the page's entries are migration entries, for which others wait. */
void reclaim_end_look(void)
{
	store_relaxed(this_cpu_ptr(looks_at), NULL);
}

void reclaim_wait_for_looks(void)
{
	for_each_online_cpu (cpu) {
		struct page **theirs = cpu_ptr(cpu, looks_at), *seen = load_relaxed(theirs);

		while (seen && load_acquire(theirs) == seen) /* pairs with reclaim_end_look() */
			cpu_relax();
	}
}

/* ---- which pages were accessed -------------------------------------------------------------- */

struct aging {
	const struct page *page;
	bool accessed;
};

/* CPUs may go on using what they hold: the bit is set again when one walks the tables. */
static bool age_at(struct area *area, vaddr_t va, void *arg)
{
	struct aging *aging = arg;
	unsigned level = aging->page->order ? 1 : 0;
	struct pt_pos pos = pgwalk_find(area->aspace->root, va, level);

	if (pos.level != level)
		return true;
	spin_lock(pt_lock_of(pos.ptep));
	pte_t pte = pte_load(pos.ptep);

	if (pte_is_leaf(pte, level) && pte_pa(pte, level) == page_to_phys(aging->page) &&
	    pte_is_accessed(pte)) {
		pt_change(pos.ptep, pte_mk_old);
		aging->accessed = true;
	}
	spin_unlock(pt_lock_of(pos.ptep));
	return true;
}

bool reclaim_was_accessed(const struct page *page)
{
	struct aging aging = {.page = page};

	rmap_walk(page, age_at, &aging);
	return aging.accessed;
}
