/* CONTRACT: interrupt masking of the executing CPU. */
#pragma once

#include <kernel/types.h>

typedef u64 irqflags_t;

static inline irqflags_t irq_save(void); /* mask, return the previous state */
static inline void irq_restore(irqflags_t flags);
static inline void irq_enable(void);
static inline void irq_disable(void);
static inline bool irqs_enabled(void);

#include <asm/irq.h>
