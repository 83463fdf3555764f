/* The executing CPU on arm64: per-CPU base in TPIDR_EL1, YIELD, WFI, the virtual counter. */
#pragma once

#include <asm/barrier.h>
#include <asm/sysreg.h>

/*
 * TPIDRRO_EL0 holds our dense CPU number: it is ours as long as there is no user mode, which could
 * read but not write it.
 */
static inline const char *cpu_isa(void)
{
	return "arm64";
}

static inline unsigned cpu_id(void)
{
	return (unsigned)sysreg_read(tpidrro_el0);
}

static inline u64 percpu_base(void)
{
	return sysreg_read(tpidr_el1);
}

void arm64_code_sync(const void *code, size_t size);

static inline void code_sync(const void *code, size_t size)
{
	arm64_code_sync(code, size);
}

static inline void cpu_relax(void)
{
	asm volatile("yield" ::: "memory");
}

/*
 * WFI ends for a pending interrupt even while PSTATE.I masks it (Arm ARM D1.6.3), so nothing is
 * lost between the caller's last look and the halt; it is taken when the mask opens, at the ISB
 * at the latest. The DSB lets our stores reach whoever is to wake us.
 */
static inline void cpu_idle(void)
{
	asm volatile("dsb ish\n\twfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2" ::: "memory");
}

/*
 * Reads of the counter may be made early (Arm ARM D11.2.2): DSB with loads complete plus ISB keeps
 * them behind earlier accesses, the second ISB keeps later ones behind the read. A DSB of loads
 * only: a full one would also wait for broadcast TLB maintenance, whose time is what we measure.
 */
static inline u64 cycles_now(void)
{
	u64 now;

	/* No partner: it orders this CPU's own instructions only. */
	asm volatile("dsb nshld\n\tisb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(now)::"memory");
	return now;
}
