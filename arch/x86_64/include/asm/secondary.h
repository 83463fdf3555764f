/*
 * What a secondary CPU finds when it arrives: boot/x86_64/trampoline.S reads
 * it, cpu_start() wrote it. One CPU starts at a time, so there is one.
 */
#pragma once

#define SECONDARY_ROOT 0
#define SECONDARY_STACK 8
#define SECONDARY_EFER 16
#define SECONDARY_APIC_ID 24

#ifndef __ASSEMBLER__
#include <kernel/types.h>

struct secondary_args {
	paddr_t root; /* the kernel's */
	void *stack_top;
	u64 efer; /* bits to set beyond long mode */
	u32 apic_id; /* anybody else who comes (too late) halts */
	u32 cpu;
	u64 percpu_offset;
	u32 arrived; /* 1: has read all of this; release by it, acquire by cpu_start() */
};

_Static_assert(offsetof(struct secondary_args, root) == SECONDARY_ROOT &&
		       offsetof(struct secondary_args, stack_top) == SECONDARY_STACK &&
		       offsetof(struct secondary_args, efer) == SECONDARY_EFER &&
		       offsetof(struct secondary_args, apic_id) == SECONDARY_APIC_ID,
	       "trampoline.S uses these offsets");

extern struct secondary_args secondary_args;

/* Page below 1 MiB that holds the real-mode start; 0: none was free. Set by boot/x86_64/main.c. */
extern paddr_t secondary_page;

/* First C function of a secondary CPU, on its own stack with the kernel's page tables. */
void secondary_start(void) __noreturn;
#endif
