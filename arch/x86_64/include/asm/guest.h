/* Inside a guest on x86-64. */
#pragma once

#include <arch/guest.h>

/* APM vol. 3: without an operand; the host skips its 3 bytes. */
static inline void guest_call(void)
{
	asm volatile("vmmcall" ::: "memory");
}

#define GUEST_CALL_CODE 0x90d9010f
/* APM vol. 3; the lowest byte comes first, and NOPs fill the word. */
static const struct guest_forbidden guest_forbidden[] = {
	{"hlt", 0x909090f4},
	{"in %dx, %al", 0x909090ec},
	{"out %al, %dx", 0x909090ee},
	{"rdmsr", 0x9090320f},
	{"wrmsr", 0x9090300f},
	{"invd", 0x9090080f},
	{"ud2", 0x90900b0f},
	{"int3", 0x909090cc},
	{"mov %rax, %cr3", 0x90d8220f},
	{"mov %rax, %dr7", 0x90f8230f},
	{"vmrun", 0x90d8010f},
	{"vmload", 0x90da010f},
	{"stgi", 0x90dc010f},
	{"clgi", 0x90dd010f},
	{"invlpga", 0x90df010f},
};
