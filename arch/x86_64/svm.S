/*
 * Into a guest and out again. VMRUN and #VMEXIT change RAX, RSP, RIP, RFLAGS, the control registers and what is
 * behind CS, SS, DS and ES; the host's come back from the save area. The other general registers are ours to change.
 * FS, GS, TR and LDTR stay the host's: the guest has no use for them, and cannot read MSRs.
 */

	.text

/*
 * void svm_switch(paddr_t vmcb, struct svm_registers *guest)
 *
 * With V_INTR_MASKING the host's RFLAGS.IF decides whether an interrupt stops the guest, so it must be 1 at VMRUN.
 * CLGI keeps interrupts and NMIs from being taken before VMRUN and after #VMEXIT, which sets GIF to 0 again.
 * One that is pending at VMRUN is an exit before the guest's first instruction.
 */
	.globl	svm_switch
	.type	svm_switch, @function
svm_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rsi
	mov	%rdi, %rax
	clgi
	sti
	mov	(%rsi), %rbx
	mov	8(%rsi), %rcx
	mov	16(%rsi), %rdx
	mov	32(%rsi), %rdi
	mov	40(%rsi), %rbp
	mov	48(%rsi), %r8
	mov	56(%rsi), %r9
	mov	64(%rsi), %r10
	mov	72(%rsi), %r11
	mov	80(%rsi), %r12
	mov	88(%rsi), %r13
	mov	96(%rsi), %r14
	mov	104(%rsi), %r15
	mov	24(%rsi), %rsi
	vmrun	%rax
	/* RAX is the host's again. */
	mov	(%rsp), %rax
	mov	%rbx, (%rax)
	mov	%rcx, 8(%rax)
	mov	%rdx, 16(%rax)
	mov	%rsi, 24(%rax)
	mov	%rdi, 32(%rax)
	mov	%rbp, 40(%rax)
	mov	%r8, 48(%rax)
	mov	%r9, 56(%rax)
	mov	%r10, 64(%rax)
	mov	%r11, 72(%rax)
	mov	%r12, 80(%rax)
	mov	%r13, 88(%rax)
	mov	%r14, 96(%rax)
	mov	%r15, 104(%rax)
	cli
	stgi
	pop	%rsi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	cld
	ret

	.section .note.GNU-stack, "", @progbits
