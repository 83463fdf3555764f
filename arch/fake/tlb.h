/* Inside the modelled TLBs: what their sources share and nobody else needs. */
#pragma once

#include <fake/machine.h>

enum { WALKED = 24 }; /* tables one CPU may remember per tag */

struct walked {
	u32 frame, root;
	u8 level; /* of the table */
	u8 va;
	bool dead; /* it was freed while the tag was not loaded */
	u64 until;
};

struct tlb_tag {
	struct fake_set set[FAKE_VAS];
	unsigned walked_count;
	struct walked walked[WALKED];
};

/* A TLBI under way. */
struct tlbi {
	u64 issued; /* fake_write_seq */
	vaddr_t va, end; /* end 0: all addresses, but not global entries */
	u32 asid; /* ~0: all */
	bool tables; /* walk caches too */
	bool pages; /* leaves of 4 KiB only */
	bool everywhere; /* broadcast */
	bool complete; /* but for this CPU's own next accesses */
};

struct cpu_tlb {
	paddr_t root;
	unsigned root_index; /* FAKE_ROOTS: not watched */
	asid_t asid;
	struct tlb_tag tag[FAKE_ASIDS];
	struct tlbi issued[FAKE_ISSUED];
	unsigned issued_count;
	u64 synced; /* fake_write_seq at the last DSB */
};

extern struct cpu_tlb fake_tlbs[FAKE_CPUS];
extern vaddr_t fake_vas[FAKE_VAS];
extern unsigned fake_va_count;

#define STILL (~0UL) /* as the time at which walks stopped finding something */

/* ---- tlb.c ---- */
/* Histories: this CPU read or changed what TLBs hold. */
void fake_tlb_touch(bool write);
/* Index of a watched root, or FAKE_ROOTS. */
unsigned fake_root_index(paddr_t root);
/* This root was freed. */
void fake_unwatch(paddr_t root);
/* The CPU leaves its tag: walks find nothing more for it. */
void fake_tlb_stop(struct cpu_tlb *t);
/* What walks of all watched addresses find with the root that the CPU has loaded. */
void fake_tlb_refill(unsigned cpu);
