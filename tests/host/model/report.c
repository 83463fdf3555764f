/* What the explorer prints: failures as they come, then figures per scheme and rule set. */
#include "jobs.h"

#include <fake/start.h>
#include <kernel/percpu.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WRAPS = 5000 }; /* of a run of full length, at least */

extern char __start_percpu[];

/* Functions, files and lines of a race's two places: the program lies where it was linked, so they are addr2line's. */
static void print_places(const char *failure)
{
	const char *at = strstr(failure, "race: ") ? strstr(failure, ", at 0x") : NULL;
	char command[160], line[400];
	u64 first, second;

	if (!at || sscanf(at, ", at %lx and %lx", &first, &second) != 2)
		return;
	/* What follows a call is not part of it: one byte back lies in the access itself. */
	snprintf(command, sizeof(command), "addr2line -p -f -i -s -e /proc/%d/exe %#lx %#lx",
		 (int)getpid(), first - 1, second ? second - 1 : 0);
	FILE *names = popen(command, "r");

	while (names && fgets(line, sizeof(line), names))
		printf("#   %s", line);
	if (names)
		pclose(names);
	fflush(stdout);
}

void report_failure_now(const struct job *job, const char *failure, const char *schedule)
{
	char text[4096];

	/* In one piece, as several processes write. */
	snprintf(text, sizeof(text),
		 "# %s, scheme %s, scenario %s: %s\n# execution %lu of this scenario; replay: "
		 "--replay '%s %s %s "
		 "%s'\n",
		 job->variant->name, job->scheme, job->scenario->name, failure,
		 job->result.executions + job->result.duplicates + 1, job->variant->name,
		 job->scheme, job->scenario->name, schedule);
	fflush(stdout);
	fputs(text, stdout);
	fflush(stdout);
	print_places(failure);
}

static void describe(const void *address, char *buf, size_t size)
{
	u64 at = (u64)address, frame = (at - VMEMMAP_BASE) / FAKE_PAGE_STRUCT;

	if (frame < fake_last_frame())
		snprintf(buf, size, "page of frame %#lx +%lu", frame, at % FAKE_PAGE_STRUCT);
	else if (fake_is_ram(address))
		snprintf(buf, size, "frame %#lx +%#lx", fake_frame_of(address), at % PAGE_SIZE);
	else if (at >= FAKE_PERCPU_VA && at < FAKE_STACKS_VA)
		for (unsigned i = fake_config.cpus; i--;) {
			if (at < percpu_offset[i] + (u64)__start_percpu)
				continue;
			snprintf(buf, size, "CPU %u's copy of %#lx", i, at - percpu_offset[i]);
			break;
		}
	else
		snprintf(buf, size, "%#lx", at);
}

void report_pair(const struct job *job, const struct fake_pair *pair)
{
	char place[64] = "";

	describe(pair->address, place, sizeof(place));
	printf("# %s, scheme %s, scenario %s: CPU %u always before CPU %u at %s\n",
	       job->variant->name, job->scheme, job->scenario->name, pair->first, pair->second,
	       place);
}

/* ---- one scheme and rule set ---------------------------------------------------------- */

struct figures {
	struct explore_result sum;
	unsigned runs, failed, exhausted;
};

static bool of(const struct job *job, const char *scheme_name, const char *rules, bool product)
{
	return !strcmp(job->scheme, scheme_name) && !strcmp(job->variant->rules, rules) &&
	       job->scenario->product == product;
}

static u64 percent(u64 part, u64 all)
{
	return all ? part * 100 / all : 100;
}

static void add(struct figures *f, const struct job *job)
{
	const struct explore_result *r = &job->result;

	f->runs++;
	f->sum.executions += r->executions;
	f->sum.distinct += r->distinct;
	f->sum.duplicates += r->duplicates;
	f->sum.steps += r->steps;
	f->sum.pairs += r->pairs;
	f->sum.both += r->both;
	f->sum.repeated += r->repeated;
	f->sum.wraps += r->wraps;
	f->sum.digest = fake_mix(f->sum.digest, r->digest);
	f->exhausted += r->exhausted;
	f->failed += r->failed || !job->ended;
}

static void print_each(const struct job *job)
{
	const struct explore_result *r = &job->result;

	printf("# %-14s %-18s %9lu orderings, every plan with %u deviation%s%s, pairs %lu of %lu\n",
	       job->variant->name, job->scenario->name, r->distinct, r->bound,
	       r->bound == 1 ? "" : "s", r->exhausted ? "" : " (the bound was not reached)",
	       r->both, r->pairs);
}

/* Runs that did not end and could not say why. */
static void print_lost(const struct job *job)
{
	if (!job->ended && job->pid == 0 && !job->signal && !job->result.failed)
		printf("# %s, scheme %s, scenario %s: was not run to its end\n", job->variant->name,
		       job->scheme, job->scenario->name);
}

static struct figures sum_up(const char *scheme_name, const char *rules, bool product)
{
	struct figures f = {.runs = 0};

	for (unsigned i = 0; i < job_count; i++) {
		if (!of(&jobs[i], scheme_name, rules, product) || jobs[i].skipped)
			continue;
		add(&f, &jobs[i]);
		if (options.each)
			print_each(&jobs[i]);
		print_lost(&jobs[i]);
	}
	return f;
}

static bool too_few_pairs(const struct explore_result *sum)
{
	bool few = percent(sum->both, sum->pairs) < options.share;

	if (few)
		printf("# conflicting pairs in both orders: less than %lu %%; --pairs lists the "
		       "rest\n",
		       options.share);
	return few;
}

/* They begin next to their end: mm/include/mm/generation.h. */
static bool too_few_wraps(const struct explore_result *sum)
{
	bool few = options.share && sum->wraps < WRAPS;

	printf("# generations came round %lu times%s\n", sum->wraps, few ? ": too few" : "");
	return few;
}

bool report(const char *scheme_name, const char *rules, unsigned number)
{
	struct figures f = sum_up(scheme_name, rules, false);
	const struct explore_result *sum = &f.sum;

	if (!f.runs) {
		printf("ok %u %s.%s # SKIP no scenario for it here\n", number, rules, scheme_name);
		return true;
	}
	printf("# %s %s: %u scenarios, %lu distinct orderings in %lu executions, %lu given up as "
	       "duplicates, %lu steps, every plan with %lu deviation%s in %u of them, conflicting "
	       "pairs in both orders %lu of %lu (%lu %%), %lu executions repeated exactly, digest "
	       "%016lx\n",
	       rules, scheme_name, f.runs, sum->distinct, sum->executions, sum->duplicates,
	       sum->steps, options.bound, options.bound == 1 ? "" : "s", f.exhausted, sum->both,
	       sum->pairs, percent(sum->both, sum->pairs), sum->repeated, sum->digest);
	bool good = !f.failed & !too_few_pairs(sum) & !too_few_wraps(sum);

	printf("%s %u %s.%s\n", good ? "ok" : "not ok", number, rules, scheme_name);
	return good;
}

/* How many combinations, whatever variants they were run under. */
static unsigned combinations(const char *scheme_name, const char *rules)
{
	const struct scenario *last = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < job_count; i++) {
		if (!of(&jobs[i], scheme_name, rules, true))
			continue;
		n += jobs[i].scenario != last; /* those of one come one after the other */
		last = jobs[i].scenario;
	}
	return n;
}

bool report_product(const char *scheme_name, const char *rules, unsigned number)
{
	struct figures f = sum_up(scheme_name, rules, true);
	const struct explore_result *sum = &f.sum;
	unsigned left_out = 0;

	for (unsigned i = 0; i < product_count(); i++)
		left_out += product_left_out(product_at(i), rules) != NULL;
	printf("# product of %u combinations, %s %s: %u of them, %u left out, %u runs, %u failed, "
	       "%lu distinct orderings in %lu executions, %lu steps, conflicting pairs in both "
	       "orders %lu of %lu (%lu %%), %lu executions repeated exactly, digest %016lx\n",
	       product_count(), rules, scheme_name, combinations(scheme_name, rules), left_out,
	       f.runs, f.failed, sum->distinct, sum->executions, sum->steps, sum->both, sum->pairs,
	       percent(sum->both, sum->pairs), sum->repeated, sum->digest);
	/* A sample is too short to be judged by its pairs. */
	bool good = !f.failed & !(options.product == PRODUCT_ALL && too_few_pairs(sum));

	if (options.product == PRODUCT_LEFT_OUT) {
		good = f.failed;
		if (!good)
			printf("# nothing that is left out fails any more: product.c has to run "
			       "it\n");
	}
	printf("%s %u %s.%s.product\n", good ? "ok" : "not ok", number, rules, scheme_name);
	return good;
}

bool report_alike(const char *scheme_name, const char *of, const char *rules, const char *differing,
		  bool passed, unsigned number)
{
	printf("# %s %s: as %s %s, ", rules, scheme_name, rules, of);
	if (*differing)
		printf("whose settings differ only in %s, which no run depends on\n", differing);
	else
		printf("whose settings are the same\n");
	printf("%s %u %s.%s\n", passed ? "ok" : "not ok", number, rules, scheme_name);
	return passed;
}

bool report_locks(unsigned number)
{
	char text[512];
	unsigned orders, kinds = fake_locks_check(text, sizeof(text), &orders);

	printf("# locks: %u kinds, %u pairs of places one after the other\n", kinds, orders);
	if (text[0])
		printf("# lock order: %s\n", text);
	printf("%s %u locks.order\n", text[0] ? "not ok" : "ok", number);
	return !text[0];
}
