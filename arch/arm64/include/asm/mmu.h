/* Translation of the kernel itself: where the image lies, switching the kernel's root. */
#pragma once

#include <arch/pgtable.h>
#include <arch/platform.h>

/* Physical address of something in the image (code, data, per-CPU template). */
static inline paddr_t image_to_phys(const void *p)
{
	return arch_kernel_phys() + ((u64)p - KERNEL_BASE);
}

extern paddr_t arm64_kernel_phys; /* set by the entry code, once */
extern paddr_t arm64_kernel_root; /* what TTBR1 of every CPU holds after start-up */
extern unsigned
	arm64_entry_el; /* exception level at entry: 1, or 2 with a vector stub left there */
extern pte_t boot_idmap[]; /* identity map of the image; boot/arm64/tables.c */

/* May EL1 write at the direct-map address of pa, on the tables in use? */
bool mmu_maps(paddr_t pa);

/*
 * mmu.S; called at its physical address with the identity map in TTBR0 and interrupts masked: puts
 * `root` into TTBR1 by way of `empty`, so that no entry of the old tables meets one of the new.
 */
void mmu_replace_ttbr1(paddr_t root, paddr_t empty);
