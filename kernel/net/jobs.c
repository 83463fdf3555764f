/*
 * Commands that came over the network: one waits, and runs when the stack has had its look, as if it had been typed.
 * While it runs the network does not, so a client that asks meanwhile is answered when the command has ended.
 */
#include "jobs.h"
#include <kernel/error.h>
#include <kernel/json.h>
#include <kernel/shell.h>
#include <kernel/string.h>

enum { KEPT = 16 }; /* jobs of which it is known how they ended */

/* All of it is the console CPU's. The job with an id has place id % KEPT; ids begin with 1. */
static struct job {
	unsigned id, rc;
	bool done;
	char line[JOB_LINE];
} jobs[KEPT];
static unsigned last_id;

unsigned job_next(void)
{
	return last_id && !jobs[last_id % KEPT].done ? 0 : last_id + 1;
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

	if (!last_id || job->done)
		return;
	job->rc = shell_run(job->line);
	job->done = true;
}

long job_describe(u64 id, char *buf, size_t size)
{
	const struct job *job = &jobs[id % KEPT];
	struct json j;

	if (!id || job->id != id)
		return -ENOENT;
	json_init(&j, buf, size);
	json_object(&j);
	json_key(&j, "id"), json_u64(&j, job->id);
	json_key(&j, "cmd"), json_string(&j, job->line);
	json_key(&j, "state"), json_string(&j, job->done ? "done" : "waiting");
	json_key(&j, "rc");
	if (job->done)
		json_u64(&j, job->rc);
	else
		json_null(&j);
	json_object_end(&j);
	return json_finish(&j);
}
