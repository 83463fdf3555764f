/* What arm64 litmus tests are written with; barriers, dsb(), isb() and tlbi() are the port's own. */
#pragma once

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <asm/tlb.h>

/* At label 1 the instruction may fault; what follows up to label 2 is then skipped. */
#define LITMUS_MAY_FAULT                                                                           \
	"	.pushsection extable, \"a\"\n"                                                           \
	"	.quad 1b, 2b\n"                                                                          \
	"	.popsection\n"

static inline u64 litmus_load(vaddr_t va)
{
	u64 value = LITMUS_FAULT;

	asm volatile("1:	ldr %0, [%1]\n2:\n" LITMUS_MAY_FAULT
		     : "+r"(value)
		     : "r"(va)
		     : "memory");
	return value;
}

/* Its address depends on what was read before: zero times `read`, which no CPU may see through. */
static inline u64 litmus_load_after(vaddr_t va, u64 read)
{
	u64 value = LITMUS_FAULT;

	asm volatile("eor %1, %1, %1\n"
		     "1:	ldr %0, [%2, %1]\n2:\n" LITMUS_MAY_FAULT
		     : "+r"(value), "+r"(read)
		     : "r"(va)
		     : "memory");
	return value;
}

static inline u64 litmus_store(vaddr_t va, u64 value)
{
	u64 result = LITMUS_FAULT;

	asm volatile("1:	str %2, [%1]\n"
		     "	mov %0, #0\n"
		     "2:\n" LITMUS_MAY_FAULT
		     : "+r"(result)
		     : "r"(va), "r"(value)
		     : "memory");
	return result;
}

static inline u64 litmus_read(const u64 *p)
{
	u64 value;

	asm volatile("ldr %0, [%1]" : "=r"(value) : "r"(p) : "memory");
	return value;
}

static inline void litmus_write(u64 *p, u64 value)
{
	asm volatile("str %1, [%0]" ::"r"(p), "r"(value) : "memory");
}

/* Zero, and no CPU may know it before it has read: for an address that depends on it. */
static inline u64 litmus_zero(u64 read)
{
	asm volatile("eor %0, %0, %0" : "+r"(read));
	return read;
}

/* The value written depends on what was read before. */
static inline void litmus_write_after(u64 *p, u64 value, u64 read)
{
	asm volatile("eor %0, %0, %0\n"
		     "orr %0, %0, %2\n"
		     "str %0, [%1]"
		     : "+r"(read)
		     : "r"(p), "r"(value)
		     : "memory");
}

/* A branch that depends on what was read before; both ways lead here. */
static inline void litmus_branch(u64 read)
{
	asm volatile("cbz %0, 1f\n1:" ::"r"(read) : "memory");
}

static inline void litmus_sync(void)
{
	/*
	 * DSB: earlier accesses are complete. ISB: later ones translate anew. Partner: the other
	 * threads' accesses.
	 */
	dsb(ish);
	isb();
}

static inline void litmus_forget(void)
{
	/* The entries that were written, before the TLBI; partner: this CPU's walks after it. */
	dsb(ish);
	tlbi(vmalle1);
	/* Complete for what this CPU does next. */
	dsb(nsh);
	isb();
}

/* Why a test that needs it cannot run; NULL: it can. */
const char *litmus_no_hw_dirty(void);
