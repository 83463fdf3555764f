/*
 * Options of `bench`. Each is one row of a table: name, range, default, help,
 * and how it appears in records. The parser, help, completion and records all
 * come from these rows. Tables are the run's own (options.c), the load's
 * (load/options.c), and one in the file of each workload that has some.
 *
 *	static u64 depth;
 *	static const struct bench_option options[] = {
 *		{OPTION_NUMBER("--depth", &depth, 1, 64, 8, "mine: levels"), .key = "depth"},
 *		{.arg = {NULL}},
 *	};
 */
#pragma once

#include <kernel/args.h>
#include <kernel/json.h>

struct bench_params;
struct workload;

/* Common options go by groups; a workload says which it takes. */
enum option_group {
	OPT_PAGES = 1 << 0,
	OPT_THREADS = 1 << 1,
	OPT_WRITES = 1 << 2, /* --write-pct */
	OPT_PATTERN = 1 << 3,
	OPT_NODES = 1 << 4, /* --from --to */
	OPT_THP = 1 << 5,
	OPT_MAPPING = 1 << 6,
	OPT_PROCS = 1 << 7,
	OPT_SLICE = 1 << 8,
	OPT_PIN = 1 << 9,
	OPT_CPUS = 1 << 10,
	OPT_SHARE = 1 << 11, /* --share --stripe */
	OPT_KEEP = 1 << 12,
	OPT_POLICY = 1 << 13, /* --localalloc --preferred --interleave --membind */
	OPT_EAT = 1 << 14,
};

struct bench_option {
	struct arg arg; /* .value: a field of options_asked, or a workload's own variable */
	unsigned group; /* common options: which workloads take it, enum option_group; 0: all do */
	const char *key; /* its name in records; NULL: it is in none, unless put() writes it */
	bool length; /* says how long the run is: somebody at the prompt who gives it waits that long */
	unsigned digits; /* decimals in records: the value counts in units of 10^-digits */
	/* Writes key and value itself; p: of the run. NULL: the value as it is. */
	void (*put)(const struct bench_params *p, struct json *j);
};

/* Rows, without the fields that a kind does not have. */
#define OPTION_TEXT(option, to, text)                                                              \
	.arg = {.name = option, .kind = ARG_STRING, .value = to, .help = text}
/* Texts that name what `list SUBJECT` lists, which completes them. */
#define OPTION_NAMES(option, to, subject, text)                                                    \
	.arg = {.name = option, .kind = ARG_STRING, .value = to, .help = text, .names = subject}
#define OPTION_FLAG(option, to, text)                                                              \
	.arg = {.name = option, .kind = ARG_FLAG, .value = to, .help = text}
#define OPTION_CHOICE(option, to, list, default_choice, text)                                      \
	.arg = {.name = option,                                                                    \
		.kind = ARG_CHOICE,                                                                \
		.value = to,                                                                       \
		.help = text,                                                                      \
		.choices = list,                                                                   \
		.def = default_choice}
#define OPTION_NUMBER(option, to, least, most, default_value, text)                                \
	.arg = {.name = option,                                                                    \
		.kind = ARG_U64,                                                                   \
		.value = to,                                                                       \
		.help = text,                                                                      \
		.min = least,                                                                      \
		.max = most,                                                                       \
		.def = default_value}

/* What the command being read asks for; defaults elsewhere. Common rows point into it. */
extern struct bench_params options_asked;
/* All rows, for help, completion and the parser; ended by a row without name. */
extern struct arg options_all[];
/* The run's own. */
extern const struct bench_option options_compare[], options_run[];

/* Add a table to options_all; owner: the workload whose it is, NULL for common ones. Start-up only. */
void options_add(const struct bench_option *table, const struct workload *owner);
/* Does the workload of that name take the option? An unknown one: yes. */
bool option_applies(const struct arg *option, const char *workload);
/* Read argv into the rows' values; what is no option is left. RC_PASS, or RC_USAGE after printing why. */
unsigned options_parse(int *argc, char **argv);
/* RC_PASS, or RC_USAGE after naming an option that was given and that the workload does not take. */
unsigned options_refuse(const struct workload *w);
/* Was it in the command read last? */
bool option_given(const char *name);
/* Was one that says how long the run is? */
bool options_length_given(void);
/* Keys and values of the common rows (owner NULL, values of p), or of a workload's own. */
void options_record(const struct workload *owner, const struct bench_params *p, struct json *j);
