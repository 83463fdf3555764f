/* machine: what was found, on one screen. */
#include <kernel/command.h>
#include <kernel/registry.h>
#include <report/record.h>

static unsigned machine_run(int argc, char **argv)
{
	unsigned rc = command_args("machine", NULL, &argc, argv, 0, 0);

	if (rc)
		return rc;
	machine_print();
	if (records_printed())
		machine_record_print();
	return RC_PASS;
}

COMMAND(cmd_machine) = {
	.name = "machine",
	.usage = "",
	.summary = "what was found: CPUs, caches, TLBs, nodes, clock, consoles, and what is "
		   "missing; also "
		   "as a record",
	.run = machine_run,
};
