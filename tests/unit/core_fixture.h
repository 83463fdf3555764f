/* What the tests of kernel/core share. */
#pragma once

#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/ktest.h>
#include <kernel/smp.h>

/* How often something is repeated that every CPU does: all together do about the same work. */
unsigned core_rounds(unsigned together);
/* fn(NULL) as a context on every online CPU; returns when all have ended. */
void core_run_everywhere(void (*fn)(void *));
/* The first CPU other than the boot CPU, or cpu_count. */
unsigned core_other_cpu(void);
/* Is this context running, and asleep in a wait? */
bool core_sleeps(const struct context *ctx);

/* What is printed, as one more reader of the console sees it. */
struct capture {
	struct console_sink sink;
	char tail[512]; /* the last that came, with a terminator */
	size_t len;
};

/* The write of such a sink. */
void capture_write(struct console_sink *sink, const char *s, size_t len);
/* From now on, until console_remove_sink(&c->sink); records: those, too. */
void capture_begin(struct capture *c, bool records);

/* For what happens without a wakeup: poll, at most 10 s; false = it never happened. */
#define POLL_UNTIL(cond)                                                                           \
	({                                                                                         \
		u64 end_ = clock_ns() + 10000000000;                                               \
		while (!(cond) && clock_ns() < end_)                                               \
			cpu_relax();                                                               \
		(cond);                                                                            \
	})

#define NEED_CPUS(n)                                                                               \
	do {                                                                                       \
		if (cpumask_weight(&cpu_online) < (n))                                             \
			SKIP("needs %d CPUs", n);                                                  \
	} while (0)
