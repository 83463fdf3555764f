/*
 * Accesses that may fault. Each is one instruction with an entry in the
 * exception table; trap_fixup() goes on at the entry's second address.
 */

	.text

.macro may_fault
	.pushsection extable, "a"
	.quad	9f, probe_failed
	.popsection
9:
.endm

/* int probe_load64(vaddr_t va, u64 *value) */
	.globl	probe_load64
	.type	probe_load64, @function
probe_load64:
	may_fault
	mov	(%rdi), %rax
	mov	%rax, (%rsi)
	xor	%eax, %eax
	ret

/* int probe_store64(vaddr_t va, u64 value) */
	.globl	probe_store64
	.type	probe_store64, @function
probe_store64:
	may_fault
	mov	%rsi, (%rdi)
	xor	%eax, %eax
	ret

/*
 * int probe_execute(vaddr_t va, u64 *value). A fetch that is refused faults at va with the call
 * done: trap_fixup() knows it by the return address and returns to probe_execute_failed.
 */
	.globl	probe_execute, probe_execute_called, probe_execute_failed
	.type	probe_execute, @function
probe_execute:
	push	%rbp
	mov	%rsp, %rbp
	push	%rsi
	push	%rsi			/* alignment */
	call	*%rdi
probe_execute_called:
	pop	%rsi
	mov	%rax, (%rsi)
	xor	%eax, %eax
	leave
	ret
probe_execute_failed:
	mov	$-14, %eax		/* -EFAULT */
	leave
	ret

/* int msr_probe_read(u32 msr, u64 *value) */
	.globl	msr_probe_read
	.type	msr_probe_read, @function
msr_probe_read:
	mov	%edi, %ecx
	may_fault
	rdmsr
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, (%rsi)
	xor	%eax, %eax
	ret

/* int msr_probe_write(u32 msr, u64 value) */
	.globl	msr_probe_write
	.type	msr_probe_write, @function
msr_probe_write:
	mov	%edi, %ecx
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
	may_fault
	wrmsr
	xor	%eax, %eax
	ret

probe_failed:
	mov	$-14, %eax		/* -EFAULT */
	ret

	.section .note.GNU-stack, "", @progbits
