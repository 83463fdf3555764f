/* litmus, list litmus. */
#include "litmus.h"
#include <kernel/command.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/printk.h>
#include <kernel/registry.h>
#include <kernel/string.h>

static u64 opt_runs, opt_seed;
static const char *opt_from;

enum { GLOBS_MAX = 16 };

static const struct arg options[] = {
	{"--runs", ARG_U64, &opt_runs, "runs per test, 0 = 1000000, or 100000 when emulated",
	 .min = 0, .max = 1UL << 40},
	{"--from", ARG_STRING, &opt_from, "begin with this test of the list, not with its first",
	 .names = "litmus"},
	{"--seed", ARG_U64, &opt_seed, "of delays, pages and CPUs", .def = 1, .max = UINT64_MAX},
	{NULL, ARG_FLAG, NULL, NULL, .def = false},
};

static const char *nth_name(unsigned i)
{
	const struct litmus_test *test = litmus_test_at(i);

	return test ? test->name : NULL;
}

struct tally {
	unsigned todo, run, failed, skipped, unseen, stopped;
};

/* What of the list is asked for. */
struct choice {
	char **globs; /* none: all */
	int count;
};

static bool is_chosen(const struct choice *choice, const struct litmus_test *test)
{
	for (int i = 0; i < choice->count; i++)
		if (glob_match(choice->globs[i], test->name))
			return true;
	return !choice->count;
}

/* The next chosen test from *i on, which is left behind it; NULL: no more. */
static const struct litmus_test *next_chosen(const struct choice *choice, unsigned *i)
{
	const struct litmus_test *test;

	while ((test = litmus_test_at((*i)++)) && !is_chosen(choice, test))
		;
	return test;
}

/* Index of the test that --from names, -ENOENT if there is none. */
static int first_index(void)
{
	const struct litmus_test *test;
	int i = 0;

	while (opt_from && (test = litmus_test_at((unsigned)i)) && strcmp(test->name, opt_from))
		i++;
	return opt_from && !litmus_test_at((unsigned)i) ? -ENOENT : i;
}

static unsigned count_chosen(const struct choice *choice, unsigned from)
{
	unsigned n = 0;

	while (next_chosen(choice, &from))
		n++;
	return n;
}

static int run_one(struct litmus_space *space, const struct litmus_test *test, struct tally *tally)
{
	static struct litmus_result res; /* console's CPU only; too large for a stack */
	u64 runs = opt_runs ? opt_runs : litmus_default_runs();

	/* Before it runs: the name of a test that takes long, or ends the machine. */
	kprintf("# %u of %u: %s, %lu runs\n", tally->run + tally->skipped + 1, tally->todo,
		test->name, runs);
	int err = litmus_run_test(space, test, runs, opt_seed, &res);

	if (err)
		return err;
	litmus_print(test, &res);
	tally->run += !res.skipped;
	tally->skipped += !!res.skipped;
	tally->failed += !res.skipped && res.asked && test->verdict == LITMUS_FORBIDDEN;
	tally->unseen += !res.skipped && !res.asked && test->verdict != LITMUS_FORBIDDEN;
	if (!res.skipped && res.runs < runs) {
		kprintf("# STOPPED after %lu of %lu runs: go on with --from %s\n", res.runs, runs,
			test->name);
		tally->stopped++;
	}
	return 0;
}

static int run_chosen(const struct choice *choice, unsigned from, struct tally *tally)
{
	struct litmus_space *space = litmus_space_create();
	const struct litmus_test *test;
	int err = space ? 0 : -ENOMEM;

	while (!err && !console_interrupted() && (test = next_chosen(choice, &from)))
		err = run_one(space, test, tally);
	if (space)
		litmus_space_destroy(space);
	return err;
}

static unsigned report(const struct tally *tally)
{
	unsigned done = tally->run + tally->skipped - tally->stopped;

	kprintf("# %u tests run, %u forbidden outcomes seen, %u others not seen, %u skipped\n",
		tally->run, tally->failed, tally->unseen, tally->skipped);
	if (done < tally->todo)
		kprintf("# INCOMPLETE: %u of %u tests did not get all their runs\n",
			tally->todo - done, tally->todo);
	if (tally->failed || done < tally->todo)
		return RC_FAIL;
	return tally->run ? RC_PASS : RC_SKIP;
}

static unsigned litmus_run(int argc, char **argv)
{
	struct tally tally = {0};
	unsigned rc = command_args("litmus", options, &argc, argv, 0, GLOBS_MAX);
	struct choice choice = {argv + 1, argc - 1};
	int from;

	if (rc)
		return rc;
	from = first_index();
	if (from < 0)
		return command_usage_error("litmus", "no test %.64s, try list litmus", opt_from);
	tally.todo = count_chosen(&choice, (unsigned)from);
	if (!tally.todo)
		return command_usage_error("litmus", "no test matches %.64s, try list litmus",
					   argc > 1 ? argv[1] : "*");
	if (run_chosen(&choice, (unsigned)from, &tally))
		return command_failed("litmus", "no memory for the pages of the tests");
	return report(&tally);
}

static const char *complete(int argi, struct completion *at __unused, unsigned i)
{
	return argi ? nth_name(i) : NULL;
}

COMMAND(cmd_litmus) = {
	.name = "litmus",
	.usage = "[GLOB...] [--from NAME] [--runs N] [--seed N]",
	.summary = "what page tables and TLBs may show, by many runs of tiny programs",
	.help = "  *> marks the outcome that the test asks for. Fails if a forbidden one was "
		"seen.\n"
		"  FLUSH* tries each flush on each pair of CPUs: run it first on a new machine.\n"
		"  Ctrl-C stops; --from goes on with a test of the list.",
	.options = options,
	.run = litmus_run,
	.complete = complete,
};

/* What shows the outcome, or that of the forbidden test's twin. The modelled machine has all. */
static const char *shown_by(const struct litmus_test *test)
{
	const struct litmus_test *twin = test->twin ? litmus_test_named(test->twin) : test;

	return twin->hidden || (twin->unusable && twin->unusable()) ? "model"
	       : test->weaker					    ? "emulator+model"
								    : "emulator";
}

static void list_litmus(void)
{
	static const char *const verdicts[] = {"forbidden", "allowed", "broken"};
	const struct litmus_test *test;
	unsigned count = 0;

	for (; (test = litmus_test_at(count)); count++)
		kprintf("%-36s %-9s %-14s %s\n", test->name, verdicts[test->verdict],
			shown_by(test), test->program);
	kprintf("# %u tests\n", count);
}

LISTER(list_of_litmus) = {
	.name = "litmus",
	.summary = "litmus tests of this architecture, with the verdict on their outcome",
	.print = list_litmus,
	.item = nth_name,
};
