/* Inside a guest on arm64. */
#pragma once

#include <arch/guest.h>

static inline void guest_call(void)
{
	asm volatile("hvc #0" ::: "memory");
}

#define GUEST_CALL_CODE 0xd4000002
/* Arm ARM C6.2. What would write writes X0. */
static const struct guest_forbidden guest_forbidden[] = {
	{"wfi", 0xd503207f},	       {"smc #0", 0xd4000003},
	{"hvc #7", 0xd40000e2},	       {"svc #0", 0xd4000001},
	{"brk #0", 0xd4200000},	       {"udf #0", 0},
	{"msr ttbr0_el1", 0xd5182000}, {"msr sctlr_el1", 0xd5181000},
	{"msr mair_el1", 0xd518a200},  {"msr contextidr_el1", 0xd518d020},
	{"msr cpacr_el1", 0xd5181040}, {"msr actlr_el1", 0xd5181020},
	{"msr hcr_el2", 0xd51c1100},   {"msr icc_sgi1r_el1", 0xd518cba0},
	{"tlbi vmalle1", 0xd508871f},  {"dc isw", 0xd5087640},
	{"fmov d0, xzr", 0x9e6703e0},
};
