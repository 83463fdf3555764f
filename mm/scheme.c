/* Named combinations of knobs: applying, composing and restoring them. */
#include <mm/scheme.h>
#include <kernel/error.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/string.h>

enum { MAX_KNOBS = 32 };
static u32 saved[MAX_KNOBS];
static const char *saved_source[MAX_KNOBS];

/* ---- the scheme in force ------------------------------------------------------- */

static bool no_defer(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old)
{
	(void)src, (void)ctx, (void)va, (void)old;
	return false;
}

static void no_held(struct page *src)
{
	panic("scheme %s deferred frame %#lx but has nowhere to hold it", scheme->name,
	      page_to_phys(src));
}

static struct page *no_frame(u32 node, unsigned order)
{
	(void)node, (void)order;
	return NULL;
}

static void no_upgrade(struct page *page)
{
	(void)page;
}

static void no_change(struct tlb_context *ctx, vaddr_t start, vaddr_t end)
{
	(void)ctx, (void)start, (void)end;
}

static void nothing(void)
{
}

static u64 none_held(void)
{
	return 0;
}

#define NO_HOOKS                                                                                   \
	.enable = nothing, .may_defer = no_defer, .frame_held = no_held, .frame_wanted = no_frame, \
	.write_upgrade = no_upgrade, .range_change = no_change, .settle = nothing,                 \
	.held = none_held

/* A copy with every hook set, so that call sites need no tests. */
static struct tlb_scheme active = {.name = "none", NO_HOOKS};
const struct tlb_scheme *scheme = &active;

#define KEEP(hook)                                                                                 \
	do {                                                                                       \
		if (wanted->hook)                                                                  \
			active.hook = wanted->hook;                                                \
	} while (0)

void scheme_use(u32 index)
{
	const struct tlb_scheme *wanted = tlb_schemes[index];

	active = (struct tlb_scheme){.name = wanted->name,
				     .summary = wanted->summary,
				     .unsafe = wanted->unsafe,
				     .lends = wanted->lends,
				     NO_HOOKS};
	KEEP(enable);
	KEEP(may_defer);
	KEEP(frame_held);
	KEEP(frame_wanted);
	KEEP(write_upgrade);
	KEEP(range_change);
	KEEP(settle);
	KEEP(held);
	active.enable();
}

/* ---- named combinations ----------------------------------------------------------- */

void scheme_settle(void)
{
	scheme->settle();
}

static const struct scheme_def *find_def(const char *name, size_t len)
{
	for (unsigned i = 0; i < scheme_def_count; i++)
		if (strlen(scheme_defs[i].name) == len && !strncmp(scheme_defs[i].name, name, len))
			return &scheme_defs[i];
	return NULL;
}

static void save(void)
{
	for (unsigned i = 0; i < knob_count; i++) {
		saved[i] = *knob_table[i].value;
		saved_source[i] = knob_table[i].source;
	}
}

void scheme_restore(void)
{
	scheme_settle();
	for (unsigned i = 0; i < knob_count; i++) {
		*knob_table[i].value = saved[i];
		knob_table[i].source = saved_source[i];
	}
	knobs_changed();
}

/* One "knob=value" word that no earlier part of the name has set to something else. */
static int apply_setting(const char *word, size_t len, const char *def_name, char *err, size_t size)
{
	char name[32], *value;

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
	return knob_set(name, value, def_name, err, size);
}

static int apply_settings(const char *settings, const char *def_name, char *err, size_t size)
{
	while (*settings) {
		size_t len = 0;

		while (settings[len] && settings[len] != ' ')
			len++;
		int rc = len ? apply_setting(settings, len, def_name, err, size) : 0;

		if (rc)
			return rc;
		settings += len + (settings[len] == ' ');
	}
	return 0;
}

int scheme_apply(const char *names, char *err, size_t size)
{
	int rc = 0;

	save();
	while (*names && !rc) {
		size_t len = 0;

		while (names[len] && names[len] != '+')
			len++;
		const struct scheme_def *def = find_def(names, len);

		if (def)
			rc = apply_settings(def->settings, def->name, err, size);
		else
			rc = apply_setting(names, len, "scheme", err, size);
		names += len + (names[len] == '+');
	}
	if (rc)
		scheme_restore();
	return rc;
}
