/*
 * Copying and zeroing one 4 KiB page, page-aligned, in every way the CPU may
 * offer; copy.c measures and chooses. void f(void *dst, const void *src) and
 * void f(void *dst).
 *
 * Wide registers belong to whoever is interrupted or switched out: each
 * function puts back those it uses. Blocks of 16 moves keep the loop's own
 * instructions under a tenth of the whole.
 */

#define PAGE 4096

	.text

.macro function name
	.globl	\name
	.type	\name, @function
	.balign	64
\name:
.endm

function copy_page_movsb
	mov	$PAGE, %ecx
	rep movsb
	ret

function copy_page_movsq
	mov	$PAGE / 8, %ecx
	rep movsq
	ret

/* rax counts up to 0 behind both pages. */
.macro loop_start
	sub	$-PAGE, %rdi
	mov	$-PAGE, %rax
1:
.endm

.macro loop_end block
	add	$\block, %rax
	jne	1b
.endm

function copy_page_mov8
	sub	$-PAGE, %rsi
	loop_start
	.irp	i, 0, 32, 64, 96
	mov	\i(%rsi, %rax), %rcx
	mov	\i + 8(%rsi, %rax), %rdx
	mov	\i + 16(%rsi, %rax), %r8
	mov	\i + 24(%rsi, %rax), %r9
	mov	%rcx, \i(%rdi, %rax)
	mov	%rdx, \i + 8(%rdi, %rax)
	mov	%r8, \i + 16(%rdi, %rax)
	mov	%r9, \i + 24(%rdi, %rax)
	.endr
	loop_end 128
	ret

/*
 * The same with wide registers: op is the aligned move (a page that is not
 * aligned is a bug and faults), save the unaligned one for the stack.
 */
.macro copy_wide op, save, reg, size
	sub	$4 * \size, %rsp
	.irp	r, 0, 1, 2, 3
	\save	%\reg\r, \r * \size(%rsp)
	.endr
	sub	$-PAGE, %rsi
	loop_start
	.irp	i, 0, 4, 8, 12
	.irp	r, 0, 1, 2, 3
	\op	(\i + \r) * \size(%rsi, %rax), %\reg\r
	.endr
	.irp	r, 0, 1, 2, 3
	\op	%\reg\r, (\i + \r) * \size(%rdi, %rax)
	.endr
	.endr
	loop_end (16*\size)
	.irp	r, 0, 1, 2, 3
	\save	\r * \size(%rsp), %\reg\r
	.endr
	add	$4 * \size, %rsp
	ret
.endm

function copy_page_sse
	copy_wide movaps, movups, xmm, 16

function copy_page_avx
	copy_wide vmovdqa, vmovdqu, ymm, 32

function copy_page_avx512
	copy_wide vmovdqa64, vmovdqu64, zmm, 64

function zero_page_stosb
	mov	$PAGE, %ecx
	xor	%eax, %eax
	rep stosb
	ret

function zero_page_stosq
	mov	$PAGE / 8, %ecx
	xor	%eax, %eax
	rep stosq
	ret

.macro zero_wide op, save, reg, size
	sub	$\size, %rsp
	\save	%\reg, (%rsp)
	\op	zeros, %\reg		/* not XOR, which some hypervisors fail to emulate */
	loop_start
	.irp	i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\op	%\reg, \i * \size(%rdi, %rax)
	.endr
	loop_end (16*\size)
	\save	(%rsp), %\reg
	add	$\size, %rsp
	ret
.endm

function zero_page_sse
	zero_wide movaps, movups, xmm0, 16

function zero_page_avx
	zero_wide vmovdqa, vmovdqu, ymm0, 32

function zero_page_avx512
	zero_wide vmovdqa64, vmovdqu64, zmm0, 64

	.section .rodata
	.balign	64
zeros:
	.skip	64

	.section .note.GNU-stack, "", @progbits
