/* Each CPU's counts of SMIs and of clocks, before and behind a run. */
#include <arch/noise.h>
#include <kernel/det.h>
#include <kernel/smp.h>
#include "noise.h"

struct cpu_noises {
	struct cpu_noise before, after;
};

static PERCPU(struct cpu_noises, cpu_noises); /* written by its CPU, inside a call */

static void read_before(void *arg __unused)
{
	cpu_noise_read(&this_cpu_ptr(cpu_noises)->before);
}

static void read_after(void *arg __unused)
{
	cpu_noise_read(&this_cpu_ptr(cpu_noises)->after);
}

/* An emulator with virtual time has no firmware that interrupts, and an interrupt of ours would change its course. */
static bool is_told(void)
{
	struct cpu_noise n;

	cpu_noise_read(&n);
	return !det_mode && (n.smis_known || n.clock_known);
}

void noise_begin(void)
{
	if (is_told())
		smp_call(&cpu_online, read_before, NULL);
}

/* SMIs interrupt all CPUs at once, or those of a package: the CPU with most of them has seen all of its own. */
static void add_cpu(struct bench_noise *noise, const struct cpu_noise *before,
		    const struct cpu_noise *after)
{
	u64 nominal = after->nominal - before->nominal;
	u64 percent = nominal ? (after->actual - before->actual) * 100 / nominal : 0;

	noise->smis_known |= after->smis_known;
	noise->smis = MAX(noise->smis, after->smis - before->smis);
	if (!after->clock_known || !nominal) /* it was halted all the time */
		return;
	noise->slowest = noise->clock_known ? MIN(noise->slowest, percent) : percent;
	noise->fastest = MAX(noise->fastest, percent);
	noise->clock_known = true;
}

void noise_end(struct bench_noise *noise)
{
	*noise = (struct bench_noise){.smis_known = false};
	if (!is_told())
		return;
	smp_call(&cpu_online, read_after, NULL);
	for_each_online_cpu (cpu) {
		const struct cpu_noises *n = cpu_ptr(cpu, cpu_noises);

		add_cpu(noise, &n->before, &n->after);
	}
}
