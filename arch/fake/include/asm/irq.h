/* Interrupt masking of the modelled CPU. */
#pragma once

bool fake_irq_mask(bool masked); /* returns the previous state; unmasking is a switching point */
bool fake_irq_masked(void);

static inline irqflags_t irq_save(void)
{
	return fake_irq_mask(true);
}

static inline void irq_restore(irqflags_t flags)
{
	fake_irq_mask(flags);
}

static inline void irq_enable(void)
{
	fake_irq_mask(false);
}

static inline void irq_disable(void)
{
	fake_irq_mask(true);
}

static inline bool irqs_enabled(void)
{
	return !fake_irq_masked();
}
