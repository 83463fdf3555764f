/* Inside a guest on arm64. */
#pragma once

static inline void guest_call(void)
{
	asm volatile("hvc #0" ::: "memory");
}
