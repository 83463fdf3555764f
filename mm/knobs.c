/*
 * The list of mm's knobs, and what follows from their values. Each deferral's
 * own are added behind them.
 */
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/knobs.h>
#include <mm/pay.h>
#include <mm/pmm.h>
#include <mm/rules.h>
#include <kernel/panic.h>

struct knobs knobs;

static const char *const switches[] = {"off", "on", NULL};
static const char *const batch_flushes[] = {"range", "all", NULL};
static const char *const defer_fors[] = {"all", "tiering", NULL};
static const char *const hint_orders[] = {"early", "late", NULL};
static const char *const splits[] = {"off", "shared", NULL};
static const char *const models[] = {"native", "arm64", "x86", NULL};
static const char *const spurious_whens[] = {"always", "rfc", "skip", "never", "local", NULL};
static const char *const upgrades[] = {"all", "local", NULL};
static const char *const protect_flushes[] = {"always", "filter", NULL};
static const char *const notifies[] = {"start", "protect", "late", NULL};
static const char *const pinneds[] = {"mark", "skip", "skip-cow", NULL};
static const char *const transports[] = {"ipi", "bcast", "bcast-late", NULL};
static const char *defer_names[DEFERRALS_MAX + 1]; /* from deferrals[] */

static const char *refuse_deferral(u32 value)
{
	return deferrals[value]->refuse ? deferrals[value]->refuse() : NULL;
}

static const char *refuse_transport(u32 value)
{
	return value != TRANSPORT_IPI && !tlb_has_bcast()
		       ? "this CPU has no broadcast TLB invalidation"
		       : NULL;
}

static struct knob table[] = {
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
	 .def = 1,
	 .summary = "2 MiB entries per shootdown in migration",
	 .decided_in = "mm/migrate.c"},
	{.name = "batch_alone",
	 .unit = "",
	 .value = &knobs.batch_alone,
	 .choices = switches,
	 .def = true,
	 .summary = "off: entries of a space that no other CPU has loaded are flushed one by one",
	 .decided_in = "mm/migrate.c"},
	{.name = "batch_flush",
	 .unit = "",
	 .value = &knobs.batch_flush,
	 .choices = batch_flushes,
	 .summary = "what the flush of a batch drops: what was taken down, or all of the context",
	 .decided_in = "mm/migrate.c"},
	{.name = "defer",
	 .unit = "",
	 .value = &knobs.defer,
	 .choices = defer_names,
	 .refuse = refuse_deferral,
	 .summary = "which flushes may wait, and for what",
	 .decided_in = "mm/defer/"},
	{.name = "defer_for",
	 .unit = "",
	 .value = &knobs.defer_for,
	 .choices = defer_fors,
	 .summary =
		 "whose flushes may wait: tiering = of moves between nodes with and without CPUs",
	 .decided_in = "mm/defer/"},
	{.name = "defer_skip",
	 .unit = "",
	 .value = &knobs.defer_skip,
	 .choices = switches,
	 .def = true,
	 .summary = "off: whoever pays a debt also asks CPUs that have flushed meanwhile",
	 .decided_in = "mm/debt.c"},
	{.name = "defer_age",
	 .unit = "us",
	 .value = &knobs.defer_age,
	 .max = 1000000,
	 .unbounded = true,
	 .summary = "debts are paid when they are so old; inf = when something demands it",
	 .decided_in = "mm/debt.c"},
	{.name = "defer_pages",
	 .unit = "pages",
	 .value = &knobs.defer_pages,
	 .max = 1 << 30,
	 .unbounded = true,
	 .summary = "4 KiB frames that may be held back at one time",
	 .decided_in = "mm/debt.c"},
	{.name = "transport",
	 .unit = "",
	 .value = &knobs.transport,
	 .choices = transports,
	 .refuse = refuse_transport,
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
	{.name = "notify",
	 .unit = "",
	 .value = &knobs.notify,
	 .choices = notifies,
	 .summary =
		 "when a second MMU hears of a NUMA scan: before it, as each entry changes, or at "
		 "the first that does",
	 .decided_in = "mm/change.c"},
	{.name = "pinned",
	 .unit = "",
	 .value = &knobs.pinned,
	 .choices = pinneds,
	 .summary =
		 "NUMA scan: takes access to pinned pages, spares them, or what may be copied on "
		 "write and has other references",
	 .decided_in = "mm/scan_spare.c"},
	{.name = "model",
	 .unit = "",
	 .value = &knobs.model,
	 .choices = models,
	 .summary = "whose rules say which change of an entry needs which flush",
	 .decided_in = "mm/rules.c"},
	{.name = "spurious",
	 .unit = "",
	 .value = &knobs.spurious,
	 .choices = spurious_whens,
	 .summary = "when a fault that changed nothing is followed by what the rules have for it",
	 .decided_in = "mm/rules.c"},
	{.name = "upgrade",
	 .unit = "",
	 .value = &knobs.upgrade,
	 .choices = upgrades,
	 .summary = "who flushes when an entry of the same frame gains access",
	 .decided_in = "mm/rules.c"},
	{.name = "protect_flush",
	 .unit = "",
	 .value = &knobs.protect_flush,
	 .choices = protect_flushes,
	 .summary = "entries that a change of protection flushes: all, or where access was lost",
	 .decided_in = "mm/range.c"},
	{.name = "reclaim_batch",
	 .unit = "entries",
	 .value = &knobs.reclaim_batch,
	 .min = 1,
	 .max = 512,
	 .def = 1,
	 .summary = "pages per shootdown when frames are wanted; 1 = one flush per page",
	 .decided_in = "mm/reclaim.c"},
	{.name = "watermark_gap",
	 .unit = "frames",
	 .value = &knobs.watermark_gap,
	 .min = 0,
	 .max = 1 << 20,
	 .def = 256,
	 .summary = "that an idle CPU reclaims beyond a node's low watermark; 0 = only who "
		    "allocates reclaims",
	 .decided_in = "mm/reclaim.c"},
	{.name = "dirty_pages",
	 .unit = "pages",
	 .value = &knobs.dirty_pages,
	 .min = 0,
	 .max = 1 << 24,
	 .def = 256,
	 .summary = "of a file that may be dirty; whoever writes more has to write some back "
		    "first; 0 = "
		    "any number",
	 .decided_in = "mm/dirty.c"},
	{.name = "store_ns",
	 .unit = "ns",
	 .value = &knobs.store_ns,
	 .min = 0,
	 .max = 1000000000,
	 .def = 0,
	 .summary = "time that reading a page from a store or writing it there takes",
	 .decided_in = "mm/store.c"},
};

/* No debt outlives the rules it was made under: what the next deferral reads in page.debt is its own. */
static void settle(void)
{
	pay(PAY_KNOB, pay_all());
	pmm_owing_end();
}

/* What follows from the values. Nothing may be owed. */
static void changed(void)
{
	deferral_use(deferrals[knobs.defer]);
	tlb_issues_late = knobs.transport == TRANSPORT_BCAST_LATE;
	rules_use();
}

/* The port's native way: broadcast where the hardware does it, completed once per flush. */
static void choose_native(void)
{
	if (!tlb_has_bcast())
		return;
	knob_find("transport")->def = TRANSPORT_BCAST_LATE;
	/* A leaf table's worth, as arm64 Linux without range instructions. */
	knob_find("range")->def = 512;
}

void knobs_init(void)
{
	knob_hooks =
		(struct knob_hooks){.refuse = rules_refuse, .settle = settle, .changed = changed};
	for (unsigned n = 0; deferrals[n]; n++) {
		if (n == DEFERRALS_MAX)
			panic("more than %d deferrals", DEFERRALS_MAX);
		defer_names[n] = deferrals[n]->name;
	}
	knob_add(table, ARRAY_SIZE(table));
	for (unsigned n = 0; deferrals[n]; n++) {
		if (deferrals[n]->counter_count > DEFERRAL_COUNTERS_MAX)
			panic("deferral %s has more than %d counters", deferrals[n]->name,
			      DEFERRAL_COUNTERS_MAX);
		knob_add(deferrals[n]->knobs, deferrals[n]->knob_count);
	}
	choose_native();
	knob_set_defaults();
}
