/* Ways to copy and to zero one page of 4096 bytes; both addresses are page-aligned. */
	.arch_extension simd
	.text

/* void copy_page_ldp(void *dst, const void *src): 128 bytes a round in general registers */
	.globl	copy_page_ldp
	.type	copy_page_ldp, %function
	.balign	64
copy_page_ldp:
	ldp	x2, x3, [x1], #128
	ldp	x4, x5, [x1, #-112]
	ldp	x6, x7, [x1, #-96]
	ldp	x8, x9, [x1, #-80]
	ldp	x10, x11, [x1, #-64]
	ldp	x12, x13, [x1, #-48]
	ldp	x14, x15, [x1, #-32]
	ldp	x16, x17, [x1, #-16]
	stp	x2, x3, [x0], #128
	stp	x4, x5, [x0, #-112]
	stp	x6, x7, [x0, #-96]
	stp	x8, x9, [x0, #-80]
	stp	x10, x11, [x0, #-64]
	stp	x12, x13, [x0, #-48]
	stp	x14, x15, [x0, #-32]
	stp	x16, x17, [x0, #-16]
	tst	x0, #4095		// the destination reached the end of its page
	b.ne	copy_page_ldp
	ret
	.size	copy_page_ldp, . - copy_page_ldp

/* 128 bytes a round in vector registers, which the caller may be using. */
.macro copy_vector name, load, store
	.globl	\name
	.type	\name, %function
	.balign	64
\name:
	stp	q0, q1, [sp, #-128]!
	stp	q2, q3, [sp, #32]
	stp	q4, q5, [sp, #64]
	stp	q6, q7, [sp, #96]
1:
	\load	q0, q1, [x1]
	\load	q2, q3, [x1, #32]
	\load	q4, q5, [x1, #64]
	\load	q6, q7, [x1, #96]
	\store	q0, q1, [x0]
	\store	q2, q3, [x0, #32]
	\store	q4, q5, [x0, #64]
	\store	q6, q7, [x0, #96]
	add	x1, x1, #128
	add	x0, x0, #128
	tst	x0, #4095
	b.ne	1b
	ldp	q2, q3, [sp, #32]
	ldp	q4, q5, [sp, #64]
	ldp	q6, q7, [sp, #96]
	ldp	q0, q1, [sp], #128
	ret
	.size	\name, . - \name
.endm

/* void copy_page_ldpq(void *dst, const void *src) */
	copy_vector copy_page_ldpq, ldp, stp

/* void copy_page_stnp(void *dst, const void *src): hinted not to stay in caches */
	copy_vector copy_page_stnp, ldnp, stnp

/* void zero_page_stp(void *dst) */
	.globl	zero_page_stp
	.type	zero_page_stp, %function
	.balign	64
zero_page_stp:
	stp	xzr, xzr, [x0], #64
	stp	xzr, xzr, [x0, #-48]
	stp	xzr, xzr, [x0, #-32]
	stp	xzr, xzr, [x0, #-16]
	tst	x0, #4095
	b.ne	zero_page_stp
	ret
	.size	zero_page_stp, . - zero_page_stp

/* void zero_page_zva(void *dst): the block size is in DCZID_EL0.BS, words as a power of two */
	.globl	zero_page_zva
	.type	zero_page_zva, %function
	.balign	64
zero_page_zva:
	mrs	x1, dczid_el0
	and	x1, x1, #15
	mov	x2, #4
	lsl	x1, x2, x1
1:
	dc	zva, x0
	add	x0, x0, x1
	tst	x0, #4095
	b.ne	1b
	ret
	.size	zero_page_zva, . - zero_page_zva
