/*
 * Knobs: finding, reading, changing them. mm/knobs.c and each deferral register
 * their own. Changing a knob settles all debts first, so that no debt outlives the
 * rules under which it was made.
 */
#include <mm/knob.h>
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>

struct knob_hooks knob_hooks;

static struct knob *list[KNOBS_MAX];
static unsigned count;

unsigned knob_count(void)
{
	return count;
}

struct knob *knob_at(unsigned i)
{
	ASSERT(i < count);
	return list[i];
}

struct knob *knob_find(const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(list[i]->name, name))
			return list[i];
	return NULL;
}

void knob_add(struct knob *knobs_of, unsigned n)
{
	for (struct knob *k = knobs_of; k < knobs_of + n; k++) {
		if (count == KNOBS_MAX)
			panic("no room for knob %s: more than %d", k->name, KNOBS_MAX);
		if (strlen(k->name) >= KNOB_NAME_LEN || knob_find(k->name))
			panic("knob %s: %s", k->name,
			      knob_find(k->name) ? "there is one of that name" : "name too long");
		list[count++] = k;
	}
}

/* The number of a choice by its name. -EINVAL, with all choices in err. */
static int parse_choice(const struct knob *k, const char *text, u64 *value, char *err, size_t size)
{
	int at = 0;

	for (u64 i = 0; k->choices[i]; i++)
		if (!strcmp(k->choices[i], text)) {
			*value = i;
			return 0;
		}
	at = ksnprintf(err, size, "%s=%s: not one of", k->name, text);
	for (u64 i = 0; k->choices[i] && (size_t)at < size; i++)
		at += ksnprintf(err + at, size - (size_t)at, " %s", k->choices[i]);
	return -EINVAL;
}

/* The value that a text stands for, within the knob's limits. */
static int parse_value(const struct knob *k, const char *text, u64 *value, char *err, size_t size)
{
	if (k->choices)
		return parse_choice(k, text, value, err, size);
	if (k->unbounded && !strcmp(text, "inf")) {
		*value = 0;
		return 0;
	}
	if (parse_u64(text, value) || *value < MAX(k->min, (u32)k->unbounded) || *value > k->max) {
		ksnprintf(err, size, "%s=%s: not a number from %u to %u%s", k->name, text,
			  MAX(k->min, (u32)k->unbounded), k->max, k->unbounded ? ", or inf" : "");
		return -ERANGE;
	}
	return 0;
}

/* ---- changing ---- */

/* A scheme's value, if it has laid one over the knob's own. */
static const struct knob_setting *in_force(const struct knob_layers *layers)
{
	return layers->laid ? &layers->scheme : &layers->own;
}

const char *knob_source(const struct knob *k)
{
	return in_force(&k->now)->source;
}

/* Put these layers in force, and forget what is staged. */
static void put(struct knob *k, const struct knob_layers *layers)
{
	ASSERT(in_force(layers)->source); /* set or saved before */
	k->now = k->next = *layers;
	k->staged = false;
	*k->value = in_force(layers)->value;
}

/* What the words ask for, checked; the knob in *out. */
static int check(const char *name, const char *text, struct knob **out, u32 *value, char *err,
		 size_t size)
{
	struct knob *k = *out = knob_find(name);
	u64 parsed;

	if (!k) {
		ksnprintf(err, size, "%s: no such knob (see `list knobs`)", name);
		return -ENOENT;
	}
	int rc = parse_value(k, text, &parsed, err, size);

	if (rc)
		return rc;
	*value = (u32)parsed;
	const char *why = k->refuse ? k->refuse(*value) : NULL;

	if (why) {
		ksnprintf(err, size, "%s=%s: %s", name, text, why);
		return -ENOTSUP;
	}
	return 0;
}

/* Stage a value of the knob's own, without a scheme's. */
static void stage_own(struct knob *k, struct knob_setting own)
{
	k->next.own = own;
	k->next.laid = false;
	k->staged = true;
}

int knob_stage(const char *name, const char *value, const char *source, char *err, size_t size)
{
	struct knob_setting own = {.source = source};
	struct knob *k;
	int rc = check(name, value, &k, &own.value, err, size);

	if (!rc)
		stage_own(k, own);
	return rc;
}

int knob_stage_scheme(const char *name, const char *value, const char *scheme, char *err,
		      size_t size)
{
	struct knob_setting laid = {.source = scheme};
	struct knob *k;
	int rc = check(name, value, &k, &laid.value, err, size);

	if (rc)
		return rc;
	k->next.scheme = laid;
	k->next.laid = k->staged = true;
	return 0;
}

void knobs_stage_own(void)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i]->next.laid)
			stage_own(list[i], list[i]->next.own);
}

void knobs_stage_defaults(void)
{
	for (unsigned i = 0; i < count; i++)
		stage_own(list[i], (struct knob_setting){list[i]->def, "default"});
}

static bool anything_staged(void)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i]->staged)
			return true;
	return false;
}

u32 knob_next(const u32 *value)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i]->value == value)
			return in_force(&list[i]->next)->value;
	panic("a variable that is no knob's");
}

int knobs_commit(char *err, size_t size)
{
	if (!anything_staged())
		return 0;
	const char *why = knob_hooks.refuse ? knob_hooks.refuse() : NULL;

	if (why) {
		ksnprintf(err, size, "%s", why);
		knobs_discard();
		return -ENOTSUP;
	}
	knob_hooks.settle();
	for (unsigned i = 0; i < count; i++)
		if (list[i]->staged)
			put(list[i], &list[i]->next);
	knob_hooks.changed();
	return 0;
}

void knobs_discard(void)
{
	for (unsigned i = 0; i < count; i++) {
		list[i]->next = list[i]->now;
		list[i]->staged = false;
	}
}

int knob_set(const char *name, const char *value, const char *source, char *err, size_t size)
{
	int rc = knob_stage(name, value, source, err, size);

	return rc ? rc : knobs_commit(err, size);
}

void knobs_save(void)
{
	for (unsigned i = 0; i < count; i++)
		list[i]->saved = list[i]->now;
}

void knobs_restore(void)
{
	knob_hooks.settle();
	for (unsigned i = 0; i < count; i++)
		put(list[i], &list[i]->saved);
	knob_hooks.changed();
}

/* ---- printing, and the start ---- */

void knob_format_value(const struct knob *k, u32 value, char *buf, size_t size)
{
	if (k->choices)
		ksnprintf(buf, size, "%s", k->choices[value]);
	else if (k->unbounded && !value)
		ksnprintf(buf, size, "inf");
	else
		ksnprintf(buf, size, "%u", value);
}

void knob_format(const struct knob *k, char *buf, size_t size)
{
	knob_format_value(k, *k->value, buf, size);
}

BOOT_OPTION(knob, "knob.NAME", "VALUE", "a knob's value from the start; `list knobs` names them");

/* knob.batch=512 on the boot line. */
static void boot_value(struct knob *k)
{
	char option[KNOB_NAME_LEN + 5], err[128];
	const char *text;

	ksnprintf(option, sizeof(option), "knob.%s", k->name);
	text = option_get(option);
	if (text && knob_set(k->name, text, "boot line", err, sizeof(err)))
		printk("boot line: %s\n", err);
}

void knob_set_defaults(void)
{
	knobs_stage_defaults();
	for (unsigned i = 0; i < count; i++)
		put(list[i], &list[i]->next);
	knob_hooks.changed();
	for (unsigned i = 0; i < count; i++)
		boot_value(list[i]);
}
