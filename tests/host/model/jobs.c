/*
 * Running the jobs. Each has a process of its own, so that it starts from a machine
 * that was just booted. What a process finds is printed at once and kept in shared
 * memory. If a file is given, jobs that have ended are noted there and not run again.
 */
#include "jobs.h"

#include <kernel/string.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Declared by hand: the header's constants have the names of mm's. */
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);
enum { HOST_READ_WRITE = 3, HOST_SHARED_ANONYMOUS = 0x1 | 0x20 | 0x4000 }; /* no swap set aside */

enum {
	MAX_JOBS = 1 << 20,
	MAX_RUNNING = 256,
	SAMPLED = 64, /* orderings of each combination in a sample */
	ALL_RUN =
		80, /* at least, if all are run: with fewer some schemes see less than SHARE of the pairs both ways */
	SAMPLE = 4, /* one in so many orderings goes to the sample of the product */
	LEAST_BOUND = 1000, /* with fewer orderings, a systematic search does not get far enough */
	STUCK = 30, /* seconds of CPU time without an end of 256 executions: some step does not end */
	QUIET = 2, /* seconds until the first line of progress */
	REPEAT = 20, /* seconds between two lines of progress that do not go to a terminal */
	SIGNAL_STACK = 64 << 10,
};

struct job *jobs;
unsigned job_count;

static const struct job *mine; /* in a job's process */
static volatile sig_atomic_t interrupted;
static time_t started, told;

/* ---- in the job's process ------------------------------------------------------------- */

/* A crash, or no end: the plan at hand is what shows it. */
static void died(int number)
{
	char text[64], schedule[2048];

	explore_schedule(schedule, sizeof(schedule));
	snprintf(text, sizeof(text), number == SIGPROF ? "hangs at step %u" : "crashes at step %u",
		 fake_steps);
	report_failure_now(mine, text, schedule);
	signal(number, SIG_DFL);
	raise(number == SIGPROF ? SIGKILL : number);
}

void catch_crashes(void (*handler)(int number))
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGPROF};
	stack_t stack = {.ss_sp = malloc(SIGNAL_STACK), .ss_size = SIGNAL_STACK};

	sigaltstack(&stack, NULL); /* the stack at hand may be what is broken */
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

		sigaction(numbers[i], &action, NULL);
	}
}

static void still_alive(void)
{
	struct itimerval limit = {.it_value = {.tv_sec = STUCK}};

	setitimer(ITIMER_PROF, &limit, NULL);
}

static void tell_pair(const struct fake_pair *pair)
{
	report_pair(mine, pair);
}

static void run_job(struct job *job)
{
	struct explore_order order = {.scenario = job->scenario,
				      .orderings = job->orderings,
				      .executions = job->orderings * 4 + 64,
				      .seed = options.seed,
				      .bound =
					      job->scenario->product && job->orderings < LEAST_BOUND
						      ? 0
						      : (unsigned)options.bound,
				      .tell_pair = options.pairs ? tell_pair : NULL,
				      .alive = still_alive};
	char err[160];

	mine = job;
	catch_crashes(died);
	still_alive();
	if (setup_machine(job->variant, job->scenario->cpus, job->scenario->large, job->scheme, err,
			  sizeof(err))) {
		setup_scenario(job->scenario);
		explore(&order, &job->result);
		if (job->result.failed)
			report_failure_now(job, explore_failure(), explore_failing_schedule());
	} else {
		job->skipped = true;
	}
	job->ended = true;
}

/* ---- the file of those that are through ------------------------------------------------ */

struct record {
	u64 key;
	struct explore_result result;
};

static FILE *state;

static u64 hash_text(u64 hash, const char *text)
{
	for (; *text; text++)
		hash = fake_mix(hash, (u8)*text);
	return hash;
}

/* Results are good for the very program that made them. */
static u64 hash_program(void)
{
	static u64 hash;
	FILE *file = hash ? NULL : fopen("/proc/self/exe", "rb");
	u64 word;

	for (hash |= 1; file && fread(&word, sizeof(word), 1, file) == 1;)
		hash = fake_mix(hash, word);
	if (file)
		fclose(file);
	return hash;
}

static u64 key_of(const struct job *job)
{
	u64 hash = hash_program();

	hash = hash_text(hash, job->scheme);
	hash = hash_text(hash, job->variant->name);
	hash = hash_text(hash, job->scenario->name);
	hash = hash_text(hash, options.checks ? options.checks : "");
	return fake_mix(fake_mix(fake_mix(hash, job->orderings), options.seed), options.bound);
}

/* Where the job of a key is, or would be. A table, as a full run has some ten thousand jobs. */
static struct job **find_key(struct job **table, u64 size, u64 key)
{
	u64 i = key % size;

	while (table[i] && table[i]->key != key)
		i = (i + 1) % size;
	return &table[i];
}

static struct job **index_jobs(u64 size)
{
	struct job **table = calloc(size, sizeof(*table));

	for (unsigned i = 0; i < job_count; i++) {
		jobs[i].key = key_of(&jobs[i]);
		*find_key(table, size, jobs[i].key) = &jobs[i];
	}
	return table;
}

static void state_read(void)
{
	static struct record record;
	u64 size = 2UL * job_count + 1;
	struct job **table;
	unsigned found = 0;

	if (!options.state)
		return;
	state = fopen(options.state, "a+b");
	if (!state) {
		printf("Bail out! %s: cannot be written\n", options.state);
		exit(2);
	}
	table = index_jobs(size);
	rewind(state);
	while (fread(&record, sizeof(record), 1, state) == 1) {
		struct job *job = *find_key(table, size, record.key);

		if (!job || job->resumed)
			continue;
		job->result = record.result;
		job->ended = job->resumed = true;
		found++;
	}
	free(table);
	if (found)
		fprintf(stderr, "explore: %u of %u runs are in %s already\n", found, job_count,
			options.state);
}

static void state_add(const struct job *job)
{
	static struct record record;

	if (!state || !job->ended || job->skipped || job->result.failed)
		return;
	record = (struct record){job->key, job->result};
	fwrite(&record, sizeof(record), 1, state);
	fflush(state);
}

/* ---- progress --------------------------------------------------------------------------- */

static void tell_progress(void)
{
	u64 done = 0, wanted = 0, before = 0;
	unsigned ended = 0;
	time_t now = time(NULL), left;
	bool terminal = isatty(STDERR_FILENO);

	if (now - started < QUIET || (!terminal && now - told < REPEAT && told))
		return;
	told = now;
	for (unsigned i = 0; i < job_count; i++) {
		ended += jobs[i].ended;
		wanted += jobs[i].orderings;
		done += jobs[i].ended ? jobs[i].orderings : jobs[i].result.distinct;
		before += jobs[i].resumed ? jobs[i].orderings : 0;
	}
	left = done > before ? (time_t)((double)(now - started) * (double)(wanted - done) /
					(double)(done - before))
			     : 0;
	fprintf(stderr,
		"%sexplore: %lu %%, %u of %u runs, %.1f million orderings, %ld s, about %ld s "
		"left%s",
		terminal ? "\r" : "", wanted ? done * 100 / wanted : 100, ended, job_count,
		(double)done / 1e6, (long)(now - started), (long)left, terminal ? "  " : "\n");
	fflush(stderr);
}

static void tick(int number)
{
	(void)number; /* makes wait() return */
}

static void interrupt(int number)
{
	interrupted = number;
}

static void set_handlers(void)
{
	struct sigaction on_tick = {.sa_handler = tick}, on_interrupt = {.sa_handler = interrupt};
	struct itimerval second = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};

	sigaction(SIGALRM, &on_tick, NULL);
	sigaction(SIGINT, &on_interrupt, NULL);
	sigaction(SIGTERM, &on_interrupt, NULL);
	setitimer(ITIMER_REAL, &second, NULL);
}

/* What the program does next must not be interrupted: nobody there expects it. */
static void stop_ticking(void)
{
	struct itimerval never = {.it_value = {0}};

	setitimer(ITIMER_REAL, &never, NULL);
}

/* ---- all of them -------------------------------------------------------------------------- */

void jobs_init(void)
{
	jobs = mmap(NULL, MAX_JOBS * sizeof(*jobs), HOST_READ_WRITE, HOST_SHARED_ANONYMOUS, -1, 0);
	fake_locks_init(
		mmap(NULL, fake_locks_size(), HOST_READ_WRITE, HOST_SHARED_ANONYMOUS, -1, 0));
}

static void add(const char *scheme_name, const struct variant *v, const struct scenario *s)
{
	struct job *job = &jobs[job_count];

	if (options.variant && strcmp(options.variant, v->name))
		return;
	if (job_count == MAX_JOBS) {
		printf("Bail out! more than %d runs\n", MAX_JOBS);
		exit(2);
	}
	job->variant = v;
	job->scenario = s;
	snprintf(job->scheme, sizeof(job->scheme), "%s", scheme_name);
	job_count++;
}

static u64 weight_of(const struct job *job)
{
	return MAX(job->scenario->weight, 1U);
}

/* orderings: of those that weigh least. */
static void share_out(unsigned first, u64 orderings)
{
	for (unsigned i = first; i < job_count; i++)
		jobs[i].orderings = orderings * weight_of(&jobs[i]);
}

static void add_under(const char *scheme_name, const char *rules, const struct scenario *s)
{
	for (const struct variant *v = variants; v < variants + variant_count; v++)
		if (!strcmp(v->rules, rules))
			add(scheme_name, v, s);
}

bool jobs_wanted(const struct scenario *s)
{
	return options.scenario ? glob_match(options.scenario, s->name) : !s->product;
}

static bool is_left_out(const struct scenario *s, const char *rules)
{
	bool asked_for = options.scenario && !strcmp(options.scenario, s->name);

	return !asked_for && product_left_out(s, rules);
}

void jobs_add(const char *scheme_name, const char *rules)
{
	bool unsafe = setup_is_unsafe(scheme_name);
	unsigned first = job_count;
	u64 weight = 0;

	for (unsigned i = 0; scenarios[i]; i++)
		if (jobs_wanted(scenarios[i]) && (!unsafe || scenarios[i]->reads_only))
			add_under(scheme_name, rules, scenarios[i]);
	for (unsigned i = first; i < job_count; i++)
		weight += weight_of(&jobs[i]);
	if (weight) /* some scenarios have fewer orderings than their share */
		share_out(first, options.orderings * 13 / 12 / weight + 1);
}

/* ---- of the product ----------------------------------------------------------------------- */

/* A scenario under one of the variants of the rules; turn chooses which. */
static void add_one(const char *scheme_name, const char *rules, const struct scenario *s, u64 turn)
{
	const struct variant *fit[16];
	unsigned n = 0;

	for (const struct variant *v = variants; v < variants + variant_count; v++)
		if (!strcmp(v->rules, rules))
			fit[n++] = v;
	add(scheme_name, fit[turn % n], s);
}

/* Pairs under each variant of the rules, sets of three under one. */
static void add_all(const char *scheme_name, const char *rules)
{
	for (unsigned i = 0; i < product_count(); i++) {
		const struct scenario *s = product_at(i);

		if (is_left_out(s, rules) != (options.product == PRODUCT_LEFT_OUT))
			continue;
		if (s->cpus == 2)
			add_under(scheme_name, rules, s);
		else
			add_one(scheme_name, rules, s, i + options.seed);
	}
}

/* A part of the product. Each seed and part has other scenarios; with enough seeds all have been run. */
static void add_sample(const char *scheme_name, const char *rules, unsigned part, unsigned parts)
{
	u64 n = options.orderings / SAMPLE / SAMPLED, from = (options.seed * parts + part) * n;

	for (u64 i = from; i < from + n; i++)
		if (!is_left_out(product_shuffled(i), rules))
			add_one(scheme_name, rules, product_shuffled(i), i / product_count() + i);
}

void jobs_add_product(const char *scheme_name, const char *rules, unsigned part, unsigned parts)
{
	unsigned first = job_count;

	if (setup_is_unsafe(scheme_name) || (options.product == PRODUCT_NONE && !options.scenario))
		return; /* in each of it somebody writes */
	if (options.scenario) {
		for (unsigned i = 0; i < product_count(); i++)
			if (jobs_wanted(product_at(i)) && !is_left_out(product_at(i), rules))
				add_under(scheme_name, rules, product_at(i));
	} else if (options.product != PRODUCT_SAMPLE) {
		add_all(scheme_name, rules);
	} else {
		add_sample(scheme_name, rules, part, parts);
	}
	if (job_count == first)
		return;
	if (options.scenario || options.product != PRODUCT_SAMPLE)
		share_out(first, MAX(options.orderings / (job_count - first) + 1, (u64)ALL_RUN));
	else
		share_out(first, SAMPLED);
}

/* ---- running them --------------------------------------------------------------------------- */

static struct job *running[MAX_RUNNING];
static unsigned running_count;

static void start(struct job *job)
{
	fflush(stdout);
	int pid = fork();

	if (pid) { /* the jobs are shared memory: only one of the two may write this */
		job->pid = pid;
		running[running_count++] = job;
		return;
	}
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	run_job(job);
	fflush(stdout);
	_exit(0);
}

/* Returns also when nobody ended, but a second has passed. */
static void wait_for_one(bool *failed)
{
	int status = 0, pid = wait(&status);

	for (unsigned i = 0; pid > 0 && i < running_count; i++) {
		struct job *job = running[i];

		if (job->pid != pid)
			continue;
		running[i--] = running[--running_count];
		job->pid = 0;
		job->signal = status & 0x7f;
		if (!job->ended && job->signal == SIGKILL && !interrupted)
			report_failure_now(job, "killed", "");
		state_add(job);
		*failed |= status != 0 || job->result.failed;
	}
}

static void stop_all(void)
{
	for (unsigned i = 0; i < running_count; i++)
		kill(running[i]->pid, SIGKILL);
}

bool jobs_run(void)
{
	unsigned next = 0;
	bool failed = false;

	started = time(NULL);
	state_read();
	set_handlers();
	while (next < job_count || running_count) {
		while (next < job_count && jobs[next].resumed)
			next++;
		if (next < job_count && running_count < MIN(options.jobs, (u64)MAX_RUNNING) &&
		    !interrupted && !(failed && options.stop)) {
			start(&jobs[next++]);
			continue;
		}
		if (!running_count)
			break;
		if (interrupted)
			stop_all();
		wait_for_one(&failed);
		tell_progress();
	}
	stop_ticking();
	if (told && isatty(STDERR_FILENO))
		fprintf(stderr, "\n");
	if (state)
		fclose(state);
	return !interrupted;
}
