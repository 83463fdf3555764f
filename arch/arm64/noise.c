/* The architecture tells EL1 nothing of firmware's interrupts, of clocks or of states of sleep. */
#include <arch/noise.h>
#include <kernel/string.h>

void cpu_noise_read(struct cpu_noise *n)
{
	*n = (struct cpu_noise){.smis_known = false};
}

void cpu_power_describe(char *buf, size_t size)
{
	strlcpy(buf, "clock, states of sleep and firmware's interrupts are not told at EL1", size);
}
