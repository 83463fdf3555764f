/*
 * How far a run is, and when it ends. --time bounds warm-up and measured rounds together: how long a
 * round takes is the host's affair, and somebody who waits wants figures of few rounds rather than none.
 */
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/det.h>
#include <kernel/printk.h>
#include "pace.h"
#include "workload.h"

#define SECOND 1000000000UL
/* A run that says nothing for longer looks dead. The first time a person waits less. */
#define SILENCE_NS (2 * SECOND)

enum {
	WARM_UP_SHARE = 4, /* warm-up has at most one part in so many of --time */
	PATIENCE = 2, /* times --time, after which no disturbed round is measured again */
	SETUP_LONG = 1 << 16, /* pages; to set so many up takes a second or two under an emulator */
};

static u64 elapsed(const struct bench *b)
{
	return clock_ns() - b->pace.began;
}

static u64 limit(const struct bench *b)
{
	return b->params.time ? b->params.time * SECOND : UINT64_MAX;
}

/* Nanoseconds until the run ends, if rounds go on as they have gone: when all are done or time is up, but not before one is measured. */
static u64 time_left(const struct bench *b)
{
	u64 took = elapsed(b), each = took / b->pace.done;
	u64 left = each * (b->pace.all - b->pace.done), least = b->reps_done ? 0 : each;

	return MIN(left, took + least < limit(b) ? limit(b) - took : least);
}

static void say_what_comes(const struct bench *b)
{
	kprintf("# %s: %lu rounds of warm-up, then %lu", b->workload->name, b->params.warmup,
		b->params.reps);
	if (b->params.time)
		kprintf("; it ends after about %lu s with what it has", b->params.time);
	kprintf("\n");
}

static void say_how_far(const struct bench *b)
{
	bool warm_up = b->pace.warm_up < b->params.warmup && !b->reps_done;

	kprintf("# %s: %s%lu of %lu rounds", b->workload->name, warm_up ? "warm-up, " : "",
		warm_up ? b->pace.warm_up : b->reps_done,
		warm_up ? b->params.warmup : b->params.reps);
	if (b->pace.done && !det_mode) /* virtual time tells nobody how long to wait */
		kprintf(", about %lu s left", (time_left(b) + SECOND - 1) / SECOND);
	kprintf("\n");
}

void pace_setup(const struct bench *b, u64 pages)
{
	if (!det_mode && !b->quiet && pages >= SETUP_LONG)
		kprintf("# %s: setting up %lu MiB\n", b->workload->name,
			(pages << PAGE_SHIFT) >> 20);
}

void pace_begin(struct bench *b, unsigned variants)
{
	b->pace = (struct bench_pace){.began = clock_ns(),
				      .all = (b->params.warmup + b->params.reps) * variants};
	b->pace.spoke = b->pace.began;
	if (det_mode || b->quiet)
		return;
	say_what_comes(b);
	b->pace.spoke -= SILENCE_NS / 2;
}

void bench_progress(struct bench *b)
{
	u64 now = clock_ns();

	if (now - b->pace.spoke < SILENCE_NS)
		return;
	b->pace.spoke = now;
	say_how_far(b);
}

void pace_step(struct bench *b)
{
	b->pace.done++;
	bench_progress(b);
	if (!b->quiet)
		console_poll(false);
}

bool pace_warms_up(const struct bench *b)
{
	return b->pace.warm_up < b->params.warmup && !b->interrupted &&
	       elapsed(b) < limit(b) / WARM_UP_SHARE;
}

bool pace_goes_on(const struct bench *b)
{
	return b->reps_done < b->params.reps && !b->interrupted &&
	       (!b->reps_done || elapsed(b) < limit(b));
}

bool pace_repeats(const struct bench *b)
{
	return elapsed(b) / PATIENCE < limit(b);
}
