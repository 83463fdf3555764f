/*
 * What litmus tests of either architecture are written with, on the modelled
 * machine: the names of the ports' instructions, each a call of arch/fake/litmus.c.
 */
#pragma once

#include <arch/tlb.h>

u64 fake_litmus_load(vaddr_t va);
u64 fake_litmus_store(vaddr_t va, u64 value);
u64 fake_litmus_read(const u64 *p);
void fake_litmus_write(u64 *p, u64 value);
void fake_litmus_sync(void);

static inline u64 litmus_load(vaddr_t va)
{
	return fake_litmus_load(va);
}

static inline u64 litmus_store(vaddr_t va, u64 value)
{
	return fake_litmus_store(va, value);
}

static inline u64 litmus_read(const u64 *p)
{
	return fake_litmus_read(p);
}

static inline void litmus_write(u64 *p, u64 value)
{
	fake_litmus_write(p, value);
}

static inline void litmus_sync(void)
{
	fake_litmus_sync();
}

/* Each run starts from a machine that was put back. */
static inline void litmus_forget(void)
{
}

/* ---- arm64 ---- */
enum fake_barrier {
	FAKE_ish,
	FAKE_nsh = FAKE_ish,
	FAKE_ishld,
	FAKE_nshld = FAKE_ishld,
	FAKE_ishst,
	FAKE_nshst = FAKE_ishst
};
#define dmb(domain) fake_dmb(FAKE_##domain)
#define dsb(domain) fake_dsb(FAKE_##domain)
#define tlbi_arg(op, operand) fake_tlbi_##op(operand)
#define sysreg_read(name) fake_##name()
#define sysreg_write(name, value) fake_set_##name(value)

void fake_dmb(enum fake_barrier what);
void fake_dsb(enum fake_barrier what);
void isb(void);
void fake_tlbi(bool local, vaddr_t va, u32 asid);
u64 fake_ttbr0_el1(void);
void fake_set_ttbr0_el1(u64 value);
/* These order what they are given behind the load just done. */
u64 litmus_load_after(vaddr_t va, u64 read);
u64 litmus_zero(u64 read);
void litmus_write_after(u64 *p, u64 value, u64 read);
void litmus_branch(u64 read);
const char *litmus_no_hw_dirty(void);

/* Operand of TLBI: ASID above the page number. */
enum { FAKE_ASID_SHIFT = 48 };

static inline u64 tlbi_operand(vaddr_t va, asid_t asid)
{
	return (u64)asid << FAKE_ASID_SHIFT | va >> PAGE_SHIFT;
}

static inline vaddr_t fake_operand_va(u64 operand)
{
	return (operand & ((1UL << FAKE_ASID_SHIFT) - 1)) << PAGE_SHIFT;
}

static inline void fake_tlbi_vaae1(u64 operand)
{
	fake_tlbi(true, fake_operand_va(operand), ~0U);
}

static inline void fake_tlbi_vaae1is(u64 operand)
{
	fake_tlbi(false, fake_operand_va(operand), ~0U);
}

static inline void fake_tlbi_vae1is(u64 operand)
{
	fake_tlbi(false, fake_operand_va(operand), (u32)(operand >> FAKE_ASID_SHIFT));
}

static inline void fake_tlbi_aside1(u64 operand)
{
	fake_tlbi(true, 0, (u32)(operand >> FAKE_ASID_SHIFT));
}

static inline void fake_tlbi_aside1is(u64 operand)
{
	fake_tlbi(false, 0, (u32)(operand >> FAKE_ASID_SHIFT));
}

/* ---- x86 ---- */
#define CR3_NOFLUSH (1UL << 63)

u64 cr3_read(void);
void cr3_write(u64 value);
u64 litmus_xchg(u64 *p, u64 value);
void litmus_invlpg(vaddr_t va);
void litmus_invpcid(u64 type, u64 pcid, vaddr_t va); /* type 0 only */
void litmus_invlpgb(vaddr_t va);
void litmus_tlbsync(void);
void litmus_toggle_pge(void);
const char *litmus_no_pcid(void);
const char *litmus_no_invpcid(void);
const char *litmus_no_invlpgb(void);
const char *litmus_no_pge(void);
