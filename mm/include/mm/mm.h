/* The memory manager's entry points for kernel/core/main.c. */
#pragma once

#include <kernel/bootinfo.h>

void mm_early_init(struct bootinfo *bi); /* early allocator; nothing else works yet */
void mm_init(const struct bootinfo *bi); /* page array, node allocators, kmem ops */
void mm_start(void); /* all CPUs are up: shootdown core, fault handling, knobs */
