/* The first stack frame of a context; context.S pops it. */
#include <arch/cpu.h>
#include <kernel/string.h>

extern const char context_begin[];

void *context_prepare(void *stack_top, void (*entry)(void))
{
	enum { WORDS = 12, X19 = 0, X30 = 11 };
	u64 *frame = (u64 *)stack_top - WORDS;

	memset(frame, 0, WORDS * sizeof(*frame));
	frame[X19] = (u64)entry;
	frame[X30] = (u64)context_begin;
	return frame;
}
