/*
 * Running the jobs: each in a process of its own, so that it starts from a machine
 * just booted. What a process finds is printed at once and kept in shared memory;
 * jobs that are through are noted in a file, if one is given, and not run again.
 */
#include "jobs.h"

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
enum { HOST_READ_WRITE = 3, HOST_SHARED_ANONYMOUS = 0x1 | 0x20 };

enum {
	MAX_JOBS = 8192,
	STUCK = 30, /* seconds of CPU time for 256 executions: a step of the kernel's does not end */
	QUIET = 2, /* seconds without a word */
	REPEAT = 20, /* seconds between two lines of progress, if not on a terminal */
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

static void catch_crashes(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGPROF};
	stack_t stack = {.ss_sp = malloc(SIGNAL_STACK), .ss_size = SIGNAL_STACK};

	sigaltstack(&stack, NULL); /* the stack at hand may be what is broken */
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct sigaction action = {.sa_handler = died, .sa_flags = SA_ONSTACK};

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
				      .bound = (unsigned)options.bound,
				      .tell_pair = options.pairs ? tell_pair : NULL,
				      .alive = still_alive};
	char err[160];

	mine = job;
	catch_crashes();
	still_alive();
	if (setup_machine(job->variant, job->scenario->cpus, job->scenario->large, job->scheme, err,
			  sizeof(err))) {
		setup_scenario(job->scenario);
		explore(&order, &job->result);
		if (job->result.failed)
			report_failure_now(job, job->result.failure, job->result.schedule);
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

static void state_read(void)
{
	static struct record record;
	unsigned found = 0;

	if (!options.state)
		return;
	state = fopen(options.state, "a+b");
	if (!state) {
		printf("Bail out! %s: cannot be written\n", options.state);
		exit(2);
	}
	rewind(state);
	while (fread(&record, sizeof(record), 1, state) == 1)
		for (unsigned i = 0; i < job_count; i++)
			if (!jobs[i].resumed && key_of(&jobs[i]) == record.key) {
				jobs[i].result = record.result;
				jobs[i].ended = jobs[i].resumed = true;
				found++;
			}
	if (found)
		fprintf(stderr, "explore: %u of %u runs are in %s already\n", found, job_count,
			options.state);
}

static void state_add(const struct job *job)
{
	static struct record record;

	if (!state || !job->ended || job->skipped || job->result.failed)
		return;
	record = (struct record){key_of(job), job->result};
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

void jobs_add(const char *scheme_name, const char *rules)
{
	unsigned first = job_count, count;

	for (const struct variant *v = variants; v < variants + variant_count; v++)
		for (unsigned s = 0; scenarios[s]; s++) {
			struct job *job = &jobs[job_count];

			if (strcmp(v->rules, rules) ||
			    (options.variant && strcmp(options.variant, v->name)) ||
			    (setup_is_unsafe(scheme_name) && !scenarios[s]->reads_only) ||
			    (options.scenario && strcmp(options.scenario, scenarios[s]->name)))
				continue;
			if (job_count == MAX_JOBS) {
				printf("Bail out! more than %d runs\n", MAX_JOBS);
				exit(2);
			}
			job->variant = v;
			job->scenario = scenarios[s];
			snprintf(job->scheme, sizeof(job->scheme), "%s", scheme_name);
			job_count++;
		}
	count = job_count - first;
	for (unsigned i = first; i < job_count; i++)
		jobs[i].orderings =
			options.orderings / count * 13 / 12 + 1; /* some scenarios have fewer */
}

static void start(struct job *job)
{
	fflush(stdout);
	int pid = fork();

	if (pid) { /* the jobs are shared memory: only one of the two may write this */
		job->pid = pid;
		return;
	}
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	run_job(job);
	fflush(stdout);
	_exit(0);
}

/* False: nobody ended, but a second has passed. */
static bool wait_for_one(bool *failed)
{
	int status = 0, pid = wait(&status);

	for (unsigned i = 0; pid > 0 && i < job_count; i++) {
		struct job *job = &jobs[i];

		if (job->pid != pid)
			continue;
		job->pid = 0;
		job->signal = status & 0x7f;
		if (!job->ended && job->signal == SIGKILL && !interrupted)
			report_failure_now(job, "killed", "");
		state_add(job);
		*failed |= status != 0 || job->result.failed;
	}
	return pid > 0;
}

static void stop_all(void)
{
	for (unsigned i = 0; i < job_count; i++)
		if (jobs[i].pid > 0)
			kill(jobs[i].pid, SIGKILL);
}

bool jobs_run(void)
{
	unsigned running = 0, next = 0;
	bool failed = false;

	started = time(NULL);
	state_read();
	set_handlers();
	while (next < job_count || running) {
		while (next < job_count && jobs[next].resumed)
			next++;
		if (next < job_count && running < options.jobs && !interrupted &&
		    !(failed && options.stop)) {
			start(&jobs[next++]);
			running++;
			continue;
		}
		if (!running)
			break;
		if (interrupted)
			stop_all();
		running -= wait_for_one(&failed);
		tell_progress();
	}
	stop_ticking();
	if (told && isatty(STDERR_FILENO))
		fprintf(stderr, "\n");
	if (state)
		fclose(state);
	return !interrupted;
}
