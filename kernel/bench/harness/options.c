/* The options of `bench`: all tables as one for the console, and as keys of a record. */
#include <kernel/command.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include "bench.h"
#include "options.h"
#include "workload.h"

enum {
	OPTIONS_MAX = 96,
	DURATION_MAX = 86400, /* seconds */
};

struct bench_params options_asked;
struct arg options_all[OPTIONS_MAX + 1];

static struct {
	const struct bench_option *option;
	const struct workload *owner;
	bool given; /* in the command read last */
} row[OPTIONS_MAX]; /* of options_all, index by index */
static unsigned count;

#define ASKED(field) &options_asked.field

const struct bench_option options_compare[] = {
	{OPTION_NAMES("--schemes", ASKED(schemes), "schemes",
		      "a,b or all: compare these, interleaved")},
	{.arg = {.name = "--vary",
		 .kind = ARG_STRINGS,
		 .value = ASKED(vary),
		 .help = "KNOB=v1,v2: each scheme once per value; of several, with each "
			 "combination",
		 .names = "knobs"}},
	{.arg = {NULL}},
};

const struct bench_option options_run[] = {
	{OPTION_NUMBER("--seed", ASKED(seed), 0, UINT64_MAX, 1, "of all random numbers")},
	{OPTION_FLAG("--pmu", ASKED(pmu),
		     "count TLB misses, walks, flushes, interrupts by the CPUs' counters")},
	{OPTION_NUMBER("--warmup", ASKED(warmup), 0, BENCH_MAX_REPS, 5, "rounds thrown away")},
	{OPTION_NUMBER("--rounds", ASKED(reps), 1, BENCH_MAX_REPS, 30,
		       "rounds measured, one sample each"),
	 .key = "rounds", .length = true},
	{OPTION_NUMBER("--reps", ASKED(reps), 1, BENCH_MAX_REPS, 30, "the same as --rounds"),
	 .key = "reps", .length = true},
	{OPTION_NUMBER(
		 "--time", ASKED(time), 0, DURATION_MAX, 0,
		 "seconds after which no round begins, warm-up has a quarter of them; 0: no "
		 "limit. Somebody at the prompt who names neither rounds nor seconds gets 10"),
	 .key = "time", .length = true},
	{.arg = {NULL}},
};

void options_add(const struct bench_option *table, const struct workload *owner)
{
	for (; table && table->arg.name; table++) {
		ASSERT(count < OPTIONS_MAX);
		row[count].option = table;
		row[count].owner = owner;
		options_all[count++] = table->arg;
	}
}

static bool taken_by(unsigned i, const struct workload *w)
{
	if (row[i].owner)
		return row[i].owner == w;
	return !row[i].option->group || row[i].option->group & w->takes;
}

bool option_applies(const struct arg *option, const char *workload)
{
	const struct workload *w = workload_find(workload);

	return !w || taken_by((unsigned)(option - options_all), w);
}

/* ---- reading ------------------------------------------------------------------- */

/* Was the option written, in either form? */
static bool is_in(int argc, char **argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], name, len) && (!argv[i][len] || argv[i][len] == '='))
			return true;
	}
	return false;
}

/* Does a workload's own option hide this one, which is another's of the same name? */
static bool is_hidden(unsigned i, const struct workload *w)
{
	for (unsigned k = 0; w && row[i].owner && row[i].owner != w && k < count; k++)
		if (row[k].owner == w && !strcmp(options_all[k].name, options_all[i].name))
			return true;
	return false;
}

/* The workload that is meant, before the options are told from it; NULL: none of that name. */
static const struct workload *workload_in(int argc, char **argv)
{
	const struct workload *w = NULL;

	for (int i = 1; i < argc && !w; i++)
		w = workload_find(argv[i]);
	return w;
}

unsigned options_parse(int *argc, char **argv)
{
	static struct arg table[OPTIONS_MAX + 1];
	const struct workload *w = workload_in(*argc, argv);
	unsigned shown = 0;

	for (unsigned i = 0; i < count; i++) {
		row[i].given = false;
		if (is_hidden(i, w))
			continue;
		row[i].given = is_in(*argc, argv, options_all[i].name);
		table[shown++] = options_all[i];
	}
	table[shown] = (struct arg){.name = NULL};
	return command_args("bench", table, argc, argv, 1, 2);
}

unsigned options_refuse(const struct workload *w)
{
	for (unsigned i = 0; i < count; i++)
		if (row[i].given && !taken_by(i, w))
			return command_usage_error("bench", "%s does not apply to %s",
						   options_all[i].name, w->name);
	return RC_PASS;
}

bool option_given(const char *name)
{
	bool given = false;

	for (unsigned i = 0; i < count; i++)
		given |= row[i].given && !strcmp(options_all[i].name, name);
	return given;
}

bool options_length_given(void)
{
	for (unsigned i = 0; i < count; i++)
		if (row[i].given && row[i].option->length)
			return true;
	return false;
}

/* ---- records --------------------------------------------------------------------- */

/* Where p has what a common row reads into options_asked; a workload's own variable is where it is. */
static const void *value_of(const struct arg *arg, const struct bench_params *p)
{
	u64 at = (u64)arg->value - (u64)&options_asked;

	return at < sizeof(options_asked) ? (const char *)p + at : arg->value;
}

static void put_strings(const struct arg_strings *list, struct json *j)
{
	json_array(j);
	for (unsigned i = 0; i < list->count; i++)
		json_string(j, list->text[i]);
	json_array_end(j);
}

static void put_value(const struct bench_option *o, const void *value, struct json *j)
{
	switch (o->arg.kind) {
	case ARG_FLAG:
		json_bool(j, *(const bool *)value);
		break;
	case ARG_U64:
	case ARG_SIZE:
		if (o->digits)
			json_fixed(j, (s64) * (const u64 *)value, o->digits);
		else
			json_u64(j, *(const u64 *)value);
		break;
	case ARG_CHOICE:
		json_string(j, o->arg.choices[*(const unsigned *)value]);
		break;
	case ARG_STRING:
		json_string(j, *(const char *const *)value);
		break;
	case ARG_STRINGS:
		put_strings(value, j);
		break;
	}
}

void options_record(const struct workload *owner, const struct bench_params *p, struct json *j)
{
	for (unsigned i = 0; i < count; i++) {
		const struct bench_option *o = row[i].option;

		if (row[i].owner != owner)
			continue;
		if (o->put) {
			o->put(p, j);
		} else if (o->key) {
			json_key(j, o->key);
			put_value(o, value_of(&o->arg, p), j);
		}
	}
}
