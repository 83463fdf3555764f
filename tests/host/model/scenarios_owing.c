/*
 * Scenarios of pages that leave their file with their flush owed, for deferrals that let reclaim wait: CPU 1 may
 * go on reading the frames that they have left. Under others the same happens, flushed at once.
 */
#include "model.h"

#include <mm/file.h>
#include <mm/knob.h>
#include <mm/pmm.h>
#include <mm/reclaim.h>

static struct aspace *a, *b;
static struct object *file;

enum { PAGES = 2 };
#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* Clean pages, which CPUs 0 and 1 have in `a`; nothing else maps them but what CPU 2 maps in `b`. */
static void setup(void)
{
	file = work_file(&a, &b);
	knobs.reclaim_batch = PAGES;
	work_expect("writing back", file_sync(file));
	work_age(a, VA, PAGES);
}

static void setup_threads(void)
{
	setup();
	work_load(a, 2);
}

static void expect_stored(void)
{
	if (a->owing || b->owing)
		fake_fail("somebody owes at the end");
	work_expect_stored();
}

static void read_on(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++) {
		work_read(VA, cpu, 2);
		work_read(VA2, cpu, 0);
	}
}

/* ---- who reads the page in again, and writes it ---------------------------------------------- */

static void write_elsewhere(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	work_write(MODEL_FAR, cpu);
	work_read(MODEL_FAR + PAGE_SIZE, cpu, 1);
}

const struct scenario owing_elsewhere = {
	.name = "owing-elsewhere",
	.summary =
		"a page leaves its file, and is read in and written at another address, under its "
		"readers",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim, read_on, write_elsewhere},
	.end = expect_stored,
};

static void read_then_write(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_write(VA, cpu);
	work_write(VA2, cpu);
}

const struct scenario owing_upgrades = {
	.name = "owing-upgrade",
	.summary = "a page leaves its file, and another thread reads it in before it writes it",
	.weight = 3,
	.cpus = 3,
	.setup = setup_threads,
	.program = {work_reclaim, read_on, read_then_write},
	.end = expect_stored,
};

static void write_by_kernel(unsigned cpu)
{
	work_file_write(file, MODEL_FAR, cpu);
	work_file_write(file, MODEL_FAR + PAGE_SIZE, cpu);
}

const struct scenario owing_file_writes = {
	.name = "owing-file-write",
	.summary = "a page leaves its file, and is written by the kernel, under its readers",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim, read_on, write_by_kernel},
	.end = expect_stored,
};

/* For reading: a device that has the page sees what is written into the file. */
static void pin_for_reading(unsigned cpu __unused)
{
	struct page *page;

	if (aspace_pin(a, VA, false, &page)) {
		fake_fail("pin: refused");
		return;
	}
	fake_point(40);
	slot_t *slot = object_slot(file, 0, false), seen = slot_load(slot);

	while (slot_is_busy(seen)) { /* reclaim has yet to look for pins */
		cpu_relax();
		seen = slot_load(slot);
	}
	if (!slot_is_page(seen) || slot_page(seen) != page)
		fake_fail("I10: frame %#lx is pinned, and not its file's any more",
			  page_to_phys(page) >> PAGE_SHIFT);
	page_put(page, PAGE_PIN);
}

const struct scenario owing_pins = {
	.name = "owing-pin",
	.summary = "a page is pinned for a device that reads, while it leaves its file",
	.weight = 2,
	.cpus = 3,
	.setup = setup_threads,
	.program = {work_reclaim, read_on, pin_for_reading},
	.end = expect_stored,
};

/* ---- frames that leave the allocator ----------------------------------------------------------- */

static void reclaim_and_take(unsigned cpu __unused)
{
	reclaim_pages(0, PAGES);
	pmm_drain_caches();
	while (pmm_alloc(0, 0, PMM_STRICT | PMM_RESERVE | PMM_ZERO | PMM_NO_RECLAIM))
		;
}

const struct scenario owing_takes = {
	.name = "owing-take",
	.summary = "the frames that pages have left are taken and zeroed under their readers",
	.weight = 4,
	.cpus = 2,
	.setup = setup,
	.program = {reclaim_and_take, read_on},
};

/* A reference keeps the page that has left, and its last owner frees it. */
static void read_by_kernel(unsigned cpu)
{
	work_file_read(file, MODEL_FAR, cpu, 1);
	work_file_read(file, MODEL_FAR + PAGE_SIZE, cpu, 1);
}

const struct scenario owing_references = {
	.name = "owing-reference",
	.summary = "a page leaves its file while the kernel reads it, and others have it mapped",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim, read_on, read_by_kernel},
	.end = expect_stored,
};

/* ---- what must be gone ----------------------------------------------------------------------------- */

static void truncate_and_look(unsigned cpu)
{
	work_expect("truncating", file_truncate(file, 1));
	work_expect_at_most(a, VA2, 0);
	work_read(MODEL_FAR, cpu, 1);
}

static void read_last(unsigned cpu)
{
	for (unsigned i = 0; i < 4 && work_read(VA2, cpu, 0); i++)
		;
}

const struct scenario owing_truncates = {
	.name = "owing-truncate",
	.summary = "a file gets shorter after its last page has left it owing",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim, read_last, truncate_and_look},
};

static void unmap_and_look(unsigned cpu __unused)
{
	aspace_unmap(a, VA2, PAGE_SIZE);
	work_expect_at_most(a, VA2, 0);
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
}

const struct scenario owing_unmaps = {
	.name = "owing-unmap",
	.summary = "a page is unmapped while it leaves its file owing",
	.cpus = 3,
	.setup = setup_threads,
	.program = {work_reclaim, read_last, unmap_and_look},
};

/* ---- private mappings ---------------------------------------------------------------------------------- */

static void setup_private(void)
{
	file = work_file_in("b", MODEL_FAR, &b);
	a = aspace_create("a", 0);
	work_private(a, b, MODEL_FAR, VA, PAGES, RW);
	knobs.reclaim_batch = PAGES;
	work_expect("writing back", file_sync(file));
	aspace_populate(a, VA, PAGES * PAGE_SIZE, 0);
	work_age(a, VA, PAGES);
	work_age(b, MODEL_FAR, PAGES);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
}

static void reclaim_and_write(unsigned cpu)
{
	reclaim_pages(0, PAGES);
	work_write(VA, cpu);
	work_write(VA, cpu);
}

static void read_again(unsigned cpu)
{
	work_read(VA, cpu, 0);
	work_read(VA2, cpu, 0);
	work_read(VA, cpu, 0);
}

/* The page is in memory again, and nothing is mapped where it is written: see cow_write_absent(). */
static void read_in(unsigned cpu)
{
	work_file_read(file, MODEL_FAR, cpu, 2);
	work_read(MODEL_FAR + PAGE_SIZE, cpu, 2);
}

const struct scenario owing_private = {
	.name = "owing-private",
	.summary =
		"a page leaves its file, is read in by the kernel and written privately, under its "
		"readers",
	.cpus = 3,
	.setup = setup_private,
	.program = {reclaim_and_write, read_again, read_in},
};
