/* --pmu: each CPU starts its own counters before a part, and hands in what they show behind it. */
#include <arch/pmu.h>
#include <kernel/smp.h>
#include "pmu.h"
#include "sums.h"

const char *const pmu_names[PMU_EVENTS] = {
	[PMU_CYCLES] = "cycles",	   [PMU_INSTRUCTIONS] = "instructions",
	[PMU_DTLB_WALKS] = "dtlb_walks",   [PMU_WALK_CYCLES] = "walk_cycles",
	[PMU_TLB_FLUSHES] = "tlb_flushes", [PMU_INTERRUPTS] = "interrupts",
	[PMU_ITLB_WALKS] = "itlb_walks",   [PMU_STORE_WALKS] = "store_walks",
	[PMU_DTLB_MISSES] = "dtlb_misses", [PMU_UNHALTED] = "halted_ticks",
};

/* What one CPU counted, and when it began; its own until the call that hands it in returns. */
struct cpu_counts {
	struct pmu_counts before, after;
	u64 began, took; /* ticks of cycles_now() */
};

static PERCPU(struct cpu_counts, cpu_counts);
static bool counting;

const char *pmu_open(bool wanted, u32 *events)
{
	const char *why = wanted ? pmu_init() : NULL;

	counting = wanted && !why;
	*events = 0;
	for (unsigned e = 0; counting && e < PMU_EVENTS; e++)
		*events |= (u32)pmu_has((enum pmu_event)e) << e;
	return why;
}

static void begin_here(void *arg __unused)
{
	struct cpu_counts *c = this_cpu_ptr(cpu_counts);

	pmu_start();
	pmu_read(&c->before);
	c->began = cycles_now();
}

static void end_here(void *arg __unused)
{
	struct cpu_counts *c = this_cpu_ptr(cpu_counts);

	c->took = cycles_now() - c->began;
	pmu_read(&c->after);
	pmu_stop();
}

void pmu_part_begin(void)
{
	if (counting)
		smp_call(&cpu_online, begin_here, NULL);
}

void pmu_part_end(struct pmu_counts *sum)
{
	if (!counting)
		return;
	smp_call(&cpu_online, end_here, NULL);
	for_each_online_cpu (cpu) {
		const struct cpu_counts *c = cpu_ptr(cpu, cpu_counts);
		struct pmu_counts moved = {{0}};

		sums_add_difference(&moved, &c->after, &c->before);
		/* Told is its opposite: the ticks in which the CPU was halted. */
		moved.event[PMU_UNHALTED] = c->took - MIN(moved.event[PMU_UNHALTED], c->took);
		sums_add(sum, &moved);
	}
}
