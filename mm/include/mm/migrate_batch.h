/* Pages on their way to another node, as the files mm/migrate*.c and mm/collect.c keep them. */
#pragma once

#include <mm/deferral.h>
#include <mm/migrate.h>
#include <mm/pgwalk.h>
#include <mm/stats.h>
#include <mm/takedown.h>
#include <kernel/clock.h>
#include <arch/cpu.h>

enum {
	MIGRATE_MAX = 512, /* entries isolated at a time; knob `batch` goes up to here */
	MIGRATE_OBJECTS = 8, /* whose areas are walked in one batch */
	MIGRATE_CHANGES = 32, /* runs of pages in spaces that are watched, in one batch */
};

/* One per CPU: a context does not yield while it migrates. */
struct migration {
	const struct migrate_request *req;
	struct tlb_gather gather;
	struct pt_cache cache;
	unsigned order, level; /* of every page in it, and of the entries that map it */
	bool as_linux; /* batches are flushed as Linux does on x86-64: see unmap_as_linux() */
	unsigned count; /* pages isolated: several batches, if batches are small */
	unsigned moved; /* of the batch, so far */
	struct page **
		list; /* it began with these frames; NULL: with a range, whose aspace.lock it holds */
	bool tells; /* somebody asked what became of the pages */
	bool watched; /* its changes are told: see mm/migrate_change.c */
	bool defers; /* the deferral in force may let flushes wait */
	enum migrate_reason failure; /* the last one */
	u64 stamp; /* cycles at the last phase border */
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
	u32 wanted_any; /* some bit of wanted is set; faults set it, release */
	u64 wanted[MIGRATE_MAX / 64]; /* pages somebody waits for */
};

/* Not results, but steps on the way: the page's object cannot be held in this batch; ... */
#define BATCH_ENDS ((enum migrate_reason)MIGRATE_REASONS)
/* ... the entry was taken down, and shown to the deferral instead of gathered. */
#define FLUSH_MAY_WAIT ((enum migrate_reason)(MIGRATE_REASONS + 1))

enum {
	PAIR_DEFERRED = 1 << 0, /* a scheme took the flush of its entry upon itself */
	PAIR_DONE = 1 << 1, /* moved, or mapped again where it was */
};

/* The time since the last border belongs to `phase`. */
static inline void phase_end(struct migration *m, enum migrate_phase phase)
{
	u64 now = cycles_now();

	m->stats.phase[phase] += now - m->stamp;
	m->stamp = now;
}

/* A page that the caller isolated, found at va. */
static inline void migration_add(struct migration *m, struct page *page, vaddr_t va)
{
	page->migration = m;
	page->slot = m->count;
	m->state[m->count] = 0;
	m->va[m->count] = va;
	m->src[m->count++] = page;
}

/*
 * One entry becomes a migration entry. PTL held. MIGRATE_OK: its flush is
 * gathered, or none is due. FLUSH_MAY_WAIT: the deferral noted it and did not
 * object, which it may do once, in *may_wait. Else the entry is as it was.
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

		/* No CPU holds it, but it may be written as soon as it is mapped again: others must not wait (I5). */
		if (!cached && pte_is_writable(leaf))
			*may_wait = false;
		if (cached && *may_wait)
			*may_wait = deferral->entry_taken(src, &as->ctx, va, leaf);
		if (cached && *may_wait)
			return FLUSH_MAY_WAIT;
	}
	if (unlikely(!cached)) /* the scan flushed it, and the oracle holds us to that */
		return MIGRATE_OK;
	tlb_gather_add(&m->gather, &as->ctx, va, m->level);
	return MIGRATE_OK;
}

/* A migration entry names `to` from now on, and is accessible again as it was before. */
static inline void migration_map_entry(pte_t *ptep, struct page *to, unsigned level)
{
	struct spinlock *ptl = pt_lock_of(ptep);

	spin_lock(ptl);
	/* Nobody but us changes a migration entry: whoever meets one waits for us. */
	pte_t pte = pte_from_migration(pte_load(ptep), page_to_phys(to), level);

	if (unlikely(pte_is_executable(pte))) /* the copy is what is fetched from now on */
		code_sync(page_to_virt(to), PT_LEVEL_SIZE(level));
	pt_install(ptep, pte);
	spin_unlock(ptl);
}

/* ---- mm/migrate_shared.c: pages that more than one area maps, or another space's ---- */

/* The read side of the object, until migration_release_objects(). False: not in this batch. */
bool migration_hold_object(struct migration *m, struct object *obj);
void migration_release_objects(struct migration *m);
/* Every entry of the page becomes a migration entry, or it stays and those that did are to be mapped again. Object held. */
enum migrate_reason migration_unmap_shared(struct migration *m, struct page *src);
/* Migration entries of src now name `to`. Object held. */
void migration_map_shared(const struct page *src, struct page *to, unsigned level);

/* ---- mm/migrate_change.c ---- */

/*
 * Begin the changes that moving the pairs [first, last) makes, in every space,
 * and hold their objects. Pages that somebody refuses are dropped. Returns where
 * the batch ends: there is room for so many pages. No PTL held.
 */
unsigned migration_begin_changes(struct migration *m, unsigned first, unsigned last);
void migration_end_changes(struct migration *m);

/* ---- mm/migrate_stats.c ---- */

/* A page found at va stays where it is: counted, and told to a caller who asked. */
void migration_note_failure(struct migration *m, vaddr_t va, unsigned order,
			    enum migrate_reason reason);
/* A pair whose source stays where it is: its isolation ends, its destination is given back. */
void migration_drop(struct migration *m, unsigned i, enum migrate_reason reason);
/* For a caller who asked: the page found at va has moved. */
void migration_note_moved(struct migration *m, vaddr_t va);
/*
 * Isolate the next pages from va on that are on the wrong node, all of one size,
 * at most MIGRATE_MAX. Read side of aspace.lock held. Returns where the next search starts.
 */
vaddr_t collect_pages(struct migration *m, vaddr_t va, vaddr_t end);
/* The same of m->list, from `at` on. */
unsigned collect_listed(struct migration *m, unsigned at, unsigned n);
