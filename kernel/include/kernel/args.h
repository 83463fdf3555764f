/*
 * Options of a console command, as a table:
 *
 *   static u64 pages;
 *   static const struct arg options[] = {
 *	{"--pages", ARG_U64, &pages, "pages in the region", .def = 4096, .min = 1, .max = 1 << 20},
 *	{NULL},
 *   };
 *
 * (-Wextra wants one designated field per row: .def = false for a flag.)
 * "--name value" and "--name=value" are both accepted; "--" ends the options.
 * A command normally calls command_args() (kernel/command.h), which prints.
 */
#pragma once

#include <kernel/types.h>

enum arg_kind {
	ARG_FLAG, /* bool; takes no value */
	ARG_U64, /* u64 in [min, max] */
	ARG_SIZE, /* the same, shown in bytes with K/M/G */
	ARG_STRING, /* const char *, into argv */
	ARG_STRINGS, /* struct arg_strings: each time that it is given adds one */
	ARG_CHOICE, /* unsigned: index in choices */
};

enum { ARG_STRINGS_MAX = 4 }; /* more are refused */

struct arg_strings {
	unsigned count;
	const char *text[ARG_STRINGS_MAX];
};

struct arg {
	const char *name; /* with its dashes; NULL ends the table */
	enum arg_kind kind;
	void *value;
	const char *help;
	u64 def; /* FLAG, U64, SIZE, CHOICE */
	u64 min, max;
	const char *def_string; /* STRING */
	const char *const *choices; /* NULL-terminated */
	const char *names; /* STRING, STRINGS: subject of `list` that completes it; or NULL */
};

enum { ARGS_ERROR_LEN = 160 };

/*
 * Set every value to its default, then to what argv says. What is not an
 * option is moved to argv[1...]. Returns the new argc (argv[0] included), or
 * -EINVAL with the reason in error.
 */
int args_parse(const struct arg *table, int argc, char **argv, char error[ARGS_ERROR_LEN]);

/* One line of help, without newline: "--pages N (1..1048576, default 4096)  pages in the region". */
void args_describe(const struct arg *arg, char *buf, size_t size);
