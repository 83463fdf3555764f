/*
 * Knobs: the independent choices about flushing, as a table. Changing one
 * settles all debts first, so that no debt outlives the rules it was made under.
 */
#include <mm/deferral.h>
#include <mm/knob.h>
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>

struct knobs knobs;

static const char *const hint_orders[] = {"early", "late", NULL};
static const char *const splits[] = {"off", "shared", NULL};
static const char *const transports[] = {"ipi", "bcast", "bcast-late", NULL};
enum { MAX_DEFER = 16 };
static const char *defer_names[MAX_DEFER + 1]; /* from deferrals[] */

struct knob knob_table[] = {
	{.name = "batch",
	 .unit = "entries",
	 .value = &knobs.batch,
	 .min = 1,
	 .max = 512,
	 .def = 1,
	 .summary = "4 KiB entries per shootdown in migration; 1 = one flush per page",
	 .decided_in = "mm/migrate.c"},
	{.name = "batch_2m",
	 .unit = "entries",
	 .value = &knobs.batch_2m,
	 .min = 1,
	 .max = 512,
	 .def = 8,
	 .summary = "2 MiB entries per shootdown in migration",
	 .decided_in = "mm/migrate.c"},
	{.name = "defer",
	 .unit = "",
	 .value = &knobs.defer,
	 .choices = defer_names,
	 .summary = "which flushes may wait, and for what",
	 .decided_in = "mm/defer/"},
	{.name = "transport",
	 .unit = "",
	 .value = &knobs.transport,
	 .choices = transports,
	 .summary = "how other CPUs are reached",
	 .decided_in = "mm/gather.c"},
	{.name = "range",
	 .unit = "pages",
	 .value = &knobs.range,
	 .min = 0,
	 .max = 4096,
	 .def = 33,
	 .summary = "flushed one by one up to here, above it everything of the context",
	 .decided_in = "mm/tlb_cpu.h"},
	{.name = "pad",
	 .unit = "ns",
	 .value = &knobs.pad,
	 .min = 0,
	 .max = 1000000,
	 .def = 0,
	 .summary = "bookkeeping added per migrated page: does a gain survive a heavier kernel?",
	 .decided_in = "mm/migrate.c"},
	{.name = "hint",
	 .unit = "",
	 .value = &knobs.hint,
	 .choices = hint_orders,
	 .summary = "hint faults: map the page, then move it, or move it, then map it",
	 .decided_in = "mm/hint.c"},
	{.name = "numa_split",
	 .unit = "",
	 .value = &knobs.numa_split,
	 .choices = splits,
	 .summary =
		 "hint faults: split 2 MiB pages that two nodes use in turns, or move them whole",
	 .decided_in = "mm/hint.c"},
	{.name = "scan_size",
	 .unit = "pages",
	 .value = &knobs.scan_size,
	 .min = 1,
	 .max = 1 << 24,
	 .def = 65536,
	 .summary = "window of the NUMA scan, one flush each; 65536 = 256 MiB, as Linux",
	 .decided_in = "mm/scan.c"},
	{.name = "scan_min",
	 .unit = "us",
	 .value = &knobs.scan_min,
	 .min = 1,
	 .max = 3600000000U,
	 .def = 1000,
	 .summary = "shortest time in which a space is scanned once; Linux: as many ms",
	 .decided_in = "mm/scan.c"},
	{.name = "scan_max",
	 .unit = "us",
	 .value = &knobs.scan_max,
	 .min = 1,
	 .max = 3600000000U,
	 .def = 60000,
	 .summary = "longest such time; between the two it follows the hint faults",
	 .decided_in = "mm/scan.c"},
	{.name = "scan_load",
	 .unit = "percent",
	 .value = &knobs.scan_load,
	 .min = 1,
	 .max = 100,
	 .def = 3,
	 .summary = "of its CPU's time: what the scan may take; 3 as Linux (1 part in 32)",
	 .decided_in = "mm/scan.c"},
};
const unsigned knob_count = ARRAY_SIZE(knob_table);

static struct knob *find_knob(const char *name)
{
	for (unsigned i = 0; i < knob_count; i++)
		if (!strcmp(knob_table[i].name, name))
			return &knob_table[i];
	return NULL;
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

/* What this port or CPU cannot offer. */
static const char *refusal(const struct knob *k, u64 value)
{
	if (k->value == &knobs.transport && value != TRANSPORT_IPI && !tlb_has_bcast())
		return "this CPU has no broadcast TLB invalidation";
	if (k->value == &knobs.defer && deferrals[value]->refuse)
		return deferrals[value]->refuse();
	return NULL;
}

/* What follows from the values. Nothing may be owed. */
void knobs_changed(void)
{
	deferral_use(knobs.defer);
	tlb_issues_late = knobs.transport == TRANSPORT_BCAST_LATE;
}

int knob_set(const char *name, const char *text, const char *source, char *err, size_t size)
{
	struct knob *k = find_knob(name);
	u64 value;

	if (!k) {
		ksnprintf(err, size, "%s: no such knob (see `list knobs`)", name);
		return -ENOENT;
	}
	int rc = parse_value(k, text, &value, err, size);

	if (rc)
		return rc;
	const char *why = refusal(k, value);

	if (why) {
		ksnprintf(err, size, "%s=%s: %s", name, text, why);
		return -ENOTSUP;
	}
	deferral_settle();
	*k->value = (u32)value;
	k->source = source;
	knobs_changed();
	return 0;
}

void knob_format(const struct knob *k, char *buf, size_t size)
{
	if (k->choices)
		ksnprintf(buf, size, "%s", k->choices[*k->value]);
	else
		ksnprintf(buf, size, "%u", *k->value);
}

/* knob.batch=512 on the boot line. */
static void boot_value(struct knob *k)
{
	char option[32], err[128];
	const char *text;

	ksnprintf(option, sizeof(option), "knob.%s", k->name);
	text = option_get(option);
	if (text && knob_set(k->name, text, "boot line", err, sizeof(err)))
		printk("boot line: %s\n", err);
}

void knob_init(void)
{
	unsigned n = 0;

	for (; deferrals[n]; n++) {
		if (n == MAX_DEFER)
			panic("more than %d deferrals", MAX_DEFER);
		defer_names[n] = deferrals[n]->name;
	}
	/* The port's native way: broadcast where the hardware does it, completed once per flush. */
	if (tlb_has_bcast()) {
		find_knob("transport")->def = TRANSPORT_BCAST_LATE;
		find_knob("range")->def =
			512; /* a leaf table's worth, as arm64 Linux without range instructions */
	}
	for (unsigned i = 0; i < knob_count; i++) {
		*knob_table[i].value = knob_table[i].def;
		knob_table[i].source = "default";
	}
	knobs_changed();
	for (unsigned i = 0; i < knob_count; i++)
		boot_value(&knob_table[i]);
}
