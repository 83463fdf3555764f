/*
 * Deterministic runs (boot option det=1, emulator with instruction counting):
 * with det.seed=N, lock releases and interrupt enables of kernel/core yield
 * the emulated CPU with a seeded probability, so that other CPUs run inside
 * every window.
 */
#pragma once

#include <kernel/types.h>

extern bool det_mode; /* det=1 */
extern bool det_yield_enabled; /* det=1 and det.seed != 0 */
/* Start-up, with the boot options; takes no options itself, as reading them may print. */
void det_init(bool on, u64 seed);
void det_yield(void);

static inline void det_yield_point(void)
{
	if (unlikely(det_yield_enabled))
		det_yield();
}
