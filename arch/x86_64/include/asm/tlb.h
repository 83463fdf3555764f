/*
 * TLB instructions of x86-64 (SDM vol. 3 4.10.4). An ASID is a PCID; each CPU
 * numbers its own, 0..5, so a slot of the evidence is a PCID. No broadcast.
 */
#pragma once

#include <arch/evidence.h>
#include <arch/pgtable.h>
#include <asm/regs.h>

extern u32 x86_asid_count; /* 1, or EVIDENCE_SLOTS with PCID */
extern bool x86_invpcid; /* INVPCID exists and is allowed */
extern paddr_t x86_kernel_root; /* built by mm/kmap.c; its lower half is empty */

/* Reached only by a caller that ignored tlb_has_bcast(). */
void tlb_bcast_absent(void) __noreturn;

static inline unsigned asid_count(void)
{
	return x86_asid_count;
}

static inline bool asid_is_global(void)
{
	return false;
}

/* Global entries, every PCID and all paging-structure caches; stamps the evidence. */
void x86_flush_all(void);

static inline void tlb_flush_local_all(void)
{
	x86_flush_all();
}

/* Every PCID, but no global entries; stamps the evidence. */
void x86_flush_nonglobal(void);

static inline void tlb_flush_local_nonglobal(void)
{
	x86_flush_nonglobal();
}

static inline void invlpg(vaddr_t va)
{
	asm volatile("invlpg (%0)" ::"r"(va) : "memory");
}

/*
 * evidence_page() of the loaded slot by way of GS: this is on the path of every page of baseline, so with
 * check=off too, as a test would cost a third of it. Plain stores are release; the compiler keeps them behind
 * the INVLPG, whose statement clobbers memory.
 */
static inline void x86_evidence_page(u64 stamp, vaddr_t va)
{
	u16 at = (u16)X86_THIS_CPU(tlb_evidence).log.at;
	u64 word = evidence_word(va, stamp);

	*(u64 __seg_gs *)((uintptr_t)tlb_evidence.log.word + at) = word;
	/* The word before the end of the log; pairs with the acquire in oracle_walk_start(). */
	barrier();
	X86_THIS_CPU(tlb_evidence).log.at += sizeof(u64);
	X86_THIS_CPU(tlb_evidence).log.sum += word;
}

static inline void tlb_flush_local_page(vaddr_t va, asid_t asid, unsigned level __unused)
{
	u64 stamp;

	/* INVLPG reaches global entries, but the walk caches of the loaded PCID only. */
	if (__builtin_expect(asid == ASID_KERNEL && x86_asid_count > 1, 0)) {
		x86_flush_all();
		return;
	}
	/* What INVLPG reaches is the PCID that is loaded, whatever the caller thinks that is. */
	stamp = evidence_now();
	invlpg(va);
	if (ORACLE_BUILT)
		x86_evidence_page(stamp, va);
}

static inline void tlb_flush_local_asid(asid_t asid)
{
	u64 stamp;

	if (asid == ASID_KERNEL) {
		tlb_flush_local_all();
		return;
	}
	stamp = evidence_begin();
	cr3_write(cr3_read()); /* bit 63 reads as 0: flushes the PCID in the low bits */
	evidence_slot(stamp, asid);
}

/* INVLPGB is not used: no machine we test on has it. */
static inline bool tlb_has_bcast(void)
{
	return false;
}

static inline bool tlb_bcast_repeats(void)
{
	return false;
}

static inline void tlb_bcast_prepare(void)
{
	tlb_bcast_absent();
}

static inline void tlb_bcast_prepare_reads(void)
{
	tlb_bcast_absent();
}

static inline void tlb_bcast_issue_page(vaddr_t va __unused, asid_t asid __unused,
					unsigned level __unused)
{
	tlb_bcast_absent();
}

static inline unsigned tlb_bcast_issue_range(vaddr_t va __unused, u64 pages __unused,
					     asid_t asid __unused)
{
	tlb_bcast_absent();
}

static inline void tlb_bcast_issue_asid(asid_t asid __unused)
{
	tlb_bcast_absent();
}

static inline void tlb_bcast_issue_all(void)
{
	tlb_bcast_absent();
}

static inline void tlb_bcast_sync(void)
{
	tlb_bcast_absent();
}

/* MOV to CR3 serialises. Without PCID every load drops all non-global entries: slot 0. */
static inline void mmu_switch(paddr_t root, asid_t asid, bool keep)
{
	u64 stamp = 0;

	if (x86_asid_count == 1) {
		asid = 0;
		keep = false;
	}
	if (!keep)
		stamp = evidence_begin();
	evidence_root(asid, root);
	cr3_write(root | asid | (keep ? CR3_NOFLUSH : 0));
	evidence_slot(stamp, asid);
	evidence_loaded_slot(asid);
}

static inline paddr_t mmu_empty_root(void)
{
	return x86_kernel_root;
}
