/* Exception vectors of EL1, the trap frame (struct trapframe in asm/trap.h), and the vectors of EL2 while guests may run. */
#include <asm/hyp.h>
#include <asm/sysreg.h>

#define FRAME_SIZE 304
#define FRAME_LR 240 /* x30, then sp */
#define FRAME_PC 256 /* then pstate */
#define FRAME_ESR 272 /* then far */
#define FRAME_SP 248
#define FRAME_VECTOR 288
#define FRAME_PAD 296
#define ESR_EC_SHIFT 26
#define ESR_FNV_SHIFT 10
#define EC_DATA 0x25
#define EC_SP_ALIGNMENT 0x26
#define VECTOR_SYNC 4
#define VECTOR_IRQ 5
#define PAGE_SIZE 4096
#define EMERGENCY_SIZE 8192 /* struct emergency_stack in trap.c */

/* sp has been lowered by FRAME_SIZE. Leaves the frame's address in x0. */
.macro save_frame
	stp	x0, x1, [sp]
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
	add	x1, sp, #FRAME_SIZE
	stp	x30, x1, [sp, #FRAME_LR]
	mrs	x2, elr_el1
	mrs	x3, spsr_el1
	stp	x2, x3, [sp, #FRAME_PC]
	mrs	x4, esr_el1
	mrs	x5, far_el1
	stp	x4, x5, [sp, #FRAME_ESR]
	mov	x0, sp
.endm

/* All but x0, x1 and sp. */
.macro restore_frame
	ldp	x2, x3, [sp, #FRAME_PC]
	msr	elr_el1, x2
	msr	spsr_el1, x3
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #FRAME_LR]
.endm

	.section .text.vectors, "ax"

/* The way back: also after a handler changed pc or a register in the frame. */
	.type	trap_return, %function
trap_return:
	restore_frame
	ldp	x0, x1, [sp], #FRAME_SIZE
	eret
	.size	trap_return, . - trap_return

/*
 * A stack that has run into its guard page cannot take the frame, nor can a misaligned one: the
 * first store of save_frame would fault, for ever. So the frame goes to this CPU's emergency stack
 * if sp is misaligned, or if a data abort names an address within a page of sp. Nothing overflows
 * there but a stack; what else faults there (a backtrace that looks below a stack's end) goes on as
 * it would elsewhere. FAR means something only for aborts, and not where FnV is set (Arm ARM
 * D17.2.37). TPIDR_EL0 and SP_EL0 are scratch: nothing else uses them as long as there is no user
 * mode.
 */
	.type	trap_sync, %function
trap_sync:
	msr	tpidr_el0, x0
	mrs	x0, esr_el1
	ubfx	x0, x0, #ESR_EC_SHIFT, #6
	cmp	x0, #EC_SP_ALIGNMENT
	b.eq	stack_gone
	cmp	x0, #EC_DATA
	b.ne	1f
	mrs	x0, esr_el1
	tbnz	x0, #ESR_FNV_SHIFT, 1f
	mrs	x0, far_el1
	sub	x0, sp, x0
	add	x0, x0, #PAGE_SIZE
	cmp	x0, #(2 * PAGE_SIZE)
	b.lo	stack_gone
1:	mrs	x0, tpidr_el0
	save_frame
	mov	x6, #VECTOR_SYNC
	str	x6, [sp, #FRAME_VECTOR]
	bl	arm64_sync
	b	trap_return

/* Below what is in use, if the emergency stack is what we are on; else at its end. */
stack_gone:
	msr	sp_el0, x1
	mrs	x1, tpidr_el1
	adrp	x0, arm64_emergency + EMERGENCY_SIZE
	add	x0, x0, #:lo12:(arm64_emergency + EMERGENCY_SIZE)
	add	x0, x0, x1
	mov	x1, sp
	sub	x1, x0, x1
	cmp	x1, #EMERGENCY_SIZE
	mov	x1, sp
	b.hs	2f
	and	x0, x1, #~15
	b	3f
2:	sub	x0, x0, #FRAME_SIZE
3:	mov	sp, x0
	str	x1, [sp, #FRAME_PAD]
	mrs	x0, tpidr_el0
	mrs	x1, sp_el0
	save_frame
	ldr	x6, [sp, #FRAME_PAD]
	add	x6, x6, #FRAME_SIZE
	str	x6, [sp, #FRAME_SP]
	mov	x6, #VECTOR_SYNC
	str	x6, [sp, #FRAME_VECTOR]
	bl	arm64_sync
	/* As trap_return, but to the stack that was left. */
	restore_frame
	ldp	x0, x1, [sp]
	msr	tpidr_el0, x0
	ldr	x0, [sp, #FRAME_SP]
	mov	sp, x0
	mrs	x0, tpidr_el0
	eret
	.size	trap_sync, . - trap_sync

	.type	trap_irq, %function
trap_irq:
	save_frame
	mov	x6, #VECTOR_IRQ
	str	x6, [sp, #FRAME_VECTOR]
	bl	arm64_irq
	b	trap_return
	.size	trap_irq, . - trap_irq

	.type	trap_unexpected, %function
trap_unexpected:
	str	x0, [sp, #FRAME_VECTOR]
	mrs	x0, tpidr_el0
	save_frame
	bl	arm64_unexpected
	b	trap_return
	.size	trap_unexpected, . - trap_unexpected

/* 128 bytes each, 16 of them (Arm ARM D1.3.1.5). FIQ, SError and everything from EL0 is unexpected. */
.macro unexpected vector
	.balign	128
	sub	sp, sp, #FRAME_SIZE
	msr	tpidr_el0, x0
	mov	x0, #\vector
	b	trap_unexpected
.endm

.macro expected handler
	.balign	128
	sub	sp, sp, #FRAME_SIZE
	b	\handler
.endm

	.balign	2048
	.globl	arm64_vectors
	.type	arm64_vectors, %object
arm64_vectors:
	unexpected 0
	unexpected 1
	unexpected 2
	unexpected 3
	expected trap_sync
	expected trap_irq
	unexpected 6
	unexpected 7
	unexpected 8
	unexpected 9
	unexpected 10
	unexpected 11
	unexpected 12
	unexpected 13
	unexpected 14
	unexpected 15
	.size	arm64_vectors, . - arm64_vectors

/*
 * EL2's, of el2.S: position independent, at their physical address. VTTBR_EL2 tells whose exception it is: the host's is 0.
 * Only its calls come here; the other entries are a guest's, as HCR_EL2 sends nothing else.
 */
.macro guest_exit vector
	.balign	128
	stp	x0, x1, [sp]
	mov	x0, #\vector
	b	el2_leave_guest
.endm

	.balign	2048
	.globl	el2_vectors
	.type	el2_vectors, %object
el2_vectors:
	.rept	8
	.balign	128
	b	el2_dead
	.endr
	.balign	128
	msr	tpidr_el2, x0
	mrs	x0, vttbr_el2
	cbz	x0, el2_host_call
	mrs	x0, tpidr_el2
	stp	x0, x1, [sp]
	mov	x0, #GUEST_VECTOR_SYNC
	b	el2_leave_guest
	guest_exit GUEST_VECTOR_IRQ
	guest_exit GUEST_VECTOR_FIQ
	guest_exit GUEST_VECTOR_SERROR
	guest_exit 12	// AArch32 at EL0, which a guest would have to enter
	guest_exit 13
	guest_exit 14
	guest_exit 15
	.balign	128
	.size	el2_vectors, . - el2_vectors
