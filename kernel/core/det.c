/*
 * Seeded yields for deterministic runs.
 *
 * With instruction counting the emulator runs one CPU at a time and changes
 * to the next only at PAUSE/YIELD or at the end of a long slice, so most
 * windows between two stores are never looked into. A yield at the end of
 * each critical section opens them; the seed says at which ones.
 */
#include <kernel/det.h>
#include <kernel/percpu.h>
#include <kernel/rng.h>

bool det_mode;
bool det_yield_enabled;

static u64 det_seed;
static PERCPU(u64, det_state); /* 0: not yet seeded */

/*
 * One yield in 8: often enough that a window of a migration is hit several
 * times per page, seldom enough that runs of several critical sections
 * without a switch, the usual case on a real machine, are explored too.
 */
enum { DET_YIELD_ONE_IN = 8 };

void det_init(bool on, u64 seed)
{
	det_mode = on;
	det_seed = seed;
	det_yield_enabled = on && seed;
}

void det_yield(void)
{
	u64 *state = this_cpu_ptr(det_state);

	if (!*state)
		*state = det_seed + ((u64)cpu_id() << 32);
	if (rng_splitmix64(state) % DET_YIELD_ONE_IN == 0)
		cpu_relax();
}
