/* Scenarios of NUMA balancing: scans and hint faults against each other and the rest. */
#include "model.h"

#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define END (VA + 2 * PAGE_SIZE)

/* Two pages on node 0 whose last user was on node 1: the next fault from there moves them. */
static void setup_pages(enum hint_order order)
{
	a = work_space("a", VA, 2, RW);
	for (vaddr_t va = VA; va <= VA2; va += PAGE_SIZE) {
		struct pt_pos pos = pgwalk_find(a->root, va, 0);

		phys_to_page(pte_pa(pte_load(pos.ptep), 0))->last =
			1 << 16 | 2; /* once, by CPU 1 */
	}
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	knobs.hint = order;
}

static void setup_late(void)
{
	setup_pages(HINT_LATE);
}

static void setup_late_marked(void)
{
	setup_pages(HINT_LATE);
	hint_mark(a, VA, END);
}

static void setup_early_marked(void)
{
	setup_pages(HINT_EARLY);
	hint_mark(a, VA, END);
}

static void scan(unsigned cpu __unused)
{
	hint_mark(a, VA, END);
}

static void scan_and_migrate(unsigned cpu __unused)
{
	hint_mark(a, VA, END);
	work_migrate(a, VA, 2, 1);
}

static void use_both(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA2, cpu, 1);
	work_write(VA2, cpu);
	work_read(VA, cpu, cpu);
}

static void read_others(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_read(VA2, cpu, 1);
	work_read(VA, cpu, 1);
}

static void protect_then_check(unsigned cpu __unused)
{
	aspace_protect(a, VA, END - VA, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	work_expect_at_most(a, VA2, PROT_READ);
}

static void use_until_refused(unsigned cpu)
{
	work_write(VA, cpu);
	work_write(VA2, cpu);
	work_read(VA, cpu, cpu);
}

static void expect_both(void)
{
	work_expect_all(a, VA, 2);
}

const struct scenario hint_scan_faults = {
	.name = "hint-scan",
	.summary =
		"a scan takes two pages away under a writer that pulls them and one that does not",
	.cpus = 3,
	.setup = setup_late,
	.program = {scan, use_both, use_both},
	.end = expect_both,
};

const struct scenario hint_late_faults = {
	.name = "hint-late",
	.summary = "two threads on hint entries at once, moved before they are mapped, rescanned",
	.cpus = 3,
	.setup = setup_late_marked,
	.program = {scan_and_migrate, use_both, read_others},
	.end = expect_both,
};

const struct scenario hint_early_faults = {
	.name = "hint-early",
	.summary = "the same, mapped before they are moved",
	.cpus = 3,
	.setup = setup_early_marked,
	.program = {scan_and_migrate, use_both, read_others},
	.end = expect_both,
};

const struct scenario hint_protect = {
	.name = "hint-protect",
	.summary = "hint entries become read-only while threads fault on them",
	.cpus = 3,
	.setup = setup_late_marked,
	.program = {protect_then_check, use_until_refused, use_until_refused},
	.end = expect_both,
};

/* ---- the end of a window and who waits for it ---------------------------------------------- */

/* A page on node 1 that CPU 0 would pull, if a window were not open. */
static void setup_window_open(void)
{
	a = work_space("a", VA, 1, RW);
	work_migrate(a, VA, 1, 1);
	phys_to_page(pte_pa(*aspace_entry(a, VA), 0))->last = 1 << 16 | 1; /* once, by CPU 0 */
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	knobs.hint = HINT_LATE;
	hint_mark(a, VA, VA2);
	hint_flush_begins(a);
}

static void pull(unsigned cpu)
{
	work_write(VA, cpu);
}

static void close_window(unsigned cpu __unused)
{
	hint_flush_ended(a);
}

const struct scenario hint_wake = {
	.name = "hint-wake",
	.summary = "a window ends while a thread that found it open goes to sleep",
	.cpus = 2,
	.setup = setup_window_open,
	.program = {pull, close_window},
};
