/* Named combinations of knobs: applying, composing and restoring them. */
#include <mm/knob.h>
#include <mm/scheme.h>
#include <arch/cpu.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/string.h>

/* The scheme of this name, which need not end with a NUL; NULL: there is none. */
static const struct scheme_def *find_def(const char *name, size_t len)
{
	for (unsigned i = 0; i < scheme_def_count; i++)
		if (strlen(scheme_defs[i].name) == len && !strncmp(scheme_defs[i].name, name, len))
			return &scheme_defs[i];
	return NULL;
}

void scheme_restore(void)
{
	knobs_restore();
}

/* One "knob=value" word that no earlier part of the name has set to something else. */
static int stage_setting(const char *word, size_t len, const char *def_name, char *err, size_t size)
{
	char name[KNOB_NAME_LEN + 12], *value; /* a value of 10 digits, or a choice */

	if (len >= sizeof(name)) {
		ksnprintf(err, size, "%.*s: too long", (int)len, word);
		return -EINVAL;
	}
	memcpy(name, word, len);
	name[len] = '\0';
	value = strchr(name, '=');
	if (!value) {
		ksnprintf(err, size, "%s: no such scheme (see `list schemes`)", name);
		return -ENOENT;
	}
	*value++ = '\0';
	return knob_stage_scheme(name, value, def_name, err, size);
}

/* Words "knob=value" with blanks in between. */
static int stage_settings(const char *settings, const char *def_name, char *err, size_t size)
{
	while (*settings) {
		size_t len = 0;

		while (settings[len] && settings[len] != ' ')
			len++;
		int rc = len ? stage_setting(settings, len, def_name, err, size) : 0;

		if (rc)
			return rc;
		settings += len + (settings[len] == ' ');
	}
	return 0;
}

const char *scheme_settings(const struct scheme_def *def, unsigned piece)
{
	if (!piece)
		return def->settings;
	for (const struct scheme_case *c = def->cases; c && c->isa; c++)
		if (!strcmp(c->isa, cpu_isa()) && (!c->here || c->here()) && !--piece)
			return c->settings;
	return NULL;
}

/* All settings of a scheme that apply on this machine. */
static int stage_def(const struct scheme_def *def, char *err, size_t size)
{
	const char *settings;
	int rc = 0;

	for (unsigned i = 0; !rc && (settings = scheme_settings(def, i)); i++)
		rc = stage_settings(settings, def->name, err, size);
	return rc;
}

/* One part of "a+b": a scheme, or a setting by itself. */
static int stage_part(const char *name, size_t len, char *err, size_t size)
{
	const struct scheme_def *def = find_def(name, len);

	return def ? stage_def(def, err, size) : stage_setting(name, len, "scheme", err, size);
}

int scheme_stage(const char *names, char *err, size_t size)
{
	int rc;

	knobs_stage_own();
	for (;;) {
		size_t len = 0;

		while (names[len] && names[len] != '+')
			len++;
		rc = stage_part(names, len, err, size);
		if (rc || !names[len])
			return rc;
		names += len + 1;
	}
}

int scheme_apply(const char *names, char *err, size_t size)
{
	int rc = *names ? scheme_stage(names, err, size) : 0;

	knobs_save();
	if (!rc)
		return knobs_commit(err, size);
	knobs_discard();
	return rc;
}
