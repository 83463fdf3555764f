/* Kernel memory that is kept once taken: what leak checks must leave out or count. */
#pragma once

#include <kernel/types.h>

/* Registers kmem_ops; boot CPU, once, after pmm_init(). */
void kmem_init(void);
/* Frames in slabs and stacks, used or not. Any context, no lock: exact while nobody allocates. */
u64 kmem_pages_kept(void);
/* Small objects and stacks handed out. Likewise. */
u64 kmem_objects_in_use(void);
