/* CONTRACT: exceptions. The port builds a struct trapframe and calls trap_handle() (kernel/core/trap.c). */
#pragma once

#include <kernel/types.h>

enum trap_kind {
	TRAP_PAGE_FAULT, /* translation, permission or access-flag fault on data or code */
	TRAP_BREAKPOINT,
	TRAP_ILLEGAL,
	TRAP_OTHER,
};

struct trapframe; /* <asm/trap.h> */

static inline u64 trap_ip(const struct trapframe *tf);
static inline u64 trap_fp(const struct trapframe *tf); /* frame pointer, for backtraces */
static inline u64 trap_sp(const struct trapframe *tf);
static inline enum trap_kind trap_kind(const struct trapframe *tf);
static inline vaddr_t trap_fault_va(const struct trapframe *tf); /* page faults only */
static inline bool trap_fault_is_write(const struct trapframe *tf);
static inline bool trap_fault_is_exec(const struct trapframe *tf);
static inline bool
trap_fault_is_present(const struct trapframe *tf); /* permission, not translation */
static inline bool trap_irqs_enabled(const struct trapframe *tf); /* in the interrupted code */

const char *trap_name(const struct trapframe *tf);
void trap_dump(const struct trapframe *tf); /* registers, by printk */
/* If ip lies in a probe function, make it return -EFAULT and say true. */
bool trap_fixup(struct trapframe *tf);

#include <asm/trap.h>
