/* What trap.S pushes on an exception, and what the contract asks of it. */
#pragma once

#include <asm/regs.h>

/* The order of the pushes in trap.S. */
struct trapframe {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	u64 cr2;
	u32 error, vector;
	u64 rip, cs, rflags, rsp, ss; /* pushed by the CPU */
};

/* SDM vol. 3 table 6-1 */
enum {
	VECTOR_NMI = 2,
	VECTOR_BREAKPOINT = 3,
	VECTOR_ILLEGAL = 6,
	VECTOR_DOUBLE_FAULT = 8,
	VECTOR_GENERAL_PROTECTION = 13,
	VECTOR_PAGE_FAULT = 14,
	VECTOR_MACHINE_CHECK = 18,
	VECTOR_EXCEPTIONS = 32,
};

/* page-fault error code, SDM vol. 3 4.7 */
enum {
	FAULT_PRESENT = 1,
	FAULT_WRITE = 2,
	FAULT_FETCH = 16,
};

static inline u64 trap_ip(const struct trapframe *tf)
{
	return tf->rip;
}

static inline u64 trap_fp(const struct trapframe *tf)
{
	return tf->rbp;
}

static inline u64 trap_sp(const struct trapframe *tf)
{
	return tf->rsp;
}

static inline enum trap_kind trap_kind(const struct trapframe *tf)
{
	if (likely(tf->vector == VECTOR_PAGE_FAULT))
		return TRAP_PAGE_FAULT;
	switch (tf->vector) {
	case VECTOR_BREAKPOINT:
		return TRAP_BREAKPOINT;
	case VECTOR_ILLEGAL:
		return TRAP_ILLEGAL;
	default:
		return TRAP_OTHER;
	}
}

static inline vaddr_t trap_fault_va(const struct trapframe *tf)
{
	return tf->cr2;
}

static inline bool trap_fault_is_write(const struct trapframe *tf)
{
	return tf->error & FAULT_WRITE;
}

static inline bool trap_fault_is_exec(const struct trapframe *tf)
{
	return tf->error & FAULT_FETCH;
}

static inline bool trap_fault_is_present(const struct trapframe *tf)
{
	return tf->error & FAULT_PRESENT;
}

static inline bool trap_irqs_enabled(const struct trapframe *tf)
{
	return tf->rflags & RFLAGS_IF;
}
