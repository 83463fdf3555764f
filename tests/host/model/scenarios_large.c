/* Scenarios with a 2 MiB page, of which two parts are used: moved whole, split, and cut, under concurrency. */
#include "model.h"

#include <fake/plan.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/reclaim.h>

static struct aspace *a;

/* The first part and one in the middle, which are watched. */
#define VA MODEL_VA
#define MIDDLE (MODEL_VA + 300 * PAGE_SIZE)

static void setup_large(void)
{
	a = work_large("a", VA, MIDDLE);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
}

/* Of a whole page, these take all of it; of one that was split, a part: the others would be steps for nothing. */
static void scan_at(vaddr_t va)
{
	hint_mark(a, va, va + PAGE_SIZE);
}

static void hint_it(void)
{
	/* Last touched by CPU 0 (node 0), after a turn from node 1: if CPU 1 is next, the page is split. */
	phys_to_page(pte_pa(pte_load(pgwalk_find(a->root, VA, 1).ptep), 1))->last =
		1 << 22 | 1 << 16 | 1;
	knobs.hint = HINT_LATE;
	knobs.numa_split = SPLIT_SHARED;
	scan_at(VA);
}

static void setup_hinted(void)
{
	setup_large();
	hint_it();
}

static void use_both(unsigned cpu)
{
	work_write(VA, cpu);
	work_write(MIDDLE, cpu);
	work_read(VA, cpu, cpu ^ 3);
	work_write(MIDDLE, cpu);
	work_read(VA, cpu, cpu);
}

static void read_both(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_read(MIDDLE, cpu, 1);
	work_read(VA, cpu, 1);
}

static void migrate(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
}

static void scan_twice(unsigned cpu __unused)
{
	scan_at(VA);
	scan_at(MIDDLE);
}

static void migrate_and_scan(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
	scan_at(MIDDLE);
	work_migrate(a, MIDDLE, 1, 0);
}

static void unmap_middle(unsigned cpu)
{
	aspace_unmap(a, MIDDLE, PAGE_SIZE);
	work_expect_at_most(a, MIDDLE, 0);
	work_read(VA, cpu, 1);
}

static void protect_middle(unsigned cpu)
{
	aspace_protect(a, MIDDLE, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, MIDDLE, PROT_READ);
	work_read(MIDDLE, cpu, 1);
}

/* Refused while the page is pinned: then nothing has changed. */
static void drop_middle(unsigned cpu)
{
	work_drop_begins(MIDDLE);
	if (!aspace_drop(a, MIDDLE, PAGE_SIZE))
		work_drop_ended(MIDDLE);
	work_read(MIDDLE, cpu, cpu);
	work_read(VA, cpu, 1);
}

static void use_until_refused(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_write(VA, cpu);
		if (!work_write(MIDDLE, cpu) || !work_read(MIDDLE, cpu, cpu))
			break;
	}
	work_read(VA, cpu, cpu);
}

static void pin_and_write(unsigned cpu)
{
	work_pin_and_write(a, VA, cpu);
}

static void expect_mapped(const struct page *page)
{
	struct pt_pos pos = pgwalk_find(a->root, VA, 0);

	if (phys_to_page(pte_pa(pte_load(pos.ptep), pos.level)) != page)
		fake_fail("I10: the pinned page is not the mapped one");
}

/* For reading, then for writing. */
static void pin_twice(unsigned cpu)
{
	struct page *page;

	if (aspace_pin(a, VA, false, &page)) {
		fake_fail("pin: refused");
		return;
	}
	expect_mapped(page);
	fake_point(40);
	expect_mapped(page);
	page_put(page, PAGE_PIN);
	pin_and_write(cpu);
}

static struct page *pinned;

static void setup_pinned(void)
{
	setup_large();
	aspace_pin(a, VA, true, &pinned);
	hint_it();
}

static void let_go(unsigned cpu)
{
	work_device_write(VA, pinned, cpu);
	page_put(pinned, PAGE_PIN);
	work_read(MIDDLE, cpu, 1);
}

static void end_first(void)
{
	work_expect_all(a, VA, 1);
}

static void end_both(void)
{
	work_expect_all(a, VA, 1);
	work_expect_all(a, MIDDLE, 1);
}

const struct scenario large_migrate = {
	.name = "large-migrate",
	.summary = "a 2 MiB page moves whole under a writer and a reader of two of its parts",
	.cpus = 3,
	.large = true,
	.setup = setup_large,
	.program = {migrate, use_both, read_both},
	.end = end_both,
};

const struct scenario large_split = {
	.name = "large-split",
	.summary = "a hint fault splits a page while another allows access and scans hide it again",
	.cpus = 3,
	.large = true,
	.setup = setup_hinted,
	.program = {scan_twice, use_both, use_both},
	.end = end_both,
};

const struct scenario large_split_migrate = {
	.name = "large-split-migrate",
	.summary = "a hint fault splits a page while it is moved whole, and its parts after that",
	.cpus = 3,
	.large = true,
	.setup = setup_hinted,
	.program = {migrate_and_scan, use_both, use_both},
	.end = end_both,
};

const struct scenario large_split_unmap = {
	.name = "large-split-unmap",
	.summary = "a part is unmapped, which splits the page, while a hint fault splits it, too",
	.cpus = 3,
	.large = true,
	.setup = setup_hinted,
	.program = {unmap_middle, use_until_refused, use_until_refused},
	.end = end_first,
};

const struct scenario large_split_pin = {
	.name = "large-split-pin",
	.summary = "a hint fault splits a page that somebody is about to pin",
	.cpus = 2,
	.large = true,
	.setup = setup_hinted,
	.program = {pin_twice, use_both},
	.end = end_both,
};

const struct scenario large_pinned = {
	.name = "large-pinned",
	.summary = "a hint fault is to split a page that a device has pinned, and lets go",
	.cpus = 2,
	.large = true,
	.setup = setup_pinned,
	.program = {let_go, use_both},
	.end = end_both,
};

const struct scenario large_cut_protect = {
	.name = "large-cut-protect",
	.summary = "a part becomes read-only under two CPUs that have all of the page cached",
	.cpus = 3,
	.large = true,
	.setup = setup_large,
	.program = {protect_middle, use_until_refused, use_until_refused},
	.end = end_both,
};

const struct scenario large_cut_drop = {
	.name = "large-cut-drop",
	.summary = "a part is dropped while a device has the page pinned and a writer uses it",
	.cpus = 3,
	.large = true,
	.setup = setup_large,
	.program = {drop_middle, pin_and_write, use_until_refused},
	.end = end_first,
};

/* ---- on its way to swap --------------------------------------------------------------------------- */

/* Nobody has accessed it, or written it since its entry was cleaned. */
static void setup_clean(void)
{
	knobs.hint = HINT_EARLY; /* while it is split, it has a hint entry */
	fake_plan->limit = 400000; /* reclaim may look at 512 parts twice */
	knobs.reclaim_batch = 1;
	setup_large();
	work_swap(false);
	pt_change(pgwalk_find(a->root, VA, 1).ptep, pte_mk_clean);
	work_age(a, VA, 1);
	tlb_flush_context(&a->ctx);
}

static void reclaim_one(unsigned cpu __unused)
{
	reclaim_pages(0, 1);
}

static void write_first(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

static void end_swapped_in(void)
{
	work_expect_swapped_in();
	end_both();
}

const struct scenario large_dirty = {
	.name = "swap-large-dirty",
	.summary =
		"the first store to a clean 2 MiB page meets reclaim, which is about to split it",
	.cpus = 2,
	.large = true,
	.setup = setup_clean,
	.program = {reclaim_one, write_first},
	.end = end_swapped_in,
};
