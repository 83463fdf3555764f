/*
 * May the times of this run be believed? Under an emulator every virtual CPU is
 * a thread of the host: where the host has fewer free cores than there are
 * busy CPUs, times measure its scheduler.
 */
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/option.h>
#include <kernel/string.h>
#include "trust.h"

const char *const trust_names[] = {"counts", "path", "time"};

enum {
	WORK_NS = 2000000, /* one unit of work */
	UNITS = 10, /* together longer than a host's time slice, which could hide a shared core */
	SLOWDOWN_MAX = 130, /* percent of the time alone */
};

struct worker {
	struct context *ctx;
	u32 *go;
	u64 loops, took; /* cycles for UNITS * loops */
};

static u8 known[MAX_CPUS + 1]; /* [busy]: 0 = not measured, else 1 + enum trust */

/* A chain of multiplications: no memory, the same work on every CPU. */
static u64 work(u64 loops)
{
	u64 x = loops, start = cycles_now();

	while (loops--) {
		x = x * 6364136223846793005UL + 1442695040888963407UL;
		barrier();
	}
	return cycles_now() - start + !x; /* uses x; the odd cycle does not matter */
}

static void worker_main(void *arg)
{
	struct worker *w = arg;

	/* Acquire: pairs with the release in work_together(), which comes when all are spawned. */
	while (!load_acquire(w->go))
		cpu_relax();
	for (unsigned i = 0; i < UNITS; i++)
		w->took += work(w->loops);
}

/* Cycles of the slowest of `busy` CPUs, this one and the first of the list, working at once. */
static u64 work_together(const struct bench *b, unsigned busy, u64 loops)
{
	static struct worker worker[MAX_CPUS];
	u32 go = 0;
	u64 slowest = 0;
	unsigned n = MIN(busy - 1, b->params.cpu_count);

	for (unsigned i = 0; i < n; i++) {
		worker[i] = (struct worker){.go = &go, .loops = loops};
		worker[i].ctx =
			context_spawn(b->params.cpu[i], "trust", worker_main, &worker[i], NULL);
	}
	store_release(&go, 1);
	for (unsigned i = 0; i < UNITS; i++)
		slowest += work(loops);
	for (unsigned i = 0; i < n; i++) {
		if (!worker[i].ctx)
			return UINT64_MAX;
		context_join(worker[i].ctx);
		slowest = MAX(slowest, worker[i].took);
	}
	return slowest;
}

static bool runs_in_parallel(const struct bench *b, unsigned busy)
{
	u64 loops = 1 << 12, alone, together;

	while (work(loops) < ns_to_cycles(WORK_NS))
		loops *= 2;
	alone = work_together(b, 1, loops);
	together = work_together(b, busy, loops);
	return together / SLOWDOWN_MAX < alone / 100;
}

static enum trust measure(const struct bench *b, unsigned busy)
{
	u64 host_cpus = option_u64("host.cpus", 0, 0, MAX_CPUS); /* 0: nobody told us */

	if (det_mode)
		return busy <= 1 ? TRUST_PATH : TRUST_COUNTS;
	if (!cycles_trusted())
		return TRUST_COUNTS;
	if (!strcmp(cpu_accel(), "metal"))
		return TRUST_TIME;
	if (busy > host_cpus)
		return TRUST_COUNTS;
	return busy <= 1 || runs_in_parallel(b, busy) ? TRUST_TIME : TRUST_COUNTS;
}

/* With `busy` CPUs busy. Measures the host, once between two calls of forget(). */
static enum trust trust_of(const struct bench *b, unsigned busy)
{
	if (!known[busy])
		known[busy] = (u8)(1 + measure(b, busy));
	return (enum trust)(known[busy] - 1);
}

static void forget(void)
{
	memset(known, 0, sizeof(known));
}

/*
 * Trust of each series, the worse of before and after. Before, a host that is
 * busy for a moment is given time; after, it was busy in the measurement.
 */
void trust_assess(struct bench *b, bool again)
{
	enum { TRIES = 3 };
	unsigned worst = 0;

	for (unsigned i = 0; i < b->series_count; i++)
		worst = MAX(worst, b->series[i].busy);
	forget();
	for (unsigned i = 1; !again && i < TRIES && trust_of(b, worst) == TRUST_COUNTS; i++)
		forget();
	for (unsigned i = 0; i < b->series_count; i++) {
		enum trust t = b->disturbed ? TRUST_COUNTS : trust_of(b, b->series[i].busy);

		b->series[i].trust = again ? MIN(t, b->series[i].trust) : t;
	}
	b->trust = b->series[0].trust;
}

bool bench_shown(const struct bench *b, unsigned series)
{
	return !b->series[series].time || b->series[series].trust != TRUST_COUNTS;
}

bool bench_worthwhile(const struct bench *b, unsigned series)
{
	return det_mode || bench_shown(b, series);
}
