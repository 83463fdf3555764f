/* Memory barriers of x86-64: TSO, so only a store followed by a load needs an instruction. */
#pragma once

static inline void barrier(void)
{
	asm volatile("" ::: "memory");
}

static inline void smp_mb(void)
{
	/* A locked instruction orders like MFENCE (SDM vol. 3 9.2.3) and is cheaper. */
	asm volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
}

/*
 * Of these, as of every barrier of the contract, the caller names the partner. TSO keeps the order,
 * the compiler must, too.
 */
static inline void smp_rmb(void)
{
	barrier();
}

/* As smp_rmb(). */
static inline void smp_wmb(void)
{
	barrier();
}

/* As smp_rmb(): devices see memory in the order in which CPUs do, and uncached stores are not passed (SDM vol. 3 12.3.3). */
static inline void dma_rmb(void)
{
	barrier();
}

/* As dma_rmb(). */
static inline void dma_wmb(void)
{
	barrier();
}

/* Locked instructions are full barriers themselves. */
static inline void arch_before_atomic(void)
{
}

static inline void arch_after_atomic(void)
{
}
