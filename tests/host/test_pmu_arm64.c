/*
 * Register programming of PMUv3 against a model of it (Arm ARM D13): event counters behind PMSELR_EL0, which takes effect
 * at an ISB; what PMCNTENSET_EL0 and PMCR_EL0.E let count; resets. arch/arm64/pmu.c itself is below.
 */
#include "check.h"

#include <asm/barrier.h>
#include <asm/sysreg.h>

enum { COUNTERS = 6 };

static struct {
	u64 dfr0, midr, ceid0, ceid1, pmcr, enabled, select, selected, cycles, type[32], count[32];
	unsigned n;
} pmu;

static u64 model_read(const char *reg)
{
	if (!strcmp(reg, "id_aa64dfr0_el1"))
		return pmu.dfr0;
	if (!strcmp(reg, "midr_el1"))
		return pmu.midr;
	if (!strcmp(reg, "pmceid0_el0"))
		return pmu.ceid0;
	if (!strcmp(reg, "pmceid1_el0"))
		return pmu.ceid1;
	if (!strcmp(reg, "pmcr_el0"))
		return pmu.pmcr | pmu.n << 11;
	if (!strcmp(reg, "pmccntr_el0"))
		return pmu.cycles;
	return !strcmp(reg, "pmxevcntr_el0") && pmu.selected < pmu.n ? pmu.count[pmu.selected]
								     : ~0UL;
}

static void write_control(u64 value)
{
	if (value & 2)
		memset(pmu.count, 0, sizeof(pmu.count));
	if (value & 4)
		pmu.cycles = 0;
	pmu.pmcr = value & ~6UL;
}

static void model_write(const char *reg, u64 value)
{
	if (!strcmp(reg, "pmcr_el0"))
		write_control(value);
	else if (!strcmp(reg, "pmcntenset_el0"))
		pmu.enabled |= value;
	else if (!strcmp(reg, "pmcntenclr_el0"))
		pmu.enabled &= ~value;
	else if (!strcmp(reg, "pmselr_el0"))
		pmu.select = value;
	else if (!strcmp(reg, "pmxevtyper_el0") && pmu.selected < pmu.n)
		pmu.type[pmu.selected] = value;
}

#undef sysreg_read
#undef sysreg_write
#undef isb
#define sysreg_read(reg) model_read(#reg)
#define sysreg_write(reg, value) model_write(#reg, (u64)(value))
#define isb() ((void)(pmu.selected = pmu.select))

#include "../../arch/arm64/pmu.c"

/* The event happens n times, cycles or not. Bits above the event's number are filters: any of them would hide EL1. */
static void happens(u64 code, u64 n)
{
	if (!(pmu.pmcr & 1))
		return;
	if (code == 0x11 && pmu.enabled >> 31 & 1)
		pmu.cycles += n;
	for (unsigned i = 0; i < pmu.n; i++)
		if (pmu.enabled >> i & 1 && pmu.type[i] == code)
			pmu.count[i] += n;
}

static void machine(unsigned version, unsigned counters, u64 ceid0, u64 ceid1, u64 implementer)
{
	memset(&pmu, 0xff, sizeof(pmu)); /* whatever firmware left */
	pmu.pmcr = 0;
	pmu.dfr0 = version << 8;
	pmu.n = counters;
	pmu.ceid0 = ceid0, pmu.ceid1 = ceid1;
	pmu.midr = implementer << 24;
}

static u64 count_of(enum pmu_event event, u64 code)
{
	struct pmu_counts before, after;

	pmu_start();
	pmu_read(&before);
	happens(code, 9);
	pmu_read(&after);
	pmu_stop();
	happens(code, 1000);
	return before.event[event] ? ~0UL : after.event[event];
}

TEST(neoverse_counts_all_there_is)
{
	machine(4, COUNTERS, ~0UL, ~0UL, 0x41);
	CHECK(!pmu_init());
	CHECK_EQ(count_of(PMU_CYCLES, 0x11), 9);
	CHECK_EQ(count_of(PMU_INSTRUCTIONS, 0x08), 9);
	CHECK_EQ(count_of(PMU_DTLB_WALKS, 0x34), 9);
	CHECK_EQ(count_of(PMU_ITLB_WALKS, 0x35), 9);
	CHECK_EQ(count_of(PMU_INTERRUPTS, 0x86), 9);
	CHECK_EQ(count_of(PMU_DTLB_MISSES, 0x05), 9);
	CHECK(!pmu_has(PMU_TLB_FLUSHES) && !pmu_has(PMU_WALK_CYCLES) && !pmu_has(PMU_UNHALTED));
}

TEST(only_what_the_cpu_says_it_counts)
{
	machine(1, COUNTERS, 1UL << 8 | 1UL << 17, 1UL << (32 + 0x14), 0x51);
	CHECK(!pmu_init());
	CHECK(pmu_has(PMU_CYCLES) && pmu_has(PMU_INSTRUCTIONS));
	CHECK(!pmu_has(PMU_DTLB_WALKS)); /* the bit of event 0x4034 */
	CHECK(!pmu_has(PMU_INTERRUPTS)); /* another maker's 0x86 is something else */
	CHECK_EQ(count_of(PMU_INSTRUCTIONS, 0x08), 9);
}

TEST(fewer_counters_than_events)
{
	machine(4, 2, ~0UL, ~0UL, 0x41);
	CHECK(!pmu_init());
	CHECK_EQ(count_of(PMU_DTLB_WALKS, 0x34), 9);
	CHECK(!pmu_has(PMU_INTERRUPTS) && !pmu_has(PMU_ITLB_WALKS));
	machine(4, 0, ~0UL, ~0UL, 0x41);
	CHECK(!pmu_init());
	CHECK_EQ(count_of(PMU_CYCLES, 0x11), 9);
	CHECK(!pmu_has(PMU_INSTRUCTIONS));
}

TEST(not_here)
{
	machine(0, COUNTERS, 0, 0, 0x41);
	CHECK(strstr(pmu_init(), "no PMUv3") && !pmu_has(PMU_CYCLES));
	machine(15, COUNTERS, 0, 0, 0x41);
	CHECK(strstr(pmu_init(), "not Arm's") && !pmu_has(PMU_CYCLES));
}
