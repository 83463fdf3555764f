/* Small kernel memory. It is never given back to the page allocator, which leak checks must take into account. */
#pragma once

#include <kernel/types.h>

/* Register the functions of <kernel/kmem.h>. Boot CPU, once, after pmm_init(). */
void kmem_init(void);
/*
 * 4 KiB frames in slabs, stacks and kernel page tables, used or not. Any context, no lock; exact
 * while nobody allocates.
 */
u64 kmem_pages_kept(void);
/* Small objects and stacks that are handed out now. The same rules. */
u64 kmem_objects_in_use(void);
