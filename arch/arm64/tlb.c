/* TLB maintenance of arm64: range operations, and which (root, ASID) pairs a CPU's evidence is about. */
#include <arch/pgtable.h>
#include <arch/tlb.h>

/* Range operand (Arm ARM C5.5, "TLBI RVALE1IS"): (num + 1) * 2^(5 * scale + 1) pages from va. */
static void range_op(vaddr_t va, unsigned scale, u64 num, asid_t asid)
{
	u64 operand = (u64)asid << 48 | 1UL << 46 /* 4 KiB granule */ | (u64)scale << 44 |
		      num << 39 | (va >> PAGE_SHIFT & ((1UL << 37) - 1));

	if (asid == ASID_KERNEL)
		asm volatile(TLBI_RVAALE1IS ", %0" ::"r"(operand & ~(0xffffUL << 48)) : "memory");
	else
		asm volatile(TLBI_RVALE1IS ", %0" ::"r"(operand) : "memory");
}

/*
 * The page count as digits of base 32 above its lowest bit, one operation for each digit that is
 * not 0. The lowest bit, an odd page, is an operation of its own; the top digit may be 32.
 */
static unsigned range_ops(vaddr_t va, u64 pages, asid_t asid)
{
	enum { SCALES = 4, DIGIT_MAX = 32 };
	unsigned ops = 0;

	for (unsigned scale = 0; scale < SCALES && pages > 1; scale++) {
		unsigned shift = 5 * scale + 1;
		u64 digit = pages >> shift;

		digit = scale == SCALES - 1 ? MIN(digit, (u64)DIGIT_MAX) : digit % DIGIT_MAX;
		if (!digit)
			continue;
		range_op(va, scale, digit - 1, asid);
		va += digit << shift << PAGE_SHIFT;
		pages -= digit << shift;
		ops++;
	}
	return ops;
}

/* No level hint: among the pages there may be a 2 MiB one. */
static void issue_leaf(vaddr_t va, asid_t asid)
{
	if (asid == ASID_KERNEL)
		tlbi_arg(vaae1is, tlbi_operand(va, 0));
	else
		tlbi_arg(vale1is, tlbi_operand(va, asid));
	evidence_bcast_page(va, asid);
}

unsigned tlb_bcast_range(vaddr_t va, u64 pages, asid_t asid)
{
	const u64 reach = 1UL << 21; /* pages of the largest operation */
	unsigned ops = 0;

	if (arm64_features.tlbi_range && pages > 1) {
		u64 even = pages & ~1UL;

		for (u64 done = 0; done < even; done += reach)
			ops += range_ops(va + (done << PAGE_SHIFT), MIN(even - done, reach), asid);
		evidence_bcast_range(va, even, asid);
		va += even << PAGE_SHIFT;
		pages -= even;
	}
	for (; pages; pages--, ops++, va += PAGE_SIZE)
		issue_leaf(va, asid);
	return ops;
}

void tlb_cure_switch(void)
{
	if (arm64_features.flush_at_switch)
		tlb_flush_local_all();
	if (arm64_features.icache_at_switch)
		asm volatile("ic iallu\n\tdsb nsh\n\tisb" ::: "memory");
}

/* ---- evidence ----------------------------------------------------------- */

static PERCPU(unsigned, next_victim);

void tlb_evidence_page(u64 stamp, vaddr_t va, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (ev->slot[i].root && ev->slot[i].asid == asid)
			evidence_page(stamp, va, i);
}

void tlb_evidence_asid(u64 stamp, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (ev->slot[i].asid == asid)
			evidence_slot(stamp, i);
}

static void evidence_drop(struct tlb_evidence *ev, unsigned slot)
{
	tlb_flush_local_asid((asid_t)ev->slot[slot].asid);
	/* Release: empty only after the flush; pairs with the acquires in mm/evidence_read.h. */
	store_release(&ev->slot[slot].root, 0);
}

/*
 * A slot for a pair that this CPU has not loaded since it dropped all of it. Whoever is thrown out
 * is flushed first: then a pair that is not in the table has nothing in the TLB.
 */
static unsigned evidence_take(struct tlb_evidence *ev, paddr_t root, asid_t asid)
{
	unsigned *victim = this_cpu_ptr(next_victim), i = 0;

	while (i < EVIDENCE_SLOTS && ev->slot[i].root)
		i++;
	if (i == EVIDENCE_SLOTS) {
		do
			i = *victim = (*victim + 1) % EVIDENCE_SLOTS;
		while (i == ev->loaded);
		evidence_drop(ev, i);
	}
	store_release(&ev->slot[i].flushed, evidence_begin());
	store_relaxed(&ev->slot[i].asid, asid);
	store_release(&ev->slot[i].root, root);
	return i;
}

/* A page that is a root again, or a space with a new ASID: who had it before is gone, and flushed. */
static void evidence_drop_former(struct tlb_evidence *ev, paddr_t root, asid_t asid)
{
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (ev->slot[i].root == root && ev->slot[i].asid != asid)
			evidence_drop(ev, i);
}

/*
 * Before the load of TTBR0; the DSB of mmu_switch() puts it before any walk of the new table.
 * Returns the slot for evidence_loaded() behind it; for the empty table that is none.
 */
unsigned tlb_evidence_load(paddr_t root, asid_t asid)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	unsigned i = EVIDENCE_SLOTS;

	if (root != arm64_empty_root) {
		evidence_drop_former(ev, root, asid);
		for (i = 0; i < EVIDENCE_SLOTS; i++)
			if (ev->slot[i].root == root && ev->slot[i].asid == asid)
				break;
		if (i == EVIDENCE_SLOTS)
			i = evidence_take(ev, root, asid);
	}
	store_relaxed(&ev->loaded, EVIDENCE_SLOTS); /* none while it changes */
	return i;
}
