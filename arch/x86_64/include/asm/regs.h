/*
 * Control registers, flags and model-specific registers of x86-64 that the
 * port uses, under the vendor's names (SDM vol. 3 2.5, vol. 4). Also for the assembler.
 */
#pragma once

#include <asm/layout.h>

#define CR0_PE LAYOUT_U64(0x1)
#define CR0_MP LAYOUT_U64(0x2)
#define CR0_ET LAYOUT_U64(0x10)
#define CR0_NE LAYOUT_U64(0x20)
#define CR0_WP LAYOUT_U64(0x10000)
#define CR0_PG LAYOUT_U64(0x80000000)
/*
 * Every CPU's CR0: write protection holds for the kernel too; vector
 * instructions work (EM and TS clear); caches on (CD and NW clear: INIT leaves
 * them set on secondary CPUs).
 */
#define CR0_KERNEL (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)

#define CR3_NOFLUSH LAYOUT_U64(0x8000000000000000)

#define CR4_PAE LAYOUT_U64(0x20)
#define CR4_MCE LAYOUT_U64(0x40)
#define CR4_PGE LAYOUT_U64(0x80)
#define CR4_OSFXSR LAYOUT_U64(0x200)
#define CR4_UMIP LAYOUT_U64(0x800)
#define CR4_PCIDE LAYOUT_U64(0x20000)
#define CR4_OSXSAVE LAYOUT_U64(0x40000)
#define CR4_SMEP LAYOUT_U64(0x100000)
#define CR4_SMAP LAYOUT_U64(0x200000)

#define XCR0_X87 LAYOUT_U64(0x1)
#define XCR0_SSE LAYOUT_U64(0x2)
#define XCR0_AVX LAYOUT_U64(0x4)
#define XCR0_AVX512 LAYOUT_U64(0xe0)

#define RFLAGS_IF LAYOUT_U64(0x200)

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC LAYOUT_U64(0x400)
#define APIC_BASE_ENABLE LAYOUT_U64(0x800)
#define APIC_BASE_ADDRESS LAYOUT_U64(0x000ffffffffff000)
#define MSR_MICROCODE                                                                              \
	0x8b /* revision in the upper half, after a zero was written and CPUID executed */
#define MSR_PAT 0x277
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC_ID 0x802
#define MSR_EFER 0xc0000080
#define EFER_LME LAYOUT_U64(0x100)
#define EFER_NXE LAYOUT_U64(0x800)
#define MSR_GS_BASE 0xc0000101
#define MSR_AMD_HWCR 0xc0010015
#define AMD_HWCR_FFDIS LAYOUT_U64(0x40) /* no TLB flush filter */
#define MSR_AMD_DE_CFG 0xc0011029
#define AMD_DE_CFG_LFENCE_SERIALIZE LAYOUT_U64(0x2)

/* Selectors, the same in the boot GDT and in every CPU's own. */
#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS 0x18
#define GDT_CODE LAYOUT_U64(0x00af9b000000ffff) /* 64-bit, ring 0, accessed */
#define GDT_DATA LAYOUT_U64(0x00cf93000000ffff) /* writable, ring 0, accessed */

#ifndef __ASSEMBLER__
#include <kernel/types.h>

static inline u64 cr3_read(void)
{
	u64 v;

	asm volatile("mov %%cr3, %0" : "=r"(v)::"memory");
	return v;
}

static inline void cr3_write(u64 v)
{
	asm volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}

static inline u64 cr4_read(void)
{
	u64 v;

	asm volatile("mov %%cr4, %0" : "=r"(v)::"memory");
	return v;
}

static inline void cr4_write(u64 v)
{
	asm volatile("mov %0, %%cr4" ::"r"(v) : "memory");
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* The same for registers that may not exist: 0, or -EFAULT (probe.S). */
int msr_probe_read(u32 msr, u64 *value);
int msr_probe_write(u32 msr, u64 value);

/* Time stamp counter without ordering: for deadlines and delays. */
static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}
#endif
