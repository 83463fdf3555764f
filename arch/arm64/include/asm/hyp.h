/* The vector stub left at EL2 when the machine was entered there (arm64_entry_el == 2; boot/arm64/head.S). */
#pragma once

#define HYP_SET_VECTORS 0

#ifndef __ASSEMBLER__
#include <kernel/types.h>

/* Install EL2 vectors, physical address of 2 KiB, on this CPU. 0, or -1: whoever is there knows no such call. */
static inline long hyp_set_vectors(paddr_t vectors)
{
	register u64 x0 asm("x0") = HYP_SET_VECTORS;
	register u64 x1 asm("x1") = vectors;

	asm volatile("hvc #0" : "+r"(x0) : "r"(x1) : "memory");
	return (long)x0;
}
#endif
