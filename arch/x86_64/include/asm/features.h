/* What this CPU has, after hw=-name options: decided once on the boot CPU, applied on every CPU. */
#pragma once

#include <asm/errata.h>
#include <kernel/types.h>

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

/* Highest leaf of the range that base starts (0, 0x40000000, 0x80000000), or 0: no such range. */
u32 cpuid_max(u32 base);
/* A leaf, all zero where the CPU does not have it. */
struct cpuid cpuid_or_zero(u32 leaf, u32 subleaf);

enum x86_feature {
	X86_NX,
	X86_PGE,
	X86_1G,
	X86_PCID,
	X86_INVPCID,
	X86_SMEP,
	X86_SMAP,
	X86_UMIP,
	X86_MCE,
	X86_ERMS,
	X86_XSAVE,
	X86_AVX,
	X86_AVX512,
	X86_X2APIC,
	X86_TSC_DEADLINE,
	X86_TSC_INVARIANT,
	X86_HYPERVISOR,
	X86_SVM,
	X86_NPT,
	X86_FLUSHBYASID,
	X86_VMX,
	X86_FEATURES
};

struct bootinfo;

/* Boot CPU, once: what cpu_accel() answers. */
void accel_init(const struct bootinfo *bi);

/* Who made the executing CPU, and which it is. */
struct x86_model cpuid_model(void);

bool x86_has(enum x86_feature feature);

/* Boot CPU, first: what there is. Sets up everything page tables depend on. */
void features_detect(void);
/* Boot CPU, once options can be read: what may be used; says which names it does not know. */
void features_apply_options(void);
/* Each CPU: control registers to match. */
void features_enable_cpu(void);
