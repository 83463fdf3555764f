/*
 * CONTRACT: TLB instructions. Only the shootdown core may call the flush functions:
 * mm/gather.c, mm/tlb_ipi.c, mm/tlb_bcast.c.
 *
 * Every port records the oracle's evidence (<arch/evidence.h>) where the
 * instruction executes. So the oracle knows what was flushed, and need not trust
 * the masks and generations that decided whether to flush.
 */
#pragma once

#include <kernel/types.h>

typedef u16 asid_t; /* x86: PCID */
#define ASID_KERNEL 0xffff /* global entries, in whatever address space is loaded */

/* Number of ASIDs this CPU can tag with; 1 = no tagging, every root switch flushes. Max 6 where per-CPU. */
static inline unsigned asid_count(void);
/* True: one ASID per address space on all CPUs (arm64 broadcast needs it). False: per-CPU slots (x86). */
static inline bool asid_is_global(void);

/*
 * Local flushes: this CPU only, walk caches included, complete on return. They
 * begin when earlier loads are complete, so a walk after the flush sees nothing
 * older than those loads did. They may drop more than asked, never less. asid:
 * loaded on this CPU, or ASID_KERNEL. va: aligned to the size of an entry of the
 * level.
 */
static inline void tlb_flush_local_page(vaddr_t va, asid_t asid, unsigned level);
static inline void tlb_flush_local_asid(asid_t asid); /* non-global entries of this ASID */
static inline void
tlb_flush_local_nonglobal(void); /* non-global entries of every ASID, loaded or not */
static inline void tlb_flush_local_all(void); /* everything, global entries too */

/*
 * Broadcast by hardware. issue may return before anything happened; only
 * tlb_bcast_sync() on the same CPU promises that every CPU has dropped what
 * this CPU issued. Never called where tlb_has_bcast() is false.
 */
static inline bool tlb_has_bcast(void);
/* True: for an erratum of some CPU here, every completion broadcasts once more and waits twice. */
static inline bool tlb_bcast_repeats(void);
static inline void tlb_bcast_prepare(void); /* order earlier entry writes before the issues */
/* The same, and earlier reads: what was read is no newer than the issues. */
static inline void tlb_bcast_prepare_reads(void);
static inline void tlb_bcast_issue_page(vaddr_t va, asid_t asid, unsigned level);
/* pages * 4 KiB from va. Returns the number of instructions issued. */
static inline unsigned tlb_bcast_issue_range(vaddr_t va, u64 pages, asid_t asid);
static inline void tlb_bcast_issue_asid(asid_t asid);
static inline void tlb_bcast_issue_all(void);
static inline void tlb_bcast_sync(void);

/*
 * Load a root (physical address of the top-level table) under an ASID. keep:
 * entries already tagged with this ASID stay valid; else they are flushed
 * here. Full barrier. The kernel's mappings stay reachable throughout.
 */
static inline void mmu_switch(paddr_t root, asid_t asid, bool keep);
/* A root with nothing in the workload half: what a CPU that runs nobody has loaded. */
static inline paddr_t mmu_empty_root(void);

#include <asm/tlb.h>
