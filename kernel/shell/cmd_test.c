/* test, list tests. */
#include <kernel/command.h>
#include <kernel/ktest.h>
#include <kernel/printf.h>
#include <kernel/printk.h>

static const char *test_name(unsigned i)
{
	static char name[128];

	if (i >= (unsigned)(__stop_tests - __start_tests))
		return NULL;
	ksnprintf(name, sizeof(name), "%s.%s", __start_tests[i]->suite, __start_tests[i]->name);
	return name;
}

static const char *test_complete(int argi, struct completion *at __unused, unsigned i)
{
	return argi == 1 ? test_name(i) : NULL;
}

static unsigned test_run(int argc, char **argv)
{
	unsigned rc = command_args("test", NULL, &argc, argv, 0, 1);

	return rc ? rc : ktest_run(argc == 2 ? argv[1] : "*");
}

COMMAND(cmd_test) = {
	.name = "test",
	.usage = "[GLOB]",
	.summary = "run the tests whose suite.name matches, all by default",
	.help = "  prints KTAP version 1; GLOB takes * and ?, a suite's name alone means all of it",
	.run = test_run,
	.complete = test_complete,
};

static void list_tests(void)
{
	const char *name;

	for (unsigned i = 0; (name = test_name(i)); i++)
		kprintf("%s\n", name);
}

LISTER(list_of_tests) = {
	.name = "tests",
	.summary = "tests of this kernel, as suite.name",
	.print = list_tests,
	.item = test_name,
};
