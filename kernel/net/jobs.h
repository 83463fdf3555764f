/* Commands that came over the network. The console's CPU only. */
#pragma once

#include <kernel/types.h>

enum { JOB_LINE = 1024 }; /* bytes of a line with its terminator, as many as somebody can type */

/* The id that the next job will have; 0: one is waiting already. */
unsigned job_next(void);
/* Have a line run, when job_next() said that it may; shorter than JOB_LINE. */
void job_submit(const char *line);
/* Run the one that waits, if one does. In the console's loop, not from within lwIP. */
void job_run(void);
/* What became of a job, as JSON. Bytes; -ENOENT: no such job, or one of long ago; -ERANGE. */
long job_describe(u64 id, char *buf, size_t size);
