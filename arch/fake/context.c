/* Coroutines: the contract's stack switch, for the host's own instruction set. */
#include <arch/cpu.h>

#if defined(__x86_64__)
__asm__(".text\n.globl context_switch\n.type context_switch, @function\n"
	"context_switch:\n"
	"	pushq %rbp\n	pushq %rbx\n	pushq %r12\n"
	"	pushq %r13\n	pushq %r14\n	pushq %r15\n"
	"	movq %rsp, (%rdi)\n	movq %rsi, %rsp\n"
	"	popq %r15\n	popq %r14\n	popq %r13\n"
	"	popq %r12\n	popq %rbx\n	popq %rbp\n"
	"	ret\n.size context_switch, . - context_switch\n");

void *context_prepare(void *stack_top, void (*entry)(void))
{
	u64 *sp = (u64 *)((u64)stack_top & ~15UL);

	*--sp = 0; /* nobody to return to, and the alignment a call would leave */
	*--sp = (u64)entry;
	for (unsigned i = 0; i < 6; i++)
		*--sp = 0;
	return sp;
}
#elif defined(__aarch64__)
__asm__(".text\n.globl context_switch\n.type context_switch, %function\n"
	"context_switch:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp]\n	stp x21, x22, [sp, #16]\n	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n	stp x27, x28, [sp, #64]\n	stp x29, x30, [sp, "
	"#80]\n"
	"	stp d8, d9, [sp, #96]\n	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n	str x9, [x0]\n	mov sp, x1\n"
	"	ldp x19, x20, [sp]\n	ldp x21, x22, [sp, #16]\n	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n	ldp x27, x28, [sp, #64]\n	ldp x29, x30, [sp, "
	"#80]\n"
	"	ldp d8, d9, [sp, #96]\n	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n	ret\n.size context_switch, . - context_switch\n");

void *context_prepare(void *stack_top, void (*entry)(void))
{
	u64 *sp = (u64 *)((u64)stack_top & ~15UL) - 20;

	for (unsigned i = 0; i < 20; i++)
		sp[i] = 0;
	sp[11] = (u64)entry; /* x30 */
	return sp;
}
#else
#error "no coroutine switch for this host"
#endif
