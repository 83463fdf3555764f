/*
 * Scenarios of the rule table's knobs: each value of `spurious`, `upgrade`, `protect_flush` and
 * `model`, while pages gain and lose access, move, and faults that waited for them are retried.
 */
#include "model.h"

#include <mm/knob.h>
#include <mm/rules.h>
#include <mm/stats.h>

static struct aspace *a;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* What a scenario does not set. */
static void use_baseline(void)
{
	knobs.model = RULES_NATIVE;
	knobs.spurious = SPURIOUS_ALWAYS;
	knobs.upgrade = UPGRADE_ALL;
	knobs.protect_flush = PROTECT_FLUSH_ALWAYS;
}

/* Two writable pages; of the second the entry does not say so yet, as copying on write would leave it. */
static void setup_pages(void)
{
	rules_use(); /* what the scenario has set */
	a = work_space("a", VA, 2, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	pt_change(pgwalk_find(a->root, VA2, 0).ptep, pte_mk_readonly);
	tlb_flush_context(&a->ctx);
}

/* A call that gave back the right to write has returned, so nobody is refused for ever. */
static void must_write(vaddr_t va, unsigned cpu)
{
	if (!work_write(va, cpu))
		fake_fail("CPU %u: a write to %#lx is refused although it is allowed", cpu, va);
}

static void take_and_give(unsigned cpu)
{
	must_write(VA2, cpu);
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	must_write(VA, cpu);
}

/* One right is taken and another given, in one call. */
static void write_or_execute(unsigned cpu)
{
	must_write(VA2, cpu);
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ | PROT_EXEC);
	work_expect_at_most(a, VA, PROT_READ | PROT_EXEC);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_expect_at_most(a, VA, RW);
	must_write(VA, cpu);
}

static void write_and_read(unsigned cpu)
{
	work_write(VA, cpu);
	must_write(VA2, cpu);
	work_read(VA, cpu, 0);
	work_write(VA, cpu);
}

static void move_and_write(unsigned cpu)
{
	work_migrate(a, VA, 2, 1);
	must_write(VA2, cpu);
	work_write(VA, cpu);
}

/* Where a value says that nobody else is told, nobody was. */
static void end_pages(void)
{
	struct mm_counters sum;

	mm_counters_read(&sum);
	work_expect_all(a, VA, 2);
	if (sum.spurious_flushes &&
	    (knobs.spurious == SPURIOUS_NEVER || knobs.spurious == SPURIOUS_LOCAL))
		fake_fail("%lu flushes everywhere after spurious faults", sum.spurious_flushes);
	if (sum.upgrade_flushes && knobs.upgrade == UPGRADE_LOCAL)
		fake_fail("%lu flushes everywhere after upgrades", sum.upgrade_flushes);
	if (rules.set == &rules_x86 && (sum.spurious_flushes || sum.upgrade_flushes))
		fake_fail("flushes everywhere that x86 does not ask for");
}

/* One value, or two that go together. */
#define SCENARIO(ident, the_name, first, what, ...)                                                \
	static void setup_##ident(void)                                                            \
	{                                                                                          \
		use_baseline();                                                                    \
		__VA_ARGS__;                                                                       \
		setup_pages();                                                                     \
	}                                                                                          \
	const struct scenario ident = {                                                            \
		.name = the_name,                                                                  \
		.summary = "pages gain and lose access and move: " what,                           \
		.cpus = 3,                                                                         \
		.setup = setup_##ident,                                                            \
		.program = {first, write_and_read, move_and_write},                                \
		.end = end_pages,                                                                  \
	}

SCENARIO(spurious_always, "spurious-always", take_and_give,
	 "the fix-up after every fault that changed nothing", knobs.spurious = SPURIOUS_ALWAYS);
SCENARIO(spurious_rfc, "spurious-rfc", take_and_give, "retried faults leave everything alone",
	 knobs.spurious = SPURIOUS_RFC);
SCENARIO(spurious_skip, "spurious-skip", take_and_give, "no fix-up after a retried fault",
	 knobs.spurious = SPURIOUS_SKIP);
SCENARIO(spurious_never, "spurious-never", take_and_give,
	 "no fix-up, as whoever gives access flushes", knobs.spurious = SPURIOUS_NEVER);
SCENARIO(spurious_local, "spurious-local", take_and_give, "the fix-up on this CPU only",
	 knobs.spurious = SPURIOUS_LOCAL);
SCENARIO(upgrade_local, "upgrade-local", take_and_give, "whoever faults repairs his own entry",
	 knobs.spurious = SPURIOUS_LOCAL, knobs.upgrade = UPGRADE_LOCAL);
SCENARIO(upgrade_local_skip, "upgrade-local-skip", take_and_give,
	 "the same, but not after a retried fault", knobs.spurious = SPURIOUS_SKIP,
	 knobs.upgrade = UPGRADE_LOCAL);
SCENARIO(protect_filter, "protect-filter", write_or_execute,
	 "changes of protection flush what was lost", knobs.protect_flush = PROTECT_FLUSH_FILTER);
SCENARIO(protect_filter_local, "protect-filter-local", write_or_execute,
	 "changes of protection flush only what was lost, faults repair the rest",
	 knobs.protect_flush = PROTECT_FLUSH_FILTER, knobs.upgrade = UPGRADE_LOCAL,
	 knobs.spurious = SPURIOUS_RFC);
SCENARIO(model_arm64, "model-arm64", write_or_execute, "arm64's rules", knobs.model = RULES_ARM64);
SCENARIO(model_x86, "model-x86", write_or_execute,
	 "x86's rules, and a local flush where faults drop nothing", knobs.model = RULES_X86,
	 knobs.protect_flush = PROTECT_FLUSH_FILTER, knobs.spurious = SPURIOUS_NEVER);

/* ---- state that hardware sets while software writes the entry ----------------------------- */

static bool wrote;

static void setup_clean(void)
{
	rules_use();
	wrote = false;
	a = work_space("a", VA, 1, RW);
	work_load(a, 0);
	work_load(a, 1);
	pt_change(pgwalk_find(a->root, VA, 0).ptep, pte_mk_clean);
	tlb_flush_context(&a->ctx);
}

static void take_write(unsigned cpu __unused)
{
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
}

static void write_once(unsigned cpu)
{
	wrote = work_write(VA, cpu);
}

static void end_clean(void)
{
	work_expect_all(a, VA, 1);
	if (wrote && !pte_is_dirty(*aspace_entry(a, VA)))
		fake_fail("I3: the page was written and its entry is clean");
}

const struct scenario protect_dirty = {
	.name = "protect-dirty",
	.summary = "a clean page loses the right to be written while it is written first",
	.cpus = 2,
	.setup = setup_clean,
	.program = {take_write, write_once},
	.end = end_clean,
};
