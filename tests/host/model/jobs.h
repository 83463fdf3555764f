/* The explorer as a program: one job is one scenario under one variant of the rules and one scheme. */
#pragma once

#include "model.h"

/* Ways in which hardware of one rule set differs; each gets its share of the orderings. */
struct variant {
	const char *rules, *name;
	struct fake_config config;
};
extern const struct variant variants[];
extern const unsigned variant_count;

struct job {
	const struct variant *variant;
	const struct scenario *scenario;
	char scheme[48];
	u64 orderings;
	u64 key; /* names it in the file of jobs that have ended */
	int pid; /* of its process, while it runs */
	int signal; /* that ended its process */
	bool skipped, ended, resumed;
	struct explore_result result;
};

struct options {
	const char *scheme, *rules, *variant, *scenario, *replay, *checks, *state;
	u64 orderings, seed, bound, jobs, share;
	bool stop, trace, pairs, each;
	enum {
		PRODUCT_SAMPLE,
		PRODUCT_ALL,
		PRODUCT_NONE,
		PRODUCT_LEFT_OUT, /* only what the others leave out, which must still fail */
	} product; /* how much of the product is run */
};
extern struct options options;

extern struct job *jobs; /* shared with the processes that run them */
extern unsigned job_count;

#ifdef MODEL_RACES
#define RACES_ONLY true
#else
#define RACES_ONLY false
#endif

/* ---- jobs.c ---- */
/* From now on this process calls `handler` for a signal that kills it, on a stack of its own; it is to end it. */
void catch_crashes(void (*handler)(int number));
void jobs_init(void);
/* Does --scenario name it? */
bool jobs_wanted(const struct scenario *s);
/* One of each scenario that fits, under each variant of the rules. */
void jobs_add(const char *scheme_name, const char *rules);
/*
 * The same for scenarios of the product, as many as options.product says. A sample has `parts`
 * parts; add this one.
 */
void jobs_add_product(const char *scheme_name, const char *rules, unsigned part, unsigned parts);
/* All of them, as many at a time as options.jobs. False: interrupted. */
bool jobs_run(void);

/* ---- setup.c ---- */
/* Build this machine with the scheme in force. False: it cannot run the scheme, and err says why. */
bool setup_machine(const struct variant *v, unsigned cpus, bool large, const char *scheme_name,
		   char *err, size_t size);
void setup_scenario(const struct scenario *s);
/* Can some variant run this scheme? False: err says why not. Boots machines, in processes of their own. */
bool setup_knows(const char *scheme_name, char *err, size_t size);
/*
 * Do two schemes behave alike in every run under these rules? If so, differing names
 * the knobs that they set differently but on which no run depends: "hint=".
 */
bool setup_is_alike(const char *a, const char *b, const char *rules, char *differing, size_t size);
/* The settings that a scheme's name stands for. */
void setup_print(const char *scheme_name);
/* Does a part of the name put a deferral in force that is not safe? */
bool setup_is_unsafe(const char *scheme_name);

/* ---- report.c ---- */
/* Print a failure at once, in the process that found it, so that it is not lost if the rest does not end. */
void report_failure_now(const struct job *job, const char *failure, const char *schedule);
/* The figures of one scheme and rule set, and its line of KTAP. False: it failed. */
bool report(const char *scheme_name, const char *rules, unsigned number);
/* The same for the scenarios of the product. */
bool report_product(const char *scheme_name, const char *rules, unsigned number);
/* The same for a scheme that was not run, as it behaves like the scheme `of`: see setup_is_alike(). */
bool report_alike(const char *scheme_name, const char *of, const char *rules, const char *differing,
		  bool passed, unsigned number);
/* The order of locks over all executions. False: two orders contradict each other. */
bool report_locks(unsigned number);
/* A pair that was seen in one order only. */
void report_pair(const struct job *job, const struct fake_pair *pair);
