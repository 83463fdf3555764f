/* The kernel's own mappings: image, direct map, page array, stacks, devices. Never a workload's. */
#pragma once

#include <kernel/bootinfo.h>
#include <arch/pgtable.h>

/*
 * Build the final kernel page tables and load them: the image without any page that is both writable
 * and executable, and RAM in the direct map (by 4 KiB pages only with large=off). Boot CPU, once.
 */
void kmap_init(const struct bootinfo *bi);
/*
 * Direct-map pointer to len bytes of physical memory that need not be RAM, such as firmware tables.
 * What is not mapped yet is mapped read-only. NULL: the CPU cannot address it, or no memory for
 * tables. Task context; may wait.
 */
const void *kmap_phys(paddr_t pa, u64 len);
/* The same for device registers: uncached, read and write. */
void *kmap_device(paddr_t pa, u64 len);
/*
 * Map len bytes of physical memory at a kernel address, where nothing is mapped yet; all three
 * multiples of 4 KiB. 0 or -ENOMEM: a part may be mapped. Task context; may wait.
 */
int kmap_map(vaddr_t va, paddr_t pa, u64 len, prot_t prot);
/* Top-level table of the kernel, which pt_root_init() copies from (x86-64). */
const pte_t *kmap_root(void);
extern bool kmap_large; /* false: large=off */
