/*
 * Memory for kernel/core, which lies below mm: mm registers these at start-up.
 */
#pragma once

#include <kernel/types.h>

#define KSTACK_SIZE                                                                                \
	(16UL                                                                                      \
	 << 10) /* bytes; deepest path seen is the fault handler inside a printk, under 6 KiB */

struct kmem_ops {
	/* Zeroed, page-aligned memory of a node (or the nearest with room); NULL: none anywhere. */
	void *(*alloc)(size_t bytes, u32 node);
	void (*free)(void *p, size_t bytes);
	/* Lowest address of a stack of KSTACK_SIZE with an unmapped page below; NULL: no memory. */
	void *(*stack_alloc)(u32 node);
	void (*stack_free)(void *stack);
	/* Is this address in the unmapped page below a stack? For the overflow message. */
	bool (*is_guard)(vaddr_t va);
};

extern struct kmem_ops kmem;
