/*
 * EL2, where the machine was entered there (arm64_entry_el == 2). The vector stub of boot/arm64/head.S has it; while guests may
 * run, the switch of arch/arm64/el2.S. Both are called by HVC: x0 is the function, and -1 on return if there is none such.
 */
#pragma once

/* The stub's. */
#define HYP_SET_VECTORS 0 /* x1 = physical address of 2 KiB of vectors: 0 */
#define HYP_READ_HCR 1 /* HCR_EL2 */
/* The switch's. */
#define HYP_RUN 2 /* x1 = physical address of a struct el2_vcpu: 0, after a run */
#define HYP_START 3 /* x1 = tables, x2 = TCR_EL2, x3 = VTCR_EL2: translation at EL2 is on, 0 */
#define HYP_STOP                                                                                   \
	4 /* x1 = as HYP_SET_VECTORS: translation at EL2 is off, the vectors are others, 0 */

/* HVC from a guest, by its immediate. */
#define GUEST_HVC_CALL 0 /* guest_call() */
#define GUEST_HVC_VECTOR 1 /* an exception that the guest took itself: ESR_EL1, ELR_EL1 */

/* Entries of the vector table that a guest's exits take: of a lower level in AArch64 (Arm ARM D1.3.1.5). */
#define GUEST_VECTOR_SYNC 8
#define GUEST_VECTOR_IRQ 9
#define GUEST_VECTOR_FIQ 10
#define GUEST_VECTOR_SERROR 11

/* struct el2_vcpu: offsets of pairs, for stp and ldp; x0 is at 0. */
#define VCPU_X30 240 /* then sp */
#define VCPU_PC 256 /* then pstate */
#define VCPU_TTBR0 272 /* then vttbr */
#define VCPU_TCR 288 /* then vbar */
#define VCPU_FLUSH 304
#define VCPU_NO_WALKS 312
#define VCPU_VECTOR 320 /* then esr */
#define VCPU_FAR 336
#define VCPU_OWN_ELR 352 /* then esr_el1 */
#define VCPU_HOST_PC 368 /* then pstate */
#define VCPU_HOST_TTBR0 384 /* then tcr */
#define VCPU_HOST_VBAR 400 /* then sp */
#define VCPU_HOST_TPIDR 416 /* then tpidrro */

#ifndef __ASSEMBLER__
#include <kernel/types.h>

extern const char hyp_stub_vectors[]; /* what start-up installed */

/* What EL2 reads and writes of a virtual CPU, at its physical address. */
struct el2_vcpu {
	u64 x[31], sp, pc, pstate;
	u64 ttbr0, vttbr; /* vttbr: root and VMID */
	u64 tcr, vbar;
	u64 flush; /* not 0: the run begins by dropping what this CPU holds of the VMID */
	u64 tcr_no_walks; /* tcr with both halves off */
	u64 vector, esr, far; /* why it stopped */
	u64 pad;
	u64 elr_el1, esr_el1; /* of an exception that the guest took itself */
	struct {
		u64 pc, pstate, ttbr0, tcr, vbar, sp, tpidr, tpidrro;
	} host; /* while the guest runs */
} __aligned(16);

_Static_assert(offsetof(struct el2_vcpu, x[30]) == VCPU_X30, "");
_Static_assert(offsetof(struct el2_vcpu, pc) == VCPU_PC, "");
_Static_assert(offsetof(struct el2_vcpu, ttbr0) == VCPU_TTBR0, "");
_Static_assert(offsetof(struct el2_vcpu, tcr) == VCPU_TCR, "");
_Static_assert(offsetof(struct el2_vcpu, flush) == VCPU_FLUSH, "");
_Static_assert(offsetof(struct el2_vcpu, vector) == VCPU_VECTOR, "");
_Static_assert(offsetof(struct el2_vcpu, far) == VCPU_FAR, "");
_Static_assert(offsetof(struct el2_vcpu, tcr_no_walks) == VCPU_NO_WALKS, "");
_Static_assert(offsetof(struct el2_vcpu, elr_el1) == VCPU_OWN_ELR, "");
_Static_assert(offsetof(struct el2_vcpu, host) == VCPU_HOST_PC, "");
_Static_assert(offsetof(struct el2_vcpu, host.ttbr0) == VCPU_HOST_TTBR0, "");
_Static_assert(offsetof(struct el2_vcpu, host.vbar) == VCPU_HOST_VBAR, "");
_Static_assert(offsetof(struct el2_vcpu, host.tpidr) == VCPU_HOST_TPIDR, "");

/* el2.S. A call of whoever has this CPU's EL2. */
long hyp_call(u64 function, u64 a, u64 b, u64 c);
/* HYP_RUN, with interrupts masked. */
long el2_run(paddr_t guest);
extern const char el2_start[], el2_end[],
	el2_vectors[]; /* what runs at EL2, and its 2 KiB of vectors */
#endif
