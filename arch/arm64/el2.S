/*
 * The switch between the host and a guest. Both use EL1, so EL2 exchanges what is theirs, and is left at once:
 * no stack, no register kept between two calls but SP_EL2, which is the guest's save area while it runs.
 *
 * EL2 has tables of its own: this code and the areas of virtual CPUs, each at its physical address, with the attributes that the
 * kernel has them with. So what the host stores is what EL2 loads, on CPUs whose caches do not see accesses made
 * with translation off, too.
 *
 * Not exchanged, as the guest cannot change it (HCR_EL2.TVM, CPTR_EL2): SCTLR, MAIR, TTBR1 (its half is off), CPACR, vector
 * registers. Nor what neither of them relies on: TPIDR_EL0, SP_EL0, SPSR_EL1. ELR_EL1 and ESR_EL1 are the
 * guest's alone, so that it can tell what it took; the host is in no handler. What a guest could do to the host is to
 * program its timers and counters of events; no guest of ours does.
 */
#include <asm/hyp.h>
#include <asm/sysreg.h>

#define ESR_EC_SHIFT 26
#define EC_HVC 0x16

	.text

/* ---- at EL2: position independent, at its physical address; from the vectors (vectors.S) ------- */

	.globl	el2_start
el2_start:
/* Nothing here faults. What does stops the CPU, as in the stub. */
	.globl	el2_dead
	.type	el2_dead, %function
el2_dead:
	wfe
	b	el2_dead
	.size	el2_dead, . - el2_dead

	.globl	el2_host_call
	.type	el2_host_call, %function
el2_host_call:
	mrs	x0, esr_el2
	lsr	x0, x0, #ESR_EC_SHIFT
	cmp	x0, #EC_HVC
	mrs	x0, tpidr_el2
	b.ne	el2_dead
	cmp	x0, #HYP_RUN
	b.eq	el2_enter_guest
	cmp	x0, #HYP_START
	b.eq	el2_translation_on
	cmp	x0, #HYP_STOP
	b.eq	el2_translation_off
	mov	x0, #-1
	eret
	.size	el2_host_call, . - el2_host_call

	.type	el2_translation_on, %function
el2_translation_on:
	mov	x4, #MAIR_VALUE
	msr	mair_el2, x4
	msr	ttbr0_el2, x1
	msr	tcr_el2, x2
	msr	vtcr_el2, x3
	isb
	tlbi	alle2			// nothing of former tables
	dsb	nsh
	isb
	ldr	x4, =SCTLR_EL2_ON
	msr	sctlr_el2, x4
	isb
	mov	x0, #0
	eret
	.size	el2_translation_on, . - el2_translation_on

	.type	el2_translation_off, %function
el2_translation_off:
	ldr	x4, =SCTLR_EL2_RES1
	isb				// no fetch ahead of it: Falkor E1041
	msr	sctlr_el2, x4
	isb
	tlbi	alle2			// the tables go
	dsb	nsh
	isb
	msr	vbar_el2, x1
	mov	x0, #0
	eret
	.size	el2_translation_off, . - el2_translation_off

/*
 * x1 = the guest. From the first change of a register of EL1 to the last there are no walks at all: TCR_EL1.EPD0 and EPD1.
 * Several cores may walk for AT instructions that they only guess at, and would mix the two (Cortex-A53 1530924,
 * A55 1530923, A57 1319537, A72 1319367, A76 1165522).
 *
 * The first DSB completes what the host has loaded and stored: requests that it has looked at, its bit in the mask. The
 * guest's walks come later. And nothing in flight translates while HCR_EL2 changes (AmpereOne AC04_CPU_23). The ERET
 * is a context synchronization event: an interrupt that is pending then is taken before the guest's first instruction.
 */
	.type	el2_enter_guest, %function
el2_enter_guest:
	dsb	ish
	mov	sp, x1
	mrs	x2, elr_el2
	mrs	x3, spsr_el2
	stp	x2, x3, [sp, #VCPU_HOST_PC]
	mrs	x4, ttbr0_el1
	mrs	x5, tcr_el1
	stp	x4, x5, [sp, #VCPU_HOST_TTBR0]
	mrs	x6, vbar_el1
	mrs	x7, sp_el1
	stp	x6, x7, [sp, #VCPU_HOST_VBAR]
	mrs	x8, tpidr_el1
	mrs	x9, tpidrro_el0
	stp	x8, x9, [sp, #VCPU_HOST_TPIDR]
	orr	x5, x5, #TCR_EPD0
	orr	x5, x5, #TCR_EPD1
	msr	tcr_el1, x5
	isb
	ldp	x2, x3, [sp, #VCPU_TTBR0]
	ldp	x4, x5, [sp, #VCPU_TCR]
	ldr	x6, =HCR_GUEST
	ldr	x7, =CPTR_GUEST
	msr	ttbr0_el1, x2
	msr	vttbr_el2, x3
	msr	vbar_el1, x5
	msr	hcr_el2, x6
	msr	cptr_el2, x7
	isb
	ldr	x8, [sp, #VCPU_FLUSH]
	cbz	x8, 1f
	tlbi	vmalls12e1		// both stages, of this VMID, on this CPU
	dsb	nsh
	isb
1:	msr	tcr_el1, x4
	ldp	x30, x2, [sp, #VCPU_X30]
	msr	sp_el1, x2
	ldp	x3, x4, [sp, #VCPU_PC]
	msr	elr_el2, x3
	msr	spsr_el2, x4
	ldp	x5, x6, [sp, #VCPU_OWN_ELR]
	msr	elr_el1, x5
	msr	esr_el1, x6
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp]
	eret
	.size	el2_enter_guest, . - el2_enter_guest

/*
 * x0 = vector; the guest's x0 and x1 are saved. As on the way in. Its DSB completes the guest's accesses, before the host may
 * say that no guest is here.
 */
	.globl	el2_leave_guest
	.type	el2_leave_guest, %function
el2_leave_guest:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x1, sp_el1
	stp	x30, x1, [sp, #VCPU_X30]
	mrs	x2, elr_el2
	mrs	x3, spsr_el2
	stp	x2, x3, [sp, #VCPU_PC]
	mrs	x4, esr_el2
	stp	x0, x4, [sp, #VCPU_VECTOR]
	mrs	x5, far_el2
	str	x5, [sp, #VCPU_FAR]
	mrs	x6, elr_el1
	mrs	x7, esr_el1
	stp	x6, x7, [sp, #VCPU_OWN_ELR]
	ldr	x6, [sp, #VCPU_NO_WALKS]
	msr	tcr_el1, x6
	isb
	dsb	ish
	ldp	x2, x3, [sp, #VCPU_HOST_TTBR0]
	ldp	x4, x5, [sp, #VCPU_HOST_VBAR]
	mov	x6, #HCR_RW
	mov	x7, #CPTR_HOST
	msr	ttbr0_el1, x2
	msr	vttbr_el2, xzr
	msr	vbar_el1, x4
	msr	hcr_el2, x6
	msr	cptr_el2, x7
	isb
	msr	tcr_el1, x3
	msr	sp_el1, x5
	ldp	x2, x3, [sp, #VCPU_HOST_TPIDR]
	msr	tpidr_el1, x2
	msr	tpidrro_el0, x3
	ldp	x4, x5, [sp, #VCPU_HOST_PC]
	msr	elr_el2, x4
	msr	spsr_el2, x5
	mov	x0, #0
	eret
	.size	el2_leave_guest, . - el2_leave_guest

	.ltorg
	.globl	el2_end
el2_end:

/* ---- at EL1 ---------------------------------------------------------------------- */

/* long hyp_call(u64 function, u64 a, u64 b, u64 c) */
	.globl	hyp_call
	.type	hyp_call, %function
hyp_call:
	hvc	#0
	ret
	.size	hyp_call, . - hyp_call

/* long el2_run(paddr_t guest): all general registers come back as the guest left them. */
	.globl	el2_run
	.type	el2_run, %function
el2_run:
	stp	x29, x30, [sp, #-96]!
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	mov	x1, x0
	mov	x0, #HYP_RUN
	hvc	#0
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret
	.size	el2_run, . - el2_run
