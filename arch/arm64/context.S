/* Switching between the contexts of one CPU: callee-saved registers on the old stack, sp, lr. */
#define FRAME 96

	.text
/* void context_switch(void **save_sp, void *next_sp) */
	.globl	context_switch
	.type	context_switch, %function
context_switch:
	sub	sp, sp, #FRAME
	stp	x19, x20, [sp]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	mov	x2, sp
	str	x2, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	add	sp, sp, #FRAME
	ret
	.size	context_switch, . - context_switch

/* First thing a fresh context runs: x19 is its entry, x29 is 0 and ends backtraces. */
	.globl	context_begin
	.type	context_begin, %function
context_begin:
	msr	daifclr, #2
	mov	x30, #0
	blr	x19
	brk	#1		// entry() does not return
	.size	context_begin, . - context_begin
