/* What the tests of kernel/core share. */
#include "core_fixture.h"

unsigned core_rounds(unsigned together)
{
	return MAX(together / cpumask_weight(&cpu_online), 4U);
}

void core_run_everywhere(void (*fn)(void *))
{
	static struct context *started[MAX_CPUS];

	for_each_online_cpu (cpu)
		started[cpu] = context_spawn(cpu, "core-test", fn, NULL, NULL);
	for_each_online_cpu (cpu) {
		if (EXPECT(started[cpu]))
			context_join(started[cpu]);
	}
}

unsigned core_other_cpu(void)
{
	return cpumask_next(&cpu_online, 1);
}

bool core_sleeps(const struct context *ctx)
{
	const struct cpu *cpu = cpu_ptr(ctx->cpu, cpu_self);

	return load_relaxed(&cpu->current) == ctx && load_relaxed(&cpu->halted);
}
