/* TLB instructions of the modelled machine; arch/fake/tlb_flush.c says what they do. */
#pragma once

#include <arch/evidence.h>

unsigned fake_asid_count(void);
bool fake_asid_is_global(void);
void fake_flush_page(vaddr_t va, asid_t asid, unsigned level);
void fake_flush_asid(asid_t asid);
void fake_flush_nonglobal(void);
void fake_flush_all(void);
bool fake_has_bcast(void);
bool fake_bcast_repeats(void);
void fake_bcast_prepare(void);
void fake_bcast_page(vaddr_t va, asid_t asid, unsigned level);
void fake_bcast_range(vaddr_t va, u64 pages, asid_t asid);
void fake_bcast_asid(asid_t asid);
void fake_bcast_all(void);
void fake_bcast_sync(void);
void fake_switch(paddr_t root, asid_t asid, bool keep);
paddr_t fake_empty_root(void);

static inline unsigned asid_count(void)
{
	return fake_asid_count();
}

static inline bool asid_is_global(void)
{
	return fake_asid_is_global();
}

static inline void tlb_flush_local_page(vaddr_t va, asid_t asid, unsigned level)
{
	fake_flush_page(va, asid, level);
}

static inline void tlb_flush_local_asid(asid_t asid)
{
	fake_flush_asid(asid);
}

static inline void tlb_flush_local_nonglobal(void)
{
	fake_flush_nonglobal();
}

static inline void tlb_flush_local_all(void)
{
	fake_flush_all();
}

static inline bool tlb_has_bcast(void)
{
	return fake_has_bcast();
}

static inline bool tlb_bcast_repeats(void)
{
	return fake_bcast_repeats();
}

static inline void tlb_bcast_prepare(void)
{
	fake_bcast_prepare();
}

/* A load of the model is over when the next step begins: there is nothing more to wait for. */
static inline void tlb_bcast_prepare_reads(void)
{
	fake_bcast_prepare();
}

static inline void tlb_bcast_issue_page(vaddr_t va, asid_t asid, unsigned level)
{
	fake_bcast_page(va, asid, level);
}

static inline unsigned tlb_bcast_issue_range(vaddr_t va, u64 pages, asid_t asid)
{
	fake_bcast_range(va, pages, asid);
	return 1;
}

static inline void tlb_bcast_issue_asid(asid_t asid)
{
	fake_bcast_asid(asid);
}

static inline void tlb_bcast_issue_all(void)
{
	fake_bcast_all();
}

static inline void tlb_bcast_sync(void)
{
	fake_bcast_sync();
}

static inline void mmu_switch(paddr_t root, asid_t asid, bool keep)
{
	fake_switch(root, asid, keep);
}

static inline paddr_t mmu_empty_root(void)
{
	return fake_empty_root();
}
