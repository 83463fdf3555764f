/*
 * Page-table entries of the modelled machine, encoded oddly on purpose: neutral
 * code that looks inside an entry, or passes the wrong level, breaks at once.
 *
 *   63-60 kind | 55-48 flags | frame number, inverted, shifted by 2 + 3 * level
 *
 * The frame of a table entry is shifted by 7 at every level.
 */
#pragma once

#include <kernel/atomic.h>

enum { FAKE_TABLE = 0x9, FAKE_LEAF = 0x6, FAKE_HINT = 0x3, FAKE_MIGRATION = 0xc };
enum fake_pte_flag {
	FAKE_W = 1 << 0,
	FAKE_X = 1 << 1,
	FAKE_U = 1 << 2,
	FAKE_G = 1 << 3,
	FAKE_DEVICE = 1 << 4,
	FAKE_A = 1 << 5,
	FAKE_D = 1 << 6,
};

#define FAKE_FRAMES 0xffffffUL /* 24 bits: 64 GiB */
#define FAKE_KIND(pte) ((pte).v >> 60)
#define FAKE_FLAG(flag) ((u64)(flag) << 48)
#define FAKE_KIND_BITS (0xfUL << 60)

void fake_entry_store(pte_t *ptep, pte_t pte);
pte_t fake_entry_xchg(pte_t *ptep, pte_t pte);
bool fake_entry_cmpxchg(pte_t *ptep, pte_t *old, pte_t new);
bool fake_fault_drops_entry(void);
bool fake_hw_dirty(void);
bool fake_needs_bbm(pte_t old, pte_t new, unsigned level);

static inline u64 fake_frame_bits(paddr_t pa, unsigned shift)
{
	return (~(pa >> PAGE_SHIFT) & FAKE_FRAMES) << shift;
}

static inline pte_t fake_with_kind(pte_t pte, u64 kind)
{
	return (pte_t){(pte.v & ~FAKE_KIND_BITS) | kind << 60};
}

static inline pte_t pte_none(void)
{
	return (pte_t){0};
}

static inline pte_t pte_mk_leaf(paddr_t pa, prot_t prot, unsigned level)
{
	u64 flags = FAKE_A;

	flags |= prot & PROT_WRITE ? FAKE_W | FAKE_D : 0;
	flags |= prot & PROT_EXEC ? FAKE_X : 0;
	flags |= prot & PROT_USER ? FAKE_U : 0;
	flags |= prot & PROT_GLOBAL ? FAKE_G : 0;
	flags |= prot & PROT_DEVICE ? FAKE_DEVICE : 0;
	return (pte_t){(u64)FAKE_LEAF << 60 | flags << 48 | fake_frame_bits(pa, 2 + 3 * level)};
}

static inline pte_t pte_mk_table(paddr_t pa)
{
	return (pte_t){(u64)FAKE_TABLE << 60 | fake_frame_bits(pa, 7)};
}

static inline bool pte_is_none(pte_t pte)
{
	return !pte.v;
}

static inline bool pte_is_present(pte_t pte)
{
	return FAKE_KIND(pte) == FAKE_LEAF || FAKE_KIND(pte) == FAKE_TABLE;
}

static inline bool pte_is_leaf(pte_t pte, unsigned level __unused)
{
	return FAKE_KIND(pte) == FAKE_LEAF;
}

static inline bool pte_is_table(pte_t pte, unsigned level)
{
	return level && FAKE_KIND(pte) == FAKE_TABLE;
}

static inline paddr_t pte_pa(pte_t pte, unsigned level)
{
	unsigned shift = FAKE_KIND(pte) == FAKE_TABLE ? 7 : 2 + 3 * level;

	return (~(pte.v >> shift) & FAKE_FRAMES) << PAGE_SHIFT;
}

static inline prot_t pte_prot(pte_t pte)
{
	prot_t prot = PROT_READ;

	prot |= pte.v & FAKE_FLAG(FAKE_W) ? PROT_WRITE : 0;
	prot |= pte.v & FAKE_FLAG(FAKE_X) ? PROT_EXEC : 0;
	prot |= pte.v & FAKE_FLAG(FAKE_U) ? PROT_USER : 0;
	prot |= pte.v & FAKE_FLAG(FAKE_G) ? PROT_GLOBAL : 0;
	prot |= pte.v & FAKE_FLAG(FAKE_DEVICE) ? PROT_DEVICE : 0;
	return prot;
}

static inline bool pt_block_ok(unsigned level)
{
	return level < 2;
}

static inline bool pte_is_accessed(pte_t pte)
{
	return pte.v & FAKE_FLAG(FAKE_A);
}

static inline bool pte_is_dirty(pte_t pte)
{
	return pte.v & FAKE_FLAG(FAKE_D);
}

static inline bool pte_is_writable(pte_t pte)
{
	return pte.v & FAKE_FLAG(FAKE_W);
}

static inline pte_t pte_mk_old(pte_t pte)
{
	return (pte_t){pte.v & ~FAKE_FLAG(FAKE_A)};
}

static inline pte_t pte_mk_young(pte_t pte)
{
	return (pte_t){pte.v | FAKE_FLAG(FAKE_A)};
}

static inline pte_t pte_mk_clean(pte_t pte)
{
	return (pte_t){pte.v & ~FAKE_FLAG(FAKE_D)};
}

static inline pte_t pte_mk_dirty(pte_t pte)
{
	return (pte_t){pte.v | FAKE_FLAG(FAKE_D)};
}

static inline pte_t pte_mk_readonly(pte_t pte)
{
	return (pte_t){pte.v & ~FAKE_FLAG(FAKE_W)};
}

static inline pte_t pte_mk_writable(pte_t pte)
{
	return (pte_t){pte.v | FAKE_FLAG(FAKE_W | FAKE_D)};
}

static inline bool pte_is_executable(pte_t pte)
{
	return pte.v & FAKE_FLAG(FAKE_X);
}

static inline pte_t pte_mk_executable(pte_t pte)
{
	return (pte_t){pte.v | FAKE_FLAG(FAKE_X)};
}

static inline pte_t pte_mk_noexec(pte_t pte)
{
	return (pte_t){pte.v & ~FAKE_FLAG(FAKE_X)};
}

static inline pte_t pte_mk_hint(pte_t leaf)
{
	return fake_with_kind(leaf, FAKE_HINT);
}

static inline bool pte_is_hint(pte_t pte)
{
	return FAKE_KIND(pte) == FAKE_HINT;
}

static inline pte_t pte_from_hint(pte_t hint)
{
	return pte_mk_young(fake_with_kind(hint, FAKE_LEAF));
}

static inline pte_t pte_mk_migration(pte_t leaf_or_hint, unsigned level __unused)
{
	return fake_with_kind(leaf_or_hint, FAKE_MIGRATION);
}

static inline bool pte_is_migration(pte_t pte)
{
	return FAKE_KIND(pte) == FAKE_MIGRATION;
}

static inline pte_t pte_from_migration(pte_t entry, paddr_t pa, unsigned level)
{
	pte_t leaf = {entry.v & ~(FAKE_FRAMES << (2 + 3 * level))};

	leaf.v |= fake_frame_bits(pa, 2 + 3 * level);
	return fake_with_kind(leaf, FAKE_LEAF);
}

static inline pte_t pte_load(const pte_t *ptep)
{
	return (pte_t){fake_load(&ptep->v, sizeof(ptep->v), FAKE_POINTER)};
}

static inline void pte_store(pte_t *ptep, pte_t pte)
{
	fake_entry_store(ptep, pte);
}

static inline pte_t pte_xchg(pte_t *ptep, pte_t pte)
{
	return fake_entry_xchg(ptep, pte);
}

static inline bool pte_cmpxchg(pte_t *ptep, pte_t *old, pte_t new)
{
	return fake_entry_cmpxchg(ptep, old, new);
}

static inline void pt_publish(void)
{
	fake_publish();
}

static inline bool pte_needs_bbm(pte_t old, pte_t new, unsigned level)
{
	return fake_needs_bbm(old, new, level);
}

static inline bool pt_root_is_copied(void)
{
	return false; /* the modelled kernel runs on the host's mappings */
}

static inline bool pt_fault_drops(void)
{
	return fake_fault_drops_entry();
}

static inline bool pt_hw_dirty(void)
{
	return fake_hw_dirty();
}
