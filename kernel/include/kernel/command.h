/* What a console command needs to read its arguments and to complain, in one form everywhere. */
#pragma once

#include <kernel/args.h>
#include <kernel/panic.h>

/* Print "error: <cmd>: <reason>" on a line of its own. Returns RC_USAGE. */
unsigned command_usage_error(const char *cmd, const char *fmt, ...) __printf(2, 3);
/* The same for what was asked correctly and did not work. Returns RC_FAIL. */
unsigned command_failed(const char *cmd, const char *fmt, ...) __printf(2, 3);

/*
 * Read the options of a table (NULL: none) and leave the other words in
 * argv[1..*argc-1], at least min and at most max of them. Returns RC_PASS, or
 * RC_USAGE after it has printed why:
 *
 *	unsigned rc = command_args("bench", options, &argc, argv, 1, 1);
 *
 *	if (rc)
 *		return rc;
 */
unsigned command_args(const char *cmd, const struct arg *options, int *argc, char **argv, int min,
		      int max);
