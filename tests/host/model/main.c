/*
 * The explorer as a program.
 *
 *   explore [--scheme NAME] [--rules x86|arm64] [--variant NAME] [--scenario NAME]
 *           [--orderings N] [--seed N] [--bound N] [--jobs N] [--stop]
 *           [--checks invariants,contents,oracle]
 *   explore --replay 'RULES SCHEME SCENARIO SCHEDULE' [--trace]
 *   explore --list (the schemes)
 *
 * Without arguments: every scheme, both rule sets, what `make test` runs. KTAP
 * on standard output; each scheme and rule set is one test. One process per
 * combination, so that each starts from a machine just booted.
 */
#include "model.h"

#include <mm/scheme.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Declared by hand: the headers' constants have the names of mm's. */
int fork(void);
int wait(int *status);
void _exit(int status);
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);
long sysconf(int name);
enum { HOST_READ_WRITE = 3, HOST_SHARED_ANONYMOUS = 0x1 | 0x20, HOST_SC_NPROCESSORS_ONLN = 84 };

/* Ways in which hardware of one rule set differs; each gets its share of the orderings. */
struct variant {
	const char *rules, *name;
	struct fake_config config;
};

#define MODEL_CONFIG .nodes = 2, .node_pages = 288

static const struct variant variants[] = {
	{"x86", "x86", {MODEL_CONFIG, .asids = 6}},
	{"x86", "x86-nopcid", {MODEL_CONFIG, .asids = 1, .options = "knob.range=0"}},
	{"arm64", "arm64", {MODEL_CONFIG, .asids = 4, .arm64 = true, .hw_dirty = true}},
	{"arm64",
	 "arm64-bcast",
	 {MODEL_CONFIG, .asids = 4, .arm64 = true, .hw_dirty = true,
	  .options = "knob.transport=bcast knob.range=1"}},
	{"arm64",
	 "arm64-ipi",
	 {MODEL_CONFIG, .asids = 4, .arm64 = true, .hw_dirty = true,
	  .options = "knob.transport=ipi"}},
};

struct job {
	const struct variant *variant;
	const struct scenario *scenario;
	char scheme[48];
	u64 orderings;
	bool skipped, ended;
	struct explore_result result;
};

enum {
	MAX_JOBS = 4096,
	MAX_SCHEMES = 48,
	SHOWN = 4, /* failures of one scheme and rule set that are printed */
};

#ifdef MODEL_RACES
static const bool races_only = true;
#else
static const bool races_only;
#endif

static struct {
	const char *scheme, *rules, *variant, *scenario, *replay;
	u64 orderings, seed, bound, jobs;
	const char *checks;
	bool stop, trace, pairs;
} options = {.orderings = 100000, .seed = 1, .bound = 1};

static struct job *jobs; /* shared with the children */
static unsigned job_count;

/* ---- one job, in its own process ------------------------------------------------------- */

/* False: this machine cannot run the scheme. */
static bool set_up(const struct variant *v, const struct scenario *s, const char *scheme_name)
{
	static char boot_line[256];
	struct fake_config config = v->config;
	char err[160];

	config.cpus = s->cpus;
	if (options.checks && !strstr(options.checks, "oracle")) {
		snprintf(boot_line, sizeof(boot_line), "check=off %s",
			 config.options ? config.options : "");
		config.options = boot_line;
	}
	fake_boot(&config);
	if (scheme_apply(scheme_name, err, sizeof(err)))
		return false;
	invariants_install();
	fake_ignore_invariants = options.checks && !strstr(options.checks, "invariants");
	fake_ignore_contents = options.checks && !strstr(options.checks, "contents");
	s->setup();
	if (fake_failure[0]) {
		printf("Bail out! %s: %s\n", s->name, fake_failure);
		_exit(1);
	}
	return true;
}

static void run_job(struct job *job)
{
	struct explore_order order = {.scenario = job->scenario,
				      .orderings = job->orderings,
				      .executions = job->orderings * 4 + 64,
				      .seed = options.seed,
				      .bound = (unsigned)options.bound,
				      .tell_pairs = options.pairs};

	if (!set_up(job->variant, job->scenario, job->scheme))
		job->skipped = true;
	else
		explore(&order, &job->result);
	job->ended = true;
}

/* ---- all of them -------------------------------------------------------------------------- */

/* Does a part of the name put a deferral scheme in force that is not safe? */
static bool is_unsafe(const char *scheme_name)
{
	char settings[256], word[64];

	snprintf(settings, sizeof(settings), "%s ", scheme_name);
	for (unsigned i = 0; i < scheme_def_count; i++)
		if (!strcmp(scheme_defs[i].name, scheme_name))
			snprintf(settings, sizeof(settings), "%s ", scheme_defs[i].settings);
	for (unsigned i = 0; tlb_schemes[i]; i++) {
		snprintf(word, sizeof(word), "defer=%s ", tlb_schemes[i]->name);
		if (tlb_schemes[i]->unsafe && strstr(settings, word))
			return true;
	}
	return false;
}

static void add_jobs(const char *scheme_name, const char *rules)
{
	unsigned first = job_count, count;

	for (const struct variant *v = variants; v < variants + ARRAY_SIZE(variants); v++)
		for (unsigned s = 0; scenarios[s]; s++) {
			struct job *job = &jobs[job_count];

			if (strcmp(v->rules, rules) || (races_only && scenarios[s]->unordered) ||
			    (options.variant && strcmp(options.variant, v->name)) ||
			    (is_unsafe(scheme_name) && !scenarios[s]->reads_only) ||
			    (options.scenario && strcmp(options.scenario, scenarios[s]->name)))
				continue;
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

static void run_all(void)
{
	unsigned running = 0, next = 0, limit = (unsigned)options.jobs;
	bool failed = false;

	while (next < job_count || running) {
		if (next < job_count && running < limit && !(failed && options.stop)) {
			struct job *job = &jobs[next++];

			fflush(stdout);
			if (!fork()) {
				run_job(job);
				fflush(stdout);
				_exit(0);
			}
			running++;
			continue;
		}
		int status = 0;

		if (!running)
			break;
		wait(&status);
		running--;
		failed |= status != 0;
		for (unsigned i = 0; i < next; i++)
			failed |= jobs[i].result.failed;
	}
}

/* ---- reporting ------------------------------------------------------------------------------- */

static bool of(const struct job *job, const char *scheme_name, const char *rules)
{
	return !strcmp(job->scheme, scheme_name) && !strcmp(job->variant->rules, rules);
}

static void print_failure(const struct job *job)
{
	if (!job->ended) {
		printf("# %s, scheme %s, scenario %s: did not end by itself\n", job->variant->name,
		       job->scheme, job->scenario->name);
		return;
	}
	printf("# %s, scheme %s, scenario %s: %s\n", job->variant->name, job->scheme,
	       job->scenario->name, job->result.failure);
	printf("# execution %lu of this scenario; replay: --replay '%s %s %s %s'\n",
	       job->result.executions + job->result.duplicates + 1, job->variant->name, job->scheme,
	       job->scenario->name, job->result.schedule);
}

static bool report(const char *scheme_name, const char *rules, unsigned number)
{
	u64 executions = 0, distinct = 0, duplicates = 0, pairs = 0, both = 0, steps = 0,
	    repeated = 0, digest = 0;
	unsigned bound = ~0U, run = 0, failed = 0;

	for (unsigned i = 0; i < job_count; i++) {
		const struct explore_result *r = &jobs[i].result;

		if (!of(&jobs[i], scheme_name, rules) || jobs[i].skipped)
			continue;
		run++;
		executions += r->executions;
		distinct += r->distinct;
		duplicates += r->duplicates;
		steps += r->steps;
		pairs += r->pairs;
		both += r->both;
		repeated += r->repeated;
		digest = fake_mix(digest, r->digest);
		bound = MIN(bound, r->bound);
		if (r->failed || !jobs[i].ended) {
			if (failed++ < SHOWN)
				print_failure(&jobs[i]);
		}
	}
	if (!run) {
		printf("ok %u %s.%s # SKIP no scenario for it here\n", number, rules, scheme_name);
		return true;
	}
	printf("# %s %s: %u scenarios, %lu distinct orderings in %lu executions, %lu given up as "
	       "duplicates, %lu steps, every plan with %u deviations, conflicting pairs in both "
	       "orders %lu of %lu (%lu %%), %lu executions repeated exactly, digest %016lx\n",
	       rules, scheme_name, run, distinct, executions, duplicates, steps, bound, both, pairs,
	       pairs ? both * 100 / pairs : 0, repeated, digest);
	if (failed > SHOWN)
		printf("# and %u more scenarios fail\n", failed - SHOWN);
	printf("%s %u %s.%s\n", !failed ? "ok" : "not ok", number, rules, scheme_name);
	return !failed;
}

/* ---- which schemes ------------------------------------------------------------------------------ */

static char scheme_names[MAX_SCHEMES][48];
static unsigned scheme_count;

static bool same_settings(const char *x, const char *y)
{
	return !strcmp(x, y);
}

/* Every named combination once, and every deferral scheme with batches. */
static void list_schemes(void)
{
	for (unsigned i = 0; i < scheme_def_count; i++) {
		bool again = false;

		for (unsigned j = 0; j < i; j++)
			again |= same_settings(scheme_defs[i].settings, scheme_defs[j].settings);
		if (!again)
			snprintf(scheme_names[scheme_count++], 48, "%s", scheme_defs[i].name);
	}
	for (unsigned i = 0; tlb_schemes[i]; i++) {
		char word[48];
		bool named = !strcmp(tlb_schemes[i]->name, "none");

		snprintf(word, sizeof(word), "defer=%.40s", tlb_schemes[i]->name);
		for (unsigned j = 0; j < scheme_def_count; j++)
			named |= strstr(scheme_defs[j].settings, word) != NULL;
		if (!named)
			snprintf(scheme_names[scheme_count++], 48, "batch+%.40s", word);
	}
}

/* ---- arguments ------------------------------------------------------------------------------------ */

static const char *value_of(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return NULL;
}

static bool has(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return false;
}

static void number(int argc, char **argv, const char *name, u64 *value)
{
	const char *text = value_of(argc, argv, name);

	if (text)
		*value = strtoull(text, NULL, 0);
}

static int replay(void)
{
	char rules[32], scheme_name[48], scenario[32];
	int at = 0;

	if (sscanf(options.replay, "%31s %47s %31s %n", rules, scheme_name, scenario, &at) != 3) {
		printf("error: --replay: not 'RULES SCHEME SCENARIO SCHEDULE'\n");
		return 2;
	}
	for (unsigned v = 0; v < ARRAY_SIZE(variants); v++)
		for (unsigned s = 0; scenarios[s]; s++) {
			if (strcmp(variants[v].name, rules) || strcmp(scenarios[s]->name, scenario))
				continue;
			set_up(&variants[v], scenarios[s], scheme_name);
			if (explore_replay(scenarios[s], options.replay + at, options.trace)) {
				printf("passes in %u steps\n", fake_steps);
				return 0;
			}
			printf("step %u: %s\n", fake_steps, fake_failure);
			return 1;
		}
	printf("error: --replay: no such rules or scenario\n");
	return 2;
}

static void read_options(int argc, char **argv)
{
	options.scheme = value_of(argc, argv, "--scheme");
	options.rules = value_of(argc, argv, "--rules");
	options.variant = value_of(argc, argv, "--variant");
	options.scenario = value_of(argc, argv, "--scenario");
	options.replay = value_of(argc, argv, "--replay");
	options.jobs = (u64)sysconf(HOST_SC_NPROCESSORS_ONLN);
#ifdef MODEL_RACES /* slower; x86 orders plain accesses by itself, so its rules show nothing here */
	options.rules = options.rules ? options.rules : "arm64";
	options.orderings = 20000;
#endif
	number(argc, argv, "--orderings", &options.orderings);
	number(argc, argv, "--seed", &options.seed);
	number(argc, argv, "--bound", &options.bound);
	number(argc, argv, "--jobs", &options.jobs);
	options.stop = has(argc, argv, "--stop");
	options.trace = has(argc, argv, "--trace");
	options.pairs = has(argc, argv, "--pairs");
	options.checks = value_of(argc, argv, "--checks");
}

int main(int argc, char **argv)
{
	static const char *const rule_sets[] = {"x86", "arm64"};
	unsigned test = 0, failed = 0;

	read_options(argc, argv);
	if (options.replay)
		return replay();
	if (has(argc, argv, "--list")) {
		list_schemes();
		for (unsigned i = 0; i < scheme_count; i++)
			printf("%s\n", scheme_names[i]);
		return 0;
	}
	jobs = mmap(NULL, MAX_JOBS * sizeof(*jobs), HOST_READ_WRITE, HOST_SHARED_ANONYMOUS, -1, 0);
	if (options.scheme)
		snprintf(scheme_names[scheme_count++], 48, "%s", options.scheme);
	else
		list_schemes();
	for (unsigned i = 0; i < scheme_count; i++)
		for (unsigned r = 0; r < 2; r++)
			if (!options.rules || !strcmp(options.rules, rule_sets[r]))
				add_jobs(scheme_names[i], rule_sets[r]);
	run_all();
	printf("KTAP version 1\n1..%u\n", scheme_count * (options.rules ? 1 : 2));
	for (unsigned i = 0; i < scheme_count; i++)
		for (unsigned r = 0; r < 2; r++)
			if (!options.rules || !strcmp(options.rules, rule_sets[r]))
				failed += !report(scheme_names[i], rule_sets[r], ++test);
	printf("%u passed, %u failed\n", test - failed, failed);
	return failed ? 1 : 0;
}
