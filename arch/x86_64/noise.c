/* SMIs, clocks and power settings, as far as CPUID and model-specific registers tell; under a hypervisor little. */
#include <arch/noise.h>
#include <asm/features.h>
#include <asm/regs.h>
#include <kernel/printf.h>

enum {
	MSR_SMI_COUNT = 0x34, /* Intel, SDM vol. 4 table 2-15 and on */
	MSR_MPERF = 0xe7,
	MSR_APERF = 0xe8,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_POWER_CTL = 0x1fc,
	POWER_CTL_C1E = 1 << 1,
	AMD_HWCR_CPB_OFF = 25,
	MISC_ENABLE_NO_TURBO = 38,
	C_STATES = 8,
};

static bool is_intel(void)
{
	return cpuid_model().vendor == X86_INTEL;
}

void cpu_noise_read(struct cpu_noise *n)
{
	*n = (struct cpu_noise){.smis_known = false};
	n->smis_known = is_intel() && !msr_probe_read(MSR_SMI_COUNT, &n->smis);
	n->clock_known = cpuid_or_zero(6, 0).ecx & 1 && !msr_probe_read(MSR_MPERF, &n->nominal) &&
			 !msr_probe_read(MSR_APERF, &n->actual);
}

/* SDM vol. 3 15.3: leaf 6 has the bit while it may be used; APM vol. 2 17.2: core performance boost. */
static const char *turbo_text(void)
{
	u64 v;

	if (is_intel() && !msr_probe_read(MSR_MISC_ENABLE, &v) && v >> MISC_ENABLE_NO_TURBO & 1)
		return "off";
	if (is_intel())
		return cpuid_or_zero(6, 0).eax & 2 ? "on" : "none";
	if (!(cpuid_or_zero(0x80000007, 0).edx >> 9 & 1))
		return "none";
	return !msr_probe_read(MSR_AMD_HWCR, &v) && v >> AMD_HWCR_CPB_OFF & 1 ? "off" : "on";
}

/* Leaf 5: four bits for each state. We halt by HLT, which is C1; firmware may have it sink further. */
static int states_text(char *buf, size_t size)
{
	u32 states = cpuid_or_zero(5, 0).edx;
	int len = ksnprintf(buf, size, "; C-states by MWAIT:");
	u64 v;

	for (unsigned i = 0; i < C_STATES; i++)
		if (states >> 4 * i & 0xf && (size_t)len < size)
			len += ksnprintf(buf + len, size - (size_t)len, " C%u", i);
	if (!states && (size_t)len < size)
		len += ksnprintf(buf + len, size - (size_t)len, " none");
	if (is_intel() && !msr_probe_read(MSR_POWER_CTL, &v) && v & POWER_CTL_C1E &&
	    (size_t)len < size)
		len += ksnprintf(buf + len, size - (size_t)len, ", HLT sinks to C1E");
	return len;
}

void cpu_power_describe(char *buf, size_t size)
{
	struct cpu_noise n;
	size_t len;

	cpu_noise_read(&n);
	len = (size_t)ksnprintf(buf, size, "turbo %s", turbo_text());
	if (len < size)
		len += (size_t)states_text(buf + len, size - len);
	if (len < size && n.smis_known)
		ksnprintf(buf + len, size - len, "; %lu SMIs so far", n.smis);
	else if (len < size)
		ksnprintf(buf + len, size - len, "; SMIs are not told");
}
