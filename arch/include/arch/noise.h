/* CONTRACT: what disturbs measurements and is not ours: firmware, and the CPU's clock and power. */
#pragma once

#include <kernel/types.h>

/* What one CPU tells of it; counts since its reset. */
struct cpu_noise {
	bool smis_known, clock_known;
	u64 smis; /* system management interrupts */
	u64 actual, nominal; /* clocks while it was not halted: as it ran, and as its name says */
};

/* Of this CPU. Any time, and cheap where nothing is known. */
void cpu_noise_read(struct cpu_noise *n);
/* What may disturb, as firmware has set it: turbo, states of sleep, SMIs so far. In words. */
void cpu_power_describe(char *buf, size_t size);
