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
	u64 key; /* in the file of those that are through */
	int pid; /* while it runs */
	int signal; /* that ended it */
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
		PRODUCT_LEFT_OUT, /* what the others leave out, which must still fail */
	} product; /* how much of it is run */
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
void jobs_init(void);
/* Does --scenario name it? */
bool jobs_wanted(const struct scenario *s);
/* One of each scenario that fits, under each variant of the rules. */
void jobs_add(const char *scheme_name, const char *rules);
/* The same of the product, as much as is to be run; of a sample, this is a part of so many, each another one. */
void jobs_add_product(const char *scheme_name, const char *rules, unsigned part, unsigned parts);
/* All of them, as many at a time as options.jobs. False: interrupted. */
bool jobs_run(void);

/* ---- setup.c ---- */
/* Build this machine with the scheme in force. False: it cannot run the scheme, and err says why. */
bool setup_machine(const struct variant *v, unsigned cpus, bool large, const char *scheme_name,
		   char *err, size_t size);
void setup_scenario(const struct scenario *s);
/* Error of a scheme that no variant can run (err), or true. Boots machines, in processes of their own. */
bool setup_knows(const char *scheme_name, char *err, size_t size);
/*
 * Is every run of the two the same under these rules? Then the names of knobs that
 * they set differently, which no run depends on, are in the text: "hint=".
 */
bool setup_is_alike(const char *a, const char *b, const char *rules, char *differing, size_t size);
/* The settings that a scheme's name stands for. */
void setup_print(const char *scheme_name);
/* Does a part of the name put a deferral in force that is not safe? */
bool setup_is_unsafe(const char *scheme_name);

/* ---- report.c ---- */
/* "# ..." at once, by whoever found it: nothing is lost if the rest does not come to an end. */
void report_failure_now(const struct job *job, const char *failure, const char *schedule);
/* The figures of one scheme and rule set, and its line of KTAP. False: it failed. */
bool report(const char *scheme_name, const char *rules, unsigned number);
/* The same for what of the product was run. */
bool report_product(const char *scheme_name, const char *rules, unsigned number);
/* The same for one whose runs are those of another, and which knobs they set differently. */
bool report_alike(const char *scheme_name, const char *of, const char *rules, const char *differing,
		  bool passed, unsigned number);
/* The order of locks over everything that was run, which no single execution shows. */
bool report_locks(unsigned number);
/* A pair that was seen in one order only. */
void report_pair(const struct job *job, const struct fake_pair *pair);
