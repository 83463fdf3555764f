/* Barriers of the modelled machine: what they do is in arch/fake/memory.c. */
#pragma once

void fake_mb(void);
void fake_wmb(void);
void fake_rmb(void);
/* All stores of this CPU are visible to every walker (arm64 rules: DSB ISHST, ISB). */
void fake_publish(void);

static inline void barrier(void)
{
	__asm__ __volatile__("" ::: "memory");
}

static inline void smp_mb(void)
{
	fake_mb();
}

static inline void smp_rmb(void)
{
	fake_rmb();
}

static inline void smp_wmb(void)
{
	fake_wmb();
}

/* By host tests of drivers, whose devices see what was written before the last dma_wmb(). */
void fake_dma_rmb(void);
void fake_dma_wmb(void);

static inline void dma_rmb(void)
{
	fake_dma_rmb();
}

static inline void dma_wmb(void)
{
	fake_dma_wmb();
}

static inline void arch_before_atomic(void)
{
}

static inline void arch_after_atomic(void)
{
}
