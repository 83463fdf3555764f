/* help, list, look: what there is, and what state it is in. */
#include <kernel/command.h>
#include <kernel/printk.h>
#include <kernel/shell.h>
#include <kernel/string.h>

#define BOOT "boot" /* the one subject that is no verb */

static const char *nth_command(int argi, struct completion *at __unused, unsigned i)
{
	const struct command *cmd = argi == 1 && i ? shell_command(i - 1) : NULL;

	return argi == 1 && !i ? BOOT : cmd ? cmd->name : NULL;
}

/* What may be named there; subject: of `list`, or NULL. */
static void print_names(const char *subject)
{
	const struct list_provider *list = subject ? shell_find_lister(subject) : NULL;
	const char *name;

	if (!list)
		return;
	kprintf("    %s: ", subject);
	for (unsigned i = 0; (name = list->item(i)); i++)
		kprintf("%s%s", i ? ", " : "", name);
	kprintf("\n");
}

void shell_print_help(const struct command *cmd, const char *word)
{
	char text[256];

	kprintf("usage: %s%s%s\n  %s\n", cmd->name, *cmd->usage ? " " : "", cmd->usage,
		cmd->summary);
	for (const struct arg *arg = cmd->options; arg && arg->name; arg++) {
		if (cmd->applies && !cmd->applies(arg, word))
			continue;
		args_describe(arg, text, sizeof(text));
		kprintf("  %s\n", text);
		print_names(arg->names);
	}
	print_names(cmd->names);
	if (cmd->help)
		kprintf("%s\n", cmd->help);
}

static unsigned help_run(int argc, char **argv)
{
	unsigned rc = command_args("help", NULL, &argc, argv, 0, 2);
	const struct command *cmd;

	if (rc)
		return rc;
	if (argc == 2 && !strcmp(argv[1], BOOT)) {
		shell_print_boot_options();
		return RC_PASS;
	}
	if (argc > 1) {
		cmd = shell_find_command(argv[1]);
		if (!cmd)
			return command_usage_error("help", "no command %.48s", argv[1]);
		shell_print_help(cmd, argc > 2 ? argv[2] : "");
		return RC_PASS;
	}
	for (unsigned i = 0; (cmd = shell_command(i)); i++)
		kprintf("%-13s %s\n", cmd->name, cmd->summary);
	kprintf("VERB -h tells more; ; separates commands, \"\" keeps blanks, Ctrl-C stops; help "
		"boot: "
		"the boot line\n");
	return RC_PASS;
}

COMMAND(cmd_help) = {
	.name = "help",
	.usage = "[VERB [WORD] | boot]",
	.summary = "the verbs, or one of them; the options of the boot line",
	.run = help_run,
	.complete = nth_command,
};

COMMAND(cmd_question) = {
	.name = "?",
	.usage = "[VERB [WORD] | boot]",
	.summary = "the same as help",
	.run = help_run,
	.complete = nth_command,
};

static const char *nth_lister(int argi, struct completion *at __unused, unsigned i)
{
	return argi == 1 && i < (unsigned)(__stop_listers - __start_listers)
		       ? __start_listers[i]->name
		       : NULL;
}

static unsigned list_run(int argc, char **argv)
{
	unsigned rc = command_args("list", NULL, &argc, argv, 0, 1);

	if (rc)
		return rc;
	if (argc == 2) {
		const struct list_provider *list = shell_find_lister(argv[1]);

		if (!list)
			return command_usage_error("list", "nothing called %.48s", argv[1]);
		list->print();
		return RC_PASS;
	}
	for (const struct list_provider *const *p = __start_listers; p < __stop_listers; p++)
		kprintf("%-10s %s\n", (*p)->name, (*p)->summary);
	return RC_PASS;
}

COMMAND(cmd_list) = {
	.name = "list",
	.usage = "[SUBJECT]",
	.summary = "names that other verbs take, or what can be listed",
	.run = list_run,
	.complete = nth_lister,
};

static const char *nth_looker(int argi, struct completion *at __unused, unsigned i)
{
	return argi == 1 && i < (unsigned)(__stop_lookers - __start_lookers)
		       ? __start_lookers[i]->name
		       : NULL;
}

static unsigned look_run(int argc, char **argv)
{
	for (const struct look_subject *const *s = __start_lookers; s < __stop_lookers; s++) {
		if (argc == 1)
			kprintf("%-8s %-14s %s\n", (*s)->name, (*s)->usage, (*s)->summary);
		else if (!strcmp((*s)->name, argv[1]))
			return (*s)->run(argc - 1, argv + 1);
	}
	return argc == 1 ? RC_PASS : command_usage_error("look", "nothing called %.48s", argv[1]);
}

COMMAND(cmd_look) = {
	.name = "look",
	.usage = "[SUBJECT [ARGUMENTS]]",
	.summary = "state of a part of the system, or what can be looked at",
	.run = look_run,
	.complete = nth_looker,
};
