/*
 * First code of the boot CPU. A Multiboot2 loader or a PVH start enters in
 * 32-bit protected mode without paging; this finds out whether the CPU has a
 * 64-bit mode, builds the boot page tables and goes on to C at the kernel's
 * own addresses.
 *
 * The boot page tables map physical 0 to 4 GiB at 0 and at DIRECT_BASE, and
 * the first GiB, the image in it, at KERNEL_OFFSET: 2 MiB pages, all rights.
 * mm/kmap.c replaces them; secondary CPUs pass through them once more.
 */
#include <asm/regs.h>

#define PHYS(symbol) ((symbol) - KERNEL_OFFSET)

#define MB2_MAGIC 0xe85250d6
#define MB2_ARCH_I386 0
#define MB2_TAG_END 0
#define MB2_TAG_ENTRY 3
#define MB2_TAG_CONSOLE 4
#define MB2_TAG_FRAMEBUFFER 5
#define MB2_OPTIONAL 1
#define MB2_CONSOLE_TEXT 2		/* we can write to EGA text memory; without bit 0: and need no screen */
#define PVH_START_MAGIC 0x336ec578	/* also the first word of the start information */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

#define BOOT_STACK_SIZE 16384		/* as KSTACK_SIZE in kernel/kmem.h */

#define PAGE_P_RW 0x3
#define PAGE_P_RW_PS 0x83
#define ROOT_DIRECT ((DIRECT_BASE >> 39) & 511)
#define ROOT_KERNEL ((KERNEL_OFFSET >> 39) & 511)
#define LEVEL2_KERNEL ((KERNEL_OFFSET >> 30) & 511)

/* Multiboot2 specification 3.1: 8-byte aligned within the first 32 KiB of the file. */
	.section .boot.header, "a", @progbits
	.balign	8
mb2_header:
	.long	MB2_MAGIC
	.long	MB2_ARCH_I386
	.long	mb2_header_end - mb2_header
	.long	-(MB2_MAGIC + MB2_ARCH_I386 + (mb2_header_end - mb2_header))
	/* The ELF entry is a virtual address, as ELF wants it; loaders disagree on what that means. */
	.short	MB2_TAG_ENTRY, 0
	.long	12, PHYS(multiboot2_entry)
	.balign	8
	.short	MB2_TAG_CONSOLE, MB2_OPTIONAL
	.long	12, MB2_CONSOLE_TEXT
	.balign	8
	/* Asked for any size, GRUB takes 24 bits a pixel, or finds none. */
	.short	MB2_TAG_FRAMEBUFFER, MB2_OPTIONAL
	.long	20, 1024, 768, 32
	.balign	8
	.short	MB2_TAG_END, 0
	.long	8
mb2_header_end:

	.section .note.boot, "a", @note
	.balign	4
	.long	4, 8, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.quad	PHYS(pvh_entry)

	.section .bss.stack, "aw", @nobits
	.balign	4096
	.globl	boot_stack
boot_stack:
	.skip	BOOT_STACK_SIZE
boot_stack_end:

	.bss
	.balign	4096
	.globl	boot_root
boot_root:
	.skip	4096
boot_level2:
	.skip	4096
boot_level2_kernel:
	.skip	4096
boot_level1:
	.skip	4 * 4096

	.section .boot.text, "ax", @progbits
	.code32
	.globl	multiboot2_entry
multiboot2_entry:			/* eax: loader's magic, ebx: information */
	mov	%eax, %esi
	jmp	1f
pvh_entry:				/* ebx: start information */
	mov	$PVH_START_MAGIC, %esi
1:
	cli
	cld
	mov	%ebx, %edi
	mov	$PHYS(boot_stack_end), %esp

	mov	$0x80000000, %eax
	cpuid
	cmp	$0x80000001, %eax
	jb	no_long_mode
	mov	$0x80000001, %eax
	cpuid
	bt	$29, %edx		/* long mode */
	jnc	no_long_mode
	mov	%edx, %ebp

	/* The tables lie in .bss, which the loader cleared. */
	mov	$PAGE_P_RW_PS, %eax
	xor	%ecx, %ecx
1:	mov	%eax, PHYS(boot_level1)(, %ecx, 8)
	add	$0x200000, %eax
	inc	%ecx
	cmp	$4 * 512, %ecx
	jne	1b
	mov	$PHYS(boot_level1) + PAGE_P_RW, %eax
	mov	%eax, PHYS(boot_level2_kernel) + LEVEL2_KERNEL * 8
	xor	%ecx, %ecx
1:	mov	%eax, PHYS(boot_level2)(, %ecx, 8)
	add	$4096, %eax
	inc	%ecx
	cmp	$4, %ecx
	jne	1b
	movl	$PHYS(boot_level2) + PAGE_P_RW, PHYS(boot_root)
	movl	$PHYS(boot_level2) + PAGE_P_RW, PHYS(boot_root) + ROOT_DIRECT * 8
	movl	$PHYS(boot_level2_kernel) + PAGE_P_RW, PHYS(boot_root) + ROOT_KERNEL * 8

	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$PHYS(boot_root), %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	bt	$20, %ebp		/* no-execute pages: the bit is reserved without them */
	jnc	1f
	or	$EFER_NXE, %eax
1:	wrmsr
	mov	$CR0_KERNEL, %eax
	mov	%eax, %cr0
	lgdt	PHYS(boot_gdtr)
	ljmp	$SEL_CODE, $PHYS(boot_entry64)

/* By the first serial port, which firmware has set up or an emulator needs no setting up of. */
no_long_mode:
	mov	$PHYS(no_long_mode_text), %esi
1:	lodsb
	test	%al, %al
	jz	3f
	mov	%al, %ah
	mov	$0x10000, %ecx		/* polls: an absent port reads as ready, a stuck one is not waited for */
	mov	$0x3fd, %dx
2:	in	%dx, %al
	test	$0x20, %al
	loopz	2b
	mov	%ah, %al
	mov	$0x3f8, %dx
	out	%al, %dx
	jmp	1b
3:	mov	$1, %al			/* the emulator's exit device, where there is one */
	out	%al, $0xf4
4:	hlt
	jmp	4b

no_long_mode_text:
	.asciz	"Tarry: this CPU has no 64-bit mode\r\nTARRY-END rc=1\r\n"

	.code64
boot_entry64:
	mov	$SEL_DATA, %eax
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$boot_stack_end, %rsp
	xor	%ebp, %ebp		/* ends a backtrace */
	xchg	%edi, %esi		/* magic, information; clears the upper halves */
	push	$0
	mov	$boot_main, %rax
	jmp	*%rax			/* from the identity map to the kernel's addresses */

	.balign	8
	.globl	boot_gdt
boot_gdt:
	.quad	0, GDT_CODE, GDT_DATA
boot_gdt_end:
	.globl	boot_gdtr
boot_gdtr:
	.short	boot_gdt_end - boot_gdt - 1
	.long	PHYS(boot_gdt)

	.section .note.GNU-stack, "", @progbits
