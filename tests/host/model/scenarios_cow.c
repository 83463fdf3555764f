/*
 * Scenarios of private mappings: space `a` maps a file privately, `b` shares it. Words of CPUs 0 and 1
 * are written in `a` alone and must not get into the file; that of CPU 2 is written in `b`.
 */
#include "model.h"

#include <kernel/bootinfo.h>
#include <mm/clean.h>
#include <mm/cow.h>
#include <mm/file.h>
#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a, *b;
static struct object *file;

enum { PAGES = 2 };
#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* The file's pages are mapped everywhere. */
static void setup(void)
{
	file = work_file_in("b", MODEL_FAR, &b);
	a = aspace_create("a", 0);
	work_private(a, b, MODEL_FAR, VA, PAGES, RW);
	aspace_populate(a, VA, PAGES * PAGE_SIZE, BOOT_NODE_NONE);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
}

/* What was written privately is there, and not in the file; what others wrote is in the file. */
static void expect_apart(void)
{
	aspace_populate(b, MODEL_FAR, PAGE_SIZE, BOOT_NODE_NONE);
	work_expect_word(a, VA, 0);
	work_expect_word(a, VA, 1);
	work_expect_word(b, MODEL_FAR, 2);
	work_expect_unwritten(b, MODEL_FAR, 0);
	work_expect_unwritten(b, MODEL_FAR, 1);
}

static void write_first(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
}

static void read_then_write(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(VA, cpu, 0);
	work_write(VA, cpu);
	work_read(VA, cpu, 0);
}

static void write_shared(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	work_read(MODEL_FAR, cpu, 2);
	work_write(MODEL_FAR, cpu);
}

static void setup_absent(void)
{
	setup();
	file_sync(file);
	file_invalidate(file, 0, PAGES, FILE_KEEP);
}

const struct scenario cow_faults = {
	.name = "cow-fault",
	.summary = "two threads write a private page for the first time; the file has to be read",
	.cpus = 3,
	.setup = setup_absent,
	.program = {write_first, read_then_write, write_shared},
	.end = expect_apart,
};

static void move_shared(unsigned cpu)
{
	work_migrate(b, MODEL_FAR, PAGES, 1);
	work_write(MODEL_FAR, cpu);
	work_migrate(b, MODEL_FAR, PAGES, 0);
}

const struct scenario cow_migrates = {
	.name = "cow-migrate",
	.summary = "a private page is written while the file's page moves there and back",
	.cpus = 3,
	.setup = setup,
	.program = {write_first, read_then_write, move_shared},
	.end = expect_apart,
};

static void setup_threads(void)
{
	setup();
	work_load(a, 2);
}

/* Both the file's pages and copies, whichever is there. */
static void move_private(unsigned cpu)
{
	work_migrate(a, VA, PAGES, 1);
	work_read(VA, cpu, 0);
	work_migrate(a, VA, PAGES, 0);
	work_read(VA, cpu, 1);
}

const struct scenario cow_migrates_own = {
	.name = "cow-migrate-own",
	.summary = "a private page is written while another thread moves what is mapped there",
	.cpus = 3,
	.setup = setup_threads,
	.program = {write_first, read_then_write, move_private},
	.end = expect_apart,
};

static void scan_private(unsigned cpu)
{
	hint_mark(a, VA, VA + PAGE_SIZE);
	work_read(VA, cpu, 0);
	hint_mark(a, VA, VA + PAGE_SIZE);
}

static void setup_scanned(void)
{
	knobs.hint = HINT_EARLY;
	setup_threads();
}

const struct scenario cow_hints = {
	.name = "cow-hint",
	.summary = "a private page is written while a scan makes its entry a hint entry",
	.weight = 3,
	.cpus = 3,
	.setup = setup_scanned,
	.program = {write_first, read_then_write, scan_private},
	.end = expect_apart,
};

/* Nobody has mapped it, so its entry comes while the page leaves. */
static void setup_unmapped(void)
{
	setup();
	aspace_drop(a, VA, PAGES * PAGE_SIZE);
}

/* The first write may copy at one go, where the other thread maps the file's page, or did until it left. */
static void write_at_once(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
}

static void clean_and_invalidate(unsigned cpu)
{
	work_expect("cleaning", file_clean(file, 0));
	work_write(MODEL_FAR, cpu);
	work_expect("invalidating", file_invalidate(file, 0, 1, FILE_KEEP));
	work_read(MODEL_FAR, cpu, 2);
}

const struct scenario cow_invalidates = {
	.name = "cow-invalidate",
	.summary = "a private page is written while the file's page is cleaned and leaves memory",
	.cpus = 3,
	.setup = setup_unmapped,
	.program = {write_at_once, read_then_write, clean_and_invalidate},
	.end = expect_apart,
};

static void setup_budget(void)
{
	knobs.dirty_pages = 1;
	setup();
}

/* The second page makes the file exceed its budget, so that its writer cleans what is shown privately. */
static void write_both_shared(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	work_write(MODEL_FAR + PAGE_SIZE, cpu);
	work_read(MODEL_FAR, cpu, 2);
}

static void expect_one_dirty(void)
{
	expect_apart();
	if (file->dirty > 2) /* one more than the budget may be under way, copies are none */
		fake_fail("%u pages count as dirty in a file of two", file->dirty);
}

const struct scenario cow_throttles = {
	.name = "cow-throttle",
	.summary = "a private page is written while the file is over its budget of dirty pages",
	.cpus = 3,
	.setup = setup_budget,
	.program = {write_first, read_then_write, write_both_shared},
	.end = expect_one_dirty,
};

/* ---- the file gets shorter -------------------------------------------------------------- */

static u32 shorter; /* file_truncate() has returned; release and acquire */

static void truncate(unsigned cpu __unused)
{
	work_expect("truncating", file_truncate(file, 1));
	store_release(&shorter, 1U);
}

/* Nobody writes it, so there is no copy of it. */
static void read_last(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++) {
		bool was = load_acquire(&shorter);

		if (work_read(VA2, cpu, 2) && was)
			fake_fail("I7: a private view beyond the end of the file was read");
	}
	work_write(VA, cpu);
}

static void expect_short(void)
{
	const pte_t *entry = aspace_entry(a, VA2);

	if (entry && !pte_is_none(*entry))
		fake_fail("I7: a page beyond the end of the file is mapped at the end");
	expect_apart();
}

const struct scenario cow_truncates = {
	.name = "cow-truncate",
	.summary = "a file gets shorter while its last page is read in a private mapping",
	.cpus = 3,
	.setup = setup,
	.program = {read_last, read_then_write, truncate},
	.end = expect_short,
};

/* Who can still read it has a copy: after the end of the file nothing else is mapped. */
static void read_copied(unsigned cpu)
{
	const slot_t *slot = object_slot(aspace_find(a, VA2)->object, 1, true);

	for (unsigned i = 0; i < 4; i++) {
		bool was = load_acquire(&shorter);

		if (work_read(VA2, cpu, 0) && was && !slot_is_page(slot_load(slot)))
			fake_fail("I7: a page beyond the end of the file was read, not a copy");
	}
}

static void write_last(unsigned cpu)
{
	work_write(VA2, cpu);
	work_read(VA2, cpu, 0);
}

static void expect_copied(void)
{
	const pte_t *entry = aspace_entry(a, VA2);

	if (entry && !pte_is_none(*entry)) {
		work_expect_word(a, VA2, 0);
		if (phys_to_page(pte_pa(*entry, 0))->object == file)
			fake_fail("I7: a page beyond the end of the file is mapped at the end");
	}
}

const struct scenario cow_cut_writes = {
	.name = "cow-cut-write",
	.summary = "a file gets shorter while its last page is written in a private mapping",
	.cpus = 3,
	.setup = setup,
	.program = {write_last, read_copied, truncate},
	.end = expect_copied,
};

const struct scenario cow_cut_early = {
	.name = "cow-cut-early",
	.summary = "a file gets shorter while its last page is first read in a private mapping",
	.cpus = 3,
	.setup = setup_unmapped,
	.program = {read_last, read_then_write, truncate},
	.end = expect_short,
};

/* ---- debts of what is shown --------------------------------------------------------------------- */

/* Clean pages: no entry of theirs is writable. */
static void setup_clean(void)
{
	setup_threads();
	file_sync(file);
}

static void move_shown(unsigned cpu)
{
	work_migrate(a, VA, PAGES, 1);
	work_read(VA, cpu, 0);
	work_read(VA2, cpu, 1);
}

const struct scenario cow_debts = {
	.name = "cow-debts",
	.summary = "read-only pages of a file move, and are written privately meanwhile",
	.cpus = 3,
	.setup = setup_clean,
	.program = {write_first, read_then_write, move_shown},
	.end = expect_apart,
};
