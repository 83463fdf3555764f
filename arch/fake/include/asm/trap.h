/* A fault of a modelled CPU, as kernel/core and mm see it. */
#pragma once

struct trapframe {
	vaddr_t va;
	bool write, exec, present, irqs;
};

static inline u64 trap_ip(const struct trapframe *tf __unused)
{
	return 0;
}

static inline u64 trap_fp(const struct trapframe *tf __unused)
{
	return 0;
}

static inline u64 trap_sp(const struct trapframe *tf __unused)
{
	return 0;
}

static inline enum trap_kind trap_kind(const struct trapframe *tf __unused)
{
	return TRAP_PAGE_FAULT;
}

static inline vaddr_t trap_fault_va(const struct trapframe *tf)
{
	return tf->va;
}

static inline bool trap_fault_is_write(const struct trapframe *tf)
{
	return tf->write;
}

static inline bool trap_fault_is_exec(const struct trapframe *tf)
{
	return tf->exec;
}

static inline bool trap_fault_is_present(const struct trapframe *tf)
{
	return tf->present;
}

static inline bool trap_irqs_enabled(const struct trapframe *tf)
{
	return tf->irqs;
}
