/* Interrupt masking: RFLAGS.IF. */
#pragma once

#include <asm/regs.h>

static inline irqflags_t irq_save(void)
{
	irqflags_t flags;

	asm volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
	return flags;
}

static inline void irq_enable(void)
{
	asm volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
	asm volatile("cli" ::: "memory");
}

/* The caller is masked, so a state that was masked needs nothing. */
static inline void irq_restore(irqflags_t flags)
{
	if (flags & RFLAGS_IF)
		irq_enable();
}

static inline bool irqs_enabled(void)
{
	irqflags_t flags;

	asm volatile("pushfq; popq %0" : "=r"(flags)::"memory");
	return flags & RFLAGS_IF;
}
