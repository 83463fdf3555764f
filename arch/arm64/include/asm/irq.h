/* Interrupt masking: PSTATE.I. FIQ and debug stay masked, SError is unmasked once vectors exist. */
#pragma once

#include <asm/sysreg.h>

#define DAIF_I (1 << 7)

static inline irqflags_t irq_save(void)
{
	irqflags_t flags = sysreg_read(daif);

	asm volatile("msr daifset, #2" ::: "memory");
	return flags;
}

static inline void irq_restore(irqflags_t flags)
{
	sysreg_write(daif, flags);
}

static inline void irq_enable(void)
{
	asm volatile("msr daifclr, #2" ::: "memory");
}

static inline void irq_disable(void)
{
	asm volatile("msr daifset, #2" ::: "memory");
}

static inline bool irqs_enabled(void)
{
	return !(sysreg_read(daif) & DAIF_I);
}
