/*
 * Page-table entries of arm64, stage 1, 4 KiB granule (Arm ARM D8.3).
 *
 * Arm counts levels down: our level n is Arm's level 3 - n.
 *
 * Dirty state: DBM (bit 51) is software's permission to write, on every CPU; hardware without
 * FEAT_HAFDBS ignores the bit. AP[2] set on such an entry means "clean": the first write faults,
 * or hardware with dirty management clears AP[2] itself. An entry without DBM keeps its dirty
 * state in a software bit. There is one form for each state, so equal states are equal words:
 *
 *                 DBM  AP[2]  SW_DIRTY
 *   writable dirty  1    0      0
 *   writable clean  1    1      0
 *   read-only dirty 0    1      1
 *   read-only clean 0    1      0
 */
#pragma once

#include <arch/pgtable.h>
#include <arch/barrier.h>
#include <kernel/atomic.h>
#include <asm/features.h>
#include <asm/sysreg.h>

#define PTE_VALID (1UL << 0)
#define PTE_TYPE (1UL << 1) /* level 0: page; above: table, not block */
#define PTE_ATTR(index) ((u64)(index) << 2)
#define PTE_USER (1UL << 6) /* AP[1] */
#define PTE_RDONLY (1UL << 7) /* AP[2] */
#define PTE_SH_INNER (3UL << 8) /* all CPUs */
#define PTE_AF (1UL << 10)
#define PTE_NG (1UL << 11)
#define PTE_ADDR 0x0000fffffffff000UL
#define PTE_DBM (1UL << 51)
#define PTE_CONT (1UL << 52)
#define PTE_PXN (1UL << 53) /* not executable for the kernel */
#define PTE_UXN (1UL << 54) /* not executable for user mode */
/* 55..58 are software's in valid entries; in invalid ones everything but bit 0 is. */
#define PTE_SW_DIRTY (1UL << 55)
#define PTE_SW_HINT (1UL << 56)
#define PTE_SW_MIGRATION (1UL << 57)

/* What makes a changed entry a different kind of memory: Arm ARM D8.14.1. */
#define PTE_MEMORY (PTE_ATTR(7) | PTE_SH_INNER | PTE_CONT)

static inline pte_t pte_none(void)
{
	return (pte_t){0};
}

static inline pte_t pte_mk_leaf(paddr_t pa, prot_t prot, unsigned level)
{
	u64 v = pa | PTE_AF | PTE_VALID | (level ? 0 : PTE_TYPE);

	v |= prot & PROT_DEVICE ? PTE_ATTR(MAIR_DEVICE) : PTE_ATTR(MAIR_NORMAL) | PTE_SH_INNER;
	v |= prot & PROT_WRITE ? PTE_DBM : PTE_RDONLY;
	v |= prot & PROT_USER ? PTE_USER : 0;
	v |= prot & PROT_GLOBAL ? 0 : PTE_NG;
	v |= (prot & (PROT_EXEC | PROT_USER)) == PROT_EXEC ? 0 : PTE_PXN;
	v |= (prot & (PROT_EXEC | PROT_USER)) == (PROT_EXEC | PROT_USER) ? 0 : PTE_UXN;
	return (pte_t){v};
}

static inline pte_t pte_mk_table(paddr_t pa)
{
	return (pte_t){pa | PTE_TYPE | PTE_VALID};
}

static inline bool pte_is_none(pte_t pte)
{
	return !pte.v;
}

static inline bool pte_is_present(pte_t pte)
{
	return pte.v & PTE_VALID;
}

static inline bool pte_is_table(pte_t pte, unsigned level)
{
	return level && (pte.v & (PTE_VALID | PTE_TYPE)) == (PTE_VALID | PTE_TYPE);
}

static inline bool pte_is_leaf(pte_t pte, unsigned level)
{
	return pte_is_present(pte) && !pte_is_table(pte, level);
}

static inline paddr_t pte_pa(pte_t pte, unsigned level __unused)
{
	return pte.v & PTE_ADDR; /* bits below a block's size are zero in what we make */
}

static inline prot_t pte_prot(pte_t pte)
{
	prot_t prot = PROT_READ;

	prot |= pte.v & PTE_DBM ? PROT_WRITE : 0;
	prot |= pte.v & PTE_USER ? PROT_USER : 0;
	prot |= pte.v & PTE_NG ? 0 : PROT_GLOBAL;
	prot |= pte.v & (pte.v & PTE_USER ? PTE_UXN : PTE_PXN) ? 0 : PROT_EXEC;
	prot |= (pte.v & PTE_ATTR(7)) == PTE_ATTR(MAIR_DEVICE) ? PROT_DEVICE : 0;
	return prot;
}

/* Blocks of 2 MiB and 1 GiB are part of the 4 KiB granule on every CPU. */
static inline bool pt_block_ok(unsigned level)
{
	return level <= 2;
}

static inline bool pte_is_accessed(pte_t pte)
{
	return pte.v & PTE_AF;
}

static inline bool pte_is_dirty(pte_t pte)
{
	return (pte.v & PTE_SW_DIRTY) || (pte.v & (PTE_DBM | PTE_RDONLY)) == PTE_DBM;
}

static inline bool pte_is_writable(pte_t pte)
{
	return pte.v & PTE_DBM;
}

static inline pte_t pte_mk_old(pte_t pte)
{
	return (pte_t){pte.v & ~PTE_AF};
}

static inline pte_t pte_mk_young(pte_t pte)
{
	return (pte_t){pte.v | PTE_AF};
}

static inline pte_t pte_mk_clean(pte_t pte)
{
	return (pte_t){(pte.v & ~PTE_SW_DIRTY) | PTE_RDONLY};
}

static inline pte_t pte_mk_dirty(pte_t pte)
{
	return (pte_t){pte.v & PTE_DBM ? pte.v & ~PTE_RDONLY : pte.v | PTE_SW_DIRTY};
}

static inline pte_t pte_mk_readonly(pte_t pte)
{
	u64 dirty = pte_is_dirty(pte) ? PTE_SW_DIRTY : 0;

	return (pte_t){(pte.v & ~PTE_DBM) | PTE_RDONLY | dirty};
}

static inline pte_t pte_mk_writable(pte_t pte)
{
	return (pte_t){(pte.v & ~(PTE_RDONLY | PTE_SW_DIRTY)) | PTE_DBM};
}

/* The bit that forbids execution where the entry is meant to be used; the other one is always set. */
static inline u64 arm64_noexec(pte_t pte)
{
	return pte.v & PTE_USER ? PTE_UXN : PTE_PXN;
}

static inline bool pte_is_executable(pte_t pte)
{
	return !(pte.v & arm64_noexec(pte));
}

static inline pte_t pte_mk_executable(pte_t pte)
{
	return (pte_t){pte.v & ~arm64_noexec(pte)};
}

static inline pte_t pte_mk_noexec(pte_t pte)
{
	return (pte_t){pte.v | arm64_noexec(pte)};
}

static inline pte_t pte_mk_hint(pte_t leaf)
{
	return (pte_t){(leaf.v & ~PTE_VALID) | PTE_SW_HINT};
}

static inline bool pte_is_hint(pte_t pte)
{
	return (pte.v & (PTE_VALID | PTE_SW_HINT)) == PTE_SW_HINT;
}

static inline pte_t pte_from_hint(pte_t hint)
{
	return (pte_t){(hint.v & ~PTE_SW_HINT) | PTE_VALID | PTE_AF};
}

static inline pte_t pte_mk_migration(pte_t leaf_or_hint, unsigned level __unused)
{
	return (pte_t){(leaf_or_hint.v & ~(PTE_VALID | PTE_SW_HINT)) | PTE_SW_MIGRATION};
}

static inline bool pte_is_migration(pte_t pte)
{
	return (pte.v & (PTE_VALID | PTE_SW_MIGRATION)) == PTE_SW_MIGRATION;
}

static inline pte_t pte_from_migration(pte_t entry, paddr_t pa, unsigned level __unused)
{
	return (pte_t){(entry.v & ~(PTE_SW_MIGRATION | PTE_ADDR)) | PTE_VALID | pa};
}

static inline pte_t pte_load(const pte_t *ptep)
{
	return (pte_t){load_relaxed(&ptep->v)};
}

static inline void pte_store(pte_t *ptep, pte_t pte)
{
	store_relaxed(&ptep->v, pte.v);
}

static inline pte_t pte_xchg(pte_t *ptep, pte_t pte)
{
	u64 old = atomic_xchg(&ptep->v, pte.v);

	return (pte_t){old};
}

static inline bool pte_cmpxchg(pte_t *ptep, pte_t *old, pte_t new)
{
	return atomic_cmpxchg(&ptep->v, &old->v, new.v);
}

/* Partner: the walks of all CPUs, which no barrier of theirs has to order. */
static inline void pt_publish(void)
{
	/* DSB: the stores have reached the walkers of all CPUs. ISB: this CPU walks again for what follows. */
	dsb(ishst);
	isb();
}

/*
 * Arm ARM D8.14.1: break-before-make is due when a valid entry becomes another valid one with a
 * different memory type, shareability, contiguous bit or size of what it maps, when it becomes
 * global, and when its output address changes while one of the two is writable or the contents of
 * the two frames differ. The last point cannot be seen in an entry, so another address always
 * asks for it; schemes that keep two equal read-only copies never replace valid by valid.
 * Permissions, access flag and dirty state need none, but for an erratum of cores that report a wrong
 * fault where execution was taken away (asm/errata.h). FEAT_BBM level 2 would lift the rule for
 * sizes, but lets CPUs answer with a TLB conflict abort, so it is not used.
 */
static inline bool pte_needs_bbm(pte_t old, pte_t new, unsigned level)
{
	u64 changed = old.v ^ new.v;

	if (!pte_is_present(old) || !pte_is_present(new))
		return false;
	if (pte_is_table(old, level) && pte_is_table(new, level))
		return changed & PTE_ADDR;
	if (unlikely(arm64_features.bbm_noexec) && (changed & new.v &PTE_PXN))
		return true;
	return (changed & (PTE_TYPE | PTE_ADDR | PTE_MEMORY)) || (changed & old.v & PTE_NG);
}

/* TTBR1 is the kernel's alone. */
static inline bool pt_root_is_copied(void)
{
	return false;
}

static inline bool pt_fault_drops(void)
{
	return false; /* a permission fault leaves the entry that caused it in the TLB */
}

/* Where hardware manages the dirty state it walks again instead of faulting on DBM entries (Arm ARM D8.5.7). */
static inline bool pt_hw_dirty(void)
{
	return arm64_features.hw_dirty;
}
