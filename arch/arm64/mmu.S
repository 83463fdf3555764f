/* Exchange of the kernel's own translation tables. Runs from the identity map, uses no stack. */
#include <asm/sysreg.h>

	.text

/*
 * The new tables map the same addresses with other sizes and permissions. A TLB that held an old
 * and a new entry for one address could answer with a conflict abort (Arm ARM D8.14.1), so for a
 * moment there are no entries at all: x0 = new root, x1 = a table without entries.
 */
	.globl	mmu_replace_ttbr1
	.type	mmu_replace_ttbr1, %function
mmu_replace_ttbr1:
	msr	ttbr1_el1, x1
	isb
	dsb	nsh
	tlbi	vmalle1
	dsb	nsh
	isb
	msr	ttbr1_el1, x0
	isb
	ret
	.size	mmu_replace_ttbr1, . - mmu_replace_ttbr1
