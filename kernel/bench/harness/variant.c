/* The variants of a run: which there are, and their knobs. */
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/string.h>
#include <mm/scheme.h>
#include "variant.h"
#include "workload.h"

/* ---- knobs --------------------------------------------------------------------- */

int variant_enter(const struct bench *b, const struct bench_variant *v, char *err)
{
	int rc = scheme_apply(strcmp(v->scheme, "as-set") ? v->scheme : "", err, BENCH_ERROR_LEN);

	if (!rc && v->vary_value) {
		rc = knob_set(b->vary, v->vary_value, "vary", err, BENCH_ERROR_LEN);
		if (rc)
			scheme_restore();
	}
	return rc;
}

int variant_try(struct bench *b, struct bench_variant *v)
{
	int rc = variant_enter(b, v, v->skipped);

	if (rc)
		return rc;
	if (deferral->unsafe) {
		v->unsafe = deferral->unsafe;
		if (!b->params.read_only)
			ksnprintf(v->skipped, sizeof(v->skipped), "%s needs --mapping ro: %s",
				  deferral->name, deferral->unsafe);
		else
			b->any_unsafe = true;
	}
	v->knobs_known = true;
	for (unsigned i = 0; i < knob_count(); i++)
		v->knob[i] = *knob_at(i)->value;
	v->counters = deferral->counters;
	v->counter_count = deferral->counter_count;
	scheme_restore();
	return 0;
}

bool variants_all_skipped(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			return false;
	return true;
}

/* ---- which there are ------------------------------------------------------------ */

/* Does "batch=512 defer=none" set one of the space-separated knobs? */
static bool touches(const char *settings, const char *knobs_named)
{
	while (*settings) {
		size_t len = 0;

		while (settings[len] && settings[len] != '=')
			len++;
		for (const char *k = knobs_named; *k;) {
			size_t klen = 0;

			while (k[klen] && k[klen] != ' ')
				klen++;
			if (klen == len && !strncmp(k, settings, len))
				return true;
			k += klen + (k[klen] == ' ');
		}
		while (*settings && *settings != ' ')
			settings++;
		settings += *settings == ' ';
	}
	return false;
}

static bool scheme_touches(const struct scheme_def *def, const char *knobs_named)
{
	const char *settings;

	for (unsigned piece = 0; (settings = scheme_settings(def, piece)); piece++)
		if (touches(settings, knobs_named))
			return true;
	return false;
}

static const struct scheme_def *find_scheme(const char *name)
{
	for (unsigned i = 0; i < scheme_def_count; i++)
		if (!strcmp(scheme_defs[i].name, name))
			return &scheme_defs[i];
	return NULL;
}

bool variant_add(struct bench *b, const char *scheme_name, const char *vary_value)
{
	const struct scheme_def *def = find_scheme(scheme_name);
	struct bench_variant *v = &b->variant[b->variant_count];

	if (b->variant_count == BENCH_MAX_VARIANTS)
		return false;
	b->variant_count++;
	v->scheme = scheme_name;
	v->vary_value = vary_value;
	v->not_modelled = def ? def->not_modelled : NULL;
	int len = vary_value ? ksnprintf(v->label, sizeof(v->label), "%s-%s.%s", scheme_name,
					 b->vary, vary_value)
			     : ksnprintf(v->label, sizeof(v->label), "%s", scheme_name);

	v->label_cut = (size_t)len >= sizeof(v->label);
	return true;
}

/* The scheme once, or once per value of --vary. The list is cut into words in place. */
static bool add_scheme(struct bench *b, const char *scheme_name)
{
	const char *value = b->vary_values;

	if (!value)
		return variant_add(b, scheme_name, NULL);
	for (; *value; value += strlen(value) + 1)
		if (!variant_add(b, scheme_name, value))
			return false;
	return true;
}

/* "a,b" as "a\0b\0\0". NULL: too long, or an element is empty. */
static char *split_list(const char *list, char *buf, size_t size)
{
	size_t len = strlcpy(buf, list, size - 1);
	char *start = buf;

	if (len >= size - 1)
		return NULL;
	buf[len + 1] = '\0';
	for (char *p = buf;; p++) {
		if (*p && *p != ',')
			continue;
		if (p == start)
			return NULL;
		start = p + 1;
		if (!*p)
			return buf;
		*p = '\0';
	}
}

enum { LIST_LEN = 512 };

static unsigned make_all(struct bench *b)
{
	static char schemes[LIST_LEN], values[LIST_LEN]; /* variants point into them */
	bool fits = true;

	if (b->vary[0] && !(b->vary_values = split_list(b->vary_values, values, LIST_LEN)))
		return command_usage_error("bench", "--vary: an empty value, or over %d characters",
					   LIST_LEN);
	if (!b->params.schemes) {
		fits = add_scheme(b, "as-set");
	} else if (!strcmp(b->params.schemes, "all")) {
		for (unsigned i = 0; i < scheme_def_count; i++)
			if (scheme_touches(&scheme_defs[i], b->workload->separates))
				fits = fits && add_scheme(b, scheme_defs[i].name);
	} else {
		const char *name = split_list(b->params.schemes, schemes, LIST_LEN);

		if (!name)
			return command_usage_error(
				"bench", "--schemes: an empty name, or over %d characters",
				LIST_LEN);
		for (; *name && fits; name += strlen(name) + 1)
			fits = add_scheme(b, name);
	}
	if (!fits || !b->variant_count)
		return command_usage_error("bench", "%s variants, from 1 to %d are possible",
					   b->variant_count ? "more" : "no", BENCH_MAX_VARIANTS);
	return RC_PASS;
}

/*
 * A name or value that does not exist is a mistake and ends the command; one
 * that this machine cannot offer is a variant skipped.
 */
static unsigned try_all(struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		struct bench_variant *v = &b->variant[i];
		int rc = variant_try(b, v);

		if (rc && rc != -ENOTSUP)
			return command_usage_error("bench", "%s", v->skipped);
		if (v->label_cut) /* another variant's might look the same */
			return command_usage_error("bench",
						   "%s...: longer than the %d characters "
						   "that a record has for it",
						   v->label, (int)sizeof(v->label) - 1);
	}
	return RC_PASS;
}

unsigned variants_make(struct bench *b)
{
	unsigned rc = make_all(b);

	return rc ? rc : try_all(b);
}
