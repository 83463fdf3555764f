/* dmesg, reboot, poweroff, exit, quit: the machine as a whole. */
#include <kernel/command.h>
#include <kernel/printk.h>
#include <kernel/shell.h>

static unsigned dmesg_run(int argc, char **argv)
{
	unsigned rc = command_args("dmesg", NULL, &argc, argv, 0, 0);

	if (!rc)
		printk_dump();
	return rc;
}

COMMAND(cmd_dmesg) = {
	.name = "dmesg",
	.usage = "",
	.summary = "the log again",
	.run = dmesg_run,
};

static unsigned reboot_run(int argc, char **argv)
{
	unsigned rc = command_args("reboot", NULL, &argc, argv, 0, 0);

	if (rc)
		return rc;
	machine_reboot();
}

COMMAND(cmd_reboot) = {
	.name = "reboot",
	.usage = "",
	.summary = "reset the machine",
	.run = reboot_run,
};

static unsigned poweroff_run(int argc, char **argv)
{
	unsigned rc = command_args(argv[0], NULL, &argc, argv, 0, 0);

	if (rc)
		return rc;
	machine_end(shell_verdict());
}

COMMAND(cmd_poweroff) = {
	.name = "poweroff",
	.usage = "",
	.summary = "end the run and switch off; in tarry.run with the verdict so far",
	.run = poweroff_run,
};

COMMAND(cmd_exit) = {
	.name = "exit",
	.usage = "",
	.summary = "the same as poweroff",
	.run = poweroff_run,
};

COMMAND(cmd_quit) = {
	.name = "quit",
	.usage = "",
	.summary = "the same as poweroff",
	.run = poweroff_run,
};
