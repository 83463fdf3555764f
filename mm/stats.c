/* Counters of all CPUs, summed when somebody asks. */
#include <mm/stats.h>
#include <kernel/clock.h>
#include <kernel/string.h>

PERCPU(struct mm_counters, mm_counters);

unsigned stats_bucket(u64 cycles)
{
	u64 ns = MAX(cycles_to_ns(cycles), 1UL);

	return MIN(63U - (unsigned)__builtin_clzl(ns), TIME_BUCKETS - 1U);
}

void mm_counters_read(struct mm_counters *sum)
{
	const unsigned words = sizeof(*sum) / sizeof(u64);
	u64 *to = (u64 *)sum;

	_Static_assert(sizeof(struct mm_counters) % sizeof(u64) == 0, "only 64-bit counters");
	memset(sum, 0, sizeof(*sum));
	for_each_online_cpu (cpu) {
		const u64 *from = (const u64 *)cpu_ptr(cpu, mm_counters);

		for (unsigned i = 0; i < words; i++)
			to[i] += load_relaxed(&from[i]);
	}
}
