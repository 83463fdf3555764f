/* Inside a guest on x86-64. */
#pragma once

/* APM vol. 3: without an operand; the host skips its 3 bytes. */
static inline void guest_call(void)
{
	asm volatile("vmmcall" ::: "memory");
}
