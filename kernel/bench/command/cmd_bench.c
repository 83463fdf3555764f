/* bench, results, list workloads: the console's way to the workloads. */
#include <harness/workload.h>
#include <kernel/bench.h>
#include <kernel/command.h>
#include <kernel/printk.h>

static const char *workload_name(unsigned i)
{
	return i < (unsigned)(__stop_workloads - __start_workloads) ? __start_workloads[i]->name
								    : NULL;
}

static const char *bench_complete(int argi, struct completion *at __unused, unsigned i)
{
	return argi == 1 ? workload_name(i) : NULL;
}

COMMAND(cmd_bench) = {
	.name = "bench",
	.usage = "WORKLOAD [--schemes a,b|all] [--vary KNOB=v1,v2] [options]",
	.summary = "measure a workload: schemes interleaved, table, records, and the floor beside "
		   "them",
	.help = "  bench WORKLOAD -h: the options that it takes; list workloads, list schemes and\n"
		"  list knobs name what can be asked for",
	.run = bench_command,
	.options = options_all,
	.applies = option_applies,
	.complete = bench_complete,
};

static void list_workloads(void)
{
	const char *name;

	for (unsigned i = 0; (name = workload_name(i)); i++)
		kprintf("%-16s %s\n", name, __start_workloads[i]->summary);
}

LISTER(list_of_workloads) = {
	.name = "workloads",
	.summary = "what bench can measure",
	.print = list_workloads,
	.item = workload_name,
};

static unsigned run_results(int argc, char **argv)
{
	unsigned rc = command_args("results", NULL, &argc, argv, 0, 0);

	if (rc)
		return rc;
	return results_print() ? RC_PASS : command_failed("results", "nothing was measured yet");
}

COMMAND(cmd_results) = {
	.name = "results",
	.usage = "",
	.summary = "print the records of the last bench again",
	.run = run_results,
};
