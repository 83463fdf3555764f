/* litmus, list litmus. */
#include "litmus.h"
#include <kernel/command.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/printk.h>
#include <kernel/registry.h>
#include <kernel/string.h>

static u64 opt_runs, opt_seed;

static const struct arg options[] = {
	{"--runs", ARG_U64, &opt_runs, "runs per test, 0 = 1000000, or 100000 when emulated",
	 .min = 0, .max = 1UL << 40},
	{"--seed", ARG_U64, &opt_seed, "of delays, pages and CPUs", .def = 1, .max = UINT64_MAX},
	{NULL, ARG_FLAG, NULL, NULL, .def = false},
};

static const char *nth_name(unsigned i)
{
	const struct litmus_test *test = litmus_test_at(i);

	return test ? test->name : NULL;
}

struct tally {
	unsigned run, failed, skipped, unseen;
};

static int run_one(struct litmus_space *space, const struct litmus_test *test, struct tally *tally)
{
	static struct litmus_result res; /* console's CPU only; too large for a stack */
	u64 runs = opt_runs ? opt_runs : litmus_default_runs();
	int err = litmus_run_test(space, test, runs, opt_seed, &res);

	if (err)
		return err;
	litmus_print(test, &res);
	tally->run += !res.skipped;
	tally->skipped += !!res.skipped;
	tally->failed += !res.skipped && res.asked && test->verdict == LITMUS_FORBIDDEN;
	tally->unseen += !res.skipped && !res.asked && test->verdict != LITMUS_FORBIDDEN;
	return 0;
}

static int run_matching(const char *glob, struct tally *tally)
{
	struct litmus_space *space = litmus_space_create();
	const struct litmus_test *test;
	int err = space ? 0 : -ENOMEM;

	for (unsigned i = 0; !err && (test = litmus_test_at(i)) && !console_interrupted(); i++)
		if (glob_match(glob, test->name))
			err = run_one(space, test, tally);
	if (space)
		litmus_space_destroy(space);
	return err;
}

static unsigned litmus_run(int argc, char **argv)
{
	struct tally tally = {0};
	unsigned rc = command_args("litmus", options, &argc, argv, 0, 1);
	const char *glob = argc == 2 ? argv[1] : "*";

	if (rc)
		return rc;
	if (run_matching(glob, &tally))
		return command_failed("litmus", "no memory for the pages of the tests");
	if (!tally.run && !tally.skipped && !console_interrupted())
		return command_usage_error("litmus", "no test matches %.64s, try list litmus",
					   glob);
	kprintf("# %u tests run, %u forbidden outcomes seen, %u others not seen, %u skipped\n",
		tally.run, tally.failed, tally.unseen, tally.skipped);
	if (tally.failed || console_interrupted())
		return RC_FAIL;
	return tally.run ? RC_PASS : RC_SKIP;
}

static const char *complete(int argi, unsigned i)
{
	return argi == 1 ? nth_name(i) : NULL;
}

COMMAND(cmd_litmus) = {
	.name = "litmus",
	.usage = "[GLOB] [--runs N] [--seed N]",
	.summary = "what page tables and TLBs may show, by many runs of tiny programs",
	.help = "  *> marks the outcome that the test asks for. Fails if a forbidden one was "
		"seen.\n"
		"  FLUSH* tries each flush on each pair of CPUs: run it first on a new machine.",
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

	for (unsigned i = 0; (test = litmus_test_at(i)); i++)
		kprintf("%-36s %-9s %-14s %s\n", test->name, verdicts[test->verdict],
			shown_by(test), test->program);
}

LISTER(list_of_litmus) = {
	.name = "litmus",
	.summary = "litmus tests of this architecture, with the verdict on their outcome",
	.print = list_litmus,
	.item = nth_name,
};
