/* Running the threads of pmbench, with a scan or a look at the console meanwhile. */
#include <harness/pace.h>
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/error.h>
#include "pmbench.h"

/* How often the console is looked at in a round of --duration: soon enough for a person. */
#define NAP_NS 50000000UL

/* A round of --duration may be long: the console ends it. */
static bool stopped(struct pm_state *s)
{
	if (s->round_cycles && console_interrupted())
		store_relaxed(&s->stop, 1);
	return !load_acquire(&s->running);
}

/* Scan until the threads are done. It spins in between, so that no wake-up is counted. */
static void scan(void *arg)
{
	struct bench *b = arg;
	struct pm_state *s = b->state;

	while (!stopped(s)) {
		u64 until = cycles_now() + ns_to_cycles(hint_scan(&s->scan));

		bench_progress(b);
		do
			cpu_relax();
		while (cycles_now() < until && !stopped(s));
	}
}

int pm_run(struct bench *b, struct pm_state *s, void (*fn)(void *thread), bool scanned, bool watch)
{
	int rc = 0;

	store_relaxed(&s->stop, 0);
	store_relaxed(&s->running, s->count); /* spawning a thread publishes both */
	for (unsigned i = 0; i < s->count; i++) {
		struct pm_thread *t = s->thread[i];

		t->ctx = context_spawn(b->params.cpu[i % b->params.cpu_count], "pmbench", fn, t,
				       s->as);
		if (!t->ctx) {
			atomic_fetch_add(&s->running, -1U);
			rc = -ENOMEM;
		}
	}
	if (scanned && bench_run_on(b->params.initiator, NULL, scan, b))
		rc = -ENOMEM;
	while (watch && !stopped(s)) {
		wait_nap(NAP_NS);
		bench_progress(b);
	}
	for (unsigned i = 0; i < s->count; i++)
		if (s->thread[i]->ctx)
			context_join(s->thread[i]->ctx);
	return rc;
}
