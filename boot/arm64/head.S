/*
 * Entry. The image starts with the header that boot loaders know from Linux
 * (its Documentation/arch/arm64/booting.rst) and that is a PE/COFF header too,
 * so that UEFI firmware can start the same file.
 *
 * Everything runs at the address where the image was loaded until the boot
 * page tables are on: only PC-relative addresses, and no unaligned access.
 */
#include <asm/hyp.h>
#include <asm/layout.h>
#include <asm/sysreg.h>

#define PAGE_SIZE 4096
#define BOOT_STACK_SIZE 16384

/* Physical (PC-relative) address of a symbol. */
.macro adr_sym reg, sym
	adrp	\reg, \sym
	add	\reg, \reg, #:lo12:\sym
.endm

	.section .boot.header, "ax"
	.globl	image_header
image_header:
	ccmp	x18, #0, #0xd, pl	// reads "MZ" as bytes; harmless as an instruction
	b	image_entry
	.quad	0			// offset from a 2 MiB boundary
	.quad	__image_size		// with .bss
	.quad	0xa			// little-endian, 4 KiB pages, anywhere in memory
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	pe_header - image_header

/*
 * PE/COFF: two sections that touch, behind the header page. No page is writable and executable, and
 * NX_COMPAT says so: firmware that enforces it loads nothing else.
 */
pe_header:
	.ascii	"PE\0\0"
	.short	0xaa64			// arm64
	.short	2			// sections
	.long	0, 0, 0
	.short	section_table - optional_header
	.short	0x206			// executable, no line numbers, no debug information
optional_header:
	.short	0x20b			// PE32+
	.byte	0, 0
	.long	__image_data - PAGE_SIZE	// code and constants
	.long	__image_data_size	// data
	.long	0
	.long	efi_entry - image_header
	.long	PAGE_SIZE		// base of code
	.quad	0			// image base: anywhere
	.long	PAGE_SIZE		// section alignment
	.long	PAGE_SIZE		// file alignment
	.short	0, 0, 0, 0, 0, 0
	.long	0
	.long	__image_size
	.long	PAGE_SIZE		// headers
	.long	0
	.short	10			// EFI application
	.short	0x100			// NX_COMPAT
	.quad	0, 0, 0, 0
	.long	0
	.long	6			// data directories, all empty
	.quad	0, 0, 0, 0, 0, 0
section_table:
	.ascii	".text\0\0\0"
	.long	__image_data - PAGE_SIZE	// in memory
	.long	PAGE_SIZE
	.long	__image_data - PAGE_SIZE	// in the file
	.long	PAGE_SIZE
	.long	0, 0
	.short	0, 0
	.long	0x60000020		// code; executable, readable
	.ascii	".data\0\0\0"
	.long	__image_data_size
	.long	__image_data
	.long	__image_data_file_size
	.long	__image_data
	.long	0, 0
	.short	0, 0
	.long	0xc0000040		// data; readable, writable
	.balign	PAGE_SIZE

/* From a boot loader: x0 = physical address of the device tree, or 0 where it was started as ELF. */
	.type	image_entry, %function
image_entry:
	mov	x21, x0
	mov	x22, #0			// nothing from EFI
	bl	mmu_off
	bl	enter_el1
	adr_sym	x0, __bss_start
	adr_sym	x1, __bss_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b
	b	start
	.size	image_entry, . - image_entry

/*
 * From UEFI: x0 = our handle, x1 = system table; on the firmware's stack, tables and caches.
 * efi_start() leaves what it learnt in .bss, which the firmware zeroed, or returns an EFI status.
 */
	.type	efi_entry, %function
efi_entry:
	stp	x29, x30, [sp, #-16]!
	mov	x29, sp
	bl	efi_start
	cbz	x0, 1f
	ldp	x29, x30, [sp], #16
	ret
1:	msr	daifset, #15
	mov	x21, #0
	mov	x22, #1
	bl	mmu_off
	bl	enter_el1
	b	start
	.size	efi_entry, . - efi_entry

/* EL1, translation off, x21 = device tree, x22 = started by EFI, x23 = exception level at entry. */
	.type	start, %function
start:
	adr_sym	x0, boot_stack_top
	mov	sp, x0
	mov	x29, #0
	bl	boot_tables_init
	/* Stores bypassed the caches: nothing stale may be left in them for these addresses. */
	adr_sym	x0, __bss_start
	adr_sym	x1, __bss_end
	bl	invalidate_range
	adr_sym	x0, boot_idmap
	adr_sym	x1, boot_root
	ldr	x30, =start_high
	b	mmu_on
start_high:
	ldr	x0, =boot_stack_top
	mov	sp, x0
	mov	x0, x21
	mov	x1, x22
	mov	x2, x23
	bl	boot_main
	brk	#1			// does not return
	.size	start, . - start

/*
 * A CPU started by firmware, translation off: x0 = physical address of its struct secondary_args,
 * cleaned to memory by the starter.
 */
	.globl	secondary_entry
	.type	secondary_entry, %function
secondary_entry:
	mov	x21, x0
	bl	mmu_off
	bl	enter_el1
	ldp	x0, x1, [x21]		// idmap, root
	ldp	x24, x25, [x21, #16]	// stack_top, cpu
	ldr	x30, =secondary_high
	b	mmu_on
secondary_high:
	mov	sp, x24
	mov	x29, #0
	mov	x0, x25
	bl	secondary_start
	brk	#1			// does not return
	.size	secondary_entry, . - secondary_entry

/* dc \op for x0 to x1 in steps of the smallest data cache line, CTR_EL0.DminLine. Changes x0 to x3. */
.macro by_line op
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4
	mov	x3, #4
	lsl	x2, x3, x2
	sub	x3, x2, #1
	bic	x0, x0, x3
1:	dc	\op, x0
	add	x0, x0, x2
	cmp	x0, x1
	b.lo	1b
	dsb	sy
.endm

	.type	invalidate_range, %function
invalidate_range:
	by_line	ivac
	ret
	.size	invalidate_range, . - invalidate_range

/*
 * Translation and caches off at the current exception level, if a loader left them on; the image
 * goes to memory first, since the accesses that follow are not cached. Runs at its physical
 * address, so the next instruction is where it was. Changes x0 to x5.
 */
	.type	mmu_off, %function
mmu_off:
	mrs	x4, CurrentEL
	cmp	x4, #CURRENT_EL2
	b.eq	2f
	mrs	x5, sctlr_el1
	b	3f
2:	mrs	x5, sctlr_el2
3:	mov	x0, #(SCTLR_M | SCTLR_C)
	tst	x5, x0
	b.eq	6f
	adr_sym	x0, __image_start
	adr_sym	x1, __image_end
	by_line	civac
	mov	x0, #(SCTLR_M | SCTLR_C | SCTLR_I)
	bic	x5, x5, x0
	isb				// no fetch ahead of it: Falkor E1041
	cmp	x4, #CURRENT_EL2
	b.eq	4f
	msr	sctlr_el1, x5
	b	5f
4:	msr	sctlr_el2, x5
5:	isb
	ic	iallu
	dsb	nsh
	isb
6:	ret
	.size	mmu_off, . - mmu_off

/*
 * Translation off. Comes back at EL1, with x23 = the level it was called at. Changes x0 to x2.
 * While HCR_EL2.E2H is set, the names of many EL1 registers mean EL2's own at EL2 (Arm ARM D8.11,
 * FEAT_VHE): none is written there before E2H is settled.
 */
	.type	enter_el1, %function
enter_el1:
	mrs	x0, CurrentEL
	ldr	x1, =SCTLR_RES1
	lsr	x23, x0, #2
	cmp	x0, #CURRENT_EL2
	b.eq	1f
	msr	sctlr_el1, x1
	isb
	ret

/*
 * EL2 keeps nothing from EL1: AArch64 below (HCR.RW), no trap of counters, floating point, PMU or
 * interrupt controller, the CPU's own identity. Registers of extensions only where the extension
 * is; what is not listed resets to "no trap" or exists only with a stage 2, which is off.
 *
 * E2H cannot be cleared where ID_AA64MMFR4_EL1.E2H0 is negative, nor on some older CPUs, which
 * only show it by reading as set. Where it stays, CNTHCTL and CPTR have other layouts.
 */
1:	mov	x0, #HCR_RW
	mrs	x2, s3_0_c0_c7_4	// ID_AA64MMFR4_EL1
	tbz	x2, #MMFR4_NO_E2H0_BIT, 2f
	orr	x0, x0, #(1 << HCR_E2H_BIT)
2:	dsb	sy			// nothing in flight may translate meanwhile: AmpereOne AC04_CPU_23
	msr	hcr_el2, x0
	isb
	mrs	x0, hcr_el2
	tbnz	x0, #HCR_E2H_BIT, 3f
	msr	sctlr_el1, x1
	mov	x1, #3			// EL1PCTEN, EL1PCEN
	mov	x2, #CPTR_HOST
	b	4f
3:	msr	s3_5_c1_c0_0, x1	// SCTLR_EL12
	mov	x1, #(3 << 10)		// EL1PCTEN, EL1PTEN
	mov	x2, #CPACR_FPEN		// the layout of CPACR_EL1: SVE and SME trap, FP does not
4:	msr	cnthctl_el2, x1
	msr	cptr_el2, x2
	msr	cntvoff_el2, xzr
	mrs	x0, midr_el1
	msr	vpidr_el2, x0
	mrs	x0, mpidr_el1
	msr	vmpidr_el2, x0
	msr	hstr_el2, xzr
	msr	vttbr_el2, xzr

	mrs	x1, id_aa64dfr0_el1	// PMUVer: 0 none, 15 not Arm's
	ubfx	x1, x1, #8, #4
	sub	x1, x1, #1
	mov	x0, #0
	cmp	x1, #14
	b.hs	5f
	mrs	x0, pmcr_el0
	ubfx	x0, x0, #11, #5		// all counters are EL1's
5:	msr	mdcr_el2, x0

	mrs	x1, id_aa64pfr0_el1	// GIC by system registers
	ubfx	x1, x1, #24, #4
	cbz	x1, 6f
	mrs	x0, icc_sre_el2
	mov	x2, #9			// SRE, Enable: EL1 may use them
	orr	x0, x0, x2
	msr	icc_sre_el2, x0
	isb
	mrs	x0, icc_sre_el2
	tbz	x0, #0, 6f
	msr	ich_hcr_el2, xzr

6:	mrs	x1, id_aa64mmfr0_el1	// FEAT_FGT: fine-grained traps
	ubfx	x1, x1, #56, #4
	cbz	x1, 7f
	msr	s3_4_c1_c1_4, xzr	// HFGRTR_EL2
	msr	s3_4_c1_c1_5, xzr	// HFGWTR_EL2
	msr	s3_4_c1_c1_6, xzr	// HFGITR_EL2
	msr	s3_4_c3_c1_4, xzr	// HDFGRTR_EL2
	msr	s3_4_c3_c1_5, xzr	// HDFGWTR_EL2
7:	mrs	x1, id_aa64mmfr1_el1	// FEAT_HCX
	ubfx	x1, x1, #40, #4
	cbz	x1, 8f
	msr	s3_4_c1_c2_2, xzr	// HCRX_EL2

8:	adr_sym	x0, hyp_stub_vectors
	msr	vbar_el2, x0
	mov	x0, #SPSR_EL1H_MASKED
	msr	spsr_el2, x0
	msr	elr_el2, x30
	eret
	.size	enter_el1, . - enter_el1

/*
 * x0, x1 = tables for TTBR0 and TTBR1; the first maps this code where it is. Continues at x30, an
 * address of the second.
 */
	.type	mmu_on, %function
mmu_on:
	mov	x2, #MAIR_VALUE
	msr	mair_el1, x2
	ldr	x2, =TCR_BASE
	mrs	x3, id_aa64mmfr0_el1
	and	x3, x3, #15		// PARange: the CPU's physical address size
	mov	x4, #5			// 48 bits at most: more needs other descriptors
	cmp	x3, x4
	csel	x3, x3, x4, lo
	bfi	x2, x3, #TCR_IPS_SHIFT, #3
	msr	tcr_el1, x2
	msr	ttbr0_el1, x0
	msr	ttbr1_el1, x1
	mov	x2, #CPACR_FPEN
	msr	cpacr_el1, x2
	isb
	tlbi	vmalle1			// nothing of a former system
	ic	iallu
	dsb	nsh
	isb
	ldr	x2, =SCTLR_ON
	msr	sctlr_el1, x2
	isb
	ret
	.size	mmu_on, . - mmu_on

/*
 * What stays behind at EL2: two calls by HVC, so that a hypervisor can be installed later.
 *   x0 = HYP_SET_VECTORS, x1 = physical address of 2 KiB of vectors: x0 = 0
 *   x0 = HYP_READ_HCR: x0 = HCR_EL2
 * Anything else gets x0 = -1, "not supported" of the SMC Calling Convention.
 * It runs with EL2's translation off, has no stack and changes nothing else. Any other exception
 * that reaches EL2 stops the CPU: nothing there can report it.
 */
	.balign	128
	.type	hyp_sync, %function
hyp_sync:
	msr	tpidr_el2, x9
	mrs	x9, esr_el2
	lsr	x9, x9, #26
	cmp	x9, #0x16		// HVC from AArch64
	b.ne	hyp_stop
	cmp	x0, #HYP_READ_HCR
	b.eq	2f
	cmp	x0, #HYP_SET_VECTORS
	mov	x0, #-1
	b.ne	1f
	msr	vbar_el2, x1
	mov	x0, #0
1:	mrs	x9, tpidr_el2
	eret
2:	mrs	x0, hcr_el2
	b	1b
hyp_stop:
	wfe
	b	hyp_stop
	.size	hyp_sync, . - hyp_sync

	.balign	2048
	.globl	hyp_stub_vectors
	.type	hyp_stub_vectors, %object
hyp_stub_vectors:
	.rept	8
	.balign	128
	b	hyp_stop
	.endr
	.balign	128
	b	hyp_sync		// synchronous, from a lower level in AArch64
	.rept	7
	.balign	128
	b	hyp_stop
	.endr
	.balign	128
	.size	hyp_stub_vectors, . - hyp_stub_vectors

	.section .bss.stack, "aw", %nobits
	.balign	16
	.globl	boot_stack
boot_stack:
	.skip	BOOT_STACK_SIZE
	.globl	boot_stack_top
boot_stack_top:
