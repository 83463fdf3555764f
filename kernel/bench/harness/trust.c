/*
 * May the times of this run be believed? Under an emulator or hypervisor every
 * CPU is a thread of the host: where the host has fewer free cores than there
 * are busy CPUs, times measure its scheduler.
 *
 * The calibration: all CPUs that a series keeps busy work at once, in many
 * pieces of the same length. A piece that takes several times as long as the
 * shortest on its CPU is one during which the host took the CPU away. What all
 * pieces have in common, such as a slower clock or a sibling thread that is
 * busy, does not matter. It runs before the run and between rounds, so a round
 * is judged by what surrounds it, never by its own time.
 */
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/det.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include "trust.h"

const char *const trust_names[] = {"counts", "path", "time"};

enum {
	PIECE_NS =
		100000, /* of work: far longer than an interrupt, far shorter than a host's time slice */
	PIECES = 200, /* together longer than a time slice, which could hide a shared core */
	LONG = 4, /* times the shortest piece: the CPU was taken away */
	LOST_MAX = 5, /* percent of the work that may be lost so, or by beginning late */
	PATIENCE = 10, /* looks at a busy host before a run or round begins nevertheless */
	SECOND_CHANCE = 50, /* looks at one that was busy before the warm-up */
};

/* ---- the calibration -------------------------------------------------------------- */

static struct {
	u64 loops; /* of one piece; 0: not known yet */
	u64 start; /* cycles, when all CPUs were called */
	bool calm[MAX_CPUS]; /* each written by its CPU in calibrate_cpu() */
} work;

/* A chain of multiplications: no memory, the same work on every CPU. Cycles. */
static u64 do_piece(u64 loops)
{
	u64 x = loops, start = cycles_now();

	while (loops--) {
		x = x * 6364136223846793005UL + 1442695040888963407UL;
		barrier(); /* for the compiler: one step after the other, none left out */
	}
	return cycles_now() - start + !x; /* uses x; the odd cycle does not matter */
}

static void calibrate_cpu(void *arg)
{
	u64 took[PIECES], shortest = UINT64_MAX, begin = cycles_now(), lost;

	(void)arg;
	for (unsigned i = 0; i < PIECES; i++) {
		took[i] = do_piece(work.loops);
		shortest = MIN(shortest, took[i]);
	}
	lost = begin > work.start ? begin - work.start : 0; /* clocks differ by less than matters */
	for (unsigned i = 0; i < PIECES; i++)
		lost += took[i] > LONG * shortest ? took[i] - shortest : 0;
	work.calm[cpu_id()] = lost <= PIECES * shortest / 100 * LOST_MAX;
}

/* The better of two, since the host may be busy just now. */
static void find_loops(void)
{
	work.loops = 1 << 8;
	while (MIN(do_piece(work.loops), do_piece(work.loops)) < ns_to_cycles(PIECE_NS))
		work.loops *= 2;
}

/*
 * This CPU and the first of the list, `busy` of them. What runs there is
 * interrupted, so this works beside threads, too, but belongs between periods.
 */
static bool runs_in_parallel(const struct bench *b, unsigned busy)
{
	struct cpumask mask;
	bool calm = true;

	if (!work.loops)
		find_loops();
	cpumask_clear(&mask);
	cpumask_set(&mask, cpu_id());
	for (unsigned i = 0; i + 1 < busy && i < b->params.cpu_count; i++)
		cpumask_set(&mask, b->params.cpu[i]);
	work.start = cycles_now();
	smp_call(&mask, calibrate_cpu, NULL);
	cpumask_for_each (cpu, &mask)
		calm = calm && work.calm[cpu];
	return calm;
}

bool (*trust_calibration)(const struct bench *b, unsigned busy) = runs_in_parallel;

static bool look(const struct bench *b, unsigned busy, unsigned tries)
{
	while (tries-- && !console_interrupted())
		if (trust_calibration(b, busy))
			return true;
	return false;
}

/* ---- what follows for the series ----------------------------------------------------- */

BOOT_OPTION(host_cpus, "host.cpus", "N",
	    "under an emulator: CPUs of its host, for what times are worth");

static u64 host_cpus(void)
{
	return option_u64("host.cpus", 0, 0, MAX_CPUS); /* 0: nobody told us */
}

static bool on_metal(void)
{
	return !strcmp(cpu_accel(), "metal");
}

static enum distrust assess(const struct bench *b, unsigned busy)
{
	if (det_mode)
		return busy <= 1 ? DISTRUST_NONE : DISTRUST_DETERMINISTIC;
	if (!cycles_trusted())
		return DISTRUST_CLOCK;
	if (on_metal())
		return DISTRUST_NONE;
	if (host_cpus() && busy > host_cpus())
		return DISTRUST_FEW_CPUS;
	return look(b, busy, PATIENCE) ? DISTRUST_NONE : DISTRUST_NOT_PARALLEL;
}

void trust_assess(struct bench *b)
{
	const enum trust trusted = det_mode ? TRUST_PATH : TRUST_TIME;
	static u8 known[MAX_CPUS + 1]; /* [busy]: 0 = not assessed, else 1 + enum distrust */

	memset(known, 0, sizeof(known));
	work.loops = 0;
	b->watched = 0;
	for (unsigned i = 0; i < b->series_count; i++) {
		struct bench_series *s = &b->series[i];

		if (!known[s->busy])
			known[s->busy] = (u8)(1 + assess(b, s->busy));
		s->distrust = (enum distrust)(known[s->busy] - 1);
		s->trust = s->distrust ? TRUST_COUNTS : trusted;
		if (s->time && s->trust == TRUST_TIME && !on_metal())
			b->watched = MAX(b->watched, s->busy);
	}
	b->trust = b->series[0].trust;
	b->calm = true;
}

/* For about a second: looks at a busy host take long themselves, and somebody may wait. */
static bool look_longer(const struct bench *b, unsigned busy)
{
	u64 end = clock_ns() + 1000000000UL;

	for (unsigned i = 0; i < SECOND_CHANCE && clock_ns() < end; i++)
		if (look(b, busy, 1))
			return true;
	return false;
}

/* The rounds to come are looked at one by one, so a lucky look lets no busy host pass. */
void trust_assess_again(struct bench *b)
{
	unsigned busy = b->series[0].busy;

	if (b->quiet || b->trust == TRUST_TIME || b->series[0].distrust != DISTRUST_NOT_PARALLEL ||
	    !look_longer(b, busy))
		return;
	for (unsigned i = 0; i < b->series_count; i++) {
		struct bench_series *s = &b->series[i];

		if (s->distrust != DISTRUST_NOT_PARALLEL || s->busy > busy)
			continue;
		s->distrust = DISTRUST_NONE;
		s->trust = TRUST_TIME;
	}
	b->watched = busy;
	b->trust = TRUST_TIME;
}

void trust_advise(const struct bench *b)
{
	unsigned busy = 0;
	u64 host = host_cpus();

	for (unsigned i = 0; i < b->series_count; i++)
		busy = MAX(busy, b->series[i].busy);
	if (!b->quiet && !det_mode && !on_metal() && host && busy > host)
		kprintf("# %u CPUs on %lu host CPUs: use SMP=%lu for times, DET=1 for "
			"counts\n",
			busy, host, host);
}

bool trust_look(struct bench *b, bool patient)
{
	b->calm = !b->watched || look(b, b->watched, patient ? PATIENCE : 1);
	return b->calm;
}

void trust_withdraw(struct bench *b, u64 round)
{
	for (unsigned i = 0; i < b->series_count; i++) {
		struct bench_series *s = &b->series[i];

		if (s->trust != TRUST_TIME)
			continue;
		s->trust = TRUST_COUNTS;
		s->distrust = DISTRUST_ROUND;
	}
	b->watched = 0;
	b->withdrawn = round;
	b->trust = b->series[0].trust;
}

const char *trust_why(const struct bench *b, char *buf, size_t size)
{
	const struct bench_series *s = b->series, *end = s + b->series_count;
	size_t at;

	while (s < end && !(s->distrust && s->time))
		s++;
	if (s == end)
		return NULL;
	at = s == b->series ? 0 : (size_t)ksnprintf(buf, size, "%s: ", s->name);
	switch (s->distrust) {
	case DISTRUST_NONE:
		break;
	case DISTRUST_DETERMINISTIC:
		ksnprintf(buf + at, size - at, "deterministic, %u CPUs are busy", s->busy);
		break;
	case DISTRUST_FEW_CPUS:
		ksnprintf(buf + at, size - at, "%u CPUs are busy, the host has %lu", s->busy,
			  host_cpus());
		break;
	case DISTRUST_NOT_PARALLEL:
		ksnprintf(buf + at, size - at, "the host was too busy for %u CPU%s at once%s",
			  s->busy, s->busy == 1 ? "" : "s",
			  host_cpus() ? "" : ", or has not so many (host.cpus= says)");
		break;
	case DISTRUST_CLOCK:
		ksnprintf(buf + at, size - at, "the clock of this machine does not keep time");
		break;
	case DISTRUST_ROUND:
		ksnprintf(buf + at, size - at, "the host took CPUs away, at last in round %lu",
			  b->withdrawn);
		break;
	}
	return buf;
}

const char *trust_by(void)
{
	if (det_mode)
		return "instructions";
	if (on_metal())
		return "metal";
	return host_cpus() ? "host.cpus and calibration" : "calibration";
}

bool bench_shown(const struct bench *b, unsigned series)
{
	return !b->series[series].time || b->series[series].trust != TRUST_COUNTS;
}

bool bench_worthwhile(const struct bench *b, unsigned series)
{
	return det_mode || bench_shown(b, series);
}
