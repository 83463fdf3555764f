/*
 * CPU features: found in the ID registers (Arm ARM D17.2), taken away by
 * hw=-name or an erratum, switched on in TCR_EL1 of every CPU alike.
 */
#include <arch/cpu.h>
#include <asm/errata.h>
#include <asm/features.h>
#include <asm/sysreg.h>
#include <kernel/hw.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/printk.h>

enum feature_id { HAFDBS, TLBIRANGE, TTL, ASID16, LSE, FEATURES };
enum id_register { MMFR0, MMFR1, MMFR2, ISAR0, ID_REGISTERS };

static const struct feature {
	const char *name;
	enum id_register reg;
	unsigned lsb, min; /* field, and the least value that means "present" */
	unsigned tcr_bits; /* what to set in TCR_EL1 where it is used */
	unsigned tcr_shift;
} features[FEATURES] = {
	[HAFDBS] = {"hafdbs", MMFR1, 0, 2, 3, TCR_HA_SHIFT}, /* 2: access flag and dirty state */
	[TLBIRANGE] = {"tlbirange", ISAR0, 56, 2, 0, 0},
	[TTL] = {"ttl", MMFR2, 48, 1, 0, 0},
	[ASID16] = {"asid16", MMFR0, 4, 2, 1, TCR_AS_SHIFT},
	[LSE] = {"lse", ISAR0, 20, 2, 0,
		 0}, /* shown only: the kernel is built for cores without it */
};

struct arm64_features arm64_features = {.asid_count = 256};

static u32 used; /* bit per enum feature_id */
static u32 cures; /* bit per enum arm64_cure: due for some CPU so far */
static u64 tcr_features;
static char feature_text[128];

static u32 features_present(void)
{
	const u64 regs[ID_REGISTERS] = {
		[MMFR0] = sysreg_read(id_aa64mmfr0_el1),
		[MMFR1] = sysreg_read(id_aa64mmfr1_el1),
		[MMFR2] = sysreg_read(
			s3_0_c0_c7_2), /* ID_AA64MMFR2_EL1, reserved as zero before ARMv8.2 */
		[ISAR0] = sysreg_read(id_aa64isar0_el1),
	};
	u32 present = 0;

	for (unsigned i = 0; i < FEATURES; i++)
		if (id_field(regs[features[i].reg], features[i].lsb) >= features[i].min)
			present |= 1U << i;
	return present;
}

/* Cures that this CPU needs, or hw= asks for; the errata behind them go into the log. */
static u32 cures_due(void)
{
	u64 midr = sysreg_read(midr_el1);
	u32 due = 0;

	for (unsigned i = 0; i < arm64_errata_count; i++) {
		const struct arm64_erratum *e = &arm64_errata[i];
		enum hw_asked asked = hw_asked(e->id);

		if (asked == HW_WITHOUT || (asked != HW_WITH && !arm64_has_erratum(e, midr)))
			continue;
		due |= 1U << e->cure;
		hw_note_erratum(e->id, arm64_cure_text[e->cure]);
	}
	return due;
}

/* CPUs start one after another, and only they read it before the first switch: no race. */
static void cures_apply(void)
{
	arm64_features.repeat_tlbi = cures >> CURE_REPEAT_TLBI & 1;
	arm64_features.flush_at_switch = cures >> CURE_FLUSH_AT_SWITCH & 1;
	arm64_features.icache_at_switch = cures >> CURE_ICACHE_AT_SWITCH & 1;
	arm64_features.bbm_noexec = cures >> CURE_BBM_NOEXEC & 1;
	arm64_features.no_times = cures >> CURE_NO_TIMES & 1;
}

/* What hw= says about the features that were found. */
static void features_choose(void)
{
	if (cures >> CURE_NO_HW_DIRTY & 1 && hw_asked("hafdbs") != HW_WITH)
		used &= ~(1U << HAFDBS);
	for (unsigned i = 0; i < FEATURES; i++) {
		enum hw_asked asked = hw_asked(features[i].name);

		if (asked == HW_WITHOUT)
			used &= ~(1U << i);
		else if (asked == HW_WITH && !(used >> i & 1))
			printk("hw=+%s: this CPU has none\n", features[i].name);
	}
}

static void features_write_text(void)
{
	size_t at = 0;

	for (unsigned i = 0; i < FEATURES && at < sizeof(feature_text); i++)
		at += (size_t)ksnprintf(feature_text + at, sizeof(feature_text) - at, "%s%s%s",
					i ? " " : "", used >> i & 1 ? "" : "-", features[i].name);
}

void features_apply_options(void)
{
	used = features_present();
	features_write_text();
	cures = cures_due();
	features_choose();
	hw_report_unknown(feature_text);
	features_write_text();
	for (unsigned i = 0; i < FEATURES; i++)
		if (used >> i & 1)
			tcr_features |= (u64)features[i].tcr_bits << features[i].tcr_shift;

	arm64_features = (struct arm64_features){
		.asid_count = used >> ASID16 & 1 ? 65535 : 256,
		.tlbi_range = used >> TLBIRANGE & 1,
		.hw_dirty = used >> HAFDBS & 1,
		/* TTL, operand bits 47:44: 4 KiB granule (1), Arm's level 3. Arm ARM C5.5, "TLBI VALE1IS". */
		.tlbi_ttl0 = used >> TTL & 1 ? 7UL << 44 : 0,
	};
	cures_apply();
}

void features_enable_cpu(void)
{
	u32 missing = used & ~features_present() & ~(1U << LSE);
	u64 tcr = sysreg_read(tcr_el1);

	for (unsigned i = 0; missing && i < FEATURES; i++)
		if (missing >> i & 1)
			panic("CPU %u has no %s, other CPUs have: boot with hw=-%s", cpu_id(),
			      features[i].name, features[i].name);
	cures |= cures_due();
	if (arm64_features.hw_dirty && cures >> CURE_NO_HW_DIRTY & 1 &&
	    hw_asked("hafdbs") != HW_WITH)
		panic("CPU %u must not use hafdbs, other CPUs do: boot with hw=-hafdbs", cpu_id());
	cures_apply();
	sysreg_write(tcr_el1, tcr | tcr_features);
	isb(); /* in force before the flush: nothing is cached by the old ones afterwards */
	/* These bits may be cached in the TLB (Arm ARM D8.13.1). Nothing of a workload is in it yet. */
	asm volatile("dsb nsh\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

const char *cpu_features(void)
{
	return feature_text;
}

static const struct {
	unsigned model;
	const char *name;
} cores[] = {
	{0x41d03, "Cortex-A53"},  {0x41d07, "Cortex-A57"},  {0x41d08, "Cortex-A72"},
	{0x41d09, "Cortex-A73"},  {0x41d0b, "Cortex-A76"},  {0x41d0c, "Neoverse-N1"},
	{0x41d40, "Neoverse-V1"}, {0x41d49, "Neoverse-N2"}, {0x41d4f, "Neoverse-V2"},
	{0x41d05, "Cortex-A55"},  {0x46001, "A64FX"},	    {0xc0ac3, "AmpereOne"},
	{0x48d01, "Kunpeng 920"}, {0x430af, "ThunderX2"},   {0x00051, "QEMU max"},
};

u64 cpu_hw_id(void)
{
	return sysreg_read(mpidr_el1) & MPIDR_AFFINITY;
}

void cpu_describe(char *buf, size_t size)
{
	static const u8 pa_bits[] = {32, 36, 40, 42, 44, 48, 52, 56};
	u64 midr = sysreg_read(midr_el1);
	unsigned range = id_field(sysreg_read(id_aa64mmfr0_el1), 0);
	const char *name = "unknown core";

	for (unsigned i = 0; i < ARRAY_SIZE(cores); i++)
		if (cores[i].model == midr_model(midr))
			name = cores[i].name;
	ksnprintf(buf, size, "%s r%lup%lu (MIDR %#lx), %u-bit physical addresses", name,
		  midr >> 20 & 0xf, midr & 0xf, midr, range < sizeof(pa_bits) ? pa_bits[range] : 0);
}
