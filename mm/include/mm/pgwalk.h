/*
 * The page-table walker for both architectures and every table format, and the
 * functions that write live entries. Outside mm/pgwalk.c, entries of tables that
 * may be loaded are written only by the inlines below.
 */
#pragma once

#include <mm/page.h>
#include <arch/pgtable.h>
#include <kernel/string.h>

/*
 * A kind of page table: a space's, the kernel's, or a second stage. All have the
 * same levels, PT_ENTRIES entries per table (a root may have more), and 0 for "no
 * entry". What else an entry says is up to the format. Nothing here is called when
 * a format is known at compile time, as the walk is inline (mm/pgwalk.c).
 */
struct pt_format {
	const char *name;
	unsigned start_level; /* of the root */
	unsigned
		root_entries; /* a power of two; more than PT_ENTRIES: tables in a row (arm64 stage 2) */
	unsigned
		own_entries; /* of the root: tables below the first ones belong to it, the rest are shared */
	pte_t (*mk_leaf)(paddr_t pa, prot_t prot, unsigned level);
	pte_t (*mk_table)(paddr_t pa);
	bool (*is_table)(pte_t pte, unsigned level);
	paddr_t (*pa)(pte_t pte, unsigned level); /* of a table or leaf entry */
	bool (*block_ok)(unsigned level); /* there are leaves at this level above 0 */
};
extern const struct pt_format pt_stage1, pt_kernel;
extern u64 pt_kernel_tables; /* pages that the kernel's own tables took since start-up */

/*
 * Where an entry lives. Valid while its table lives. Tables of a space are freed
 * only with areas, under the write side of aspace.lock, or with the space. So
 * whoever holds the read side may keep a position.
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

/*
 * The lock that guards this entry and all others of its table (the PTL). Not for tables from before
 * the page allocator.
 */
static inline struct spinlock *pt_lock_of(const pte_t *ptep)
{
	return &virt_to_page(ptep)->ptl;
}

/*
 * Find the entry that maps va, or would map it, in a space's tables. Stops at a
 * leaf, at an entry that is not present, or at `level`. Takes no lock: before the
 * caller acts on the entry, he takes pt_lock_of() and reads it again. Either side of
 * aspace.lock held, or anything else that keeps the tables.
 */
struct pt_pos pgwalk_find(pte_t *root, vaddr_t va, unsigned level);
/*
 * The same down to the entry of a 4 KiB page, inline: on the way of each fault. Its levels are constants, and
 * so are their shifts.
 */
static __always_inline struct pt_pos pgwalk_small(pte_t *root, vaddr_t va)
{
	pte_t *table = root;

#pragma GCC unroll 4
	for (unsigned level = PT_LEVELS - 1; level; level--) {
		pte_t *ptep = &table[PT_INDEX(va, level)], pte = pte_load(ptep);

		if (unlikely(!pte_is_table(pte, level)))
			return (struct pt_pos){ptep, level};
		table = phys_to_virt(pte_pa(pte, level));
	}
	return (struct pt_pos){&table[PT_INDEX(va, 0)], 0};
}
/* The same in tables of any format; va: within what the root covers. */
struct pt_pos pgwalk_find_in(const struct pt_format *fmt, pte_t *root, vaddr_t va, unsigned level);
/*
 * The same, but create the tables that are missing down to `level`; they come from `node` if it has
 * memory. Stops early at a leaf. ptep NULL: no memory. Task context, no spinlock held.
 */
struct pt_pos pgwalk_create(const struct pt_format *fmt, pte_t *root, vaddr_t va, unsigned level,
			    u32 node);
/* Make the cache remember the level-0 table of va. False: there is none. */
bool pgwalk_fill_cache(pte_t *root, vaddr_t va, struct pt_cache *cache);
/* Level-0 entry of va through the cache; NULL if no level-0 table is there. */
static inline pte_t *pgwalk_cached(pte_t *root, vaddr_t va, struct pt_cache *cache)
{
	if (unlikely(ALIGN_DOWN(va, HUGE_SIZE) != cache->base) &&
	    !pgwalk_fill_cache(root, va, cache))
		return NULL;
	return &cache->table[PT_INDEX(va, 0)];
}

/* ---- writers of live entries: the entry's PTL is held ---- */

/* Not present -> present. Needs no flush. On return all walkers see the entry. */
static inline void pt_install(pte_t *ptep, pte_t pte)
{
	/*
	 * The contents of the page or table (a copy, zeroes, entries) before the entry
	 * that leads to them. Partner: a walker reads them through the entry's address,
	 * so its loads depend on the entry.
	 */
	smp_wmb();
	pte_store(ptep, pte);
	pt_publish();
}

/* Not present -> not present: a migration or hint entry is corrected. Needs no flush. */
static inline void pt_note(pte_t *ptep, pte_t pte)
{
	pte_store(ptep, pte);
}

/*
 * Present -> not present, or one that is not present replaced by another. Returns what was there, with
 * the dirty and accessed bits that hardware has set. The caller must flush. Full barrier.
 */
static inline pte_t pt_take(pte_t *ptep, pte_t replacement)
{
	return pte_xchg(ptep, replacement);
}

/*
 * Present -> present: the same frame, other rights or state. Bits that hardware sets meanwhile are
 * kept. Returns what was there. The caller flushes what <mm/rules.h> asks for. Full barrier.
 */
static inline pte_t pt_change(pte_t *ptep, pte_t (*change)(pte_t))
{
	pte_t old = pte_load(ptep);

	while (!pte_cmpxchg(ptep, &old, change(old)))
		;
	return old;
}

/* The same with pte_with_prot(). old: the entry as the caller read it; new: pte_with_prot(old, prot). */
static inline void pt_protect(pte_t *ptep, pte_t old, pte_t new, prot_t prot)
{
	while (unlikely(
		!pte_cmpxchg(ptep, &old, new))) /* hardware set dirty or accessed meanwhile */
		new = pte_with_prot(old, prot);
}

/*
 * Map len bytes at va to physical memory from pa on, all multiples of 4 KiB; what is mapped already
 * stays as it is. large: use the largest leaves that fit. 0, or -ENOMEM: a part may be mapped. Needs
 * no flush. The caller keeps other writers of these tables out.
 */
int pgwalk_map_range(const struct pt_format *fmt, pte_t *root, vaddr_t va, paddr_t pa, u64 len,
		     prot_t prot, bool large);

/*
 * Free every table below the root's own entries, not the root. No CPU has the root loaded or walks
 * it. Task context.
 */
void pgwalk_free_tables(const struct pt_format *fmt, pte_t *root);
/* A new root of this format, zeroed. NULL: no memory. Task context. */
pte_t *pt_root_alloc(const struct pt_format *fmt, u32 node);
/* Free a root that no CPU can walk any more. Task context. */
void pt_root_free(const struct pt_format *fmt, pte_t *root);
/* A new table for entries of this level, zeroed. NULL: no memory. Task context. */
pte_t *pt_table_alloc(u32 node, unsigned level);
/* The same for reclaim itself, which must not be asked again: of frames that are free now, the reserve included. */
pte_t *pt_table_alloc_in_reclaim(u32 node, unsigned level);
/* Free a table of pt_table_alloc() that no CPU can walk any more. Task context. */
void pt_table_free(pte_t *table);
/*
 * Fill a new table, which is not live yet, with 4 KiB entries that map what the 2 MiB leaf or hint
 * entry `whole` maps: the same rights and the same state.
 */
void pt_table_fill(pte_t *table, pte_t whole);
