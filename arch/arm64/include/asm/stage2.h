/* Second stages on arm64: what does not touch the CPU (arch/arm64/stage2.c). Fields: Arm ARM D8.3, D17. */
#pragma once

#include <arch/hypervisor.h>

/*
 * Guest-physical addresses have 39 bits, as GUEST_ADDRESS_END says: three levels, and a root of one table. The same is true of
 * the guest's own tables.
 */
#define GUEST_T0SZ 25
#define S2_START_LEVEL 2 /* Arm's level 1 */

/* Descriptors of stage 2; the rest is as in stage 1. */
#define S2_NORMAL                                                                                  \
	(0xfUL                                                                                     \
	 << 2) /* MemAttr: write-back, inner and outer: what both stages agree on is the guest's */
#define S2_READ (1UL << 6) /* S2AP */
#define S2_WRITE (1UL << 7)

/* As in struct hypervisor. XN, and what FEAT_XNX made of it, is 0: executable. */
pte_t stage2_leaf(paddr_t pa, prot_t prot, unsigned level);

/*
 * Why guests cannot run, for people; NULL: they can. The level that the kernel was entered at, HCR_EL2 as it is then, and
 * ID_AA64MMFR0_EL1.
 */
const char *stage2_refusal(unsigned entry_el, u64 hcr, u64 mmfr0);

/* What the vector, ESR_EL2 and FAR_EL2 say. GUEST_BROKEN: code is ESR_EL2, or of what came without one the vector. */
void stage2_read_exit(u64 vector, u64 esr, u64 far, struct guest_stop *stop);
/* The guest's own vectors called (GUEST_BROKEN), for what is in its ESR_EL1 and ELR_EL1. */
bool stage2_exit_is_own(u64 vector, u64 esr);
