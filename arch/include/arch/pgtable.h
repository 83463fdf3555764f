/*
 * CONTRACT: page-table entries, stage 1.
 *
 * Level 0 is the 4 KiB page; level n covers 4 KiB * 512^n. Vendor numbering
 * that counts the other way is translated inside the port. All functions are
 * pure unless they take a pointer. Making an entry and reading it back is the
 * identity (tests/unit/pgtable_test.c holds every port to it).
 */
#pragma once

#include <kernel/types.h>

#define PT_INDEX_BITS 9
#define PT_ENTRIES (1UL << PT_INDEX_BITS)
#define PT_LEVELS 4 /* 48-bit addresses; larger ones are left off on every port */
#define PT_LEVEL_SHIFT(level) (PAGE_SHIFT + PT_INDEX_BITS * (level))
#define PT_LEVEL_SIZE(level) (1UL << PT_LEVEL_SHIFT(level))
#define PT_INDEX(va, level) (((va) >> PT_LEVEL_SHIFT(level)) & (PT_ENTRIES - 1))

typedef struct {
	u64 v;
} pte_t;

typedef u32 prot_t;
enum {
	PROT_READ = 1 << 0, /* present entries are always readable */
	PROT_WRITE = 1 << 1,
	PROT_EXEC = 1 << 2,
	PROT_USER = 1 << 3, /* reachable from user mode */
	PROT_GLOBAL = 1 << 4, /* same in every address space: kernel mappings */
	PROT_DEVICE = 1 << 5, /* uncached, unordered with nothing: MMIO */
	PROT_CHANGES = PROT_WRITE | PROT_EXEC, /* what a live entry may gain and lose */
};

#define PT_VA_LOW_END (1UL << 47) /* workload addresses are below this on both ports */

/* --- constructors and tests --------------------------------------------- */
static inline pte_t pte_none(void);
/* A present, accessed leaf. It is dirty if prot has PROT_WRITE, as software will write it. */
static inline pte_t pte_mk_leaf(paddr_t pa, prot_t prot, unsigned level);
static inline pte_t pte_mk_table(paddr_t pa);
static inline bool pte_is_none(pte_t pte);
static inline bool pte_is_present(pte_t pte); /* hardware may walk it and cache it */
static inline bool pte_is_leaf(pte_t pte, unsigned level);
static inline bool pte_is_table(pte_t pte, unsigned level);
static inline paddr_t pte_pa(pte_t pte, unsigned level); /* of any entry that names a frame */
static inline prot_t pte_prot(pte_t pte); /* of a present leaf or a hint entry */
static inline bool pt_block_ok(unsigned level); /* this CPU has leaves at this level */

/* --- accessed, dirty, writable: of a present leaf -------------------------- */
static inline bool pte_is_accessed(pte_t pte);
static inline bool pte_is_dirty(pte_t pte);
static inline bool
pte_is_writable(pte_t pte); /* software's permission; may still fault to set dirty */
static inline pte_t pte_mk_old(pte_t pte);
static inline pte_t pte_mk_young(pte_t pte);
static inline pte_t pte_mk_clean(pte_t pte);
static inline pte_t pte_mk_dirty(pte_t pte);
static inline pte_t pte_mk_readonly(pte_t pte);
static inline pte_t pte_mk_writable(pte_t pte); /* writable and dirty */
static inline bool
pte_is_executable(pte_t pte); /* by the mode that the entry is for: PROT_USER or not */
static inline pte_t pte_mk_executable(pte_t pte);
static inline pte_t pte_mk_noexec(pte_t pte);

/*
 * --- entries that hardware does not see -----------------------------------
 * Not present, never cached. Frame and the bits to restore (writable, dirty,
 * accessed, exec, user) survive the round trip.
 */
static inline pte_t pte_mk_hint(pte_t leaf);
static inline bool pte_is_hint(pte_t pte);
static inline pte_t pte_from_hint(pte_t hint); /* the leaf again, made young */
static inline pte_t pte_mk_migration(pte_t leaf_or_hint, unsigned level);
static inline bool pte_is_migration(pte_t pte);
/* The leaf that replaces a migration entry, on frame pa (the new one, or the old one to undo). */
static inline pte_t pte_from_migration(pte_t entry, paddr_t pa, unsigned level);

/* --- access to live entries: single-copy atomic ---------------------------- */
static inline pte_t pte_load(const pte_t *ptep);
static inline void pte_store(pte_t *ptep, pte_t pte);
/* Taking down a live entry uses this: hardware may set accessed and dirty meanwhile. Full barrier. */
static inline pte_t pte_xchg(pte_t *ptep, pte_t pte);
/* True if *ptep was *old and is now new. Full barrier. */
static inline bool pte_cmpxchg(pte_t *ptep, pte_t *old, pte_t new);

/* Earlier stores to entries are visible to every walker, this CPU's included, when it returns. */
static inline void pt_publish(void);
/* Replacing old by new at this level must go through an invalid entry and a completed flush. */
static inline bool pte_needs_bbm(pte_t old, pte_t new, unsigned level);
/* A page fault drops what its CPU holds of the address: an entry that gained access refuses at most once. */
static inline bool pt_fault_drops(void);
/* Hardware sets accessed and dirty in an entry that allows the access. False: such an access faults. */
static inline bool pt_hw_dirty(void);

/* Root table of a new address space: fills what every address space shares (x86: the kernel half). */
void pt_root_init(pte_t *root, const pte_t *kernel_root);
/* True: pt_root_init() copies the kernel's top-level entries, so all must exist before the first address space. */
static inline bool pt_root_is_copied(void);

#include <asm/pgtable.h>

/* The leaf with the rights PROT_CHANGES of prot; its state stays, but one that becomes writable is dirty. */
static inline pte_t pte_with_prot(pte_t leaf, prot_t prot)
{
	pte_t pte = prot & PROT_EXEC ? pte_mk_executable(leaf) : pte_mk_noexec(leaf);

	if (!(prot & PROT_WRITE))
		return pte_mk_readonly(pte);
	return pte_is_writable(pte) ? pte : pte_mk_writable(pte);
}
