/*
 * CPU features: found in the ID registers (Arm ARM D17.2), taken away by
 * hw=-name, switched on in TCR_EL1 of every CPU alike.
 */
#include <arch/cpu.h>
#include <asm/features.h>
#include <asm/sysreg.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>

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

/* Names that hw= takes without having them here: other ports'. One boot line may serve both. */
static const char *const foreign_names[] = {"pcid",   "invpcid", "invlpgb",	"pge",	 "smep",
					    "smap",   "umip",	 "erms",	"xsave", "avx",
					    "avx512", "x2apic",	 "tscdeadline", "invtsc"};

struct arm64_features arm64_features = {.asid_count = 256};

static u32 used; /* bit per enum feature_id */
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

/* MIDR_EL1: implementer, part and revision. */
static unsigned midr_model(u64 midr)
{
	return (midr >> 24 & 0xff) << 12 | (midr >> 4 & 0xfff);
}

/*
 * Cores on which the completion of one broadcast TLBI does not complete every access made through
 * the old entry (CVE-2025-10263; Arm erratum 4118414 and its siblings, all revisions; Cortex-A510
 * erratum 2441009 up to r1p1). The cure is a second TLBI, of anything, and a second DSB.
 */
static bool needs_repeated_tlbi(u64 midr)
{
	static const u32 cores[] = {
		0x41d0c, 0x41d49, 0x6dd49, /* Neoverse-N1, N2, Azure Cobalt 100 */
		0x41d40, 0x41d4f, 0x41d84, 0x41d83, /* Neoverse-V1, V2, V3, V3AE */
		0x41d0b, 0x41d0e, 0x41d0d, /* Cortex-A76, A76AE, A77 */
		0x41d41, 0x41d42, 0x41d4b, 0x41d47, /* Cortex-A78, A78AE, A78C, A710 */
		0x41d44, 0x41d4c, 0x41d48, 0x41d4e, /* Cortex-X1, X1C, X2, X3 */
		0x41d82, 0x41d85, 0x41d8c, 0x41d90, /* Cortex-X4, X925, C1-Ultra, C1-Premium */
		0x4e010, /* Olympus */
	};
	unsigned revision = (midr >> 16 & 0xf0) | (midr & 0xf);

	for (unsigned i = 0; i < ARRAY_SIZE(cores); i++)
		if (cores[i] == midr_model(midr))
			return true;
	return midr_model(midr) == 0x41d46 && revision <= 0x11;
}

static bool name_is(const char *name, const char *item, size_t len)
{
	return strlen(name) == len && !strncmp(name, item, len);
}

/* One item of hw=, len bytes without the comma. */
static void hw_item(const char *item, size_t len)
{
	if (!len)
		return;
	for (unsigned i = 0; item[0] == '-' && i < FEATURES; i++) {
		if (name_is(features[i].name, item + 1, len - 1)) {
			used &= ~(1U << i);
			return;
		}
	}
	for (unsigned i = 0; item[0] == '-' && i < ARRAY_SIZE(foreign_names); i++) {
		if (name_is(foreign_names[i], item + 1, len - 1))
			return;
	}
	printk("hw=%.*s: no such feature; those found and used here: %s\n", (int)len, item,
	       feature_text);
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
	const char *hw = option_get("hw");

	used = features_present();
	features_write_text();
	while (hw && *hw) {
		const char *end = strchr(hw, ',');
		size_t len = end ? (size_t)(end - hw) : strlen(hw);

		hw_item(hw, len);
		hw += len + (end != NULL);
	}
	features_write_text();
	for (unsigned i = 0; i < FEATURES; i++)
		if (used >> i & 1)
			tcr_features |= (u64)features[i].tcr_bits << features[i].tcr_shift;

	arm64_features = (struct arm64_features){
		.asid_count = used >> ASID16 & 1 ? 65535 : 256,
		.tlbi_range = used >> TLBIRANGE & 1,
		.repeat_tlbi = needs_repeated_tlbi(sysreg_read(midr_el1)),
		.hw_dirty = used >> HAFDBS & 1,
		/* TTL, operand bits 47:44: 4 KiB granule (1), Arm's level 3. Arm ARM C5.5, "TLBI VALE1IS". */
		.tlbi_ttl0 = used >> TTL & 1 ? 7UL << 44 : 0,
	};
}

void features_enable_cpu(void)
{
	u32 missing = used & ~features_present() & ~(1U << LSE);
	u64 tcr = sysreg_read(tcr_el1);

	for (unsigned i = 0; missing && i < FEATURES; i++)
		if (missing >> i & 1)
			panic("CPU %u has no %s, other CPUs have: boot with hw=-%s", cpu_id(),
			      features[i].name, features[i].name);
	if (needs_repeated_tlbi(sysreg_read(midr_el1)))
		arm64_features.repeat_tlbi = true; /* CPUs start one after another: no race */
	sysreg_write(tcr_el1, tcr | tcr_features);
	isb();
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
	{0x46001, "A64FX"},	  {0xc0ac3, "AmpereOne"},   {0x48d01, "Kunpeng 920"},
	{0x430af, "ThunderX2"},	  {0x00051, "QEMU max"},
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
	ksnprintf(buf, size, "%s r%lup%lu (MIDR %#lx), %u-bit physical addresses%s", name,
		  midr >> 20 & 0xf, midr & 0xf, midr, range < sizeof(pa_bits) ? pa_bits[range] : 0,
		  arm64_features.repeat_tlbi ? ", TLBI repeated for an erratum" : "");
}
