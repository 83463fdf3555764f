/* The kernel's own mappings: image, direct map, page array, stacks, devices. Never a workload's. */
#pragma once

#include <kernel/bootinfo.h>
#include <arch/pgtable.h>

/* Build the final kernel root and load it: image W^X, RAM in the direct map (4 KiB only with large=off). */
void kmap_init(const struct bootinfo *bi);
/* Direct-map pointer to physical memory that may not be RAM; missing pages are mapped read-only. NULL: no memory for tables. */
const void *kmap_phys(paddr_t pa, u64 len);
/* MMIO, uncached, read-write, at its direct-map address. */
void *kmap_device(paddr_t pa, u64 len);
/* Kernel virtual range with chosen backing, e.g. the page array. 0 or -ENOMEM. */
int kmap_map(vaddr_t va, paddr_t pa, u64 len, prot_t prot);
/* Top-level table of the kernel, whose upper half every address space copies. */
const pte_t *kmap_root(void);
extern bool kmap_large; /* false: large=off */
