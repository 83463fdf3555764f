/* Barriers of arm64 (Arm ARM B2.3, D8.14). All CPUs are in one Inner Shareable domain. */
#pragma once

/* dmb orders explicit accesses; dsb also waits for them, and for TLB maintenance, to complete. */
#define dmb(domain) asm volatile("dmb " #domain ::: "memory")
#define dsb(domain) asm volatile("dsb " #domain ::: "memory")
#define isb() asm volatile("isb" ::: "memory")

static inline void barrier(void)
{
	asm volatile("" ::: "memory");
}

/* Of these three, as of every barrier of the contract, the caller names the partner. */
static inline void smp_mb(void)
{
	dmb(ish);
}

/* Loads before loads and stores. */
static inline void smp_rmb(void)
{
	dmb(ishld);
}

/* Stores before stores. */
static inline void smp_wmb(void)
{
	dmb(ishst);
}

/* A device need not be in the Inner Shareable domain of the CPUs (Arm ARM B2.7.1). The caller names the partner. */
static inline void dma_rmb(void)
{
	dmb(oshld);
}

/* As dma_rmb(). */
static inline void dma_wmb(void)
{
	dmb(oshst);
}

/*
 * The seq_cst builtins are LDAXR/STLXR loops: the store-release keeps earlier accesses before the
 * operation, but later ones may still pass the store (Arm ARM B2.3.11), so one DMB behind is what
 * makes them full barriers. None is needed in front: while the exclusive store succeeds, nobody
 * wrote in between, so the load counts as happening with it.
 */
static inline void arch_before_atomic(void)
{
	barrier();
}

static inline void arch_after_atomic(void)
{
	/* Later accesses after the operation's store; partner: the other side of each atomic. */
	dmb(ish);
}
