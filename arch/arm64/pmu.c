/* PMUv3 (Arm ARM D13): the cycle counter, and as many event counters as there are for what the CPU says it counts. */
#include <arch/pmu.h>
#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <kernel/string.h>

enum {
	PMCR_ENABLE = 1 << 0,
	PMCR_RESET_EVENTS = 1 << 1,
	PMCR_RESET_CYCLES = 1 << 2,
	PMCR_LONG_CYCLES = 1 << 6,
	PMCR_N_SHIFT = 11,
	CYCLE_COUNTER = 31, /* its bit in PMCNTENSET_EL0 */
	IMPLEMENTER_ARM = 0x41,
	COMMON_EVENTS = 0x40, /* those that PMCEID0_EL0 and PMCEID1_EL0 speak of */
};

/* By priority. Common events, Arm ARM D13.12.3; EXC_IRQ is what Arm's own cores have. */
static const struct {
	u8 event;
	u8 code;
} codes[] = {
	{PMU_INSTRUCTIONS, 0x08}, /* INST_RETIRED */
	{PMU_DTLB_WALKS, 0x34}, /* DTLB_WALK */
	{PMU_INTERRUPTS, 0x86}, /* EXC_IRQ */
	{PMU_ITLB_WALKS, 0x35}, /* ITLB_WALK */
	{PMU_DTLB_MISSES, 0x05}, /* L1D_TLB_REFILL */
};

static u8 counted[ARRAY_SIZE(codes)]; /* [counter]: index of codes */
static unsigned counter_count;
static bool present;

static bool cpu_counts(u8 code)
{
	/* 32 in the lower half of each register; upper halves are other events. */
	u64 ids = code < 32 ? sysreg_read(pmceid0_el0) : sysreg_read(pmceid1_el0);

	if (code >= COMMON_EVENTS)
		return (sysreg_read(midr_el1) >> 24 & 0xff) == IMPLEMENTER_ARM;
	return ids >> (code % 32) & 1;
}

const char *pmu_init(void)
{
	unsigned version = id_field(sysreg_read(id_aa64dfr0_el1), 8), n;

	counter_count = 0;
	present = version && version != 0xf;
	if (!present)
		return version ? "counters that are not Arm's" : "ID_AA64DFR0_EL1 has no PMUv3";
	n = sysreg_read(pmcr_el0) >> PMCR_N_SHIFT & 0x1f;
	for (unsigned i = 0; i < ARRAY_SIZE(codes) && counter_count < n; i++)
		if (cpu_counts(codes[i].code))
			counted[counter_count++] = (u8)i;
	return NULL;
}

bool pmu_has(enum pmu_event event)
{
	for (unsigned i = 0; i < counter_count; i++)
		if (codes[counted[i]].event == event)
			return true;
	return present && event == PMU_CYCLES;
}

void pmu_stop(void)
{
	sysreg_write(pmcntenclr_el0, 1UL << CYCLE_COUNTER | ((1UL << counter_count) - 1));
	sysreg_write(pmcr_el0, 0);
	isb();
}

/* The selection takes effect at a context synchronisation (D13.9.2). */
static void select(unsigned counter)
{
	sysreg_write(pmselr_el0, counter);
	isb();
}

void pmu_start(void)
{
	pmu_stop();
	for (unsigned i = 0; i < counter_count; i++) {
		select(i);
		sysreg_write(pmxevtyper_el0, codes[counted[i]].code); /* at every level */
	}
	sysreg_write(pmccfiltr_el0, 0);
	sysreg_write(pmcr_el0, PMCR_LONG_CYCLES | PMCR_RESET_CYCLES | PMCR_RESET_EVENTS);
	sysreg_write(pmcntenset_el0, 1UL << CYCLE_COUNTER | ((1UL << counter_count) - 1));
	sysreg_write(pmcr_el0, PMCR_LONG_CYCLES | PMCR_ENABLE);
	isb();
}

void pmu_read(struct pmu_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	isb(); /* counts what is before it */
	counts->event[PMU_CYCLES] = sysreg_read(pmccntr_el0);
	for (unsigned i = 0; i < counter_count; i++) {
		select(i);
		counts->event[codes[counted[i]].event] = sysreg_read(pmxevcntr_el0);
	}
}
