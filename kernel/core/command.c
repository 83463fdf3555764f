/* Arguments and complaints of console commands. */
#include <kernel/command.h>
#include <kernel/console.h>
#include <kernel/printf.h>
#include <kernel/printk.h>

enum { SHOWN = 48 }; /* characters of a bad word that a message repeats */

static void print_error(const char *cmd, const char *fmt, va_list ap)
{
	char reason[ARGS_ERROR_LEN + 96];

	kvsnprintf(reason, sizeof(reason), fmt, ap);
	console_fresh_line();
	kprintf("error: %.*s: %s\n", SHOWN, cmd, reason);
}

unsigned command_usage_error(const char *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(cmd, fmt, ap);
	va_end(ap);
	return RC_USAGE;
}

unsigned command_failed(const char *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(cmd, fmt, ap);
	va_end(ap);
	return RC_FAIL;
}

unsigned command_args(const char *cmd, const struct arg *options, int *argc, char **argv, int min,
		      int max)
{
	char error[ARGS_ERROR_LEN];
	int count = args_parse(options, *argc, argv, error);

	if (count < 0)
		return command_usage_error(cmd, "%s", error);
	if (count - 1 < min)
		return command_usage_error(cmd, "too few arguments, try %.*s -h", SHOWN, cmd);
	if (count - 1 > max)
		return command_usage_error(cmd, "unexpected argument %.*s", SHOWN, argv[max + 1]);
	*argc = count;
	return RC_PASS;
}
