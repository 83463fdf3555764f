/* The executing CPU on x86-64: per-CPU base in GS, PAUSE, HLT, TSC. */
#pragma once

#include <kernel/types.h>

/*
 * GS base is the per-CPU offset itself, so that %gs:variable is this CPU's
 * copy: cpu_id() and percpu_base() are one load each. It is 0 at reset, which
 * makes the template the boot CPU's copy until cpu_set_percpu().
 */
extern u64 x86_percpu_base; /* per-CPU: the offset of the copy it lies in */
extern u32 x86_cpu_id; /* per-CPU */

#define X86_THIS_CPU(var) (*(__typeof__(var) __seg_gs *)(uintptr_t)(&(var)))

static inline const char *cpu_isa(void)
{
	return "x86_64";
}

static inline unsigned cpu_id(void)
{
	return X86_THIS_CPU(x86_cpu_id);
}

static inline u64 percpu_base(void)
{
	return X86_THIS_CPU(x86_percpu_base);
}

/* Instruction caches are coherent; a fault's IRET serializes whoever prefetched (SDM vol. 3 8.1.3). */
static inline void code_sync(const void *code __unused, size_t size __unused)
{
}

static inline void cpu_relax(void)
{
	asm volatile("pause" ::: "memory");
}

/* STI holds interrupts off for one more instruction (SDM vol. 2 STI): none is lost before HLT. */
static inline void cpu_idle(void)
{
	asm volatile("sti; hlt; cli" ::: "memory");
}

/*
 * SDM vol. 2 RDTSC: LFENCE before it lets all earlier instructions finish (all
 * loads have their values; stores have executed but may still wait in the store
 * buffer, which no clock reader can tell), LFENCE after it keeps later loads
 * and stores behind. RDTSCP would only replace the first of the two.
 */
static inline u64 cycles_now(void)
{
	u64 lo, hi;

	/* No partner: it orders this CPU's own instructions only. */
	asm volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi)::"memory");
	return hi << 32 | lo;
}
