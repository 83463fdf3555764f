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

probe_failed:
	mov	x0, #-EFAULT
	ret
