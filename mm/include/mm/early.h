/*
 * Memory before the page allocator exists: pieces cut from the loader's RAM
 * ranges, never given back. Boot CPU only, no locks.
 */
#pragma once

#include <kernel/bootinfo.h>

/*
 * The lowest free memory of `size` bytes inside [lo, hi), zeroed. align: a power of two, in bytes.
 * Returns its physical address, 0: there is none, or the allocator is not active.
 */
paddr_t early_alloc(u64 size, u64 align, paddr_t lo, paddr_t hi);
/* Call fn for each piece of RAM that is still free, then refuse further requests. */
void early_hand_over(void (*fn)(paddr_t base, u64 len));
/* False once the free memory was handed over, and before mm_early_init(). */
bool early_active(void);
/* Back the array of struct page, mm/page_array.c: once the nodes are known, before pmm_init(). */
void page_array_init(const struct bootinfo *bi);
