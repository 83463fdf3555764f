/*
 * The walker: one loop over level numbers for both architectures and every
 * table format. It descends without a lock. That is safe for whoever holds either
 * side of a space's lock: an entry that leads to a table stays until
 * range_free_tables() removes it, under the write side, or the space is destroyed.
 * The kernel's own tables are never freed.
 */
#include <mm/pgwalk.h>
#include <mm/early.h>
#include <mm/pmm.h>
#include <kernel/error.h>
#include <kernel/panic.h>

#define STAGE1_ENTRIES                                                                             \
	.mk_leaf = pte_mk_leaf, .mk_table = pte_mk_table, .is_table = pte_is_table, .pa = pte_pa,  \
	.block_ok = pt_block_ok

const struct pt_format pt_stage1 = {
	.name = "stage1",
	.start_level = PT_LEVELS - 1,
	.root_entries = PT_ENTRIES,
	.own_entries = PT_INDEX(PT_VA_LOW_END, PT_LEVELS - 1),
	STAGE1_ENTRIES,
};

const struct pt_format pt_kernel = {
	.name = "kernel",
	.start_level = PT_LEVELS - 1,
	.root_entries = PT_ENTRIES,
	STAGE1_ENTRIES,
};

u64 pt_kernel_tables; /* atomic: they are never given back, so leak checks leave them out */

/* A frame becomes a table of this level, with nobody holding its lock. */
static void become_table(struct page *page, unsigned level)
{
	store_relaxed(&page->state, (u8)PAGE_TABLE);
	page->table_level = (u8)level;
	page->ptl.held = 0;
	page->table_used = 0;
}

static pte_t *table_alloc(u32 node, unsigned level, unsigned flags)
{
	struct page *page = pmm_alloc(node, 0, PMM_RESERVE | PMM_ZERO | flags);

	if (!page)
		return NULL;
	become_table(page, level);
	return page_to_virt(page);
}

pte_t *pt_table_alloc(u32 node, unsigned level)
{
	if (early_active()) {
		paddr_t pa = early_alloc(PAGE_SIZE, PAGE_SIZE, 0, ~0UL);

		return pa ? phys_to_virt(pa) : NULL;
	}
	return table_alloc(node, level, 0);
}

pte_t *pt_table_alloc_in_reclaim(u32 node, unsigned level)
{
	return table_alloc(node, level, PMM_NO_RECLAIM);
}

void pt_table_free(pte_t *table)
{
	struct page *page = virt_to_page(table);

	ASSERT(load_relaxed(&page->state) == PAGE_TABLE);
	store_relaxed(&page->state, (u8)PAGE_USED);
	page_put(page, PAGE_REF);
}

/* Order of the pages that a root takes. */
static unsigned root_order(const struct pt_format *fmt)
{
	return (unsigned)__builtin_ctzl(fmt->root_entries / PT_ENTRIES);
}

pte_t *pt_root_alloc(const struct pt_format *fmt, u32 node)
{
	ASSERT(fmt->root_entries == PT_ENTRIES << root_order(fmt));
	struct page *page = pmm_alloc(node, root_order(fmt), PMM_RESERVE | PMM_ZERO);

	for (unsigned i = 0; page && i < 1U << root_order(fmt); i++)
		become_table(page + i, fmt->start_level); /* each has the lock of its entries */
	return page ? page_to_virt(page) : NULL;
}

void pt_root_free(const struct pt_format *fmt, pte_t *root)
{
	struct page *page = virt_to_page(root);

	for (unsigned i = 1; i < 1U << root_order(fmt); i++)
		page[i].state = PAGE_RESERVED;
	pt_table_free(root);
}

void pt_table_fill(pte_t *table, pte_t whole)
{
	bool hint = pte_is_hint(whole);
	pte_t leaf = hint ? pte_from_hint(whole) : whole;
	paddr_t pa = pte_pa(leaf, 1);

	for (unsigned i = 0; i < PT_ENTRIES; i++, pa += PAGE_SIZE) {
		pte_t part = pte_mk_leaf(pa, pte_prot(leaf), 0);

		part = pte_is_dirty(leaf) ? pte_mk_dirty(part) : pte_mk_clean(part);
		if (!pte_is_accessed(leaf))
			part = pte_mk_old(part);
		table[i] = hint ? pte_mk_hint(part) : part;
	}
}

/* ---- the walk: inline, so that a format that is known here costs no call ------- */

/* The entry of va in a table of this level. */
static __always_inline pte_t *entry_of(const struct pt_format *fmt, pte_t *table, vaddr_t va,
				       unsigned level)
{
	unsigned entries = level == fmt->start_level ? fmt->root_entries : PT_ENTRIES;

	return &table[va >> PT_LEVEL_SHIFT(level) & (entries - 1)];
}

/* pgwalk_find_in(); see there. */
static __always_inline struct pt_pos find(const struct pt_format *fmt, pte_t *root, vaddr_t va,
					  unsigned level)
{
	pte_t *ptep = entry_of(fmt, root, va, fmt->start_level);
	unsigned l = fmt->start_level;

	/* In an unrolled walk the levels are constants, and so are their shifts. */
#pragma GCC unroll 4
	for (unsigned step = 0; step < PT_LEVELS; step++) {
		pte_t pte = pte_load(ptep);

		if (l == level || !fmt->is_table(pte, l))
			break;
		l--;
		ptep = entry_of(fmt, phys_to_virt(fmt->pa(pte, l + 1)), va, l);
	}
	return (struct pt_pos){ptep, l};
}

struct pt_pos pgwalk_find(pte_t *root, vaddr_t va, unsigned level)
{
	return find(&pt_stage1, root, va, level);
}

struct pt_pos pgwalk_find_in(const struct pt_format *fmt, pte_t *root, vaddr_t va, unsigned level)
{
	return find(fmt, root, va, level);
}

/* Hang a new table under an empty entry; somebody else may have been faster. */
static bool table_install(const struct pt_format *fmt, pte_t *ptep, unsigned level, u32 node)
{
	pte_t *table = pt_table_alloc(node, level - 1);

	if (!table)
		return false;
	if (early_active()) {
		pt_install(ptep, fmt->mk_table(virt_to_phys(table)));
		return true;
	}
	spin_lock(pt_lock_of(ptep));
	bool won = pte_is_none(pte_load(ptep));

	if (won)
		pt_install(ptep, fmt->mk_table(virt_to_phys(table)));
	spin_unlock(pt_lock_of(ptep));
	if (!won)
		pt_table_free(table);
	else if (fmt == &pt_kernel)
		atomic_fetch_add_relaxed(&pt_kernel_tables, 1);
	return true;
}

/* Some tables may be missing. Reads an entry again after it has hung a table there, as others may, too. */
static __noinline struct pt_pos create(const struct pt_format *fmt, pte_t *root, vaddr_t va,
				       unsigned level, u32 node)
{
	pte_t *table = root;

	for (unsigned l = fmt->start_level;;) {
		pte_t *ptep = entry_of(fmt, table, va, l);

		if (l == level)
			return (struct pt_pos){ptep, l};
		pte_t pte = pte_load(ptep);

		if (pte_is_none(pte)) {
			if (!table_install(fmt, ptep, l, node))
				return (struct pt_pos){NULL, l};
			continue;
		}
		if (!fmt->is_table(pte, l))
			return (struct pt_pos){ptep, l};
		table = phys_to_virt(fmt->pa(pte, l));
		l--;
	}
}

struct pt_pos pgwalk_create(const struct pt_format *fmt, pte_t *root, vaddr_t va, unsigned level,
			    u32 node)
{
	if (likely(fmt == &pt_stage1)) {
		struct pt_pos pos = find(&pt_stage1, root, va, level);

		if (likely(pos.level == level))
			return pos; /* all tables are there, as nearly always */
	}
	return create(fmt, root, va, level, node);
}

bool pgwalk_fill_cache(pte_t *root, vaddr_t va, struct pt_cache *cache)
{
	struct pt_pos pos = pgwalk_find(root, va, 0);

	if (pos.level)
		return false;
	cache->table = (pte_t *)ALIGN_DOWN((u64)pos.ptep, PAGE_SIZE);
	cache->base = ALIGN_DOWN(va, HUGE_SIZE);
	return true;
}

/* Largest leaf that va, pa and the rest of the range allow. */
static unsigned leaf_level(const struct pt_format *fmt, vaddr_t va, paddr_t pa, u64 len, bool large)
{
	for (unsigned l = MIN(2U, fmt->start_level); large && l > 0; l--)
		if (fmt->block_ok(l) && !((va | pa) & (PT_LEVEL_SIZE(l) - 1)) &&
		    len >= PT_LEVEL_SIZE(l))
			return l;
	return 0;
}

int pgwalk_map_range(const struct pt_format *fmt, pte_t *root, vaddr_t va, paddr_t pa, u64 len,
		     prot_t prot, bool large)
{
	ASSERT(!((va | pa) & (PAGE_SIZE - 1)));
	while (len) {
		unsigned level = leaf_level(fmt, va, pa, len, large);
		struct pt_pos pos = pgwalk_create(fmt, root, va, level, 0);

		if (!pos.ptep)
			return -ENOMEM;
		u64 size = PT_LEVEL_SIZE(pos.level);
		u64 step = MIN(len, size - (va & (size - 1)));

		/* Stopped above at a block, or mapped before: the range is there already. */
		if (pos.level == level && pte_is_none(pte_load(pos.ptep)))
			pt_install(pos.ptep, fmt->mk_leaf(pa, prot, level));
		va += step;
		pa += step;
		len -= step;
	}
	return 0;
}

/* Free the tables that the first `entries` entries of a table lead to. */
static void free_below(const struct pt_format *fmt, pte_t *table, unsigned level, unsigned entries)
{
	for (unsigned i = 0; i < entries; i++) {
		pte_t pte = pte_load(&table[i]);

		if (!fmt->is_table(pte, level))
			continue;
		pte_t *child = phys_to_virt(fmt->pa(pte, level));

		if (level > 1)
			free_below(fmt, child, level - 1, PT_ENTRIES);
		pte_store(&table[i], pte_none());
		pt_table_free(child);
	}
}

void pgwalk_free_tables(const struct pt_format *fmt, pte_t *root)
{
	free_below(fmt, root, fmt->start_level, fmt->own_entries);
}
