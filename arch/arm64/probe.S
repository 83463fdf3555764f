/* Instructions that may fault, between probe_begin and probe_end; trap_fixup() goes on at probe_failed. */
#define EFAULT 14

	.text
	.globl	probe_begin, probe_end, probe_failed
	.globl	probe_load64, probe_store64, probe_semihosting

probe_begin:
/* int probe_load64(vaddr_t va, u64 *value) */
	.type	probe_load64, %function
probe_load64:
	ldr	x2, [x0]
	str	x2, [x1]
	mov	x0, #0
	ret
	.size	probe_load64, . - probe_load64

/* int probe_store64(vaddr_t va, u64 value) */
	.type	probe_store64, %function
probe_store64:
	str	x1, [x0]
	mov	x0, #0
	ret
	.size	probe_store64, . - probe_store64

/* int probe_semihosting(u64 operation, const void *parameters): the trap of Arm's semihosting */
	.type	probe_semihosting, %function
probe_semihosting:
	hlt	#0xf000
	mov	x0, #0
	ret
	.size	probe_semihosting, . - probe_semihosting
probe_end:

/*
 * int probe_execute(vaddr_t va, u64 *value). A fetch that is refused faults at va: trap_fixup()
 * knows it by the link register and goes on at probe_execute_failed. ISB: what others made of the
 * code before is what this CPU fetches.
 */
	.globl	probe_execute, probe_execute_called, probe_execute_failed
	.type	probe_execute, %function
probe_execute:
	stp	x29, x30, [sp, #-32]!
	mov	x29, sp
	str	x1, [sp, #16]
	isb
	blr	x0
probe_execute_called:
	ldr	x1, [sp, #16]
	str	x0, [x1]
	mov	x0, #0
	ldp	x29, x30, [sp], #32
	ret
probe_execute_failed:
	mov	x0, #-EFAULT
	ldp	x29, x30, [sp], #32
	ret
	.size	probe_execute, . - probe_execute

probe_failed:
	mov	x0, #-EFAULT
	ret
