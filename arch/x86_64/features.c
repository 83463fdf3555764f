/*
 * CPU features: found by CPUID, taken away by hw=-name or an erratum, switched on in the
 * control registers of every CPU alike. The boot CPU speaks for all.
 */
#include <arch/cpu.h>
#include <arch/pgtable.h>
#include <arch/tlb.h>
#include <asm/features.h>
#include <asm/regs.h>
#include <kernel/hw.h>
#include <kernel/printf.h>
#include <kernel/printk.h>

enum cpuid_register { EAX, EBX, ECX, EDX };

struct feature {
	const char *name;
	u32 leaf, subleaf; /* where CPUID says so */
	u8 reg, bit;
	u64 cr4; /* to be set where it is used */
};

static const struct feature features[X86_FEATURES] = {
	[X86_NX] = {"nx", 0x80000001, 0, EDX, 20, 0},
	[X86_PGE] = {"pge", 1, 0, EDX, 13, CR4_PGE},
	[X86_1G] = {"1g", 0x80000001, 0, EDX, 26, 0},
	[X86_PCID] = {"pcid", 1, 0, ECX, 17, CR4_PCIDE},
	[X86_INVPCID] = {"invpcid", 7, 0, EBX, 10, 0},
	[X86_SMEP] = {"smep", 7, 0, EBX, 7, CR4_SMEP},
	[X86_SMAP] = {"smap", 7, 0, EBX, 20, CR4_SMAP},
	[X86_UMIP] = {"umip", 7, 0, ECX, 2, CR4_UMIP},
	[X86_MCE] = {"mce", 1, 0, EDX, 7, CR4_MCE},
	[X86_ERMS] = {"erms", 7, 0, EBX, 9, 0},
	[X86_XSAVE] = {"xsave", 1, 0, ECX, 26, CR4_OSXSAVE},
	[X86_AVX] = {"avx", 1, 0, ECX, 28, 0},
	[X86_AVX512] = {"avx512", 7, 0, EBX, 16, 0},
	[X86_X2APIC] = {"x2apic", 1, 0, ECX, 21, 0},
	[X86_TSC_DEADLINE] = {"tscdeadline", 1, 0, ECX, 24, 0},
	[X86_TSC_INVARIANT] = {"invtsc", 0x80000007, 0, EDX, 8, 0},
	[X86_HYPERVISOR] = {"hypervisor", 1, 0, ECX, 31, 0},
	[X86_SVM] = {"svm", 0x80000001, 0, ECX, 2, 0},
	[X86_NPT] = {"npt", 0x8000000a, 0, EDX, 0, 0},
	[X86_FLUSHBYASID] = {"flushbyasid", 0x8000000a, 0, EDX, 6, 0},
	[X86_VMX] = {"vmx", 1, 0, ECX, 5, 0},
};

/* Page tables are built with these, or they are no feature to do without. */
static const enum x86_feature fixed[] = {X86_NX, X86_PGE, X86_1G, X86_MCE, X86_HYPERVISOR};

static u32 present, used; /* bit per enum x86_feature */
static u32 cures; /* bit per enum x86_cure */
static u64 cr4_features;
static u64 xcr0;
static char feature_text[256];

u64 x86_pte_noexec = PTE_SOFT_NOEXEC;
bool x86_pt_1g;
bool x86_invpcid;
u32 x86_asid_count = 1;

bool x86_has(enum x86_feature feature)
{
	return used >> feature & 1;
}

u32 cpuid_max(u32 base)
{
	u32 max = cpuid(base, 0).eax;

	/* A CPU without the range answers with some other leaf's contents. */
	return max >= base && max - base < 0x10000 ? max : 0;
}

struct cpuid cpuid_or_zero(u32 leaf, u32 subleaf)
{
	if (cpuid_max(leaf & 0xc0000000) < leaf)
		return (struct cpuid){0, 0, 0, 0};
	return cpuid(leaf, subleaf);
}

/* SDM vol. 3 9.11.7: the revision is put into the register by CPUID. Intel's only. */
static u32 microcode_revision(void)
{
	u64 v = 0;

	if (msr_probe_write(MSR_MICROCODE, 0))
		return 0;
	cpuid(1, 0);
	msr_probe_read(MSR_MICROCODE, &v);
	return (u32)(v >> 32);
}

struct x86_model cpuid_model(void)
{
	u32 v = cpuid(1, 0).eax, maker = cpuid(0, 0).ecx;
	struct x86_model m = {
		.stepping = v & 15,
		.family = v >> 8 & 15,
		.model = v >> 4 & 15,
		.microcode = ~0U,
	};

	if (m.family == 6 || m.family == 15)
		m.model |= v >> 12 & 0xf0;
	if (m.family == 15)
		m.family += v >> 20 & 0xff;
	if (maker == 0x6c65746e) /* "ntel" of GenuineIntel */
		m.vendor = X86_INTEL;
	else if (maker == 0x444d4163) /* "cAMD" of AuthenticAMD */
		m.vendor = X86_AMD;
	if (m.vendor == X86_INTEL && !x86_has(X86_HYPERVISOR))
		m.microcode = microcode_revision();
	return m;
}

static bool feature_present(const struct feature *f)
{
	struct cpuid r = cpuid_or_zero(f->leaf, f->subleaf);
	const u32 regs[] = {[EAX] = r.eax, [EBX] = r.ebx, [ECX] = r.ecx, [EDX] = r.edx};

	return regs[f->reg] >> f->bit & 1;
}

void features_detect(void)
{
	for (unsigned i = 0; i < X86_FEATURES; i++)
		present |= (u32)feature_present(&features[i]) << i;
	used = present;
	if (x86_has(X86_NX))
		x86_pte_noexec = PTE_NX;
	x86_pt_1g = x86_has(X86_1G);
}

static void feature_forbid(enum x86_feature feature)
{
	used &= ~(1U << feature);
}

/* Wide registers need the state they live in, and what they are built on. */
static void features_settle_vectors(void)
{
	u64 can = 0;

	if (x86_has(X86_XSAVE)) {
		struct cpuid r = cpuid_or_zero(0xd, 0);

		can = (u64)r.edx << 32 | r.eax;
	}
	if (!(can & XCR0_AVX))
		feature_forbid(X86_AVX);
	if (!x86_has(X86_AVX) || (can & XCR0_AVX512) != XCR0_AVX512)
		feature_forbid(X86_AVX512);
	if (can)
		xcr0 = XCR0_X87 | XCR0_SSE;
	if (x86_has(X86_AVX))
		xcr0 |= XCR0_AVX;
	if (x86_has(X86_AVX512))
		xcr0 |= XCR0_AVX512;
}

static bool feature_is_fixed(unsigned feature)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++) {
		if (fixed[i] == feature)
			return true;
	}
	return false;
}

/* What hw= says about the features that were found. */
static void features_choose(void)
{
	if (cures >> CURE_NO_PCID & 1 && hw_asked(features[X86_PCID].name) != HW_WITH)
		feature_forbid(X86_PCID);
	for (unsigned i = 0; i < X86_FEATURES; i++) {
		enum hw_asked asked = hw_asked(features[i].name);

		if (asked == HW_WITH && !x86_has(i))
			printk("hw=+%s: this CPU has none\n", features[i].name);
		else if (asked == HW_WITHOUT && feature_is_fixed(i))
			printk("hw=-%s: cannot be switched off\n", features[i].name);
		else if (asked == HW_WITHOUT)
			feature_forbid(i);
	}
}

/* What this CPU needs, or hw= asks for; the errata behind it go into the log. */
static u32 cures_due(void)
{
	struct x86_model model = cpuid_model();
	u32 due = 0;

	for (unsigned i = 0; i < x86_errata_count; i++) {
		const struct x86_erratum *e = &x86_errata[i];
		enum hw_asked asked = hw_asked(e->id);

		if (asked == HW_WITHOUT || (asked != HW_WITH && !x86_has_erratum(e, &model)))
			continue;
		due |= 1U << e->cure;
		hw_note_erratum(e->id, x86_cure_text[e->cure]);
	}
	return due;
}

static void features_write_text(void)
{
	size_t at = 0;

	for (unsigned i = 0; i < X86_FEATURES && at < sizeof(feature_text); i++)
		at += (size_t)ksnprintf(feature_text + at, sizeof(feature_text) - at, "%s%s%s",
					i ? " " : "", x86_has(i) ? "" : "-", features[i].name);
}

void features_apply_options(void)
{
	features_write_text();
	cures = cures_due();
	features_choose();
	hw_report_unknown(feature_text);
	features_settle_vectors();
	/* PCID without PGE would leave no cheap way to drop all of them, and no CPU is like that. */
	if (!x86_has(X86_PGE))
		feature_forbid(X86_PCID);
	features_write_text();

	x86_invpcid = x86_has(X86_INVPCID);
	for (unsigned i = 0; i < X86_FEATURES; i++)
		cr4_features |= x86_has(i) ? features[i].cr4 : 0;
	if (x86_has(X86_PCID))
		x86_asid_count = EVIDENCE_SLOTS;
}

static void disable_flush_filter(void)
{
	u64 v;

	if (msr_probe_read(MSR_AMD_HWCR, &v) || msr_probe_write(MSR_AMD_HWCR, v | AMD_HWCR_FFDIS))
		printk("cpu %u: MSR %#x cannot be written: the TLB flush filter may be on\n",
		       cpu_id(), MSR_AMD_HWCR);
}

/* AMD leaves it to software whether LFENCE waits for RDTSC (APM vol. 2 3.2.6 and DE_CFG). */
static void enable_lfence(void)
{
	u64 v;

	if (msr_probe_read(MSR_AMD_DE_CFG, &v) || v & AMD_DE_CFG_LFENCE_SERIALIZE)
		return;
	if (msr_probe_write(MSR_AMD_DE_CFG, v | AMD_DE_CFG_LFENCE_SERIALIZE) && cpu_id() == 0)
		printk("cpu: LFENCE may not order the clock: the hypervisor forbids MSR %#x\n",
		       MSR_AMD_DE_CFG);
}

/*
 * CR4.PCIDE may go from 0 to 1 only while the loaded PCID is 0 (SDM vol. 3
 * 4.10.1), which holds for the kernel root.
 */
void features_enable_cpu(void)
{
	cr4_write(cr4_features | CR4_PAE | CR4_OSFXSR);
	if (xcr0)
		asm volatile("xsetbv" ::"c"(0), "a"((u32)xcr0), "d"((u32)(xcr0 >> 32)));
	if (cpuid_model().vendor == X86_AMD)
		enable_lfence();
	if (cures >> CURE_NO_FLUSH_FILTER & 1)
		disable_flush_filter();
}

const char *cpu_features(void)
{
	return feature_text;
}
