/*
 * Runs a litmus test: threads on several CPUs go through batches of runs, each
 * run on pages of its own, with random delays; the outcomes are counted.
 *
 * A batch: thread 0 collects the last one and prepares the next; all CPUs
 * forget their TLBs and load what the test plants; then the bodies. Barriers
 * stand between these parts only, and sleep: within a batch the threads just
 * keep roughly in step, because an emulated CPU that waits steals the time of
 * the one that it waits for.
 */
#include "litmus.h"
#include <kernel/atomic.h>
#include <kernel/bootinfo.h>
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/rng.h>
#include <arch/cpu.h>

enum {
	/*
	 * How long a thread waits in all of a batch for the others to reach the same run, and for
	 * flags that go up after an interrupt, ns. Races happen only while all threads run, and a
	 * host that is short of CPUs lets an emulated one wait about so long.
	 */
	PATIENCE_NS = 2000000,
	/* The same for one wait inside a broken test: first busily, then asleep. */
	AWAIT_SPIN_NS = 20000,
	AWAIT_NAP_NS = 100000,
	AWAIT_NAPS = 10,
	CONSOLE_NS = 50000000, /* between looks for Ctrl-C: shorter than a person notices */
	LOOKS = 16, /* at what is waited for, for each at the clock, which takes longer */
	/* Delays before a body are spread evenly over powers of two up to this many empty spins. */
	SKEW_BITS = 15,
	/* An emulator that runs one CPU at a time goes to the next only at a PAUSE: every so many spins. */
	SKEW_RELAX = 256,
	/* Of 8 runs, one finds nothing planted. */
	PLANT_OF = 8,
	PLACEMENTS = 4, /* choices of CPUs per test, where the test does not want every pair */
	PAIRS_MAX = 256, /* choices where it does and there are more */
	PAIR_RUNS = 16, /* of each choice, at least */
};

struct step {
	u64 reached __aligned(CACHE_LINE); /* runs of this batch that the thread began */
};

struct session {
	const struct litmus_test *test;
	struct litmus_result *res;
	struct litmus_space *space;
	struct litmus_run *runs;
	unsigned threads, batch;
	unsigned cpu[LITMUS_THREADS];
	u64 seed, first_run, runs_left; /* thread 0's */
	bool stop; /* written by thread 0 before a barrier, read by all behind it */
	u32 arrived __aligned(CACHE_LINE);
	u32 generation __aligned(CACHE_LINE);
	u32 gate __aligned(CACHE_LINE); /* enum gate */
	struct step step[LITMUS_THREADS];
	u64 skew[LITMUS_THREADS][LITMUS_BATCH];
	u8 planted[LITMUS_BATCH]; /* thread bits; atomic */
};

enum gate { GATE_SHUT, GATE_OPEN, GATE_LEAVE };

struct worker {
	struct session *s;
	unsigned thread;
};

static void barrier_wait(struct session *s)
{
	u32 mine = load_relaxed(&s->generation);

	/* Full barrier: what a thread did before is seen by all behind the barrier. */
	if (atomic_fetch_add(&s->arrived, 1) + 1 < s->threads) {
		/* The others come: they wait for nobody but CPUs that take interrupts. */
		wait_until_patient(load_acquire(&s->generation) != mine, "litmus barrier");
		return;
	}
	store_relaxed(&s->arrived, 0);
	store_release(&s->generation, mine + 1); /* pairs with the acquire above */
	for (unsigned t = 0; t < s->threads; t++)
		cpu_wake(s->cpu[t]);
}

/* ---- thread 0, alone between two barriers ---------------------------------- */

static void note_odd(struct session *s, unsigned i)
{
	struct litmus_odd *odd = &s->res->odd;

	odd->run = s->first_run + i;
	odd->seed = s->seed;
	odd->x = s->runs[i].x;
	odd->planted = s->planted[i];
	for (unsigned t = 0; t < s->threads; t++) {
		odd->cpu[t] = s->cpu[t];
		odd->skew[t] = s->skew[t][i];
	}
}

static void count_outcome(struct session *s, unsigned i)
{
	struct litmus_result *res = s->res;
	u32 key = litmus_key(s->test, s->runs[i].out);
	unsigned n = 0;

	if (litmus_is_asked(s->test, s->runs[i].out) && !res->asked++)
		note_odd(s, i);
	while (n < res->states && res->state[n].key != key)
		n++;
	if (n == res->states && n < LITMUS_STATES)
		res->state[res->states++].key = key;
	res->state[MIN(n, LITMUS_STATES - 1U)].count++;
	res->runs++;
}

static void collect(struct session *s)
{
	for (unsigned i = 0; i < s->batch; i++) {
		if (s->test->finish)
			s->test->finish(&s->runs[i]);
		count_outcome(s, i);
	}
	s->first_run += s->batch;
	s->runs_left -= s->batch;
}

static void next_batch(struct session *s)
{
	u64 random = s->seed ^ (s->first_run << 16);

	s->batch = (unsigned)MIN(s->runs_left, (u64)LITMUS_BATCH);
	s->stop = !s->batch || console_interrupted();
	if (s->stop)
		return;
	for (unsigned t = 0; t < s->threads; t++)
		store_relaxed(&s->step[t].reached, 0);
	for (unsigned i = 0; i < LITMUS_BATCH; i++)
		store_relaxed(&s->planted[i], 0);
	litmus_space_prepare(s->space, s->test, rng_splitmix64(&random));
	for (unsigned i = 0; i < s->batch; i++) {
		s->runs[i].cpu = s->cpu;
		s->runs[i].how = s->test->how;
	}
}

/* ---- every thread ----------------------------------------------------------- */

static u64 random_of(const struct session *s, unsigned thread, unsigned i, unsigned purpose)
{
	u64 state = s->seed + (s->first_run + i) * LITMUS_THREADS * 2 + thread * 2 + purpose;

	return rng_splitmix64(&state);
}

static void plant(struct session *s, unsigned thread)
{
	const struct litmus_test *test = s->test;
	unsigned bit = 1U << thread;

	for (unsigned i = 0; i < s->batch; i++) {
		struct litmus_run *r = &s->runs[i];

		if (!((test->plant | test->plant_y | test->plant_store) & bit) ||
		    random_of(s, thread, i, 0) % PLANT_OF == 0)
			continue;
		if ((test->plant & bit) && test->x != LITMUS_INVALID)
			litmus_load(r->x);
		if (test->plant_y & bit)
			litmus_load(r->y);
		if (test->plant_store & bit)
			litmus_store(r->x, 0);
		atomic_fetch_or(&s->planted[i], (u8)bit);
	}
}

/* How much of a thread's waiting is left in this batch. */
struct patience {
	u64 left; /* cycles */
	u64 since; /* cycles_now() at the start of this wait */
	unsigned spins;
};

static void patience_begin(struct patience *p)
{
	p->since = cycles_now();
	p->spins = 0;
}

static bool patience_lasts(struct patience *p)
{
	cpu_relax();
	return p->left && (++p->spins % LOOKS || cycles_now() - p->since < p->left);
}

static void patience_end(struct patience *p)
{
	u64 spent = cycles_now() - p->since;

	p->left -= MIN(spent, p->left);
}

/* Wait a little for the others to come to run i. They may be away for long: then go alone. */
static void keep_step(struct session *s, unsigned thread, unsigned i, struct patience *p)
{
	unsigned t = 0;

	store_relaxed(&s->step[thread].reached, i + 1);
	while (t < s->threads && load_relaxed(&s->step[t].reached) > i)
		t++;
	if (t == s->threads)
		return; /* the last one to come starts at once, like those that see it come */
	patience_begin(p);
	while (t < s->threads && (load_relaxed(&s->step[t].reached) > i || patience_lasts(p)))
		t += load_relaxed(&s->step[t].reached) > i;
	patience_end(p);
}

/*
 * Half of the readers of a slow flag come when it goes up: on their own they
 * would nearly always be too early. The body reads the flag anew.
 */
static void wait_flag(const struct litmus_run *r, unsigned thread, struct patience *p)
{
	const u64 *flag = thread == 1 ? &r->flag : &r->flag2;

	patience_begin(p);
	while (!litmus_read(flag) && patience_lasts(p))
		;
	patience_end(p);
}

void litmus_await(const u64 *flag)
{
	struct patience p = {.left = ns_to_cycles(AWAIT_SPIN_NS)};

	patience_begin(&p);
	while (!litmus_read(flag) && patience_lasts(&p))
		;
	/* A host that is short of CPUs runs the other thread while this one sleeps. */
	for (unsigned naps = 0; !litmus_read(flag) && naps < AWAIT_NAPS; naps++)
		wait_nap(AWAIT_NAP_NS);
}

static void delay(u64 spins)
{
	for (u64 n = 1; n <= spins; n++) {
		barrier();
		if (n % SKEW_RELAX == 0)
			cpu_relax();
	}
}

static void run_bodies(struct session *s, unsigned thread)
{
	void (*body)(struct litmus_run *) = s->test->thread[thread];
	struct patience p = {.left = ns_to_cycles(PATIENCE_NS)};
	/* Alone, or behind a flag that is waited for (the flush tester), no thread can be early or late. */
	bool in_turn = s->threads == 1 || s->test->how;

	for (unsigned i = 0; i < s->batch; i++) {
		u64 random = random_of(s, thread, i, 1);
		u64 spins = in_turn ? 0 : (random >> 8) & ((1UL << random % SKEW_BITS) - 1);

		s->skew[thread][i] = spins;
		keep_step(s, thread, i, &p);
		if (s->test->slow_flag && thread && random_of(s, 0, i, 0) >> 63)
			wait_flag(&s->runs[i], thread, &p);
		else
			delay(spins);
		body(&s->runs[i]);
	}
}

static void thread_main(void *arg)
{
	struct worker *w = arg;
	struct session *s = w->s;
	bool first = true;

	for (;; first = false) {
		console_interrupted(); /* whoever is on the console's CPU reads it for thread 0 */
		barrier_wait(s); /* all bodies of the last batch are done */
		if (w->thread == 0) {
			if (!first)
				collect(s);
			next_batch(s);
		}
		barrier_wait(s); /* entries and variables are set */
		if (s->stop)
			return;
		litmus_forget();
		litmus_sync();
		plant(s, w->thread);
		barrier_wait(s); /* nobody plants any more */
		run_bodies(s, w->thread);
	}
}

/* Threads wait at the gate until all of them exist: one alone would never get past a barrier. */
static void thread_entry(void *arg)
{
	struct session *s = ((struct worker *)arg)->s;

	wait_until_patient(load_acquire(&s->gate) != GATE_SHUT, "litmus gate");
	if (load_relaxed(&s->gate) == GATE_OPEN)
		thread_main(arg);
}

/* While the threads are elsewhere nobody else reads the console. */
static void watch_console(const struct context *ctx)
{
	while (load_acquire(&ctx->state) != CONTEXT_DONE && context_alone() &&
	       !console_interrupted())
		wait_nap(CONSOLE_NS); /* the end of a context wakes */
}

/* One choice of CPUs, `runs` runs. */
static int run_placement(struct session *s, u64 runs)
{
	struct worker worker[LITMUS_THREADS];
	struct context *ctx[LITMUS_THREADS];
	unsigned made = 0;

	s->runs_left = runs;
	store_relaxed(&s->gate, GATE_SHUT);
	while (made < s->threads) {
		worker[made] = (struct worker){s, made};
		ctx[made] = context_spawn(s->cpu[made], "litmus", thread_entry, &worker[made],
					  litmus_space_aspace(s->space));
		if (!ctx[made])
			break;
		made++;
	}
	/* Pairs with the acquire at the gate. */
	store_release(&s->gate, made == s->threads ? GATE_OPEN : GATE_LEAVE);
	for (unsigned t = 0; t < made; t++)
		cpu_wake(s->cpu[t]);
	for (unsigned t = 0; t < made; t++) {
		watch_console(ctx[t]);
		context_join(ctx[t]);
	}
	return made == s->threads ? 0 : -ENOMEM;
}

/* ---- which CPUs --------------------------------------------------------------- */

static unsigned online[MAX_CPUS], online_count; /* console's CPU only */

static void find_online(void)
{
	online_count = 0;
	for_each_online_cpu (cpu)
		online[online_count++] = cpu;
}

static bool is_chosen(const struct session *s, unsigned n, unsigned cpu)
{
	for (unsigned t = 0; t < n; t++)
		if (s->cpu[t] == cpu)
			return true;
	return false;
}

/* The usual place: behind the console's CPU if there are enough. */
static void choose_first(struct session *s)
{
	for (unsigned t = 0; t < s->threads; t++)
		s->cpu[t] = online[(online_count > s->threads) + t];
}

static void choose_random(struct session *s, unsigned n)
{
	u64 state = s->seed + n;

	for (unsigned t = 0; t < s->threads; t++)
		do
			s->cpu[t] = online[rng_splitmix64(&state) % online_count];
		while (is_chosen(s, t, s->cpu[t]));
}

/* The n-th ordered pair, or CPU. */
static void choose_pair(struct session *s, unsigned n)
{
	unsigned others = online_count - 1;

	if (s->threads == 1) {
		s->cpu[0] = online[n];
	} else {
		unsigned a = n / others, b = n % others;

		s->cpu[0] = online[a];
		s->cpu[1] = online[b + (b >= a)];
	}
}

static void run_placements(struct session *s, u64 runs, int *err)
{
	const struct litmus_test *test = s->test;
	u64 all = s->threads == 1 ? online_count : (u64)online_count * (online_count - 1);
	u64 most = MIN(MAX(runs / PAIR_RUNS, 1UL), (u64)PAIRS_MAX);
	unsigned n = (unsigned)(test->every_pair ? MIN(all, most) : PLACEMENTS);

	s->res->placements = n;
	s->res->placements_all = test->every_pair ? all : n;
	for (unsigned i = 0; i < n && !*err && !console_interrupted(); i++) {
		u64 from = runs * i / n, to = runs * (i + 1) / n;

		if (test->every_pair && n == all)
			choose_pair(s, i);
		else if (i)
			choose_random(s, i);
		else
			choose_first(s);
		*err = run_placement(s, MAX(to - from, 1UL));
	}
}

int litmus_run_test(struct litmus_space *space, const struct litmus_test *test, u64 runs, u64 seed,
		    struct litmus_result *res)
{
	struct session *s;
	int err = 0;

	*res = (struct litmus_result){.skipped = test->unusable ? test->unusable() : NULL};
	find_online();
	unsigned threads = litmus_threads(test);

	if (!res->skipped && threads > online_count)
		res->skipped = "not enough CPUs";
	if (res->skipped)
		return 0;
	s = kmem.alloc(sizeof(*s), BOOT_NODE_NONE);
	if (!s || !litmus_space_has(space, test)) {
		if (s)
			kmem.free(s, sizeof(*s));
		return -ENOMEM;
	}
	*s = (struct session){.test = test,
			      .res = res,
			      .space = space,
			      .runs = litmus_space_runs(space),
			      .threads = threads,
			      .seed = seed};
	u64 start = cycles_now();

	run_placements(s, runs, &err);
	res->ns = cycles_to_ns(cycles_now() - start);
	kmem.free(s, sizeof(*s));
	return err;
}
