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

	if (rc)
		return rc;
	for (unsigned i = 0; i < b->vary_count && !rc; i++)
		rc = knob_stage(b->vary[i].knob, v->vary_value[i], "vary", err, BENCH_ERROR_LEN);
	if (!rc)
		rc = knobs_commit(err, BENCH_ERROR_LEN);
	if (!rc)
		return 0;
	knobs_discard();
	scheme_restore();
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

/* Into the label: at most what fits, and whether there was more. */
static void __printf(2, 3) label(struct bench_variant *v, const char *fmt, ...)
{
	size_t used = strlen(v->label), room = sizeof(v->label) - used;
	va_list ap;

	va_start(ap, fmt);
	v->label_cut |= (size_t)kvsnprintf(v->label + used, room, fmt, ap) >= room;
	va_end(ap);
}

bool variant_add(struct bench *b, const char *scheme_name, const char *const *vary_value)
{
	const struct scheme_def *def = find_scheme(scheme_name);
	struct bench_variant *v = &b->variant[b->variant_count];

	if (b->variant_count == BENCH_MAX_VARIANTS)
		return false;
	b->variant_count++;
	v->scheme = scheme_name;
	v->not_modelled = def ? def->not_modelled : NULL;
	label(v, "%s", scheme_name);
	for (unsigned i = 0; i < b->vary_count; i++) {
		v->vary_value[i] = vary_value[i];
		label(v, "-%s.%s", b->vary[i].knob, vary_value[i]);
	}
	return true;
}

/* The scheme with each combination of values, of which those of the first knobs are chosen. */
static bool add_combinations(struct bench *b, const char *scheme_name, const char **chosen,
			     unsigned knobs_chosen)
{
	if (knobs_chosen == b->vary_count)
		return variant_add(b, scheme_name, chosen);
	for (const char *value = b->vary[knobs_chosen].values; *value; value += strlen(value) + 1) {
		chosen[knobs_chosen] = value;
		if (!add_combinations(b, scheme_name, chosen, knobs_chosen + 1))
			return false;
	}
	return true;
}

static bool add_scheme(struct bench *b, const char *scheme_name)
{
	const char *chosen[ARG_STRINGS_MAX];

	return add_combinations(b, scheme_name, chosen, 0);
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

enum { LIST_LEN = 512, LIST_MAX = LIST_LEN - 2 }; /* two terminators */

/* "KNOB=v1,v2" of each --vary. */
static unsigned make_vary(struct bench *b)
{
	static char values[ARG_STRINGS_MAX][LIST_LEN]; /* variants point into them */

	for (unsigned i = 0; i < b->params.vary.count; i++) {
		const char *text = b->params.vary.text[i], *equals = strchr(text, '=');
		struct bench_vary *vary = &b->vary[i];

		if (!equals || equals == text || (size_t)(equals - text) >= sizeof(vary->knob))
			return command_usage_error("bench", "--vary %.40s: not KNOB=v1,v2", text);
		memcpy(vary->knob, text, (size_t)(equals - text));
		for (unsigned other = 0; other < i; other++)
			if (!strcmp(b->vary[other].knob, vary->knob))
				return command_usage_error("bench", "--vary %s: given twice",
							   vary->knob);
		vary->values = split_list(equals + 1, values[i], LIST_LEN);
		if (!vary->values)
			return command_usage_error(
				"bench", "--vary %.40s: an empty value, or over %d characters",
				text, LIST_MAX);
		b->vary_count++;
	}
	return RC_PASS;
}

static unsigned make_all(struct bench *b)
{
	static char schemes[LIST_LEN]; /* variants point into it */
	unsigned rc = make_vary(b);
	bool fits = true;

	if (rc)
		return rc;
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
				LIST_MAX);
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
