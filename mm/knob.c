/*
 * Knobs: finding, reading, changing them. What they are is told by those who
 * have them (knobs.c, deferrals). Changing one settles all debts first, so that
 * no debt outlives the rules it was made under.
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

static int parse_value(const struct knob *k, const char *text, u64 *value, char *err, size_t size)
{
	if (k->choices)
		return parse_choice(k, text, value, err, size);
	if (parse_u64(text, value) || *value < k->min || *value > k->max) {
		ksnprintf(err, size, "%s=%s: not a number from %u to %u", k->name, text, k->min,
			  k->max);
		return -ERANGE;
	}
	return 0;
}

int knob_set(const char *name, const char *text, const char *source, char *err, size_t size)
{
	struct knob *k = knob_find(name);
	u64 value;

	if (!k) {
		ksnprintf(err, size, "%s: no such knob (see `list knobs`)", name);
		return -ENOENT;
	}
	int rc = parse_value(k, text, &value, err, size);

	if (rc)
		return rc;
	const char *why = k->refuse ? k->refuse((u32)value) : NULL;

	if (why) {
		ksnprintf(err, size, "%s=%s: %s", name, text, why);
		return -ENOTSUP;
	}
	knob_hooks.settle();
	*k->value = (u32)value;
	k->source = source;
	knob_hooks.changed();
	return 0;
}

void knobs_save(void)
{
	for (unsigned i = 0; i < count; i++) {
		list[i]->saved = *list[i]->value;
		list[i]->saved_source = list[i]->source;
	}
}

void knobs_restore(void)
{
	knob_hooks.settle();
	for (unsigned i = 0; i < count; i++) {
		*list[i]->value = list[i]->saved;
		list[i]->source = list[i]->saved_source;
	}
	knob_hooks.changed();
}

void knob_format_value(const struct knob *k, u32 value, char *buf, size_t size)
{
	if (k->choices)
		ksnprintf(buf, size, "%s", k->choices[value]);
	else
		ksnprintf(buf, size, "%u", value);
}

void knob_format(const struct knob *k, char *buf, size_t size)
{
	knob_format_value(k, *k->value, buf, size);
}

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
	for (unsigned i = 0; i < count; i++) {
		*list[i]->value = list[i]->def;
		list[i]->source = "default";
	}
	knob_hooks.changed();
	for (unsigned i = 0; i < count; i++)
		boot_value(list[i]);
}
