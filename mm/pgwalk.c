/*
 * The walker: one loop over level numbers for both architectures and every
 * table format. A table entry, once installed, stays until its whole range is
 * unmapped (aspace.c) or the space is destroyed, so lockless descent is safe
 * for whoever holds either side of aspace.lock.
 */
#include <mm/pgwalk.h>
#include <mm/early.h>
#include <mm/pmm.h>
#include <kernel/error.h>

static pte_t stage1_leaf(paddr_t pa, prot_t prot, unsigned level)
{
	return pte_mk_leaf(pa, prot, level);
}

static pte_t stage1_table(paddr_t pa)
{
	return pte_mk_table(pa);
}

const struct pt_format pt_stage1 = {
	.name = "stage1",
	.start_level = PT_LEVELS - 1,
	.mk_leaf = stage1_leaf,
	.mk_table = stage1_table,
};

const struct pt_format pt_kernel = {
	.name = "kernel",
	.start_level = PT_LEVELS - 1,
	.mk_leaf = stage1_leaf,
	.mk_table = stage1_table,
};

u64 pt_kernel_tables; /* atomic: they are never given back, so leak checks leave them out */

pte_t *pt_table_alloc(u32 node, unsigned level)
{
	if (early_active()) {
		paddr_t pa = early_alloc(PAGE_SIZE, PAGE_SIZE, 0, ~0UL);

		return pa ? phys_to_virt(pa) : NULL;
	}
	struct page *page = pmm_alloc(node, 0, PMM_RESERVE | PMM_ZERO);

	if (!page)
		return NULL;
	store_relaxed(&page->state, (u8)PAGE_TABLE);
	page->table_level = (u8)level;
	page->ptl.held = 0;
	page->table_used = 0;
	return page_to_virt(page);
}

void pt_table_free(pte_t *table)
{
	struct page *page = virt_to_page(table);

	store_relaxed(&page->state, (u8)PAGE_USED);
	page_put(page, PAGE_REF);
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

struct pt_pos pgwalk_find(pte_t *root, vaddr_t va, unsigned level)
{
	pte_t *table = root;

	for (unsigned l = PT_LEVELS - 1;; l--) {
		pte_t *ptep = &table[PT_INDEX(va, l)];

		if (l == level)
			return (struct pt_pos){ptep, l};
		pte_t pte = pte_load(ptep);

		if (!pte_is_table(pte, l))
			return (struct pt_pos){ptep, l};
		table = phys_to_virt(pte_pa(pte, l));
	}
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

struct pt_pos pgwalk_create(const struct pt_format *fmt, pte_t *root, vaddr_t va, unsigned level,
			    u32 node)
{
	pte_t *table = root;

	for (unsigned l = fmt->start_level;;) {
		pte_t *ptep = &table[PT_INDEX(va, l)];

		if (l == level)
			return (struct pt_pos){ptep, l};
		pte_t pte = pte_load(ptep);

		if (pte_is_none(pte)) {
			if (!table_install(fmt, ptep, l, node))
				return (struct pt_pos){NULL, l};
			continue;
		}
		if (!pte_is_table(pte, l))
			return (struct pt_pos){ptep, l};
		table = phys_to_virt(pte_pa(pte, l));
		l--;
	}
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
static unsigned leaf_level(vaddr_t va, paddr_t pa, u64 len, bool large)
{
	for (unsigned l = 2; large && l > 0; l--)
		if (pt_block_ok(l) && !((va | pa) & (PT_LEVEL_SIZE(l) - 1)) &&
		    len >= PT_LEVEL_SIZE(l))
			return l;
	return 0;
}

int pgwalk_map_range(const struct pt_format *fmt, pte_t *root, vaddr_t va, paddr_t pa, u64 len,
		     prot_t prot, bool large)
{
	while (len) {
		unsigned level = leaf_level(va, pa, len, large);
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

static void free_below(pte_t *table, unsigned level, unsigned entries)
{
	for (unsigned i = 0; i < entries; i++) {
		pte_t pte = pte_load(&table[i]);

		if (!pte_is_table(pte, level))
			continue;
		pte_t *child = phys_to_virt(pte_pa(pte, level));

		if (level > 1)
			free_below(child, level - 1, PT_ENTRIES);
		pte_store(&table[i], pte_none());
		pt_table_free(child);
	}
}

void pgwalk_free_tables(pte_t *root)
{
	free_below(root, PT_LEVELS - 1, PT_INDEX(PT_VA_LOW_END, PT_LEVELS - 1));
}
