/*
 * What disturbs measurements: model-specific registers and CPUID of Intel's and AMD's CPUs, on a model of them, and what becomes
 * of the counts of several CPUs. SDM vol. 4 (MSR_SMI_COUNT 34h, IA32_MPERF E7h, IA32_APERF E8h, IA32_MISC_ENABLE 1A0h,
 * MSR_POWER_CTL 1FCh); AMD's HWCR C001_0015h.
 */
#include "check.h"

#include <asm/features.h>
#include <asm/regs.h>
#include <kernel/bootinfo.h>

/* kernel/bench/harness/noise.c itself, with CPUs that are two copies of its variable. */
#include "../../kernel/bench/harness/noise.c"

enum { CPUS = 2, REGISTERS = 6, FAULT = -14 };

static struct {
	u32 number;
	bool there;
	u64 value;
} registers[CPUS][REGISTERS];
static struct x86_model model;
static u32 leaf5_edx, leaf6_eax, leaf6_ecx, boost_edx;
static struct cpu_noises copies[CPUS];
struct cpumask cpu_online;
unsigned cpu_words = 1, cpu_count = CPUS;
u64 percpu_offset[MAX_CPUS];
struct fake_current fake_current;
bool det_mode;
static unsigned calls;

int msr_probe_read(u32 number, u64 *value)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		if (registers[fake_current.id][i].there &&
		    registers[fake_current.id][i].number == number) {
			*value = registers[fake_current.id][i].value;
			return 0;
		}
	return FAULT;
}

struct cpuid cpuid_or_zero(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	return leaf == 5	    ? (struct cpuid){0, 0, 0, leaf5_edx}
	       : leaf == 6	    ? (struct cpuid){leaf6_eax, 0, leaf6_ecx, 0}
	       : leaf == 0x80000007 ? (struct cpuid){0, 0, 0, boost_edx}
				    : (struct cpuid){0, 0, 0, 0};
}

struct x86_model cpuid_model(void)
{
	return model;
}

u64 fake_load(const void *p, unsigned size, enum fake_order order)
{
	(void)size, (void)order;
	return *(const u64 *)p;
}

static void on_cpu(unsigned cpu)
{
	fake_current.id = cpu;
	fake_current.percpu = percpu_offset[cpu];
}

void smp_call(const struct cpumask *mask, void (*fn)(void *arg), void *arg)
{
	(void)mask;
	calls++;
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		on_cpu(cpu);
		fn(arg);
	}
	on_cpu(0);
}

static void set(unsigned cpu, u32 number, u64 value)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		if (!registers[cpu][i].there || registers[cpu][i].number == number) {
			registers[cpu][i].number = number;
			registers[cpu][i].value = value;
			registers[cpu][i].there = true;
			return;
		}
}

static void begin(u8 vendor)
{
	memset(registers, 0, sizeof(registers));
	model = (struct x86_model){.vendor = vendor};
	leaf5_edx = leaf6_eax = leaf6_ecx = boost_edx = 0;
	det_mode = false;
	calls = 0;
	cpu_online.bits[0] = 3;
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		percpu_offset[cpu] = (u64)&copies[cpu] - (u64)&cpu_noises;
	on_cpu(0);
}

static void clocks(unsigned cpu, u64 actual, u64 nominal)
{
	set(cpu, 0xe8, actual);
	set(cpu, 0xe7, nominal);
}

TEST(smis_and_clocks_of_a_run)
{
	struct bench_noise n;

	begin(X86_INTEL);
	leaf6_ecx = 1;
	set(0, 0x34, 100), set(1, 0x34, 7);
	clocks(0, 5000, 5000), clocks(1, 9000, 1000);
	noise_begin();
	set(0, 0x34, 102), set(1, 0x34, 10);
	clocks(0, 5000 + 900, 5000 + 1000), clocks(1, 9000 + 3300, 1000 + 3000);
	noise_end(&n);
	CHECK(n.smis_known && n.clock_known);
	CHECK_EQ(n.smis, 3); /* of the CPU that saw most */
	CHECK_EQ(n.slowest, 90);
	CHECK_EQ(n.fastest, 110);
}

/* A CPU that was halted all the time says nothing about clocks. */
TEST(halted_cpus_have_no_clock)
{
	struct bench_noise n;

	begin(X86_AMD);
	leaf6_ecx = 1;
	clocks(0, 0, 0), clocks(1, 50, 50);
	noise_begin();
	clocks(0, 1200, 1000);
	noise_end(&n);
	CHECK(!n.smis_known && n.clock_known); /* AMD's have no such register */
	CHECK_EQ(n.slowest, 120);
	CHECK_EQ(n.fastest, 120);
}

TEST(where_nothing_is_told_nobody_is_asked)
{
	struct bench_noise n;

	begin(X86_INTEL); /* each register faults, as under a hypervisor */
	noise_begin();
	noise_end(&n);
	CHECK(!n.smis_known && !n.clock_known);
	set(0, 0x34, 1);
	det_mode = true;
	noise_begin();
	noise_end(&n);
	CHECK_EQ(calls, 0);
	CHECK(!n.smis_known);
}

static const char *power(void)
{
	static char text[160];

	cpu_power_describe(text, sizeof(text));
	return text;
}

TEST(power_in_words)
{
	begin(X86_INTEL);
	set(0, 0x34, 12);
	set(0, 0x1a0, 1UL << 38);
	set(0, 0x1fc, 2);
	leaf5_edx = 0x20120; /* C1: 2, C2: 1, C4: 2 */
	CHECK_STR(power(),
		  "turbo off; C-states by MWAIT: C1 C2 C4, HLT sinks to C1E; 12 SMIs so far");
	set(0, 0x1a0, 0);
	set(0, 0x1fc, 0);
	leaf6_eax = 2;
	leaf5_edx = 0;
	CHECK_STR(power(), "turbo on; C-states by MWAIT: none; 12 SMIs so far");
	begin(X86_AMD);
	CHECK_STR(power(), "turbo none; C-states by MWAIT: none; SMIs are not told");
	boost_edx = 1 << 9;
	CHECK(strstr(power(), "turbo on"));
	set(0, 0xc0010015, 1UL << 25);
	CHECK(strstr(power(), "turbo off"));
}
