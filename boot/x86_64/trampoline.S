/*
 * First code of a secondary CPU. A SIPI starts it in real mode at a page below
 * 1 MiB, to which boot/x86_64/main.c copied trampoline_start..end; everything
 * the code names lies in the image, so the copy needs no patching and serves
 * every CPU.
 *
 * It does not touch the local APIC but to read its id: the mode (xAPIC or
 * x2APIC) is set up in C, once the CPU has a stack of its own.
 */
#include <asm/regs.h>
#include <asm/secondary.h>

#define PHYS(symbol) ((symbol) - KERNEL_OFFSET)

	.section .rodata
	.globl	trampoline_start, trampoline_end
	.code16
trampoline_start:			/* cs: the page, ip: 0; interrupts off */
	cli
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$PHYS(boot_root), %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	lgdtl	%cs:(gdtr - trampoline_start)
	/* Straight from real mode to long mode (APM vol. 2 14.6): protection and paging at once. */
	mov	$CR0_KERNEL, %eax
	mov	%eax, %cr0
	ljmpl	$SEL_CODE, $PHYS(secondary_entry64)
gdtr:
	.short	3 * 8 - 1
	.long	PHYS(boot_gdt)
trampoline_end:

/* In the boot page tables, at the image's physical address. */
	.section .boot.text, "ax", @progbits
	.code64
secondary_entry64:
	mov	$SEL_DATA, %eax
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$1f, %rax
	jmp	*%rax
1:
	/* A CPU that was given up and comes late must not take another one's place. */
	mov	$MSR_APIC_BASE, %ecx
	rdmsr
	bt	$10, %eax		/* APIC_BASE_X2APIC */
	jc	1f
	test	%edx, %edx
	jnz	3f			/* registers moved above the boot map: take it on trust */
	and	$0xfffff000, %eax
	mov	0x20(%rax), %eax	/* APIC_ID: bits 24 to 31 */
	shr	$24, %eax
	cmp	secondary_args + SECONDARY_APIC_ID, %al
	jmp	2f
1:	mov	$MSR_X2APIC_ID, %ecx
	rdmsr
	cmp	secondary_args + SECONDARY_APIC_ID, %eax
2:	jne	secondary_stray
3:
	mov	$MSR_EFER, %ecx
	rdmsr
	or	secondary_args + SECONDARY_EFER, %eax
	wrmsr
	mov	secondary_args + SECONDARY_ROOT, %rax
	mov	%rax, %cr3
	mov	secondary_args + SECONDARY_STACK, %rsp
	xor	%ebp, %ebp		/* ends a backtrace */
	push	$0
	jmp	secondary_start

secondary_stray:
	cli
	hlt
	jmp	secondary_stray

	.section .note.GNU-stack, "", @progbits
