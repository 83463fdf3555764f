/* A migration under way: the state that mm/migrate*.c and mm/collect.c share. */
#pragma once

#include <mm/deferral.h>
#include <mm/migrate.h>
#include <mm/pgwalk.h>
#include <mm/stats.h>
#include <mm/takedown.h>
#include <kernel/clock.h>
#include <arch/cpu.h>

enum {
	MIGRATE_OBJECTS = 8, /* whose areas are walked in one batch */
	MIGRATE_CHANGES = 32, /* runs of pages in spaces that are watched, in one batch */
};

/* One per CPU: a context does not yield while it migrates. */
struct migration {
	const struct migrate_request *req;
	unsigned cpu; /* whose it is. For the watchdog */
	struct tlb_gather gather;
	struct pt_cache cache;
	unsigned order, level; /* of every page in it, and of the entries that map it */
	bool as_linux; /* flush batches as Linux does on x86-64: see unmap_as_linux() */
	unsigned count; /* pages isolated; several batches if the batch size is smaller */
	unsigned moved; /* pages of `count` that have moved */
	struct page **
		list; /* the frames of migrate_pages(); NULL: a range is moved, and its aspace.lock is held */
	bool tells; /* the caller asked what became of the pages */
	bool watched; /* changes are begun and ended for each batch: see mm/migrate_change.c */
	bool defers; /* the deferral in force may let flushes wait */
	enum migrate_reason failure; /* why the last page that failed did so */
	u64 stamp; /* cycles at the end of the last phase */
	struct migrate_stats stats;
	struct page *src[MIGRATE_MAX], *dst[MIGRATE_MAX];
	vaddr_t va
		[MIGRATE_MAX]; /* where the page was found; in a list: its place there, in pages */
	pte_t *entry[MIGRATE_MAX]; /* of a page mapped once; NULL: through the reverse map */
	u32 taken[MIGRATE_MAX]; /* entries of it that are migration entries now */
	u8 state[MIGRATE_MAX]; /* PAIR_* */
	struct object *held[MIGRATE_OBJECTS]; /* read sides of their locks, until the batch ends */
	unsigned held_count;
	struct change change[MIGRATE_CHANGES]; /* that the batch has begun */
	unsigned changes;
	u32 wanted_any; /* a bit of `wanted` is set; faults set it with a release store */
	u64 wanted[MIGRATE_MAX / 64]; /* a bit per page that somebody waits for; atomic */
};

/* Two answers that are not results. The page's object cannot be held in this batch, so the batch ends before it. */
#define BATCH_ENDS ((enum migrate_reason)MIGRATE_REASONS)
/* The entry was taken down and shown to the deferral, which lets it wait so far; it is not gathered. */
#define FLUSH_MAY_WAIT ((enum migrate_reason)(MIGRATE_REASONS + 1))

enum {
	PAIR_DEFERRED = 1 << 0, /* the deferral will flush its entries */
	PAIR_DONE = 1 << 1, /* it has moved, or is mapped again where it was */
};

/* A phase has ended: the time since the end of the last one is counted as its. */
static inline void phase_end(struct migration *m, enum migrate_phase phase)
{
	u64 now = cycles_now();

	m->stats.phase[phase] += now - m->stamp;
	m->stamp = now;
}

/* Add a page that the caller isolated and found at va; there is room. */
static inline void migration_add(struct migration *m, struct page *page, vaddr_t va)
{
	page->migration = m;
	page->slot = m->count;
	m->state[m->count] = 0;
	m->va[m->count] = va;
	m->src[m->count++] = page;
}

/*
 * Turn one entry of src into a migration entry. PTL held. MIGRATE_OK: done; its
 * flush is gathered, or none is needed. FLUSH_MAY_WAIT: done; the deferral has noted
 * the entry. Anything else: the entry is as it was. *may_wait: true until the
 * deferral objects to an entry of this page; no further ones are shown to it then.
 */
static __always_inline enum migrate_reason migration_take(struct migration *m, struct page *src,
							  struct aspace *as, pte_t *ptep,
							  vaddr_t va, bool alone, bool *may_wait,
							  u64 site)
{
	pte_t old = pte_load(ptep);

	if (unlikely((!pte_is_present(old) && !pte_is_hint(old)) ||
		     pte_pa(old, m->level) != page_to_phys(src)))
		return MIGRATE_GONE;
	bool cached = aspace_may_be_cached(as, old);

	if (unlikely(!pte_is_present(old))) {
		if (cached && m->req->unflushed)
			return MIGRATE_SCANNED;
		if (cached)
			count(hint_gathered);
		else
			count(hint_unflushed);
	}
	pte_t got = entry_take((struct takedown){.as = as,
						 .page = src,
						 .va = va,
						 .ptep = ptep,
						 .level = m->level,
						 .old = old,
						 .become = become_migration,
						 .cached = cached,
						 .alone = alone,
						 .later = true,
						 .site = site,
						 .gather = &m->gather});

	if (unlikely(m->defers)) {
		pte_t leaf = pte_is_hint(got) ? pte_from_hint(got) : got;

		/*
		 * A writer must be stopped before the page is copied (I2). Or no CPU holds this
		 * entry, but it is writable once it is mapped again: the page's others must not
		 * wait either (I5).
		 */
		if (pte_is_writable(leaf))
			*may_wait = false;
		if (cached && *may_wait)
			*may_wait = deferral->entry_taken(src, &as->ctx, va, leaf);
		if (cached && *may_wait)
			return FLUSH_MAY_WAIT;
	}
	if (unlikely(
		    !cached)) /* a scan has flushed it; if that were wrong, the oracle would find it */
		return MIGRATE_OK;
	tlb_gather_add(&m->gather, &as->ctx, va, m->level);
	return MIGRATE_OK;
}

/*
 * Replace a migration entry by a leaf that names `to`, with the rights of the entry that was taken
 * down. Takes the PTL.
 */
static inline void migration_map_entry(pte_t *ptep, struct page *to, unsigned level)
{
	struct spinlock *ptl = pt_lock_of(ptep);

	spin_lock(ptl);
	/* Others wait for us; they only take write access from it, under the PTL (mm/clean.c). */
	pte_t pte = pte_from_migration(pte_load(ptep), page_to_phys(to), level);

	if (unlikely(pte_is_executable(pte))) /* the copy is what is fetched from now on */
		code_sync(page_to_virt(to), PT_LEVEL_SIZE(level));
	pt_install(ptep, pte);
	spin_unlock(ptl);
}

/* ---- mm/migrate_shared.c: pages that more than one area maps, or another space's ---- */

/*
 * Take the read side of the object's lock until migration_release_objects(). False: not possible in
 * this batch. May wait.
 */
bool migration_hold_object(struct migration *m, struct object *obj);
/* Release all objects that are held. */
void migration_release_objects(struct migration *m);
/*
 * Turn every entry of the page into a migration entry. Not MIGRATE_OK: the page stays, and the caller
 * must map it again where it was, by migration_map_shared(). Its object is held; may flush, which waits.
 */
enum migrate_reason migration_unmap_shared(struct migration *m, struct page *src);
/* Replace the migration entries that name src by leaves that name `to` (src itself: to undo). Object held. */
void migration_map_shared(const struct page *src, struct page *to, unsigned level);

/* ---- mm/migrate_change.c ---- */

/*
 * Begin the changes that moving the pairs [first, last) makes, in every space that
 * maps them, and hold their objects. Pages whose change is refused are dropped.
 * Returns the end of the batch, which is smaller than `last` if there is no room for
 * more changes or objects. No PTL held; may wait.
 */
unsigned migration_begin_changes(struct migration *m, unsigned first, unsigned last);
/* End them all. */
void migration_end_changes(struct migration *m);

/* ---- mm/migrate_stats.c ---- */

/* A page of this order, found at va, stays where it is: count it, and tell the caller if he asked. */
void migration_note_failure(struct migration *m, vaddr_t va, unsigned order,
			    enum migrate_reason reason);
/* The source of pair i stays where it is: end its isolation and give the destination back. */
void migration_drop(struct migration *m, unsigned i, enum migrate_reason reason);
/* Tell a caller who asked: the page found at va has moved. */
void migration_note_moved(struct migration *m, vaddr_t va);

/* ---- mm/collect.c ---- */

/*
 * Isolate the pages of [va, end) that are to move, from va on: all of one size, and
 * at most MIGRATE_MAX. Read side of aspace.lock held. Returns where to go on.
 */
vaddr_t collect_pages(struct migration *m, vaddr_t va, vaddr_t end);
/* The same for the frames of m->list, from place `at` on, of n. No locks. Returns the place where to go on. */
unsigned collect_listed(struct migration *m, unsigned at, unsigned n);
