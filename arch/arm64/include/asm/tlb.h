/*
 * TLB maintenance of arm64 (Arm ARM D8.13, C5.5).
 *
 * CnP (bit 0 of the TTBRs) stays 0: it lets CPUs that share a TLB use each other's entries, so a
 * local flush, and everything a scheme or the oracle concludes about one CPU's TLB, would be
 * about several.
 *
 * Evidence: hardware tags entries with the ASID, so a slot of the evidence is one (root, ASID)
 * that this CPU has loaded and not dropped since; arch/arm64/tlb.c keeps the table.
 */
#pragma once

#include <arch/evidence.h>
#include <arch/tlb.h>
#include <asm/barrier.h>
#include <asm/features.h>

#define tlbi(op) asm volatile("tlbi " #op ::: "memory")
#define tlbi_arg(op, arg) asm volatile("tlbi " #op ", %0" ::"r"(arg) : "memory")
/* Range operations by number: the assembler knows their names only for ARMv8.4. */
#define TLBI_RVALE1IS "sys #0, c8, c2, #5"
#define TLBI_RVAALE1IS "sys #0, c8, c2, #7"

extern paddr_t arm64_empty_root; /* a table of zeroes in the image */

void tlb_evidence_page(u64 stamp, vaddr_t va, asid_t asid);
void tlb_evidence_asid(u64 stamp, asid_t asid);
unsigned tlb_evidence_load(paddr_t root, asid_t asid);
/* What errata of some CPU here ask of every switch of spaces, once the new root is loaded. */
void tlb_cure_switch(void);

static inline unsigned asid_count(void)
{
	return arm64_features.asid_count;
}

static inline bool asid_is_global(void)
{
	return true;
}

/* Operand of the by-address operations: ASID, level hint, page number. */
static inline u64 tlbi_operand(vaddr_t va, asid_t asid)
{
	return (u64)asid << 48 | (va >> PAGE_SHIFT & ((1UL << 44) - 1));
}

/*
 * The DSB in front completes the loads that made us flush (a request, its generation) and our own
 * stores to entries before the TLBI; DSB and ISB behind complete it for what follows here. All
 * Non-shareable: this CPU only. VAE1, not VALE1: entries of the walk caches go too.
 */
static inline void tlb_flush_local_page(vaddr_t va, asid_t asid, unsigned level __unused)
{
	u64 stamp = evidence_now();

	/* Partner: the initiator's barrier between the entry and its generation. */
	dsb(nsh);
	if (asid == ASID_KERNEL)
		tlbi_arg(vaae1, tlbi_operand(va, 0));
	else
		tlbi_arg(vae1, tlbi_operand(va, asid));
	/* Complete, for this CPU's later accesses. */
	dsb(nsh);
	isb();
	if (!evidence_on())
		return;
	if (likely(asid == this_cpu_ptr(tlb_evidence)->loaded_asid))
		evidence_page(stamp, va, this_cpu_ptr(tlb_evidence)->loaded);
	else
		tlb_evidence_page(stamp, va, asid);
}

static inline void tlb_flush_local_all(void)
{
	u64 stamp = evidence_begin();

	/* Both sides as in tlb_flush_local_page(). */
	dsb(nsh);
	tlbi(vmalle1);
	dsb(nsh);
	isb();
	evidence_all(stamp);
}

/* No instruction spares the global entries and drops those of every ASID. */
static inline void tlb_flush_local_nonglobal(void)
{
	tlb_flush_local_all();
}

static inline void tlb_flush_local_asid(asid_t asid)
{
	u64 stamp;

	if (asid == ASID_KERNEL) {
		tlb_flush_local_all();
		return;
	}
	stamp = evidence_begin();
	/* Both sides as in tlb_flush_local_page(). */
	dsb(nsh);
	tlbi_arg(aside1, tlbi_operand(0, asid));
	dsb(nsh);
	isb();
	if (stamp)
		tlb_evidence_asid(stamp, asid);
}

static inline bool tlb_has_bcast(void)
{
	return true;
}

static inline bool tlb_bcast_repeats(void)
{
	return arm64_features.repeat_tlbi;
}

static inline void tlb_bcast_prepare(void)
{
	evidence_bcast_begin();
	/*
	 * Entry writes are visible to all walkers before the TLBIs that follow. Partner: walks
	 * after those, on any CPU.
	 */
	dsb(ishst);
}

static inline void tlb_bcast_prepare_reads(void)
{
	evidence_bcast_begin();
	/*
	 * As above. And the loads before it are complete: DSB ISHST waits for stores alone, and an acquire orders
	 * accesses to memory, of which a TLBI is none (Arm ARM B2.3).
	 */
	dsb(ish);
}

/*
 * Level 0: the page's leaf entry only (VALE1IS). Above: what was there may have been a table, so
 * the walk caches must forget it too (VAE1IS). Leaves below a table at other addresses stay.
 */
static inline void tlb_bcast_issue_page(vaddr_t va, asid_t asid, unsigned level)
{
	if (asid == ASID_KERNEL)
		tlbi_arg(vaae1is, tlbi_operand(va, 0));
	else if (level)
		tlbi_arg(vae1is, tlbi_operand(va, asid));
	else
		tlbi_arg(vale1is, tlbi_operand(va, asid) | arm64_features.tlbi_ttl0);
	if (level)
		evidence_bcast_tables(va, asid);
	else
		evidence_bcast_page(va, asid);
}

static inline void tlb_bcast_issue_asid(asid_t asid)
{
	if (asid == ASID_KERNEL) {
		tlbi(vmalle1is);
		evidence_bcast_all();
		return;
	}
	tlbi_arg(aside1is, tlbi_operand(0, asid));
	evidence_bcast_asid(asid);
}

static inline void tlb_bcast_issue_all(void)
{
	tlbi(vmalle1is);
	evidence_bcast_all();
}

/*
 * DSB ISH on the CPU that issued completes the TLBIs and every access made through the entries
 * they dropped; on any other CPU it would prove nothing (Arm ARM D8.13.5). The ISB makes it true
 * for our own next instructions.
 */
static inline void tlb_bcast_sync(void)
{
	/* Partner: every access on any CPU through an entry that the TLBIs dropped. */
	dsb(ish);
	if (unlikely(arm64_features.repeat_tlbi)) {
		tlbi_arg(vale1is, 0UL);
		dsb(ish);
	}
	isb();
	evidence_bcast_complete();
}

/* Range operations: out of line, a loop. */
unsigned tlb_bcast_range(vaddr_t va, u64 pages, asid_t asid);

static inline unsigned tlb_bcast_issue_range(vaddr_t va, u64 pages, asid_t asid)
{
	return tlb_bcast_range(va, pages, asid);
}

/*
 * One write changes table and ASID together (TCR.A1 = 0), so no walk mixes them. DSB before it:
 * the caller's entry in the mask of holders must be visible before this CPU can walk the new
 * table, and walks are not ordered by DMB; pairs with the unmapper's full barrier between taking
 * an entry down and reading the mask. The flush is of what this CPU holds of the same space and
 * missed flushes of; of another it holds nothing under this ASID (mm/asid.c).
 */
static inline void mmu_switch(paddr_t root, asid_t asid, bool keep)
{
	unsigned slot = evidence_on() ? tlb_evidence_load(root, asid) : EVIDENCE_SLOTS;

	/* Partner: the full barrier of the unmapper, see above. */
	dsb(ish);
	sysreg_write(ttbr0_el1, root | (u64)asid << 48);
	/* Later accesses walk the new root. */
	isb();
	if (unlikely(arm64_features.flush_at_switch | arm64_features.icache_at_switch))
		tlb_cure_switch();
	if (!keep)
		tlb_flush_local_asid(asid);
	if (evidence_on())
		evidence_loaded(slot, asid);
}

static inline paddr_t mmu_empty_root(void)
{
	return arm64_empty_root;
}
