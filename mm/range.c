/*
 * Ranges: taking down, protecting. Unhook, flush, free, in that order: pages
 * leave through a small gather that flushes when it is full.
 */
#include <mm/change.h>
#include <mm/knob.h>
#include <mm/range.h>
#include <mm/migrate_wait.h>
#include <mm/rules.h>
#include <mm/takedown.h>
#include <arch/cpu.h>

enum {
	ZAP_PAGES = 64
}; /* pages held between taking down and freeing: bounds memory held back and stack used */

struct zap {
	struct aspace *as;
	struct tlb_gather gather;
	unsigned count;
	struct page *pages[ZAP_PAGES];
};

/* Flush what was taken down; only then drop the references of the mappings (I1). */
static void zap_flush(struct zap *z)
{
	tlb_gather_flush(&z->gather);
	page_put_all(z->pages, z->count);
	z->count = 0;
}

/* All entries of [start, end) were taken down, and a CPU may hold each. One alone is broadcast at once. */
static inline void zap_gather(struct zap *z, vaddr_t start, vaddr_t end, unsigned level)
{
	if (end - start > PT_LEVEL_SIZE(level))
		tlb_gather_add_range(&z->gather, &z->as->ctx, start, end, level);
	else if (start < end)
		tlb_gather_add(&z->gather, &z->as->ctx, start, level);
}

/* What an entry names. */
static inline struct page *page_of(pte_t pte, unsigned level)
{
	return phys_to_page(pte_pa(pte, level));
}

/*
 * Take down the entries of one table up to `end`; there is room for their pages. *va
 * moves on. Returns the page that a migration entry names, at which it stops, or
 * NULL. PTL held.
 */
static __always_inline struct page *zap_entries(struct zap *z, pte_t *ptep, unsigned level,
						vaddr_t *va, vaddr_t end)
{
	u64 size = PT_LEVEL_SIZE(level);
	vaddr_t at = *va, first = at; /* those from `first` on are down, and not yet gathered */
	struct page **out = z->pages + z->count, *moving = NULL;

	for (; at < end; at += size, ptep++) {
		pte_t old = pte_load(ptep);
		bool cached = true;

		if (unlikely(!pte_is_present(old))) {
			if (pte_is_migration(old)) {
				moving = page_of(old, level);
				break;
			}
			cached = !pte_is_none(old) && aspace_may_be_cached(z->as, old);
			if (!cached) {
				zap_gather(z, first, at, level);
				first = at + size;
			}
			if (pte_is_none(old))
				continue;
		}
		struct page *page = page_of(old, level);

		entry_take((struct takedown){.as = z->as,
					     .page = page,
					     .va = at,
					     .ptep = ptep,
					     .level = level,
					     .old = old,
					     .become = become_none,
					     .cached = cached,
					     .alone = load_relaxed(&page->mapcount) == 1,
					     .later = true,
					     .site = ORACLE_SITE(ORACLE_RANGE),
					     .gather = &z->gather});
		atomic_fetch_add(&page->mapcount, -1U);
		*out++ = page;
	}
	zap_gather(z, first, at, level);
	z->count = (unsigned)(out - z->pages);
	*va = at;
	return moving;
}

/* The same with its lock; waits for a page that is being moved. */
static void zap_run(struct zap *z, pte_t *ptep, unsigned level, vaddr_t *va, vaddr_t end)
{
	struct spinlock *ptl = pt_lock_of(ptep);

	if (!z->gather.part[0].pages)
		z->gather.part[0].level = (u8)level;
	spin_lock(ptl);
	/* No more than there is room for, if none of them is missing. */
	u64 room = (u64)(ZAP_PAGES - z->count) << PT_LEVEL_SHIFT(level);
	struct page *moving = zap_entries(z, ptep, level, va, MIN(end, *va + room));

	if (unlikely(moving))
		migration_wait(moving, ptl);
	else
		spin_unlock(ptl);
}

/* End of the run that shares a table with va, at most end. */
static vaddr_t run_end(vaddr_t va, unsigned level, vaddr_t end)
{
	return MIN(end, ALIGN_DOWN(va, PT_LEVEL_SIZE(level + 1)) + PT_LEVEL_SIZE(level + 1));
}

void range_zap(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct zap z;

	owing_begins(as);
	z.as = as;
	z.count = 0;
	tlb_gather_init(&z.gather, &as->ctx, 0);
	for (vaddr_t va = start; va < end;) {
		struct pt_pos pos = pgwalk_find(as->root, va, 0);
		pte_t pte = pte_load(pos.ptep);

		if (pos.level && pte_is_none(pte)) {
			va = ALIGN_DOWN(va, PT_LEVEL_SIZE(pos.level)) + PT_LEVEL_SIZE(pos.level);
			continue;
		}
		/* Neighbours at level 1 may be tables; take those one by one. */
		vaddr_t stop = pos.level ? va + PT_LEVEL_SIZE(pos.level) : run_end(va, 0, end);

		zap_run(&z, pos.ptep, pos.level, &va, stop);
		if (z.count == ZAP_PAGES)
			zap_flush(&z);
	}
	if (aspace_owes(as)) /* what we found taken down may not be flushed yet */
		tlb_gather_add_range(&z.gather, &as->ctx, start, end, 0);
	zap_flush(&z);
	owing_ends(as);
}

/* ---- protection -------------------------------------------------------------- */

/* Before an entry allows execution: what its frame holds is what will be fetched. */
static inline void prepare_code(pte_t old, unsigned level)
{
	if (!pte_is_executable(old))
		code_sync(phys_to_virt(pte_pa(old, level)), PT_LEVEL_SIZE(level));
}

/* What protect_entry() found last: entries with the same attributes change alike. */
struct alike {
	u64 attributes; /* 0: none yet; no entry that is present has none */
	bool flush;
};

static inline bool needs_flush(pte_t old, pte_t new, unsigned level, struct alike *alike)
{
	u64 attributes = old.v ^ pte_pa(old, level);

	if (unlikely(attributes != alike->attributes)) {
		alike->attributes = attributes;
		alike->flush = entry_changes(old, new, level) & rules.shootdown;
	}
	return alike->flush;
}

/*
 * True: to be flushed. Some CPU may still use the old rights, or would go on refusing the
 * new ones; or everything is (protect_flush=always). PTL held; debts were paid by
 * change_begin().
 */
static inline bool protect_entry(pte_t *ptep, pte_t old, prot_t prot, unsigned level, bool always,
				 struct alike *alike)
{
	pte_t new = pte_with_prot(old, prot);

	if (new.v == old.v)
		return always;
	if (unlikely(prot & PROT_EXEC))
		prepare_code(old, level);
	pt_protect(ptep, old, new, prot);
	/* Where nothing but reading is left, what changed lost something. */
	return !(prot & PROT_CHANGES) || always || needs_flush(old, new, level, alike);
}

/* A hint entry gets the new rights, too: they are what the next access will be given. PTL held. */
static inline bool protect_hint(const struct aspace *as, pte_t *ptep, pte_t old, prot_t prot,
				unsigned level)
{
	pte_t leaf = pte_from_hint(old), new = pte_with_prot(leaf, prot);

	if (new.v == leaf.v)
		return false;
	if (unlikely(prot & PROT_EXEC))
		prepare_code(leaf, level);
	pt_note(ptep, pte_mk_hint(new));
	return aspace_may_be_cached(as, old);
}

/* PTL held. Those in between that kept their rights count as changed, as they do for the flush. */
static void tell_run(struct aspace *as, vaddr_t va, vaddr_t end, unsigned level,
		     struct tlb_gather *g)
{
	for (; as->subscribed && va < end; va += PT_LEVEL_SIZE(level))
		change_taken(as, va, level, pte_load(pgwalk_find(as->root, va, level).ptep), g);
}

/* Entries of one table, as far as the range goes. *va moves on; stops where an entry has to be waited for. */
static __always_inline void protect_table(struct aspace *as, struct tlb_gather *g,
					  struct pt_pos pos, vaddr_t *va, vaddr_t end, prot_t prot)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);
	u64 size = PT_LEVEL_SIZE(pos.level);
	bool always = knobs.protect_flush == PROTECT_FLUSH_ALWAYS;
	vaddr_t first = ~0UL, last = 0;
	struct page *moving = NULL;
	struct alike alike = {0};

	spin_lock(ptl);
	vaddr_t at = *va;

	for (; at < end; at += size, pos.ptep++) {
		pte_t old = pte_load(pos.ptep);

		if (likely(pte_is_present(old))) {
			if (!protect_entry(pos.ptep, old, prot, pos.level, always, &alike))
				continue;
		} else if (unlikely(pte_is_migration(old))) {
			moving = phys_to_page(pte_pa(old, pos.level));
			break;
		} else if (!pte_is_hint(old) || !protect_hint(as, pos.ptep, old, prot, pos.level)) {
			continue;
		}
		last = at;
		first = MIN(first, at);
	}
	*va = at;
	if (first <= last) {
		tlb_gather_add_range(g, &as->ctx, first, last + size, pos.level);
		tell_run(as, first, last + size, pos.level, g);
	}
	if (moving)
		migration_wait(moving, ptl);
	else
		spin_unlock(ptl);
}

/* What is asked for most is a constant, so that its loop holds no tests of it. */
static void protect_run(struct aspace *as, struct tlb_gather *g, struct pt_pos pos, vaddr_t *va,
			vaddr_t end, prot_t prot)
{
	if (prot == PROT_READ)
		protect_table(as, g, pos, va, end, PROT_READ);
	else
		protect_table(as, g, pos, va, end, prot);
}

void range_lower_begin(struct aspace *as, struct tlb_gather *gather)
{
	owing_begins(as);
	tlb_gather_init(gather, &as->ctx, 0);
}

void range_lower(struct aspace *as, struct tlb_gather *gather, vaddr_t start, vaddr_t end,
		 prot_t prot)
{
	for (vaddr_t va = start; va < end;) {
		struct pt_pos pos = pgwalk_find(as->root, va, 0);

		if (pos.level && pte_is_none(pte_load(pos.ptep))) {
			va = ALIGN_DOWN(va, PT_LEVEL_SIZE(pos.level)) + PT_LEVEL_SIZE(pos.level);
			continue;
		}
		protect_run(as, gather, pos, &va,
			    pos.level ? va + PT_LEVEL_SIZE(pos.level) : run_end(va, 0, end), prot);
	}
	if (aspace_owes(as)) /* nor what we found lowered */
		tlb_gather_add_range(gather, &as->ctx, start, end, 0);
}

void range_lower_end(struct aspace *as, struct tlb_gather *gather)
{
	tlb_gather_flush(gather);
	owing_ends(as);
}

void range_protect(struct aspace *as, vaddr_t start, vaddr_t end, prot_t prot)
{
	struct tlb_gather gather;

	range_lower_begin(as, &gather);
	range_lower(as, &gather, start, end, prot);
	range_lower_end(as, &gather);
}

/* ---- tables -------------------------------------------------------------------- */

/* Flush what led to them; only then are they free (I8). */
static void tables_flush(struct zap *z)
{
	tlb_gather_flush(&z->gather);
	while (z->count)
		page_put(z->pages[--z->count], PAGE_REF);
}

/*
 * Nothing of the range is mapped and the write side keeps faults out, so the
 * tables are empty. They are reused only after every CPU dropped its walk
 * caches (I8), which flushing an entry of level 1 does.
 */
void range_free_tables(struct aspace *as, vaddr_t start, vaddr_t end)
{
	vaddr_t first = ALIGN_UP(start, HUGE_SIZE);
	struct zap z;

	if (first + HUGE_SIZE > end)
		return;
	z.as = as;
	z.count = 0;
	tlb_gather_init(&z.gather, &as->ctx, 1);
	for (vaddr_t va = first; va + HUGE_SIZE <= end; va += HUGE_SIZE) {
		struct pt_pos pos = pgwalk_find(as->root, va, 1);
		pte_t pte = pte_load(pos.ptep);

		if (pos.level != 1 || !pte_is_table(pte, 1))
			continue;
		struct page *table = phys_to_page(pte_pa(pte, 1));

		spin_lock(pt_lock_of(pos.ptep));
		entry_take((struct takedown){.as = as,
					     .page = table,
					     .va = va,
					     .ptep = pos.ptep,
					     .level = 1,
					     .old = pte,
					     .become = become_none,
					     .cached = true,
					     .alone = true,
					     .site = ORACLE_SITE(ORACLE_TABLE),
					     .gather = &z.gather});
		spin_unlock(pt_lock_of(pos.ptep));
		store_relaxed(&table->state, (u8)PAGE_USED);
		z.pages[z.count++] = table;
		if (z.count == ZAP_PAGES)
			tables_flush(&z);
	}
	tables_flush(&z);
}
