/* What CPUID says about this CPU in words, and about which CPUs share a core and a package. */
#include <arch/cpu.h>
#include <asm/apic.h>
#include <asm/features.h>
#include <kernel/bootinfo.h>
#include <kernel/printf.h>
#include <kernel/string.h>

static const char *accel = "kvm", *accel_evidence = "";
static char hypervisor[13] = "none";

/* Twelve characters, in the order of the registers given. */
static void cpuid_text12(char *buf, u32 a, u32 b, u32 c)
{
	const u32 words[] = {a, b, c};

	memcpy(buf, words, sizeof(words));
	buf[12] = '\0';
}

static void cpuid_vendor(char buf[13])
{
	struct cpuid r = cpuid(0, 0);

	cpuid_text12(buf, r.ebx, r.edx, r.ecx);
}

static void cpuid_hypervisor(char buf[13])
{
	struct cpuid r = cpuid(0x40000000, 0);

	cpuid_text12(buf, r.ebx, r.ecx, r.edx);
}

/*
 * A hypervisor sets the bit unless it was told to hide; then its leaf, or the tables of its firmware,
 * may still tell. Metal answers for the leaf with some other leaf's contents.
 */
void accel_init(const struct bootinfo *bi)
{
	static const char *const names[] = {
		"TCGTCGTCGTCG", "KVMKVMKVM",	"Microsoft Hv", "VMwareVMware",
		"XenVMMXenVMM", "bhyve bhyve ", "VBoxVBoxVBox", "ACRNACRNACRN",
		" lrpepyh  vr", "prl hyperv  ", "HAXMHAXMHAXM", "___ NVMM ___",
	};
	bool named = false;

	cpuid_hypervisor(hypervisor);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		named |= !strcmp(hypervisor, names[i]);
	accel = named && !strcmp(hypervisor, names[0]) ? "tcg" : "kvm";
	if (x86_has(X86_HYPERVISOR)) {
		accel_evidence = "CPUID says so";
	} else if (named) {
		accel_evidence = "CPUID denies it, but has a hypervisor's leaf";
	} else if (bi->hypervisor[0]) {
		accel_evidence = bi->hypervisor;
	} else {
		accel = "metal";
		accel_evidence = "neither CPUID nor the firmware tells of a hypervisor";
	}
	if (!named && !x86_has(X86_HYPERVISOR))
		strlcpy(hypervisor, "none", sizeof(hypervisor));
}

const char *cpu_accel(void)
{
	return accel;
}

const char *cpu_accel_evidence(void)
{
	return accel_evidence;
}

/* The marketing name, which vendors pad with spaces; empty if there is none. */
static void cpuid_brand(char buf[49])
{
	size_t len;

	buf[0] = buf[48] = '\0';
	if (cpuid_max(0x80000000) < 0x80000004)
		return;
	for (u32 i = 0; i < 3; i++) {
		struct cpuid r = cpuid(0x80000002 + i, 0);

		memcpy(buf + 16 * i, &r, sizeof(r));
	}
	len = strnlen(buf, 48);
	while (len && buf[len - 1] == ' ')
		buf[--len] = '\0';
	for (len = 0; buf[len] == ' ';)
		len++;
	memmove(buf, buf + len, strlen(buf + len) + 1);
}

void cpu_describe(char *buf, size_t size)
{
	char vendor[13], brand[49];
	struct x86_model m = cpuid_model();

	cpuid_vendor(vendor);
	cpuid_brand(brand);
	int len = ksnprintf(buf, size, "%s, %s family %u model %u stepping %u, hypervisor %s",
			    brand[0] ? brand : "no name", vendor, m.family, m.model, m.stepping,
			    hypervisor);

	if (m.microcode != ~0U && (size_t)len < size) /* else nobody tells */
		ksnprintf(buf + len, size - (size_t)len, ", microcode %#x", m.microcode);
}

/* How far an APIC id is shifted right to name the core, and the package. */
struct topology_shifts {
	u32 core, package;
};

static u32 log2_up(u32 n)
{
	return n > 1 ? 32 - (u32)__builtin_clz(n - 1) : 0;
}

/*
 * Leaves 0x1F and 0xB list levels from the thread up (SDM vol. 3 8.9.1); the
 * last one's shift names the package.
 */
static bool topology_by_levels(u32 leaf, struct topology_shifts *s)
{
	enum { LEVEL_NONE, LEVEL_THREAD };

	*s = (struct topology_shifts){0, 0};
	for (u32 i = 0; i < 8; i++) {
		struct cpuid r = cpuid_or_zero(leaf, i);
		u32 type = r.ecx >> 8 & 0xff;

		if (type == LEVEL_NONE || !r.ebx)
			return i > 0;
		if (type == LEVEL_THREAD)
			s->core = r.eax & 31;
		s->package = r.eax & 31;
	}
	return true;
}

/* Older ways: AMD's leaves (APM vol. 3 E.4), else leaves 1 and 4. */
static void topology_by_counts(struct topology_shifts *s)
{
	struct cpuid one = cpuid(1, 0), amd = cpuid_or_zero(0x80000008, 0);
	u32 ext = cpuid_or_zero(0x80000001, 0).ecx;
	u32 threads = one.edx >> 28 & 1 ? MAX(one.ebx >> 16 & 0xff, 1U) : 1;
	u32 cores = MAX((cpuid_or_zero(4, 0).eax >> 26) + 1, (amd.ecx & 0xff) + 1);

	s->package = amd.ecx >> 12 & 15 ? amd.ecx >> 12 & 15 : log2_up(threads);
	if (ext >> 22 & 1) /* topology extensions: leaf 0x8000001E */
		s->core = log2_up((cpuid_or_zero(0x8000001e, 0).ebx >> 8 & 0xff) + 1);
	else
		s->core = s->package - MIN(log2_up(cores), s->package);
}

/* The boot CPU's shifts serve for all: packages of one machine are alike. */
void cpu_topology(unsigned cpu, u32 *core, u32 *package)
{
	struct topology_shifts s;
	u32 id = apic_id_of(cpu);

	if (!topology_by_levels(0x1f, &s) && !topology_by_levels(0xb, &s))
		topology_by_counts(&s);
	*core = id >> s.core;
	*package = id >> s.package;
}
