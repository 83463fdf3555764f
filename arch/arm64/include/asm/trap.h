/* What vectors.S saves on an exception, and what the contract asks of it. */
#pragma once

/* Offsets are known to vectors.S. A multiple of 16 bytes. */
struct trapframe {
	u64 x[31];
	u64 sp, pc, pstate;
	u64 esr, far; /* of synchronous exceptions and SError */
	u64 vector; /* enum trap_vector */
	u64 pad;
};

enum trap_vector { /* order of the table, Arm ARM D1.3.1.5; 4..7 are EL1 with SP_EL1: our own code */
		   VECTOR_SYNC = 4,
		   VECTOR_IRQ = 5,
		   VECTOR_SERROR = 7,
};

enum { /* ESR_EL1.EC, Arm ARM D17.2.37 */
       ESR_EC_SHIFT = 26,
       EC_UNKNOWN = 0x00,
       EC_ILLEGAL_STATE = 0x0e,
       EC_FETCH_LOWER = 0x20,
       EC_FETCH = 0x21,
       EC_PC_ALIGNMENT = 0x22,
       EC_DATA_LOWER = 0x24,
       EC_DATA = 0x25,
       EC_SP_ALIGNMENT = 0x26,
       EC_BRK = 0x3c,
};

enum { /* fault status, ISS[5:0]; the low two bits are the level */
       FSC_TRANSLATION = 0x04,
       FSC_ACCESS_FLAG = 0x08,
       FSC_PERMISSION = 0x0c,
};

#define ESR_WNR (1 << 6) /* write, not read */
#define ESR_CM (1 << 8) /* cache maintenance; reports WnR=1 although it reads */

static inline unsigned trap_ec(const struct trapframe *tf)
{
	return tf->esr >> ESR_EC_SHIFT & 0x3f;
}

static inline unsigned trap_fsc(const struct trapframe *tf)
{
	return tf->esr & 0x3c;
}

static inline u64 trap_ip(const struct trapframe *tf)
{
	return tf->pc;
}

static inline u64 trap_fp(const struct trapframe *tf)
{
	return tf->x[29];
}

static inline u64 trap_sp(const struct trapframe *tf)
{
	return tf->sp;
}

static inline vaddr_t trap_fault_va(const struct trapframe *tf)
{
	return tf->far;
}

static inline bool trap_fault_is_exec(const struct trapframe *tf)
{
	return (trap_ec(tf) & ~1U) == EC_FETCH_LOWER; /* the odd one is EC_FETCH */
}

static inline bool trap_is_abort(const struct trapframe *tf)
{
	return (trap_ec(tf) & ~1U) == EC_DATA_LOWER || trap_fault_is_exec(tf);
}

static inline bool trap_fault_is_write(const struct trapframe *tf)
{
	return !trap_fault_is_exec(tf) && (tf->esr & (ESR_WNR | ESR_CM)) == ESR_WNR;
}

/* The entry was there: its permissions or its access flag refused. */
static inline bool trap_fault_is_present(const struct trapframe *tf)
{
	return trap_fsc(tf) != FSC_TRANSLATION;
}

static inline enum trap_kind trap_kind(const struct trapframe *tf)
{
	if (tf->vector != VECTOR_SYNC)
		return TRAP_OTHER;
	if (trap_is_abort(tf)) {
		unsigned fsc = trap_fsc(tf);

		return fsc >= FSC_TRANSLATION && fsc <= FSC_PERMISSION ? TRAP_PAGE_FAULT
								       : TRAP_OTHER;
	}
	switch (trap_ec(tf)) {
	case EC_BRK:
		return TRAP_BREAKPOINT;
	case EC_UNKNOWN:
	case EC_ILLEGAL_STATE:
		return TRAP_ILLEGAL;
	default:
		return TRAP_OTHER;
	}
}

static inline bool trap_irqs_enabled(const struct trapframe *tf)
{
	return !(tf->pstate & (1 << 7));
}
