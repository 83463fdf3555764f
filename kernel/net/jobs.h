/* Commands that came over the network. The console's CPU only. */
#pragma once

#include <kernel/types.h>

enum { JOB_LINE = 1024 }; /* bytes of a line with its terminator, as many as somebody can type */

/* Before the first job: memory for what it prints. Without it jobs run, and that is not kept. */
void jobs_start(void);
/* The id that the next job will have; 0: one is waiting or runs. */
unsigned job_next(void);
/* Have a line run, when job_next() said that it may; shorter than JOB_LINE. */
void job_submit(const char *line);
/* Run the one that waits, if one does. In the console's loop, not from within lwIP. */
void job_run(void);
/* What became of a job, as a JSON object that is not closed. Bytes; -ENOENT: no such job, or one of long ago; -ERANGE. */
long job_describe(u64 id, char *buf, size_t size);
/* The run whose records, which are still there, are that job's; 0: none. */
u64 job_records(u64 id);
/* What the last job printed, at most 256 KiB of it; NULL: another job, or it has not ended. */
const char *job_output(u64 id, size_t *len);
