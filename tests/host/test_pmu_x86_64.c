/*
 * Register programming of Intel's and AMD's counters, against a modelled PMU that counts as the manuals say: a counter
 * moves if its select register names the event and mask, both rings and the enable bit, and the global switch lets it.
 * The events' codes are written down here again, from the vendors' lists.
 */
#include "check.h"

#include <arch/pmu.h>
#include <asm/features.h>
#include <asm/regs.h>

enum { MSRS = 64, FAULT = -14 };

static struct {
	u32 number;
	u64 value;
} msrs[MSRS];
static unsigned msr_count;
static bool locked; /* a hypervisor that shows counters and keeps them */
static struct x86_model model;
static struct cpuid leaf_a, leaf_6, leaf_ext1, leaf_ext22;

static u64 *msr(u32 number)
{
	for (unsigned i = 0; i < msr_count; i++)
		if (msrs[i].number == number)
			return &msrs[i].value;
	return NULL;
}

static void add_msrs(u32 first, unsigned n, unsigned step)
{
	for (unsigned i = 0; i < n; i++)
		msrs[msr_count++].number = first + i * step;
}

int msr_probe_read(u32 number, u64 *value)
{
	if (!msr(number))
		return FAULT;
	*value = *msr(number);
	return 0;
}

int msr_probe_write(u32 number, u64 value)
{
	if (!msr(number) || locked)
		return FAULT;
	*msr(number) = value;
	return 0;
}

struct cpuid cpuid_or_zero(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	return leaf == 0xa	    ? leaf_a
	       : leaf == 6	    ? leaf_6
	       : leaf == 0x80000001 ? leaf_ext1
	       : leaf == 0x80000022 ? leaf_ext22
				    : (struct cpuid){0, 0, 0, 0};
}

struct x86_model cpuid_model(void)
{
	return model;
}

static void machine(u8 vendor, u16 family, u16 number)
{
	msr_count = 0;
	memset(msrs, 0, sizeof(msrs));
	locked = false;
	model = (struct x86_model){.vendor = vendor, .family = family, .model = number};
	leaf_a = leaf_6 = leaf_ext1 = leaf_ext22 = (struct cpuid){0, 0, 0, 0};
	add_msrs(0xe7, 1, 1); /* MPERF */
	leaf_6.ecx = 1;
}

/* SDM vol. 3 20.2.2, figure 20-3; vol. 4 table 2-2: IA32_PMCi, IA32_PERFEVTSELi, fixed counters, their controls. */
static void intel(u16 number, unsigned general)
{
	machine(X86_INTEL, 6, number);
	leaf_a = (struct cpuid){5 | general << 8 | 48 << 16, 0, 0, 3 | 48 << 5};
	add_msrs(0xc1, general, 1);
	add_msrs(0x186, general, 1);
	add_msrs(0x309, 3, 1);
	add_msrs(0x38d, 1, 1);
	add_msrs(0x38f, 1, 1);
}

/* APM vol. 2 13.2.1: PERF_CTL0 at C001_0200, each followed by its counter; version 2: PerfCntrGlobalCtl C000_0301. */
static void amd(u16 family, u16 number, unsigned version2_counters)
{
	machine(X86_AMD, family, number);
	leaf_ext1.ecx = 1 << 23;
	add_msrs(0xc0010200, version2_counters ? version2_counters * 2 : 12, 1);
	if (version2_counters) {
		leaf_ext22 = (struct cpuid){1, version2_counters, 0, 0};
		add_msrs(0xc0000301, 1, 1);
	}
}

enum { RINGS_AND_ENABLE = 1 << 16 | 1 << 17 | 1 << 22 };

static bool intel_selects(u32 i, u16 code)
{
	return msr(0x186 + i) && *msr(0x186 + i) == (RINGS_AND_ENABLE | code) &&
	       *msr(0x38f) >> i & 1;
}

/* The event happens n times on the modelled CPU. */
static void happens(u16 code, u64 n)
{
	for (u32 i = 0; i < 8; i++) {
		if (model.vendor == X86_INTEL && intel_selects(i, code))
			*msr(0xc1 + i) += n;
		if (model.vendor == X86_AMD && msr(0xc0010200 + 2 * i) &&
		    *msr(0xc0010200 + 2 * i) == (RINGS_AND_ENABLE | code) &&
		    (!msr(0xc0000301) || *msr(0xc0000301) >> i & 1))
			*msr(0xc0010201 + 2 * i) += n;
	}
}

/* Fixed counter i counts in rings 0 and 3 if its control says 3, and bit 32 + i of the global one is set. */
static void happens_fixed(unsigned i, u64 n)
{
	if ((*msr(0x38d) >> (4 * i) & 0xf) == 3 && *msr(0x38f) >> (32 + i) & 1)
		*msr(0x309 + i) += n;
}

/* Counts what happens between start and stop, and nothing else. */
static u64 counted(enum pmu_event event, void (*happen)(u16 code, u64 n), u16 code)
{
	struct pmu_counts before, after;

	happen(code, 1000);
	pmu_start();
	pmu_read(&before);
	happen(code, 7);
	pmu_read(&after);
	pmu_stop();
	happen(code, 1000);
	return before.event[event] ? ~0UL : after.event[event] - before.event[event];
}

static void fixed(u16 i, u64 n)
{
	happens_fixed(i, n);
}

struct expected {
	enum pmu_event event;
	u16 code;
};

static bool all_counted(const struct expected *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!pmu_has(e[i].event) || counted(e[i].event, happens, e[i].code) != 7)
			return check_that(false, __FILE__, __LINE__, "event counted");
	return true;
}

#define ALL_COUNTED(list) CHECK(all_counted(list, sizeof(list) / sizeof((list)[0])))

/* perfmon's lists: DTLB_LOAD_MISSES.WALK_COMPLETED, .WALK_PENDING, TLB_FLUSH.STLB_ANY, HW_INTERRUPTS.RECEIVED, ... */
static const struct expected on_skylake[] = {
	{PMU_DTLB_WALKS, 0x0e08}, {PMU_WALK_CYCLES, 0x1008}, {PMU_TLB_FLUSHES, 0x20bd},
	{PMU_INTERRUPTS, 0x01cb}, {PMU_ITLB_WALKS, 0x0e85},  {PMU_STORE_WALKS, 0x0e49},
};
static const struct expected on_ice_lake[] = {
	{PMU_DTLB_WALKS, 0x0e08}, {PMU_WALK_CYCLES, 0x1008}, {PMU_TLB_FLUSHES, 0x20bd},
	{PMU_ITLB_WALKS, 0x0e85}, {PMU_STORE_WALKS, 0x0e49},
};
static const struct expected on_golden_cove[] = {
	{PMU_DTLB_WALKS, 0x0e12},
	{PMU_WALK_CYCLES, 0x1012},
	{PMU_ITLB_WALKS, 0x0e11},
	{PMU_STORE_WALKS, 0x0e13},
};
/* PPR: LsL1DTlbMiss.all_l2_miss, LsTlbFlush, LsIntTaken, LsNotHaltedCyc, ExRetInstr, BpL1TlbMissL2TlbMiss */
static const struct expected on_zen[] = {
	{PMU_CYCLES, 0x0076},	   {PMU_INSTRUCTIONS, 0x00c0}, {PMU_DTLB_WALKS, 0xf045},
	{PMU_TLB_FLUSHES, 0xff78}, {PMU_INTERRUPTS, 0x002c},   {PMU_ITLB_WALKS, 0x0785},
};

TEST(intel_by_model)
{
	intel(0x55, 8);
	CHECK(!pmu_init());
	ALL_COUNTED(on_skylake);
	intel(0x6a, 8);
	CHECK(!pmu_init());
	ALL_COUNTED(on_ice_lake);
	CHECK(!pmu_has(PMU_INTERRUPTS));
	intel(0x8f, 8);
	CHECK(!pmu_init());
	ALL_COUNTED(on_golden_cove);
	CHECK(!pmu_has(PMU_TLB_FLUSHES));
}

TEST(intel_fixed_counters)
{
	intel(0x55, 4);
	CHECK(!pmu_init());
	CHECK_EQ(counted(PMU_INSTRUCTIONS, fixed, 0), 7);
	CHECK_EQ(counted(PMU_CYCLES, fixed, 1), 7);
	leaf_a.edx = 0; /* none */
	CHECK(!pmu_init());
	CHECK(!pmu_has(PMU_CYCLES) && pmu_has(PMU_DTLB_WALKS));
}

/* Four of them, as where threads share a core: the first of the list. */
TEST(intel_fewer_counters_than_events)
{
	intel(0x55, 4);
	CHECK(!pmu_init());
	CHECK(all_counted(on_skylake, 4));
	CHECK(!pmu_has(PMU_ITLB_WALKS) && !pmu_has(PMU_STORE_WALKS));
}

/* A model that nobody here knows: what the architecture promises, and no guess. */
TEST(intel_unknown_model)
{
	intel(0xfe, 8);
	CHECK(!pmu_init());
	CHECK(pmu_has(PMU_CYCLES) && pmu_has(PMU_INSTRUCTIONS));
	for (enum pmu_event e = PMU_DTLB_WALKS; e < PMU_UNHALTED; e++)
		CHECK(!pmu_has(e));
	CHECK_EQ(*msr(0x186), 0);
}

TEST(amd_with_and_without_a_global_switch)
{
	amd(0x19, 0x01, 0);
	CHECK(!pmu_init());
	ALL_COUNTED(on_zen);
	CHECK(!pmu_has(PMU_DTLB_MISSES)); /* the seventh of six */
	amd(0x1a, 0x02, 8);
	CHECK(!pmu_init());
	ALL_COUNTED(on_zen);
	CHECK_EQ(counted(PMU_DTLB_MISSES, happens, 0xff45), 7);
}

TEST(unhalted_ticks)
{
	struct pmu_counts c;

	amd(0x19, 0x01, 0);
	CHECK(!pmu_init());
	*msr(0xe7) = 1234;
	pmu_read(&c);
	CHECK(pmu_has(PMU_UNHALTED));
	CHECK_EQ(c.event[PMU_UNHALTED], 1234);
	leaf_6.ecx = 0;
	CHECK(!pmu_init());
	pmu_read(&c);
	CHECK(!pmu_has(PMU_UNHALTED));
	CHECK_EQ(c.event[PMU_UNHALTED], 0);
}

static bool not_here(const char *why)
{
	return pmu_init() && strstr(pmu_init(), why) && !pmu_has(PMU_CYCLES) &&
	       !pmu_has(PMU_DTLB_WALKS);
}

TEST(not_here)
{
	machine(0, 6, 1);
	CHECK(not_here("neither"));
	machine(X86_INTEL, 6, 0x55); /* leaf 0xA is zero, as under most hypervisors */
	CHECK(not_here("leaf 0xa"));
	machine(X86_AMD, 0x19, 1);
	CHECK(not_here("PerfCtrExtCore"));
	amd(0x17, 0x01, 0);
	CHECK(not_here("Zen 2"));
	intel(0x55, 8);
	locked = true;
	CHECK(not_here("cannot be written"));
	amd(0x19, 1, 8);
	msr_count--; /* the global switch faults */
	CHECK(not_here("cannot be written"));
}
