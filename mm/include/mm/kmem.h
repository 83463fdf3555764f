/* Kernel memory that is kept once taken: what leak checks must leave out or count. */
#pragma once

#include <kernel/types.h>

void kmem_init(void); /* registers kmem_ops */
u64 kmem_pages_kept(void); /* frames in slabs and stacks, used or not */
u64 kmem_objects_in_use(void); /* small objects and stacks handed out */
