/* Page-table entries of x86-64: the parts that are not inline. */
#include <arch/pgtable.h>
#include <arch/platform.h>
#include <asm/features.h>
#include <kernel/string.h>

/*
 * pt_root_init - let a new root share the kernel half.
 * The entries are copied, so every root entry that the kernel half will ever
 * need must be there before the first address space is made.
 */
void pt_root_init(pte_t *root, const pte_t *kernel_root)
{
	memcpy(root + PT_ENTRIES / 2, kernel_root + PT_ENTRIES / 2, PT_ENTRIES / 2 * sizeof(pte_t));
}

/* SDM vol. 2, CPUID leaf 80000008h: EAX bits 7:0. Without that leaf a CPU has 36 bits (vol. 3 4.1.4). */
u64 arch_phys_limit(void)
{
	unsigned bits = cpuid_or_zero(0x80000008, 0).eax & 0xff;

	return MIN(1UL << (bits ? MIN(bits, 52U) : 36), DIRECT_SIZE);
}
