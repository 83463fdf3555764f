/*
 * CONTRACT: memory barriers. Each port's <asm/barrier.h> defines the inlines
 * declared here; a missing one fails the build.
 */
#pragma once

/* The compiler may not move loads or stores across it; orders nothing for other CPUs. */
static inline void barrier(void);
/* Every earlier load and store is ordered before every later one, for all CPUs. */
static inline void smp_mb(void);
/* Loads before loads. */
static inline void smp_rmb(void);
/* Stores before stores. */
static inline void smp_wmb(void);
/* The same for devices that read and write memory, and dma_wmb() also stores before writes of registers. */
static inline void dma_rmb(void);
static inline void dma_wmb(void);
/* Make an atomic read-modify-write builtin (seq_cst) a full barrier; empty where it is one. */
static inline void arch_before_atomic(void);
static inline void arch_after_atomic(void);

#include <asm/barrier.h>
