/* Scenarios of swap: anonymous pages leave memory while others use them, move them, copy them or give them up. */
#include "model.h"

#include <kernel/atomic.h>
#include <mm/cow.h>
#include <mm/file.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/reclaim.h>
#include <mm/swap.h>
#include <fake/plan.h>

static struct aspace *a, *b;

enum { PAGES = 2 };
#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* Three threads; both pages share a flush. */
static void setup(void)
{
	a = work_space("a", VA, PAGES, RW);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		work_load(a, cpu);
	knobs.reclaim_batch = PAGES;
	work_swap(false);
	work_age(a, VA, PAGES);
}

static void expect_all(void)
{
	work_expect_swapped_in();
	if (a->owing)
		fake_fail("somebody owes at the end");
	work_expect_all(a, VA, PAGES);
}

static void read_and_write(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_write(VA2, cpu);
	work_read(VA, cpu, 1);
}

const struct scenario swap_writes = {
	.name = "swap-write",
	.summary = "anonymous pages go to swap twice while two threads write and read them",
	.weight = 6,
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, work_write_both, read_and_write},
	.end = expect_all,
};

static void read_both(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_read(VA, cpu, 1);
		work_read(VA2, cpu, 2);
	}
}

static void setup_gone(void)
{
	setup();
	if (reclaim_pages(0, PAGES) != PAGES)
		fake_fail("scenario: pages stay");
}

const struct scenario swap_reads = {
	.name = "swap-read",
	.summary = "pages that are in swap are read in by two threads at once, and go again",
	.weight = 4,
	.cpus = 3,
	.setup = setup_gone,
	.program = {work_reclaim_and_read, read_both, work_write_both},
	.end = expect_all,
};

/* Nobody else wants them: each is reclaimed by one of the two. */
const struct scenario swap_two = {
	.name = "swap-two",
	.summary = "two CPUs reclaim the same pages while a third one writes them",
	.weight = 10,
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, work_write_both, work_reclaim_and_read},
	.end = expect_all,
};

static void setup_failing(void)
{
	a = work_space("a", VA, PAGES, RW);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		work_load(a, cpu);
	knobs.reclaim_batch = PAGES;
	work_swap(true);
	work_age(a, VA, PAGES);
}

const struct scenario swap_fails = {
	.name = "swap-fail",
	.summary = "swap fails to write a page, which is mapped again while threads write it",
	.weight = 3,
	.cpus = 3,
	.setup = setup_failing,
	.program = {work_reclaim, work_write_both, read_and_write},
	.end = expect_all,
};

/* ---- who works on the same pages ------------------------------------------------------------- */

static void move(unsigned cpu)
{
	work_migrate(a, VA, PAGES, 1);
	work_write(VA, cpu);
	work_migrate(a, VA, PAGES, 0);
	work_read(VA2, cpu, 1);
}

static void reclaim_everywhere(unsigned cpu)
{
	reclaim_pages(0, PAGES);
	work_read(VA, cpu, 1);
	reclaim_pages(1, PAGES);
}

const struct scenario swap_moves = {
	.name = "swap-move",
	.summary = "pages move to and fro while they go to swap from either node",
	.cpus = 3,
	.setup = setup,
	.program = {reclaim_everywhere, work_write_both, move},
	.end = expect_all,
};

static void pin_and_write(unsigned cpu)
{
	work_pin_and_write(a, VA, cpu);
}

const struct scenario swap_pins = {
	.name = "swap-pin",
	.summary = "a page is pinned and written by a device while it goes to swap",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim, pin_and_write, read_and_write},
	.end = expect_all,
};

static void setup_scanned(void)
{
	knobs.hint = HINT_EARLY;
	setup();
}

const struct scenario swap_hints = {
	.name = "swap-hint",
	.summary = "pages go to swap while a scan makes their entries hint entries",
	.cpus = 3,
	.setup = setup_scanned,
	.program = {work_reclaim, work_write_both, work_scan_and_write},
	.end = expect_all,
};

/* ---- who changes the space --------------------------------------------------------------------- */

static void write_until_gone(unsigned cpu)
{
	for (unsigned i = 0; i < 3 && work_write(VA, cpu); i++)
		work_read(VA2, cpu, 1);
}

static void unmap_both(unsigned cpu __unused)
{
	aspace_unmap(a, VA, PAGES * PAGE_SIZE);
	work_expect_at_most(a, VA, 0);
	work_expect_at_most(a, VA2, 0);
}

const struct scenario swap_unmaps = {
	.name = "swap-unmap",
	.summary = "pages are unmapped under a writer while they go to swap",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, write_until_gone, unmap_both},
	.end = work_expect_swapped_in,
};

/* What was in swap, or on its way from there, is gone when it was dropped. */
static void drop_first(unsigned cpu)
{
	work_drop_begins(VA);
	if (aspace_drop(a, VA, PAGE_SIZE))
		fake_fail("scenario: a drop is refused");
	work_drop_ended(VA);
	work_read(VA, cpu, 1);
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

static void expect_second(void)
{
	work_expect_swapped_in();
	work_expect_all(a, VA2, 1);
}

const struct scenario swap_drops = {
	.name = "swap-drop",
	.summary = "a page is dropped while it goes to swap and is read in",
	.weight = 6,
	.cpus = 3,
	.setup = setup_gone,
	.program = {work_reclaim_and_read, work_write_both, drop_first},
	.end = expect_second,
};

/* Nothing is in swap yet: reclaim has a reference when the entry goes. */
const struct scenario swap_drops_early = {
	.name = "swap-drop-early",
	.summary = "a page is dropped while reclaim looks at it for the first time",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim, read_both, drop_first},
	.end = expect_second,
};

static void protect(unsigned cpu)
{
	aspace_protect(a, VA, PAGES * PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	work_expect_at_most(a, VA2, PROT_READ);
	aspace_protect(a, VA, PAGES * PAGE_SIZE, RW);
	work_write(VA, cpu);
}

const struct scenario swap_protects = {
	.name = "swap-protect",
	.summary = "pages become read-only under a writer while they go to swap",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim, write_until_gone, protect},
	.end = expect_all,
};

/* A write that is refused when its page has been read in: nobody has mapped it then. */
static void lower(unsigned cpu)
{
	aspace_protect(a, VA, PAGES * PAGE_SIZE, PROT_READ);
	work_read(VA2, cpu, 1);
}

static void write_once(unsigned cpu)
{
	work_write(VA, cpu);
}

const struct scenario swap_kept = {
	.name = "swap-kept",
	.summary = "pages are read in for writers who may not write any more when they are there",
	.cpus = 3,
	.setup = setup_gone,
	.program = {lower, write_once, work_write_both},
	.end = expect_all,
};

/* ---- 2 MiB pages --------------------------------------------------------------------------------- */

/*
 * Its first two parts are watched, which are those that go first. Nobody has accessed it. While it is
 * split, it has a hint entry.
 */
static void setup_large_for(u32 hint)
{
	knobs.hint = hint;
	fake_plan->limit =
		400000; /* reclaim may look at 512 parts twice, in about a hundred steps each */
	a = work_large("a", VA, VA2);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	knobs.reclaim_batch = PAGES;
	work_swap(false);
	work_age(a, VA, 1);
}

static void setup_large(void)
{
	setup_large_for(HINT_EARLY);
}

const struct scenario swap_large = {
	.name = "swap-large",
	.summary = "a 2 MiB page is split to go to swap while two threads write its parts",
	.weight = 2,
	.cpus = 3,
	.large = true,
	.setup = setup_large,
	.program = {work_reclaim_and_read, work_write_both, read_and_write},
	.end = expect_all,
};

static void setup_large_scanned(void)
{
	setup_large_for(HINT_LATE);
}

const struct scenario swap_large_hints = {
	.name = "swap-large-hint",
	.summary =
		"a 2 MiB page is split to go to swap while scans hide it, and hint faults move it",
	.weight = 2,
	.cpus = 3,
	.large = true,
	.setup = setup_large_scanned,
	.program = {work_reclaim_and_read, work_scan_and_write, read_and_write},
	.end = expect_all,
};

const struct scenario swap_large_drops = {
	.name = "swap-large-drop",
	.summary = "a part of a 2 MiB page is dropped, which splits it, as does reclaim",
	.weight = 6,
	.cpus = 2, /* a third one would only access it: then reclaim looks at all of its parts */
	.large = true,
	.setup = setup_large,
	.program = {work_reclaim, drop_first},
	.end = expect_second,
};

/* ---- duplicates ---------------------------------------------------------------------------------- */

static void setup_one_gone(void)
{
	setup();
	knobs.reclaim_batch = 1;
	if (reclaim_pages(0, 1) != 1)
		fake_fail("scenario: no page goes");
	knobs.reclaim_batch = PAGES;
	work_age(a, VA, PAGES);
}

static void duplicate(unsigned cpu)
{
	b = work_dup(a);
	work_load(b, cpu);
	work_read(VA, cpu, 1);
	work_read(VA2, cpu, 1);
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
	work_load(a, cpu);
	work_read(VA, cpu, 1);
}

const struct scenario swap_dups = {
	.name = "swap-dup",
	.summary = "a space is duplicated while its pages go to swap and are written",
	.weight = 6,
	.cpus = 3,
	.setup = setup_one_gone,
	.program = {work_reclaim_and_read, work_write_both, duplicate},
	.end = expect_all,
};

static struct page *pinned[PAGES];

static void setup_pinned(void)
{
	setup();
	for (unsigned i = 0; i < PAGES; i++)
		pinned[i] = work_pin(a, VA + i * PAGE_SIZE);
	work_age(a, VA, PAGES);
}

static void unpin_and_reclaim(unsigned cpu)
{
	page_put(pinned[0], PAGE_PIN);
	work_reclaim_and_read(cpu);
	page_put(pinned[1], PAGE_PIN);
}

const struct scenario swap_dups_pinned = {
	.name = "swap-dup-pinned",
	.summary = "pinned pages are copied for a duplicate, and one goes to swap before the space "
		   "is divided",
	.weight = 4,
	.cpus = 2,
	.setup = setup_pinned,
	.program = {duplicate, unpin_and_reclaim},
	.end = expect_all,
};

static void setup_duplicate(void)
{
	a = work_space("a", VA, PAGES, RW);
	b = work_dup(a);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
	knobs.reclaim_batch = PAGES;
	work_swap(false);
	work_age(a, VA, PAGES);
	work_age(b, VA, PAGES);
}

static void use_duplicate(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_write(VA, cpu);
	work_read(VA2, cpu, 1);
	work_read(VA, cpu, cpu);
}

static void expect_both(void)
{
	expect_all();
	work_expect_all(b, VA, PAGES);
}

const struct scenario swap_shared = {
	.name = "swap-shared",
	.summary = "pages of a space and its duplicate go to swap while both write them",
	.weight = 6,
	.cpus = 3,
	.setup = setup_duplicate,
	.program = {work_reclaim_and_read, work_write_both, use_duplicate},
	.end = expect_both,
};

static void drop_duplicate(unsigned cpu)
{
	work_drop_begins(VA);
	aspace_drop(b, VA, PAGE_SIZE);
	work_drop_ended(VA);
	work_read(VA, cpu, cpu);
	work_write(VA2, cpu);
}

static void expect_but_dropped(void)
{
	expect_all();
	work_expect_all(b, VA2, 1);
}

const struct scenario swap_drops_shared = {
	.name = "swap-drop-shared",
	.summary = "a duplicate drops a page that goes to swap, and the other space writes it",
	.weight = 3,
	.cpus = 3,
	.setup = setup_duplicate,
	.program = {work_reclaim_and_read, work_write_both, drop_duplicate},
	.end = expect_but_dropped,
};

static void destroy(unsigned cpu __unused)
{
	aspace_load(NULL);
	aspace_destroy(b);
}

const struct scenario swap_exits = {
	.name = "swap-exit",
	.summary = "a space goes whose pages go to swap, and which its duplicate shares",
	.weight = 16,
	.cpus = 3,
	.setup = setup_duplicate,
	.program = {work_reclaim_and_read, work_write_both, destroy},
	.end = expect_all,
};

/* ---- copies of a file's pages ------------------------------------------------------------------------ */

static struct aspace *of_file;

/* The first page is a copy, the second one is the file's still. */
static void setup_private(void)
{
	work_file_in("file", MODEL_FAR, &of_file);
	a = aspace_create("a", 0);
	work_private(a, of_file, MODEL_FAR, VA, PAGES, RW);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		work_load(a, cpu);
	work_write(VA, 0);
	knobs.reclaim_batch = PAGES;
	work_swap(false);
	work_age(a, VA, PAGES);
	work_age(of_file, MODEL_FAR, PAGES);
}

static void read_private(unsigned cpu)
{
	work_read(VA, cpu, 0);
	work_write(VA2, cpu);
	work_read(VA, cpu, 1);
}

static void write_private(unsigned cpu)
{
	work_write(VA, cpu);
	work_write(VA2, cpu);
	work_read(VA, cpu, cpu);
}

static void expect_private(void)
{
	work_expect_swapped_in();
	work_expect_kept(a, VA, true);
	work_expect_kept(a, VA2, true);
}

const struct scenario swap_privates = {
	.name = "swap-private",
	.summary = "copies of a file's pages go to swap, and the file's pages go, too",
	.weight = 6,
	.cpus = 3,
	.setup = setup_private,
	.program = {work_reclaim_and_read, write_private, read_private},
	.end = expect_private,
};

/* ---- debts, and allocations ---------------------------------------------------------------------------- */

static void setup_readonly(void)
{
	setup();
	work_protect(a, VA, PAGES, PROT_READ);
}

static void move_and_reclaim(unsigned cpu)
{
	work_migrate(a, VA, PAGES, 1);
	reclaim_pages(1, PAGES);
	work_read(VA, cpu, 2);
}

static void allow_and_write(unsigned cpu)
{
	aspace_protect(a, VA, PAGES * PAGE_SIZE, RW);
	work_write(VA, cpu);
	work_write(VA2, cpu);
}

const struct scenario swap_debts = {
	.name = "swap-debts",
	.summary = "read-only pages move and go to swap, which pays what they owe, and are written",
	.cpus = 3,
	.setup = setup_readonly,
	.program = {move_and_reclaim, read_both, allow_and_write},
	.end = expect_all,
};

static void setup_short(void)
{
	setup_one_gone();
	work_take_frames(0, true);
	work_take_frames(1, true);
}

static void in_turns(unsigned cpu)
{
	work_write(VA, cpu);
	work_write(VA2, cpu);
	work_read(VA, cpu, 1);
}

static void give_back_and_expect_all(void)
{
	work_give_frames();
	expect_all();
}

static void protect_twice(unsigned cpu __unused)
{
	aspace_protect(a, VA, PAGES * PAGE_SIZE, PROT_READ);
	aspace_protect(a, VA, PAGES * PAGE_SIZE, RW);
}

const struct scenario swap_allocates = {
	.name = "swap-allocate",
	.summary = "faults that find no frame reclaim with their space's lock, which others want",
	.cpus = 3,
	.setup = setup_short,
	.program = {in_turns, in_turns, protect_twice},
	.end = give_back_and_expect_all,
};
