/*
 * Entry from exceptions and interrupts. Exceptions build a struct trapframe
 * (asm/trap.h, same order) and leave the decision to C; interrupts save what C
 * may change and nothing else.
 *
 * The CPU aligns the stack to 16 bytes before it pushes; both paths push a
 * multiple of 16 altogether, as C expects at a call.
 */
	.text

/* On top of the stack: the error code; its upper half takes the vector. */
.macro trap_enter vector
	movl	$\vector, 4(%rsp)
	push	%rax			/* room for cr2 */
	push	%rax
	mov	%cr2, %rax
	mov	%rax, 8(%rsp)
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	cld
.endm

trap_leave:
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp		/* cr2, error code and vector */
	iretq

/* One stub per exception, found through trap_stubs by the code that fills the IDT. */
	.section .rodata
	.balign	8
	.globl	trap_stubs
trap_stubs:
	.text
trap_exceptions:
	.irp	vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, \
		21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	.pushsection .rodata
	.quad	1f
	.popsection
	.balign	16
1:
	/* Bit set: the CPU pushes an error code (SDM vol. 3 table 6-1; 29 and 30 are AMD's). */
	.if	!((0x60227d00 >> \vector) & 1)
	push	$0
	.endif
	trap_enter \vector
	.if	\vector == 14
	call	trap_handle
	.else
	call	x86_exception
	.endif
	jmp	trap_leave
	.endr

	.macro interrupt name, function
	.globl	\name
	.balign	16
\name:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	cld
	call	\function
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq
	.endm

	interrupt trap_ipi_tlb, x86_ipi_tlb
	interrupt trap_ipi_call, x86_ipi_call
	interrupt trap_ipi_wake, x86_ipi_wake
	interrupt trap_timer, x86_timer_interrupt

/* Spurious interrupts want no acknowledgement (SDM vol. 3 10.9). */
	.globl	trap_spurious
	.balign	16
trap_spurious:
	iretq

	.section .note.GNU-stack, "", @progbits
