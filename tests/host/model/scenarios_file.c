/* Scenarios of files: pages that are cleaned, moved and written by the kernel while others use them. */
#include "model.h"

#include <mm/clean.h>
#include <mm/file.h>
#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a, *b;
static struct object *file;

enum { PAGES = 2 };
#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

static void setup(void)
{
	file = work_file(&a, &b);
}

/* ---- cleaning ---------------------------------------------------------------------------- */

static void clean_twice(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_expect("cleaning", file_clean(file, 0));
		work_read(VA, cpu, 1);
	}
}

static void write_three(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_write(VA, cpu);
	work_read(VA, cpu, 2);
}

static void write_far(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	work_read(MODEL_FAR, cpu, 1);
	work_write(MODEL_FAR, cpu);
}

const struct scenario file_cleans = {
	.name = "file-clean",
	.summary = "a page is cleaned twice while it is written through two spaces",
	.cpus = 3,
	.setup = setup,
	.program = {clean_twice, write_three, write_far},
	.end = work_expect_stored,
};

/* A device writes through the pin, at any moment until it is given back. */
static void pin_and_write(unsigned cpu)
{
	work_pin_and_write(a, VA, cpu);
}

const struct scenario file_clean_pins = {
	.name = "file-clean-pin",
	.summary = "a page is cleaned while it is pinned and written by a device",
	.cpus = 3,
	.setup = setup,
	.program = {clean_twice, pin_and_write, write_far},
	.end = work_expect_stored,
};

static void move_far(unsigned cpu)
{
	work_migrate(b, MODEL_FAR, PAGES, 1);
	work_write(MODEL_FAR, cpu);
	work_migrate(b, MODEL_FAR, PAGES, 0);
}

const struct scenario file_clean_moves = {
	.name = "file-clean-migrate",
	.summary = "a page is cleaned while it is written and moves there and back",
	.cpus = 3,
	.setup = setup,
	.program = {clean_twice, write_three, move_far},
	.end = work_expect_stored,
};

static void setup_threads(void)
{
	setup();
	work_load(a, 2);
}

/* Another thread of the writer's space takes its entry away, and lowers it. */
static void drop_and_protect(unsigned cpu)
{
	aspace_drop(a, VA, PAGE_SIZE);
	work_write(VA, cpu);
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_write(VA, cpu);
}

/* It may meet the time when the area is read-only. */
static void write_if_allowed(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_write(VA, cpu);
}

const struct scenario file_clean_drops = {
	.name = "file-clean-unmap",
	.summary =
		"a page is cleaned while an unmap and a protect of its entry still owe their flush",
	.cpus = 3,
	.setup = setup_threads,
	.program = {clean_twice, write_if_allowed, drop_and_protect},
	.end = work_expect_stored,
};

static void scan(unsigned cpu)
{
	hint_mark(a, VA, VA + PAGE_SIZE);
	work_write(VA, cpu);
	hint_mark(a, VA, VA + PAGE_SIZE);
}

static void setup_scanned(void)
{
	knobs.hint = HINT_EARLY;
	setup_threads();
	aspace_drop(b, MODEL_FAR, PAGE_SIZE);
}

const struct scenario file_clean_hints = {
	.name = "file-clean-hint",
	.summary = "a page is cleaned while a scan makes its entry a hint entry",
	.weight = 3,
	.cpus = 3,
	.setup = setup_scanned,
	.program = {clean_twice, write_three, scan},
	.end = work_expect_stored,
};

/* CPU 1 would pull the page, but there is no room on its node. */
static void setup_scanned_full(void)
{
	setup_scanned();
	knobs.hint = HINT_LATE;
	phys_to_page(pte_pa(*aspace_entry(a, VA), 0))->last = 1 << 16 | 2; /* once, by CPU 1 */
	hint_mark(a, VA, VA + PAGE_SIZE);
	work_take_frames(1, true);
}

static void give_back_and_expect_stored(void)
{
	work_give_frames();
	work_expect_stored();
}

const struct scenario file_clean_stays = {
	.name = "file-clean-stay",
	.summary = "a page is cleaned while a thread would move it, and finds no room",
	.cpus = 3,
	.setup = setup_scanned_full,
	.program = {clean_twice, write_three, write_three},
	.end = give_back_and_expect_stored,
};

/* ---- throttling: over the budget, faults write back and are retried -------------------------- */

static void setup_budget(void)
{
	knobs.dirty_pages = 1;
	setup();
}

static void write_both(unsigned cpu)
{
	work_write(VA, cpu);
	work_write(VA2, cpu);
	work_write(VA, cpu);
	work_read(VA2, cpu, 1);
}

static void write_both_far(unsigned cpu)
{
	work_write(MODEL_FAR + PAGE_SIZE, cpu);
	work_write(MODEL_FAR, cpu);
	work_read(MODEL_FAR, cpu, 0);
}

const struct scenario file_throttles = {
	.name = "file-throttle",
	.summary = "three writers over the budget write back each other's pages, and are retried",
	.weight = 3,
	.cpus = 3,
	.setup = setup_budget,
	.program = {write_both, write_both, write_both_far},
	.end = work_expect_stored,
};

/* What a retried fault may find: the entry moved, hinted, lowered, gone. */
static void change_both(unsigned cpu)
{
	hint_mark(a, VA, VA + 2 * PAGE_SIZE);
	aspace_drop(a, VA2, PAGE_SIZE);
	work_write(VA2, cpu);
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	aspace_protect(a, VA, PAGE_SIZE, RW);
}

static void move_both(unsigned cpu)
{
	work_migrate(b, MODEL_FAR, PAGES, 1);
	work_write(MODEL_FAR, cpu);
	work_migrate(b, MODEL_FAR, PAGES, 0);
}

static void setup_budget_scanned(void)
{
	knobs.hint = HINT_EARLY;
	setup_budget();
}

const struct scenario file_throttle_moves = {
	.name = "file-throttle-migrate",
	.summary = "a writer over the budget is retried while its entry moves, is hinted, lowered "
		   "and dropped",
	.weight = 4,
	.cpus = 3,
	.setup = setup_budget_scanned,
	.program = {write_both, change_both, move_both},
	.end = work_expect_stored,
};

/* ---- without a mapping --------------------------------------------------------------------- */

static void write_file(unsigned cpu)
{
	work_file_write(file, VA, cpu);
	work_file_write(file, VA, cpu);
	work_read(VA, cpu, 1);
}

static void write_and_read(unsigned cpu)
{
	work_write(VA, cpu);
	work_file_read(file, VA, cpu, 0);
	work_read(VA, cpu, 0);
	work_write(VA, cpu);
}

static void clean_and_move(unsigned cpu)
{
	work_expect("cleaning", file_clean(file, 0));
	work_migrate(b, MODEL_FAR, 1, 1);
	work_read(MODEL_FAR, cpu, 0);
}

const struct scenario file_writes = {
	.name = "file-write",
	.summary = "the kernel writes and reads a page that is mapped, moved and cleaned",
	.cpus = 3,
	.setup = setup,
	.program = {write_file, write_and_read, clean_and_move},
	.end = work_expect_stored,
};
