/* Page-table entries of x86-64: the parts that are not inline. */
#include <arch/pgtable.h>
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
