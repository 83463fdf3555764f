/* Making a stack that context_switch() can switch to. */
#include <arch/cpu.h>

extern void context_first(void); /* context.S */

/* The order in which context_switch() pops. */
struct switch_frame {
	void *r15, *r14, *r13;
	void (*r12)(void);
	void *rbx, *rbp; /* rbp 0 ends a backtrace */
	void (*ret)(void);
	void *end[2]; /* keeps the stack 16-byte aligned at the call, and reads as "no caller" */
};

void *context_prepare(void *stack_top, void (*entry)(void))
{
	struct switch_frame *f = (struct switch_frame *)stack_top - 1;

	*f = (struct switch_frame){.r12 = entry, .ret = context_first};
	return f;
}
