/*
 * Page-table entries of x86-64 (SDM vol. 3 4.5). Our level n is the manual's
 * PT, PD, PDPT, PML4 for n = 0..3.
 *
 * Present:        63 NX | 62-59 - | 58-53 - | 52 noexec where there is no NX |
 *                 51-12 frame | 11-9 - | 8 G | 7 PS (n > 0) | 6 D | 5 A |
 *                 4 PCD | 3 PWT | 2 US | 1 RW | 0 P = 1
 * Hint:           the same with P = 0, bit 9 set, frame inverted.
 * Migration:      the same with P = 0, bit 10 set, frame inverted.
 *
 * Frames of entries that are not present are inverted because CPUs with the L1
 * terminal fault flaw read through them speculatively: an inverted address lies
 * far above all memory, so nothing can be in the cache there.
 */
#pragma once

#define PTE_P 0x1UL
#define PTE_RW 0x2UL
#define PTE_US 0x4UL
#define PTE_PWT 0x8UL
#define PTE_PCD 0x10UL
#define PTE_A 0x20UL
#define PTE_D 0x40UL
#define PTE_PS 0x80UL
#define PTE_G 0x100UL
#define PTE_HINT 0x200UL
#define PTE_MIGRATION 0x400UL
#define PTE_SOFT_NOEXEC (1UL << 52)
#define PTE_NX (1UL << 63)
#define PTE_FRAME 0x000ffffffffff000UL

/* PTE_NX, or an ignored bit where the CPU would fault on it: what was asked can be read back. */
extern u64 x86_pte_noexec;
extern bool x86_pt_1g; /* CPU has 1 GiB leaves */

static inline pte_t pte_none(void)
{
	return (pte_t){0};
}

static inline pte_t pte_mk_leaf(paddr_t pa, prot_t prot, unsigned level)
{
	u64 v = pa | PTE_P | PTE_A;

	if (level > 0)
		v |= PTE_PS;
	if (prot & PROT_WRITE)
		v |= PTE_RW | PTE_D;
	if (prot & PROT_USER)
		v |= PTE_US;
	if (prot & PROT_GLOBAL)
		v |= PTE_G;
	if (prot & PROT_DEVICE)
		v |= PTE_PCD | PTE_PWT; /* PAT entry 3: UC after reset, SDM vol. 3 11.12.4 */
	if (!(prot & PROT_EXEC))
		v |= x86_pte_noexec;
	return (pte_t){v};
}

/* Rights are the leaf's alone, so a table grants all of them. */
static inline pte_t pte_mk_table(paddr_t pa)
{
	return (pte_t){pa | PTE_P | PTE_RW | PTE_US | PTE_A};
}

/* A and D alone are nothing: walks of a Xeon Phi may set them in an entry that was just cleared (asm/errata.h). */
static inline bool pte_is_none(pte_t pte)
{
	return !(pte.v & ~(PTE_A | PTE_D));
}

static inline bool pte_is_present(pte_t pte)
{
	return pte.v & PTE_P;
}

static inline bool pte_is_leaf(pte_t pte, unsigned level)
{
	return (pte.v & PTE_P) && (level == 0 || (pte.v & PTE_PS));
}

static inline bool pte_is_table(pte_t pte, unsigned level)
{
	return (pte.v & PTE_P) && level > 0 && !(pte.v & PTE_PS);
}

static inline paddr_t pte_pa(pte_t pte, unsigned level __unused)
{
	u64 inverted = pte.v & PTE_P ? 0 : ~0UL; /* nothing to compute where the caller knows */

	return (pte.v ^ inverted) & PTE_FRAME;
}

static inline prot_t pte_prot(pte_t pte)
{
	prot_t prot = PROT_READ;

	if (pte.v & PTE_RW)
		prot |= PROT_WRITE;
	if (pte.v & PTE_US)
		prot |= PROT_USER;
	if (pte.v & PTE_G)
		prot |= PROT_GLOBAL;
	if (pte.v & PTE_PCD)
		prot |= PROT_DEVICE;
	if (!(pte.v & x86_pte_noexec))
		prot |= PROT_EXEC;
	return prot;
}

static inline bool pt_block_ok(unsigned level)
{
	return level < 2 || (level == 2 && x86_pt_1g);
}

static inline bool pte_is_accessed(pte_t pte)
{
	return pte.v & PTE_A;
}

static inline bool pte_is_dirty(pte_t pte)
{
	return pte.v & PTE_D;
}

static inline bool pte_is_writable(pte_t pte)
{
	return pte.v & PTE_RW;
}

static inline pte_t pte_mk_old(pte_t pte)
{
	return (pte_t){pte.v & ~PTE_A};
}

static inline pte_t pte_mk_young(pte_t pte)
{
	return (pte_t){pte.v | PTE_A};
}

static inline pte_t pte_mk_clean(pte_t pte)
{
	return (pte_t){pte.v & ~PTE_D};
}

static inline pte_t pte_mk_dirty(pte_t pte)
{
	return (pte_t){pte.v | PTE_D};
}

static inline pte_t pte_mk_readonly(pte_t pte)
{
	return (pte_t){pte.v & ~PTE_RW};
}

static inline pte_t pte_mk_writable(pte_t pte)
{
	return (pte_t){pte.v | PTE_RW | PTE_D};
}

static inline bool pte_is_executable(pte_t pte)
{
	return !(pte.v & x86_pte_noexec);
}

static inline pte_t pte_mk_executable(pte_t pte)
{
	return (pte_t){pte.v & ~x86_pte_noexec};
}

static inline pte_t pte_mk_noexec(pte_t pte)
{
	return (pte_t){pte.v | x86_pte_noexec};
}

static inline pte_t pte_mk_hint(pte_t leaf)
{
	return (pte_t){(leaf.v ^ (PTE_FRAME | PTE_P)) | PTE_HINT};
}

static inline bool pte_is_hint(pte_t pte)
{
	return (pte.v & (PTE_P | PTE_HINT)) == PTE_HINT;
}

static inline pte_t pte_from_hint(pte_t hint)
{
	return (pte_t){((hint.v ^ (PTE_FRAME | PTE_P)) & ~PTE_HINT) | PTE_A};
}

static inline pte_t pte_mk_migration(pte_t leaf_or_hint, unsigned level __unused)
{
	u64 v = leaf_or_hint.v;

	if (v & PTE_P)
		v ^= PTE_FRAME | PTE_P;
	return (pte_t){(v & ~PTE_HINT) | PTE_MIGRATION};
}

static inline bool pte_is_migration(pte_t pte)
{
	return (pte.v & (PTE_P | PTE_MIGRATION)) == PTE_MIGRATION;
}

static inline pte_t pte_from_migration(pte_t entry, paddr_t pa, unsigned level __unused)
{
	return (pte_t){(entry.v & ~(PTE_FRAME | PTE_MIGRATION)) | pa | PTE_P};
}

static inline pte_t pte_load(const pte_t *ptep)
{
	return (pte_t){__atomic_load_n(&ptep->v, __ATOMIC_RELAXED)};
}

static inline void pte_store(pte_t *ptep, pte_t pte)
{
	/* Release: what the entry points to was written before; TSO makes that free. */
	__atomic_store_n(&ptep->v, pte.v, __ATOMIC_RELEASE);
}

static inline pte_t pte_xchg(pte_t *ptep, pte_t pte)
{
	return (pte_t){__atomic_exchange_n(&ptep->v, pte.v, __ATOMIC_SEQ_CST)};
}

static inline bool pte_cmpxchg(pte_t *ptep, pte_t *old, pte_t new)
{
	return __atomic_compare_exchange_n(&ptep->v, &old->v, new.v, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/*
 * Other CPUs' walkers see stores in order. This CPU's walker may run ahead of its
 * store buffer, but only into an entry that was not present, and then the fault
 * is taken after the store is out and the access is tried again.
 */
static inline void pt_publish(void)
{
	asm volatile("" ::: "memory");
}

/*
 * A live entry may change its frame or rights at will. Not its page size: some
 * CPUs raise a machine check when one address has entries of two sizes (Intel:
 * "machine check error on page size change"; AMD erratum 383), and SDM vol. 3
 * 4.10.2.3 asks for the detour if rights or frame change too.
 */
static inline bool pte_needs_bbm(pte_t old, pte_t new, unsigned level)
{
	u64 both = old.v & new.v, changed = old.v ^ new.v;

	return level > 0 && (both & PTE_P) && (changed & PTE_PS);
}

static inline bool pt_root_is_copied(void)
{
	return true;
}

static inline bool pt_fault_drops(void)
{
	return true; /* SDM vol. 3 4.10.4.1 */
}

static inline bool pt_hw_dirty(void)
{
	return true; /* SDM vol. 3 4.8 */
}
