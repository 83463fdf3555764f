/* set, show, list knobs, list schemes: the choices about flushing. */
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/registry.h>
#include <kernel/string.h>
#include <mm/knob.h>
#include <mm/scheme.h>

enum { VALUE_LEN = 32, ERROR_LEN = 160 };

static const char *knob_name(unsigned i)
{
	return i < knob_count() ? knob_at(i)->name : NULL;
}

static const char *scheme_name(unsigned i)
{
	return i < scheme_def_count ? scheme_defs[i].name : NULL;
}

static const char *complete_knob(int argi __unused, struct completion *at __unused, unsigned i)
{
	return knob_name(i);
}

/* ---- completion of settings ---- */

static const char *nth_equals(unsigned i)
{
	static char text[KNOB_NAME_LEN + 1];

	if (i >= knob_count())
		return NULL;
	ksnprintf(text, sizeof(text), "%s=", knob_at(i)->name);
	return text;
}

/* Position behind the last of these characters in the word, not before from. */
static size_t behind_last(const struct completion *at, size_t from, const char *separators)
{
	size_t end = at->len;

	while (end > from && !strchr(separators, at->word[end - 1]))
		end--;
	return end;
}

/* Is there "KNOB=" from at->start on? Then *behind is where its value begins. */
static bool names_knob(const struct completion *at, size_t *behind)
{
	for (size_t i = at->start; i < at->len; i++)
		if (at->word[i] == '=') {
			*behind = i + 1;
			return true;
		}
	return false;
}

/* The knob is named from at->start on to before its "=". */
static const char *nth_value_of_knob(const struct completion *at, size_t behind, unsigned i)
{
	char name[KNOB_NAME_LEN];
	const struct knob *k;

	strlcpy(name, at->word + at->start, MIN(behind - at->start, sizeof(name)));
	k = knob_find(name);
	for (unsigned n = 0; k && k->choices && k->choices[n]; n++)
		if (n == i)
			return k->choices[n];
	return NULL;
}

/* "batch+transport=ipi,late-map" */
static const char *complete_schemes(struct completion *at, unsigned i)
{
	const char *candidate;
	size_t behind;

	at->open = true;
	at->start = behind_last(at, at->start, ",+");
	if (!names_knob(at, &behind))
		return i < scheme_def_count ? scheme_name(i) : nth_equals(i - scheme_def_count);
	candidate = nth_value_of_knob(at, behind, i);
	at->start = behind;
	return candidate;
}

/* "KNOB=v1,v2" */
static const char *complete_values(struct completion *at, unsigned i)
{
	const char *candidate;
	size_t behind;

	if (!names_knob(at, &behind))
		return nth_equals(i);
	candidate = nth_value_of_knob(at, behind, i);
	at->start = behind_last(at, behind, ",");
	return candidate;
}

static const char *complete_set(int argi __unused, struct completion *at, unsigned i)
{
	static const char *const words[] = {"scheme=", "default"};
	size_t len = strlen(words[0]);

	if (at->len >= len && !strncmp(at->word, words[0], len)) {
		at->start = len;
		return complete_schemes(at, i);
	}
	return i < ARRAY_SIZE(words) ? words[i] : complete_values(at, i - ARRAY_SIZE(words));
}

/* ---- set ---------------------------------------------------------------------- */

/* KNOB=V, scheme=NAMES or default. */
static int stage_word(char *word, char err[ERROR_LEN])
{
	char *equals = strchr(word, '=');

	if (!strcmp(word, "default")) {
		knobs_stage_defaults();
		return 0;
	}
	if (!equals || equals == word) {
		ksnprintf(err, ERROR_LEN, "%.48s: not KNOB=VALUE, scheme=NAME or default", word);
		return -EINVAL;
	}
	*equals = '\0';
	if (!strcmp(word, "scheme"))
		return scheme_stage(equals + 1, err, ERROR_LEN);
	return knob_stage(word, equals + 1, "set", err, ERROR_LEN);
}

/* All words or none. */
static unsigned run_set(int argc, char **argv)
{
	char err[ERROR_LEN];
	unsigned rc = command_args("set", NULL, &argc, argv, 1, (int)knob_count() + 2);

	for (int i = 1; i < argc && !rc; i++)
		if (stage_word(argv[i], err))
			rc = command_usage_error("set", "%s (nothing was changed)", err);
	if (rc)
		knobs_discard();
	else if (knobs_commit(err, ERROR_LEN))
		rc = command_usage_error("set", "%s (nothing was changed)", err);
	return rc;
}

COMMAND(cmd_set) = {
	.name = "set",
	.usage = "KNOB=V ... | scheme=NAME[+NAME] | default",
	.summary = "change knobs, all of them or none",
	.help = "  scheme=NAME takes the place of the scheme in force; knobs that were set by hand "
		"and\n"
		"  that it does not name stay. default: all knobs as without boot line and "
		"scheme.\n"
		"  Debts are paid first; what this machine cannot do is refused with the reason",
	.names = "schemes",
	.run = run_set,
	.complete = complete_set,
};

/* ---- show --------------------------------------------------------------------- */

static void show_knob(const struct knob *k)
{
	char value[VALUE_LEN], def[VALUE_LEN];

	knob_format(k, value, sizeof(value));
	knob_format_value(k, k->def, def, sizeof(def));
	kprintf("%c %-12s %-12s %-12s %-12s %-8s %-14s %s\n", *k->value == k->def ? ' ' : '*',
		k->name, value, def, knob_source(k), k->unit, k->decided_in, k->summary);
}

static void show_choices(const struct knob *k)
{
	if (!k->choices) {
		kprintf("  from %u to %u %s%s\n", MAX(k->min, (u32)k->unbounded), k->max, k->unit,
			k->unbounded ? ", or inf" : "");
		return;
	}
	kprintf("  one of");
	for (unsigned i = 0; k->choices[i]; i++)
		kprintf(" %s", k->choices[i]);
	kprintf("\n");
}

static unsigned run_show(int argc, char **argv)
{
	unsigned rc = command_args("show", NULL, &argc, argv, 0, 1), shown = 0;

	if (rc)
		return rc;
	for (unsigned i = 0; i < knob_count(); i++) {
		if (argc == 2 && strcmp(argv[1], knob_at(i)->name))
			continue;
		if (!shown++)
			kprintf("  %-12s %-12s %-12s %-12s %-8s %-14s (*: not the default)\n",
				"knob", "value", "default", "source", "unit", "decided in");
		show_knob(knob_at(i));
		if (argc == 2)
			show_choices(knob_at(i));
	}
	return shown ? RC_PASS
		     : command_usage_error("show", "%.40s: no such knob (see `list knobs`)",
					   argv[1]);
}

COMMAND(cmd_show) = {
	.name = "show",
	.usage = "[KNOB]",
	.summary = "knobs: value, default, who set it, unit, where the decision is made",
	.run = run_show,
	.complete = complete_knob,
};

/* ---- lists --------------------------------------------------------------------- */

static void list_knobs(void)
{
	for (unsigned i = 0; i < knob_count(); i++)
		kprintf("%-16s %s\n", knob_at(i)->name, knob_at(i)->summary);
}

LISTER(list_of_knobs) = {
	.name = "knobs",
	.summary = "independent choices about flushing",
	.print = list_knobs,
	.item = knob_name,
	.complete = complete_values,
};

static void list_schemes(void)
{
	const char *settings;

	for (unsigned i = 0; i < scheme_def_count; i++) {
		const struct scheme_def *def = &scheme_defs[i];

		kprintf("%-16s %s\n%-16s  ", def->name, def->summary, "");
		for (unsigned piece = 0; (settings = scheme_settings(def, piece)); piece++)
			kprintf(" %s", settings);
		kprintf("\n");
		if (def->not_modelled)
			kprintf("%-16s   not modelled: %s\n", "", def->not_modelled);
	}
}

LISTER(list_of_schemes) = {
	.name = "schemes",
	.summary = "named settings of knobs; a+b applies both",
	.print = list_schemes,
	.item = scheme_name,
	.complete = complete_schemes,
};
