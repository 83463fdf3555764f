/* What x86 litmus tests are written with (SDM vol. 3 4.10.4; APM vol. 3 for INVLPGB and TLBSYNC). */
#pragma once

#include <asm/regs.h>

/* At label 1 the instruction may fault; it is then skipped. Same table as probe.S. */
#define LITMUS_MAY_FAULT(insn)                                                                     \
	"1:	" insn "\n2:\n"                                                                    \
	"	.pushsection extable, \"a\"\n"                                                           \
	"	.quad 1b, 2b\n"                                                                          \
	"	.popsection\n"

static inline u64 litmus_load(vaddr_t va)
{
	u64 value = LITMUS_FAULT;

	asm volatile(LITMUS_MAY_FAULT("mov (%1), %0") : "+r"(value) : "r"(va) : "memory");
	return value;
}

static inline u64 litmus_store(vaddr_t va, u64 value)
{
	u64 result = LITMUS_FAULT;

	/* Zeroing the result behind the store is skipped with it: 3 is where a fault goes on. */
	asm volatile("1:	mov %2, (%1)\n"
		     "	xor %k0, %k0\n"
		     "2:\n"
		     "	.pushsection extable, \"a\"\n"
		     "	.quad 1b, 2b\n"
		     "	.popsection\n"
		     : "+r"(result)
		     : "r"(va), "r"(value)
		     : "memory", "cc");
	return result;
}

static inline u64 litmus_read(const u64 *p)
{
	u64 value;

	asm volatile("mov (%1), %0" : "=r"(value) : "r"(p) : "memory");
	return value;
}

static inline void litmus_write(u64 *p, u64 value)
{
	asm volatile("mov %1, (%0)" ::"r"(p), "r"(value) : "memory");
}

static inline u64 litmus_xchg(u64 *p, u64 value)
{
	asm volatile("xchg %0, (%1)" : "+r"(value) : "r"(p) : "memory");
	return value;
}

/* Loads are in order, and walks are not held back. */
static inline void litmus_sync(void)
{
	asm volatile("" ::: "memory");
}

static inline void litmus_invlpg(vaddr_t va)
{
	asm volatile("invlpg (%0)" ::"r"(va) : "memory");
}

/* type 0: one address of a PCID, 1: a PCID, 2: everything, 3: all but global entries. */
static inline void litmus_invpcid(u64 type, u64 pcid, vaddr_t va)
{
	const struct {
		u64 pcid, va;
	} desc = {pcid, va};

	asm volatile("invpcid %0, %1" ::"m"(desc), "r"(type) : "memory");
}

/* INVLPGB: one page of every PCID, global entries too; by bytes, assemblers learned it late. */
static inline void litmus_invlpgb(vaddr_t va)
{
	const u64 with_va = 1, with_global = 1 << 3;

	asm volatile(".byte 0x0f, 0x01, 0xfe" ::"a"(va | with_va | with_global), "c"(0), "d"(0)
		     : "memory");
}

static inline void litmus_tlbsync(void)
{
	asm volatile(".byte 0x0f, 0x01, 0xff" ::: "memory");
}

static inline void litmus_toggle_pge(void)
{
	u64 cr4 = cr4_read();

	cr4_write(cr4 ^ CR4_PGE);
	cr4_write(cr4);
}

/* Any change of CR4.PGE drops every entry of every PCID and all walk caches. */
static inline void litmus_forget(void)
{
	if (cr4_read() & CR4_PGE)
		litmus_toggle_pge();
	else
		cr3_write(cr3_read());
}

/* Why a test that needs it cannot run; NULL: it can. */
const char *litmus_no_pcid(void);
const char *litmus_no_invpcid(void);
const char *litmus_no_invlpgb(void);
const char *litmus_no_pge(void);
