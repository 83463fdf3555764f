/* Options of a console command: parsed by a table, described from the same table. */
#include <kernel/args.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/string.h>

enum {
	SHOWN = 48, /* characters of a bad word that a message repeats */
	NUMBER = 24, /* bytes for a printed u64 */
};

/* A size as a person would write it: the largest suffix that divides it. */
static void format_value(const struct arg *arg, u64 value, char buf[NUMBER])
{
	static const char suffix[] = "GMK";

	for (unsigned i = 0; arg->kind == ARG_SIZE && value && i < 3; i++) {
		unsigned shift = 30 - 10 * i;

		if (!(value & ((1UL << shift) - 1))) {
			ksnprintf(buf, NUMBER, "%lu%c", value >> shift, suffix[i]);
			return;
		}
	}
	ksnprintf(buf, NUMBER, "%lu", value);
}

static void set_default(const struct arg *arg)
{
	switch (arg->kind) {
	case ARG_FLAG:
		*(bool *)arg->value = arg->def;
		break;
	case ARG_U64:
	case ARG_SIZE:
		*(u64 *)arg->value = arg->def;
		break;
	case ARG_CHOICE:
		*(unsigned *)arg->value = (unsigned)arg->def;
		break;
	case ARG_STRING:
		*(const char **)arg->value = arg->def_string;
		break;
	case ARG_STRINGS:
		((struct arg_strings *)arg->value)->count = 0;
		break;
	}
}

static int set_number(const struct arg *arg, const char *text, char *error)
{
	char min[NUMBER], max[NUMBER];
	u64 value;
	int err = parse_u64(text, &value);

	if (!err && value >= arg->min && value <= arg->max) {
		*(u64 *)arg->value = value;
		return 0;
	}
	format_value(arg, arg->min, min);
	format_value(arg, arg->max, max);
	ksnprintf(error, ARGS_ERROR_LEN, "%s %.*s: %s, must be %s..%s", arg->name, SHOWN, text,
		  err == -EINVAL ? "not a number" : "out of range", min, max);
	return -EINVAL;
}

/* "a, b, c" of a NULL-terminated list, cut to size. */
static void join_choices(const char *const *choices, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; choices[i] && len < size; i++)
		len += (size_t)ksnprintf(buf + len, size - len, "%s%s", i ? ", " : "", choices[i]);
}

static int set_choice(const struct arg *arg, const char *text, char *error)
{
	char list[ARGS_ERROR_LEN / 2];

	for (unsigned i = 0; arg->choices[i]; i++) {
		if (!strcmp(arg->choices[i], text)) {
			*(unsigned *)arg->value = i;
			return 0;
		}
	}
	join_choices(arg->choices, list, sizeof(list));
	ksnprintf(error, ARGS_ERROR_LEN, "%s %.*s: must be one of %s", arg->name, SHOWN, text,
		  list);
	return -EINVAL;
}

static int add_string(const struct arg *arg, const char *text, char *error)
{
	struct arg_strings *list = arg->value;

	if (list->count == ARG_STRINGS_MAX) {
		ksnprintf(error, ARGS_ERROR_LEN, "%s %.*s: more than %d of them", arg->name, SHOWN,
			  text, ARG_STRINGS_MAX);
		return -EINVAL;
	}
	list->text[list->count++] = text;
	return 0;
}

static int set_value(const struct arg *arg, const char *text, char *error)
{
	switch (arg->kind) {
	case ARG_U64:
	case ARG_SIZE:
		return set_number(arg, text, error);
	case ARG_CHOICE:
		return set_choice(arg, text, error);
	case ARG_STRING:
		*(const char **)arg->value = text;
		return 0;
	case ARG_STRINGS:
		return add_string(arg, text, error);
	case ARG_FLAG:
		break;
	}
	*(bool *)arg->value = true;
	return 0;
}

/* The table's row for "--name" or "--name=value"; *inline_value points behind the '=', or NULL. */
static const struct arg *find_arg(const struct arg *table, const char *word,
				  const char **inline_value)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	*inline_value = equals ? equals + 1 : NULL;
	for (; table && table->name; table++) {
		if (strlen(table->name) == len && !strncmp(table->name, word, len))
			return table;
	}
	return NULL;
}

/* The option in argv[i]; returns how many words it took, or -EINVAL. */
static int parse_option(const struct arg *table, int argc, char **argv, int i, char *error)
{
	const char *value;
	const struct arg *arg = find_arg(table, argv[i], &value);
	int taken = 1;

	if (!arg) {
		ksnprintf(error, ARGS_ERROR_LEN, "unknown option %.*s", SHOWN, argv[i]);
		return -EINVAL;
	}
	if (arg->kind == ARG_FLAG && value) {
		ksnprintf(error, ARGS_ERROR_LEN, "%s takes no value", arg->name);
		return -EINVAL;
	}
	if (arg->kind != ARG_FLAG && !value) {
		if (i + 1 == argc) {
			ksnprintf(error, ARGS_ERROR_LEN, "%s needs a value", arg->name);
			return -EINVAL;
		}
		value = argv[i + 1];
		taken = 2;
	}
	return set_value(arg, value, error) ? -EINVAL : taken;
}

int args_parse(const struct arg *table, int argc, char **argv, char error[ARGS_ERROR_LEN])
{
	bool options = true;
	int kept = 1;

	for (const struct arg *arg = table; arg && arg->name; arg++)
		set_default(arg);
	for (int i = 1; i < argc;) {
		if (options && !strcmp(argv[i], "--")) {
			options = false;
			i++;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			int taken = parse_option(table, argc, argv, i, error);

			if (taken < 0)
				return taken;
			i += taken;
		} else {
			argv[kept++] = argv[i++];
		}
	}
	return kept;
}

void args_describe(const struct arg *arg, char *buf, size_t size)
{
	char min[NUMBER], max[NUMBER], def[NUMBER], list[ARGS_ERROR_LEN];

	switch (arg->kind) {
	case ARG_FLAG:
		ksnprintf(buf, size, "%s  %s", arg->name, arg->help);
		break;
	case ARG_STRING:
		ksnprintf(buf, size, "%s TEXT%s%s%s  %s", arg->name,
			  arg->def_string ? " (default " : "",
			  arg->def_string ? arg->def_string : "", arg->def_string ? ")" : "",
			  arg->help);
		break;
	case ARG_STRINGS:
		ksnprintf(buf, size, "%s TEXT (up to %d times)  %s", arg->name, ARG_STRINGS_MAX,
			  arg->help);
		break;
	case ARG_CHOICE:
		join_choices(arg->choices, list, sizeof(list));
		ksnprintf(buf, size, "%s CHOICE (%s; default %s)  %s", arg->name, list,
			  arg->choices[arg->def], arg->help);
		break;
	case ARG_U64:
	case ARG_SIZE:
		format_value(arg, arg->min, min);
		format_value(arg, arg->max, max);
		format_value(arg, arg->def, def);
		ksnprintf(buf, size, "%s N (%s..%s, default %s)  %s", arg->name, min, max, def,
			  arg->help);
		break;
	}
}
