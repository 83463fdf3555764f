/* Stack switch between contexts of one CPU. Vector registers hold nothing across calls. */

	.text

/* void context_switch(void **save_sp, void *next_sp) */
	.globl	context_switch
	.type	context_switch, @function
context_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret

/* Where a fresh stack of context_prepare() starts: the function is in r12, and must not return. */
	.globl	context_first
	.type	context_first, @function
context_first:
	sti
	call	*%r12
	ud2

	.section .note.GNU-stack, "", @progbits
