/* The vector stub left at EL2 when the machine was entered there (arm64_entry_el == 2; boot/arm64/head.S). */
#pragma once

#define HYP_SET_VECTORS 0

#ifndef __ASSEMBLER__
#include <kernel/types.h>

/*
 * A call to whoever owns this CPU's EL2 vectors; the stub's only one is
 * HYP_SET_VECTORS, physical address of 2 KiB of them. 0, or -1: it knows no such call.
 */
static inline long hyp_call(u64 function, u64 argument)
{
	register u64 x0 asm("x0") = function;
	register u64 x1 asm("x1") = argument;

	asm volatile("hvc #0" : "+r"(x0) : "r"(x1) : "memory");
	return (long)x0;
}

extern const char hyp_stub_vectors[]; /* what start-up installed */
#endif
