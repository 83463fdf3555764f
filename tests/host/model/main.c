/*
 * The explorer as a program.
 *
 *   explore [--scheme NAME] [--rules x86|arm64] [--variant NAME] [--scenario NAME]
 *           [--orderings N] [--seed N] [--bound N] [--jobs N] [--stop] [--share PERCENT]
 *           [--state FILE] [--checks invariants,contents,oracle] [--each] [--pairs]
 *           [--product sample|all|none|left-out] [--fault lost|doubled|deaf]
 *   explore --replay 'RULES SCHEME SCENARIO SCHEDULE' [--trace]
 *   explore --list (the schemes) | --scheme NAME --settings (what it stands for)
 *   explore --list-scenarios [--scenario GLOB]
 *
 * Without arguments: every scheme, both rule sets, what `make test` runs. KTAP
 * on standard output; each scheme and rule set is one test, and fails also if
 * less than --share of the conflicting pairs were seen in both orders. --each
 * prints a line per scenario, --pairs the pairs seen in one order only. --state
 * notes runs that are through, so that the same command goes on after them.
 * --scenario takes a pattern, and looks in the product (product.c), too. Without
 * it a sample of the product is run, another one for each --seed, scheme and
 * rule set; --product all runs all of it, as many orderings again as of the rest,
 * --product left-out what that leaves out: if nothing of it fails, that is a failure.
 * --fault: one interrupt may be lost, each comes twice, or CPU 1 takes none.
 */
#include "jobs.h"

#include <mm/deferral.h>
#include <kernel/string.h>
#include <mm/scheme.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SCHEMES = 48, SHARE = 95 /* percent of the pairs, for a run of full length */ };

struct options options = {.orderings = 54000, .seed = 1, .bound = 1};

/* ---- which schemes ------------------------------------------------------------------------ */

static char scheme_names[MAX_SCHEMES][48];
static unsigned scheme_count;

static void add_scheme(const char *prefix, const char *name)
{
	if (scheme_count == MAX_SCHEMES) {
		printf("Bail out! more than %d schemes\n", MAX_SCHEMES);
		exit(2);
	}
	snprintf(scheme_names[scheme_count++], sizeof(scheme_names[0]), "%s%s", prefix, name);
}

/* Every named combination once, and every deferral with batches. */
static void list_schemes(void)
{
	for (unsigned i = 0; i < scheme_def_count; i++) {
		bool again = false;

		for (unsigned j = 0; j < i; j++)
			again |= !strcmp(scheme_defs[i].settings, scheme_defs[j].settings) &&
				 scheme_defs[i].cases == scheme_defs[j].cases;
		if (!again)
			add_scheme("", scheme_defs[i].name);
	}
	for (unsigned i = 0; deferrals[i]; i++) {
		char word[40];
		bool named = !strcmp(deferrals[i]->name, "none");

		snprintf(word, sizeof(word), "defer=%.33s", deferrals[i]->name);
		for (unsigned j = 0; j < scheme_def_count; j++)
			named |= strstr(scheme_defs[j].settings, word) != NULL;
		if (!named)
			add_scheme("batch+", word);
	}
}

/* ---- what is run and reported ------------------------------------------------------------- */

/* A scheme under one rule set: a test. */
static struct test {
	const char *scheme, *rules;
	const struct test *as; /* every run is the same as of this one, ... */
	char differing[64]; /* ... whatever these knobs are */
	bool product; /* what of the product is run; else the scenarios with a name of their own */
	bool passed;
} tests[4 * MAX_SCHEMES];
static unsigned test_count;

static void find_alike(struct test *t)
{
	for (const struct test *other = tests; other < t && !t->as; other++)
		if (!other->as && !other->product && !strcmp(other->rules, t->rules) &&
		    setup_is_alike(other->scheme, t->scheme, t->rules, t->differing,
				   sizeof(t->differing)))
			t->as = other;
}

static void list_product(const struct test *of, unsigned part, unsigned parts)
{
	unsigned before = job_count;

	jobs_add_product(of->scheme, of->rules, part, parts);
	if (job_count > before)
		tests[test_count++] =
			(struct test){.scheme = of->scheme, .rules = of->rules, .product = true};
}

static void list_tests(void)
{
	static const char *const rule_sets[] = {"x86", "arm64"};
	unsigned parts = scheme_count * ARRAY_SIZE(rule_sets);

	for (unsigned i = 0; i < scheme_count; i++)
		for (unsigned r = 0; r < ARRAY_SIZE(rule_sets); r++) {
			struct test *t = &tests[test_count];

			if (options.rules && strcmp(options.rules, rule_sets[r]))
				continue;
			*t = (struct test){.scheme = scheme_names[i], .rules = rule_sets[r]};
			test_count++;
			find_alike(t);
			if (t->as)
				continue;
			if (options.product != PRODUCT_LEFT_OUT)
				jobs_add(t->scheme, t->rules);
			list_product(t, i * ARRAY_SIZE(rule_sets) + r, parts);
		}
}

/* How many failed. */
static unsigned report_tests(void)
{
	unsigned failed = 0;

	for (struct test *t = tests; t < tests + test_count; t++) {
		unsigned number = (unsigned)(t - tests) + 1;

		if (t->as)
			t->passed = report_alike(t->scheme, t->as->scheme, t->rules, t->differing,
						 t->as->passed, number);
		else if (t->product)
			t->passed = report_product(t->scheme, t->rules, number);
		else
			t->passed = report(t->scheme, t->rules, number);
		failed += !t->passed;
	}
	return failed;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static int refuse(const char *option, const char *value, const char *why)
{
	fprintf(stderr, "error: %s%s%s: %s\n", option, *value ? " " : "", value, why);
	return 2;
}

static const char *const flags[] = {"--stop",	  "--trace", "--pairs",		"--each",
				    "--settings", "--list",  "--list-scenarios"};
static const char *const with_value[] = {
	"--scheme", "--rules", "--variant", "--scenario", "--replay", "--state",   "--orderings",
	"--seed",   "--bound", "--jobs",    "--share",	  "--checks", "--product", "--fault"};

static bool is_one_of(const char *word, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* A word that is not understood would start the whole run, which takes an hour. */
static int check_words(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (is_one_of(argv[i], flags, ARRAY_SIZE(flags)))
			continue;
		if (!is_one_of(argv[i], with_value, ARRAY_SIZE(with_value)))
			return refuse(argv[i], "",
				      "no such option (the list is in tests/host/model/main.c)");
		if (++i == argc)
			return refuse(argv[i - 1], "", "needs a value");
	}
	return 0;
}

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

static void read_options(int argc, char **argv)
{
	options.scheme = value_of(argc, argv, "--scheme");
	options.rules = value_of(argc, argv, "--rules");
	options.variant = value_of(argc, argv, "--variant");
	options.scenario = value_of(argc, argv, "--scenario");
	options.replay = value_of(argc, argv, "--replay");
	options.state = value_of(argc, argv, "--state");
	options.jobs = (u64)sysconf(_SC_NPROCESSORS_ONLN);
	/* The share of pairs means something only where there is time to find them. */
	options.share = value_of(argc, argv, "--orderings") || options.scenario || options.variant
				? 0
				: SHARE;
	if (RACES_ONLY) { /* slower; x86 orders plain accesses by itself, so its rules show nothing */
		options.rules = options.rules ? options.rules : "arm64";
		options.orderings = 10000;
		options.share = 0;
	}
	number(argc, argv, "--orderings", &options.orderings);
	number(argc, argv, "--seed", &options.seed);
	number(argc, argv, "--bound", &options.bound);
	number(argc, argv, "--jobs", &options.jobs);
	number(argc, argv, "--share", &options.share);
	options.stop = has(argc, argv, "--stop");
	options.trace = has(argc, argv, "--trace");
	options.pairs = has(argc, argv, "--pairs");
	options.each = has(argc, argv, "--each");
	options.checks = value_of(argc, argv, "--checks");
}

/* False: there is no such part. */
static bool set_product(const char *name)
{
	static const char *const names[] = {[PRODUCT_SAMPLE] = "sample",
					    [PRODUCT_ALL] = "all",
					    [PRODUCT_NONE] = "none",
					    [PRODUCT_LEFT_OUT] = "left-out"};

	for (unsigned i = 0; name && i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i])) {
			options.product = i;
			return true;
		}
	return !name;
}

static bool set_fault(const char *name)
{
	static const char *const names[] = {"", "lost", "doubled", "deaf"};

	for (unsigned i = 1; name && i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			fake_fault = (enum fake_fault)i;
	return !name || fake_fault != FAKE_SOUND;
}

static int check_options(void)
{
	char err[160] = "";
	bool known = !options.scenario;

	for (unsigned s = 0; scenarios[s]; s++)
		known |= options.scenario && jobs_wanted(scenarios[s]);
	for (unsigned i = 0; !known && i < product_count(); i++)
		known = jobs_wanted(product_at(i));
	if (!known)
		return refuse("--scenario", options.scenario, "no such scenario");
	if (options.rules && strcmp(options.rules, "x86") && strcmp(options.rules, "arm64"))
		return refuse("--rules", options.rules, "not x86 or arm64");
	for (unsigned v = 0; options.variant && strcmp(options.variant, variants[v].name);)
		if (++v == variant_count)
			return refuse("--variant", options.variant, "no such variant of the rules");
	if (options.bound > EXPLORE_BOUND)
		return refuse("--bound", "", "at most 3");
	if (options.scheme && (strlen(options.scheme) >= sizeof(scheme_names[0]) ||
			       !setup_knows(options.scheme, err, sizeof(err))))
		return refuse("--scheme", *err ? "" : options.scheme, *err ? err : "too long");
	return 0;
}

/* ---- what it does --------------------------------------------------------------------------- */

static const struct scenario *scenario_of(const char *name)
{
	for (unsigned s = 0; scenarios[s]; s++)
		if (!strcmp(scenarios[s]->name, name))
			return scenarios[s];
	product_init();
	for (unsigned i = 0; i < product_count(); i++)
		if (!strcmp(product_at(i)->name, name))
			return product_at(i);
	return NULL;
}

static const struct variant *variant_of(const char *name)
{
	for (unsigned v = 0; v < variant_count; v++)
		if (!strcmp(variants[v].name, name))
			return &variants[v];
	return NULL;
}

static void replay_died(int number __unused)
{
	printf("step %u: crashes at step %u\n", fake_steps, fake_steps);
	fflush(stdout);
	_exit(1);
}

static int replay(void)
{
	char rules[32], scheme_name[48], name[64], err[160];
	const struct scenario *scenario;
	const struct variant *variant;
	int at = 0;

	if (sscanf(options.replay, "%31s %47s %63s %n", rules, scheme_name, name, &at) != 3)
		return refuse("--replay", options.replay, "not 'RULES SCHEME SCENARIO SCHEDULE'");
	scenario = scenario_of(name);
	variant = variant_of(rules);
	if (!scenario || !variant)
		return refuse("--replay", options.replay, "no such rules or scenario");
	catch_crashes(replay_died);
	if (!setup_machine(variant, scenario->cpus, scenario->large, scheme_name, err, sizeof(err)))
		return refuse("--replay", scheme_name, err);
	setup_scenario(scenario);
	if (explore_replay(scenario, options.replay + at, options.trace)) {
		printf("passes in %u steps\n", fake_steps);
		return 0;
	}
	printf("step %u: %s\n", fake_steps, fake_failure);
	return 1;
}

static void list_scenarios(void)
{
	for (unsigned s = 0; scenarios[s]; s++)
		if (!options.scenario || jobs_wanted(scenarios[s]))
			printf("%s: %s\n", scenarios[s]->name, scenarios[s]->summary);
	for (unsigned i = 0; i < product_count(); i++) {
		const char *why = product_left_out(product_at(i), options.rules);

		if (!options.scenario || glob_match(options.scenario, product_at(i)->name))
			printf("%s: %u of the product%s%s\n", product_at(i)->name, i,
			       why ? ", left out: " : "", why ? why : "");
	}
}

/* A second process, at other addresses of the host, must go through the same orderings. */
static bool repeats(const char *program, unsigned test)
{
	char command[512], lines[2][1024];

	for (unsigned i = 0; i < 2; i++) {
		FILE *pipe;

		snprintf(command, sizeof(command),
			 "'%s' --scheme %s --orderings 1000 --seed %lu | grep digest", program,
			 scheme_names[0], options.seed);
		pipe = popen(command, "r");
		if (!pipe || !fgets(lines[i], sizeof(lines[i]), pipe))
			snprintf(lines[i], sizeof(lines[i]), "no output of process %u\n", i);
		if (pipe)
			pclose(pipe);
	}
	bool same = !strcmp(lines[0], lines[1]);

	if (!same)
		printf("# one process: %s# another: %s", lines[0], lines[1]);
	printf("%s %u two processes repeat the same orderings\n", same ? "ok" : "not ok", test);
	return same;
}

/* What product.c leaves out is still at fault. */
static bool left_out_fails(const char *program, unsigned test)
{
	char command[512];
	bool fails;

	snprintf(command, sizeof(command),
		 "'%s' --scheme baseline --product left-out --orderings 64 > /dev/null 2>&1",
		 program);
	fails = !system(command);
	printf("%s %u what is left out of the product still fails\n", fails ? "ok" : "not ok",
	       test);
	return fails;
}

/*
 * A reader that leaves must see a writer that went to sleep. If it may not, two deviations together show it: the writer's
 * wait goes straight to its halt, and the reader's load returns an old value. Chance hardly ever leaves such a wait alone
 * until it halts, so this scenario is run again with plans of two: some 2,100 executions show it.
 */
static bool sleeper_wakes(const char *program, unsigned test)
{
	char command[512], line[1024];

	snprintf(command, sizeof(command),
		 "'%s' --stop --scheme baseline --variant arm64 --scenario lock-sleeper --bound 2 "
		 "--orderings 6000",
		 program);
	FILE *pipe = popen(command, "r");

	while (pipe && fgets(line, sizeof(line), pipe))
		if (strstr(line, "scenario lock-sleeper") || strstr(line, "replay"))
			printf("%s", line);
	bool wakes = pipe && !pclose(pipe);

	printf("%s %u a reader that leaves wakes a writer that sleeps\n", wakes ? "ok" : "not ok",
	       test);
	return wakes;
}

int main(int argc, char **argv)
{
	unsigned test, failed;
	bool whole, sleeper = RACES_ONLY && argc == 1;

	if (check_words(argc, argv))
		return 2;
	read_options(argc, argv);
	if (!set_product(value_of(argc, argv, "--product")))
		return refuse("--product", value_of(argc, argv, "--product"),
			      "not sample, all, none or left-out");
	if (!set_fault(value_of(argc, argv, "--fault")))
		return refuse("--fault", value_of(argc, argv, "--fault"),
			      "not lost, doubled or deaf");
	if (options.replay)
		return replay();
	if (!options.scenario || product_may_fit(options.scenario))
		product_init();
	if (check_options())
		return 2;
	whole = !options.scheme && options.share;
	if (options.scheme)
		add_scheme("", options.scheme);
	else
		list_schemes();
	if (options.scheme && has(argc, argv, "--settings")) {
		setup_print(options.scheme);
		return 0;
	}
	if (has(argc, argv, "--list")) {
		for (unsigned i = 0; i < scheme_count; i++)
			printf("%s\n", scheme_names[i]);
		return 0;
	}
	if (has(argc, argv, "--list-scenarios")) {
		list_scenarios();
		return 0;
	}
	jobs_init();
	list_tests();
	test = test_count;
	printf("KTAP version 1\n1..%u\n", test_count + 1 + 2 * whole + sleeper);
	if (!jobs_run()) {
		printf("Bail out! interrupted%s\n",
		       options.state ? "; the same command goes on from here" : "");
		return 130;
	}
	failed = report_tests();
	failed += !report_locks(++test);
	if (whole) {
		failed += !repeats(argv[0], ++test);
		failed += !left_out_fails(argv[0], ++test);
	}
	if (sleeper)
		failed += !sleeper_wakes(argv[0], ++test);
	printf("%u passed, %u failed\n", test - failed, failed);
	return failed ? 1 : 0;
}
