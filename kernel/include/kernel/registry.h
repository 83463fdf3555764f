/*
 * Things that register where they are written: console commands, subjects of
 * `list` and `look`, and tests. A pointer is put in a linker section, which
 * has no padding to trip over.
 */
#pragma once

#include <kernel/args.h>
#include <kernel/completion.h>
#include <kernel/register.h>

struct command {
	const char *name;
	const char *usage; /* arguments only: "WORKLOAD [--schemes a,b] [options]" */
	const char *summary; /* one line */
	const char *help; /* further lines for `help name`, or NULL */
	/* argv[0] is the name. Returns RC_* (0 pass, 1 fail, 2 usage, 4 all skipped). */
	unsigned (*run)(int argc, char **argv);
	const char *names; /* subject of `list` whose names its arguments take, for help; or NULL */
	const struct arg *options; /* for -h and completion; parsed by command_args(); or NULL */
	/* Does an option go with the first word, "" if there is none? NULL: each goes with any. */
	bool (*applies)(const struct arg *option, const char *word);
	/* Candidates for completion of argument argi: i-th text or NULL at the end; may be NULL. */
	const char *(*complete)(int argi, struct completion *at, unsigned i);
};

/* COMMAND(cmd_reboot) = {.name = "reboot", ...}; */
#define COMMAND(ident) REGISTER(command, ident, "commands")

/* A subject of `list`: what can be named elsewhere on the console. */
struct list_provider {
	const char *name, *summary;
	void (*print)(void); /* one "name  description" per line */
	const char *(*item)(unsigned i); /* i-th name or NULL at the end; for completion */
	/* For options that take more than one name: candidate i, NULL at the end; or NULL. */
	const char *(*complete)(struct completion *at, unsigned i);
};

#define LISTER(ident) REGISTER(list_provider, ident, "listers")

/* A subject of `look`: the state of one part of the system. */
struct look_subject {
	const char *name, *usage, *summary; /* usage: arguments only */
	unsigned (*run)(int argc, char **argv); /* argv[0] is the subject's name; RC_* */
};

#define LOOK(ident) REGISTER(look_subject, ident, "lookers")

struct test {
	const char *suite, *name;
	void (*run)(void);
};

#define TEST(s, n)                                                                                 \
	static void test_##s##_##n(void);                                                          \
	static const struct test test_def_##s##_##n = {#s, #n, test_##s##_##n};                    \
	static const struct test *const test_ptr_##s##_##n __section("tests") __used_ptr =         \
		&test_def_##s##_##n;                                                               \
	static void test_##s##_##n(void)

extern const struct command *const __start_commands[], *const __stop_commands[];
extern const struct list_provider *const __start_listers[], *const __stop_listers[];
extern const struct look_subject *const __start_lookers[], *const __stop_lookers[];
extern const struct test *const __start_tests[], *const __stop_tests[];
