/* What the performance counters of a CPU are asked for. */
#pragma once

#include <kernel/types.h>

/* In the order in which they get counters, where there are fewer of those. */
enum pmu_event {
	PMU_CYCLES,
	PMU_INSTRUCTIONS, /* retired */
	PMU_DTLB_WALKS, /* of data accesses that missed every TLB; where stores count apart, of loads */
	PMU_WALK_CYCLES, /* cycles of those walks; of several at once each counts */
	PMU_TLB_FLUSHES, /* of any kind */
	PMU_INTERRUPTS, /* taken */
	PMU_ITLB_WALKS,
	PMU_STORE_WALKS,
	PMU_DTLB_MISSES, /* of the first level */
	PMU_UNHALTED, /* ticks of cycles_now() in which the CPU was not halted */
	PMU_EVENTS
};

struct pmu_counts {
	u64 event[PMU_EVENTS];
};
