/*
 * Commands that came over the network: one waits, and runs when the stack has had its look, as if it had been typed. What it
 * prints is kept until the next one, and so is which run's records are its own.
 */
#include "jobs.h"
#include <kernel/atomic.h>
#include <kernel/bench.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/json.h>
#include <kernel/kmem.h>
#include <kernel/shell.h>
#include <kernel/smp.h>
#include <kernel/string.h>

enum {
	KEPT = 16, /* jobs of which it is known how they ended */
	OUTPUT = 256 << 10, /* bytes: what a long command prints */
};

/* All of it is the console CPU's. The job with an id has place id % KEPT; ids begin with 1. */
static struct job {
	unsigned id, rc;
	enum { WAITING, RUNNING, DONE } state;
	u64 run; /* whose records are its; 0: it left none */
	char line[JOB_LINE];
} jobs[KEPT];
static unsigned last_id;

static struct {
	char *bytes; /* NULL: there was no memory */
	bool taken; /* what is printed now is a job's */
	size_t len; /* the console's owner's, while it is taken */
} output;

/* Any CPU, by one at a time. What is said while nothing is taken, the log so far among it, is of no job. */
static void take_output(struct console_sink *sink __unused, const char *s, size_t len)
{
	size_t had = load_relaxed(&output.len);

	if (!load_relaxed(&output.taken))
		return;
	len = MIN(len, OUTPUT - had);
	memcpy(output.bytes + had, s, len);
	/* Release: the bytes come before it; partner: the acquire in job_output(). */
	store_release(&output.len, had + len);
}

static struct console_sink sink = {.write = take_output, .records = true};

void jobs_start(void)
{
	output.bytes = kmem.alloc(OUTPUT, this_cpu_ptr(cpu_self)->node);
	if (output.bytes)
		console_add_sink(&sink);
}

unsigned job_next(void)
{
	return last_id && jobs[last_id % KEPT].state != DONE ? 0 : last_id + 1;
}

void job_submit(const char *line)
{
	struct job *job = &jobs[++last_id % KEPT];

	*job = (struct job){.id = last_id};
	strlcpy(job->line, line, sizeof(job->line));
}

void job_run(void)
{
	struct job *job = &jobs[last_id % KEPT];
	u64 before = results_run();

	if (!last_id || job->state != WAITING)
		return;
	job->state = RUNNING;
	console_fresh_line(); /* behind the prompt, which is not its output */
	store_relaxed(&output.len, 0);
	store_relaxed(&output.taken, true);
	job->rc = shell_run(job->line);
	store_relaxed(&output.taken, false);
	job->run = results_run() == before ? 0 : results_run();
	job->state = DONE;
}

static const struct job *find(u64 id)
{
	const struct job *job = &jobs[id % KEPT];

	return id && job->id == id ? job : NULL;
}

u64 job_records(u64 id)
{
	const struct job *job = find(id);

	return job && job->run == results_run() ? job->run : 0;
}

const char *job_output(u64 id, size_t *len)
{
	const struct job *job = find(id);

	if (!job || id != last_id || job->state != DONE || !output.bytes)
		return NULL;
	*len = load_acquire(&output.len); /* partner: the release in take_output() */
	return output.bytes;
}

long job_describe(u64 id, char *buf, size_t size)
{
	static const char *const states[] = {"waiting", "running", "done"};
	const struct job *job = find(id);
	struct json j;

	if (!job)
		return -ENOENT;
	json_init(&j, buf, size);
	json_object(&j);
	json_key(&j, "id"), json_u64(&j, job->id);
	json_key(&j, "cmd"), json_string(&j, job->line);
	json_key(&j, "state"), json_string(&j, states[job->state]);
	json_key(&j, "rc");
	if (job->state == DONE)
		json_u64(&j, job->rc);
	else
		json_null(&j);
	return json_finish(&j);
}
