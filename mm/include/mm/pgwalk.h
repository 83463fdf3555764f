/*
 * The one page-table walker, both architectures, every table format; and the
 * only writers of live entries (the inlines below and mm/pgwalk.c).
 */
#pragma once

#include <mm/page.h>
#include <arch/pgtable.h>
#include <kernel/string.h>

/*
 * A kind of page table: stage 1, the kernel's own, or a second stage. Levels,
 * PT_ENTRIES to a table and "0 is no entry" are the same in all; what an entry
 * says is up to the format. The descent is inline for stage 1 (mm/pgwalk.c).
 */
struct pt_format {
	const char *name;
	unsigned start_level; /* of the root */
	unsigned
		root_entries; /* a power of two; more than PT_ENTRIES: tables in a row (arm64 stage 2) */
	unsigned
		own_entries; /* of the root, below which tables belong to it; the rest are shared */
	pte_t (*mk_leaf)(paddr_t pa, prot_t prot, unsigned level);
	pte_t (*mk_table)(paddr_t pa);
	bool (*is_table)(pte_t pte, unsigned level);
	paddr_t (*pa)(pte_t pte, unsigned level); /* of a table or leaf entry */
	bool (*block_ok)(unsigned level); /* there are leaves at this level above 0 */
};
extern const struct pt_format pt_stage1, pt_kernel;
extern u64 pt_kernel_tables; /* pages that the kernel's own tables took since start-up */

/*
 * Where an entry lives. Valid while its table lives: tables of an address
 * space go only with areas, under the write side of aspace.lock, or with the
 * space; holders of the read side may keep one.
 */
struct pt_pos {
	pte_t *ptep;
	unsigned level;
};

/* Remembers the last leaf table, so that neighbours cost no walk. Start with PT_CACHE_EMPTY. */
struct pt_cache {
	pte_t *table; /* level-0 table that maps the 2 MiB at base */
	vaddr_t base;
};
#define PT_CACHE_EMPTY ((struct pt_cache){.base = ~0UL})

static inline struct spinlock *pt_lock_of(const pte_t *ptep)
{
	return &virt_to_page(ptep)->ptl;
}

/*
 * Down to the entry that maps va or would: stops at a leaf, a non-present
 * entry or `level`. Takes no lock; the caller locks pt_lock_of() and looks again.
 */
struct pt_pos pgwalk_find(pte_t *root, vaddr_t va, unsigned level);
/* The same in tables of any format; va: below what its root covers. */
struct pt_pos pgwalk_find_in(const struct pt_format *fmt, pte_t *root, vaddr_t va, unsigned level);
/* The same, creating tables down to `level`. ptep NULL: no memory. Stops early at a leaf above. */
struct pt_pos pgwalk_create(const struct pt_format *fmt, pte_t *root, vaddr_t va, unsigned level,
			    u32 node);
bool pgwalk_fill_cache(pte_t *root, vaddr_t va, struct pt_cache *cache);
/* Level-0 entry of va through the cache; NULL if no level-0 table is there. */
static inline pte_t *pgwalk_cached(pte_t *root, vaddr_t va, struct pt_cache *cache)
{
	if (unlikely(ALIGN_DOWN(va, HUGE_SIZE) != cache->base) &&
	    !pgwalk_fill_cache(root, va, cache))
		return NULL;
	return &cache->table[PT_INDEX(va, 0)];
}

/* ---- the writers: PTL of the entry held ---- */

/* Not present -> present: never needs a flush. Returns after the entry is published to walkers. */
static inline void pt_install(pte_t *ptep, pte_t pte)
{
	/*
	 * The page's contents (a copy, zeroes, a table's entries) before the entry
	 * that leads to them: pairs with the walkers' address dependency.
	 */
	smp_wmb();
	pte_store(ptep, pte);
	pt_publish();
}

/* Not present -> not present (a migration or hint entry corrected). */
static inline void pt_note(pte_t *ptep, pte_t pte)
{
	pte_store(ptep, pte);
}

/* Present -> not present; returns what was there, dirty and accessed bits included. Full barrier. */
static inline pte_t pt_take(pte_t *ptep, pte_t replacement)
{
	return pte_xchg(ptep, replacement);
}

/* Present -> present, same frame, other permissions; keeps bits that hardware sets meanwhile. */
static inline pte_t pt_change(pte_t *ptep, pte_t (*change)(pte_t))
{
	pte_t old = pte_load(ptep);

	while (!pte_cmpxchg(ptep, &old, change(old)))
		;
	return old;
}

/* The same with the rights of prot, see pte_with_prot(); `new` is what `old`, as it was read, becomes. */
static inline void pt_protect(pte_t *ptep, pte_t old, pte_t new, prot_t prot)
{
	while (unlikely(
		!pte_cmpxchg(ptep, &old, new))) /* hardware set dirty or accessed meanwhile */
		new = pte_with_prot(old, prot);
}

/* Build or extend kernel mappings; tables from `alloc`. large: use blocks. 0 or -ENOMEM. */
int pgwalk_map_range(const struct pt_format *fmt, pte_t *root, vaddr_t va, paddr_t pa, u64 len,
		     prot_t prot, bool large);

/* Free every table below the root's own entries. Nobody may have the root loaded. */
void pgwalk_free_tables(const struct pt_format *fmt, pte_t *root);
/* The root of a format, all of its tables zeroed; NULL: no memory. */
pte_t *pt_root_alloc(const struct pt_format *fmt, u32 node);
void pt_root_free(const struct pt_format *fmt, pte_t *root);
pte_t *pt_table_alloc(u32 node, unsigned level); /* zeroed; NULL: no memory */
void pt_table_free(pte_t *table);
/* Map in a new table, which is not live yet, what a 2 MiB leaf or hint entry maps: same rights, same state. */
void pt_table_fill(pte_t *table, pte_t whole);
