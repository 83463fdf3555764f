/* Scenarios of reclaim: pages leave their file as frames are wanted, while others use them, change them or owe flushes. */
#include "model.h"

#include <kernel/atomic.h>
#include <mm/clean.h>
#include <mm/file.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/reclaim.h>

static struct aspace *a, *b;
static struct object *file;

enum { PAGES = 2 };
#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* Both pages share a flush. */
static void setup(void)
{
	file = work_file(&a, &b);
	knobs.reclaim_batch = PAGES;
	aspace_populate(b, MODEL_FAR, PAGES * PAGE_SIZE, 0);
	work_age(a, VA, PAGES);
	work_age(b, MODEL_FAR, PAGES);
}

/* Clean pages, which are the quicker ones. */
static void setup_clean(void)
{
	setup();
	work_expect("writing back", file_sync(file));
}

static void read_far(unsigned cpu)
{
	work_read(MODEL_FAR, cpu, 1);
	work_write(MODEL_FAR + PAGE_SIZE, cpu);
	work_read(MODEL_FAR, cpu, 1);
}

/* No slot is left busy, and no page locked or isolated: invariants_at_end() has the rest. */
static void expect_stored(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (slot_is_busy(slot_load(object_slot(file, i, false))))
			fake_fail("slot %u is busy at the end", i);
	if (a->owing || b->owing)
		fake_fail("somebody owes at the end");
	work_expect_stored();
}

const struct scenario reclaim_writes = {
	.name = "reclaim-write",
	.summary =
		"dirty pages are reclaimed twice while they are written in one space and read in "
		"another",
	.weight = 6,
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, work_write_both, read_far},
	.end = expect_stored,
};

static void read_both(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_read(VA, cpu, 2);
		work_read(VA2, cpu, 2);
	}
}

const struct scenario reclaim_faults = {
	.name = "reclaim-fault",
	.summary = "clean pages are reclaimed twice while they are read and faulted in again",
	.cpus = 3,
	.setup = setup_clean,
	.program = {work_reclaim_and_read, read_both, read_far},
	.end = expect_stored,
};

/* Nothing is mapped in the second space, so its tables and entries come while pages leave. */
static void setup_absent(void)
{
	setup_clean();
	aspace_unmap(b, MODEL_FAR, PAGES * PAGE_SIZE);
	work_alias(b, a, VA, MODEL_FAR, PAGES, RW);
}

const struct scenario reclaim_new_table = {
	.name = "reclaim-new-table",
	.summary = "pages are reclaimed while another space maps them for the first time",
	.weight = 4,
	.cpus = 3,
	.setup = setup_absent,
	.program = {work_reclaim_and_read, work_write_both, read_far},
	.end = expect_stored,
};

/* ---- what two owe at the same time ------------------------------------------------------------- */

static void setup_threads(void)
{
	setup_clean();
	work_load(a, 2);
}

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

const struct scenario reclaim_unmaps = {
	.name = "reclaim-unmap",
	.summary = "pages are unmapped under a writer while reclaim still owes their flush",
	.cpus = 3,
	.setup = setup_threads,
	.program = {work_reclaim, write_until_gone, unmap_both},
};

static u32 through; /* with page 2: nobody accesses it any more. Release and acquire */

static void drop_last(unsigned cpu __unused)
{
	bool was = load_acquire(&through);

	aspace_drop(a, VA2, PAGE_SIZE);
	if (was)
		work_expect_at_most(a, VA2, 0);
}

static void write_last_once(unsigned cpu)
{
	work_write(VA2, cpu);
	store_release(&through, 1U);
	work_read(VA, cpu, 1);
}

const struct scenario reclaim_drops = {
	.name = "reclaim-drop",
	.summary = "a page is dropped from a space while reclaim still owes its flush",
	.cpus = 3,
	.setup = setup_threads,
	.program = {work_reclaim, write_last_once, drop_last},
	.end = expect_stored,
};

static void protect_and_drop(unsigned cpu)
{
	aspace_protect(a, VA, PAGES * PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	work_expect_at_most(a, VA2, PROT_READ);
	aspace_protect(a, VA, PAGES * PAGE_SIZE, RW);
	work_write(VA, cpu);
	aspace_drop(a, VA2, PAGE_SIZE);
	work_read(VA2, cpu, 1);
}

static void write_if_allowed(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_write(VA, cpu);
}

static void setup_threads_dirty(void)
{
	setup();
	work_load(a, 2);
}

const struct scenario reclaim_protects = {
	.name = "reclaim-protect",
	.summary = "pages become read-only under a writer while reclaim still owes their flush",
	.cpus = 3,
	.setup = setup_threads_dirty,
	.program = {work_reclaim, write_if_allowed, protect_and_drop},
	.end = expect_stored,
};

static void setup_scanned(void)
{
	knobs.hint = HINT_EARLY;
	setup_threads_dirty();
}

const struct scenario reclaim_hints = {
	.name = "reclaim-hint",
	.summary = "pages are reclaimed while a scan makes their entries hint entries",
	.cpus = 3,
	.setup = setup_scanned,
	.program = {work_reclaim, work_write_both, work_scan_and_write},
	.end = expect_stored,
};

static void destroy(unsigned cpu __unused)
{
	aspace_load(NULL);
	aspace_destroy(b);
}

static void expect_one_space(void)
{
	work_expect_stored();
	if (file->area_count != 1)
		fake_fail("%u areas are left of one", file->area_count);
}

const struct scenario reclaim_destroys = {
	.name = "reclaim-destroy",
	.summary = "a space that maps pages is destroyed while they are reclaimed",
	.weight = 12,
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, work_write_both, destroy},
	.end = expect_one_space,
};

/* ---- pages that others work on ------------------------------------------------------------------- */

static void move_to_and_fro(unsigned cpu)
{
	work_migrate(b, MODEL_FAR, PAGES, 1);
	work_write(MODEL_FAR, cpu);
	work_migrate(b, MODEL_FAR, PAGES, 0);
}

static void reclaim_everywhere(unsigned cpu)
{
	reclaim_pages(0, PAGES);
	reclaim_pages(1, PAGES);
	work_read(VA, cpu, 2);
}

const struct scenario reclaim_moves = {
	.name = "reclaim-migrate",
	.summary = "pages are reclaimed while they are written and move there and back",
	.weight = 4,
	.cpus = 3,
	.setup = setup,
	.program = {reclaim_everywhere, work_write_both, move_to_and_fro},
	.end = expect_stored,
};

static void truncate_and_look(unsigned cpu)
{
	work_expect("truncating", file_truncate(file, 1));
	work_expect_at_most(a, VA2, 0);
	work_read(VA, cpu, 1);
}

static void write_last(unsigned cpu)
{
	for (unsigned i = 0; i < 3 && work_write(VA2, cpu); i++)
		;
	work_write(VA, cpu);
}

/* A fault that came too late may have read it in, but not mapped it. */
static void expect_short(void)
{
	slot_t slot = slot_load(object_slot(file, 1, false));

	if (slot_is_busy(slot))
		fake_fail("a slot is busy at the end");
	if (slot_is_page(slot) && slot_page(slot)->flags & PG_DIRTY)
		fake_fail("I7: a page beyond the end of the file is to be stored at the end");
	if (slot_is_page(slot) && slot_page(slot)->mapcount)
		fake_fail("I7: a page beyond the end of the file is mapped at the end");
}

const struct scenario reclaim_truncates = {
	.name = "reclaim-truncate",
	.summary = "a file gets shorter while its last page is reclaimed and written",
	.weight = 4,
	.cpus = 3,
	.setup = setup_threads_dirty,
	.program = {work_reclaim_and_read, write_last, truncate_and_look},
	.end = expect_short,
};

static void clean_and_write(unsigned cpu)
{
	work_expect("writing back", file_sync(file));
	work_file_write(file, VA, cpu);
	work_file_read(file, VA2, cpu, 2);
}

static void reclaim_and_write(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	reclaim_pages(0, PAGES);
	work_write(MODEL_FAR + PAGE_SIZE, cpu);
}

const struct scenario reclaim_two = {
	.name = "reclaim-two",
	.summary = "two CPUs reclaim the same pages while the kernel cleans, writes and reads them",
	.weight = 3,
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, clean_and_write, reclaim_and_write},
	.end = expect_stored,
};

static void read_once(unsigned cpu)
{
	work_read(MODEL_FAR, cpu, 1);
}

/* A device writes through the pin, at any moment until it is given back. */
static void pin_and_write(unsigned cpu)
{
	work_pin_and_write(a, VA, cpu);
}

const struct scenario reclaim_pins = {
	.name = "reclaim-pin",
	.summary = "a page is pinned and written by a device while it is reclaimed",
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim, pin_and_write, read_once},
	.end = expect_stored,
};

/* ---- the file itself ------------------------------------------------------------------------------ */

static void close_file(unsigned cpu __unused)
{
	aspace_unmap(a, VA, PAGES * PAGE_SIZE);
	aspace_unmap(b, MODEL_FAR, PAGES * PAGE_SIZE);
	int err = file_close(file);

	if (err)
		fake_fail("closing: %d", err);
}

const struct scenario reclaim_closes = {
	.name = "reclaim-close",
	.summary = "a file is closed while two CPUs reclaim its pages",
	.weight = 3,
	.cpus = 3,
	.setup = setup,
	.program = {close_file, work_reclaim, work_reclaim},
};

/* Nothing is mapped: whoever closes it waits for nobody but the CPU that reclaims. */
static void setup_unmapped(void)
{
	file = work_file_in("a", VA, &a);
	aspace_unmap(a, VA, PAGES * PAGE_SIZE);
	work_expect("writing back", file_sync(file));
}

static void close_unmapped(unsigned cpu __unused)
{
	if (file_close(file))
		fake_fail("the file cannot be closed");
}

const struct scenario reclaim_wakes = {
	.name = "reclaim-wake",
	.summary = "a file is closed by a CPU that sleeps until its reclaim is over",
	.cpus = 2,
	.setup = setup_unmapped,
	.program = {work_reclaim, close_unmapped},
};

/* ---- by allocations, which may hold the lock of a space ----------------------------------------------- */

static void setup_short(void)
{
	setup_threads_dirty();
	work_take_frames(0, true);
	work_take_frames(1, true);
}

static void give_back_and_expect_stored(void)
{
	work_give_frames();
	expect_stored();
}

static void read_in_turns(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_read(VA2, cpu, 1);
	work_read(VA, cpu, 1);
}

static void protect_twice(unsigned cpu __unused)
{
	aspace_protect(a, VA, PAGES * PAGE_SIZE, PROT_READ);
	aspace_drop(a, VA2, PAGE_SIZE);
	aspace_protect(a, VA, PAGES * PAGE_SIZE, RW);
}

const struct scenario reclaim_allocates = {
	.name = "reclaim-allocate",
	.summary = "faults that find no frame reclaim with their space's lock, which others want",
	.cpus = 3,
	.setup = setup_short,
	.program = {work_reclaim_and_read, read_in_turns, protect_twice},
	.end = give_back_and_expect_stored,
};

/* Two pages that can be had, for two who want one each; the area has its tables and slots. */
#define WANTED (MODEL_VA + 16 * PAGE_SIZE)

static void setup_last(void)
{
	int err = 0;

	setup_clean();
	aspace_map(a, NULL, 0, WANTED, 3 * PAGE_SIZE, RW, false, 0, &err);
	if (err || aspace_populate(a, WANTED + 2 * PAGE_SIZE, PAGE_SIZE, 0) != 1)
		fake_fail("scenario: no memory");
	work_fresh(a, WANTED, 3);
	work_take_frames(0, false);
	work_take_frames(1, false);
}

static void want_one(unsigned cpu)
{
	if (!work_write(WANTED + cpu * PAGE_SIZE, cpu))
		fake_fail("no frame for CPU %u, although both pages of the file can go", cpu);
}

static void leave(unsigned cpu __unused)
{
	aspace_load(NULL);
}

const struct scenario reclaim_last = {
	.name = "reclaim-last",
	.summary = "two faults find no frame, and one of them no page that is not about to leave",
	.cpus = 3,
	.setup = setup_last,
	.program = {want_one, want_one, leave},
	.end = give_back_and_expect_stored,
};

/* ---- debts of pages ----------------------------------------------------------------------------- */

static void setup_readonly(void)
{
	setup_threads();
	work_protect(a, VA, PAGES, PROT_READ);
	aspace_drop(b, MODEL_FAR, PAGES * PAGE_SIZE);
}

static void move_and_reclaim(unsigned cpu)
{
	work_migrate(a, VA, PAGES, 1);
	reclaim_pages(1, PAGES);
	work_read(VA, cpu, 2);
}

static void write_file(unsigned cpu)
{
	work_file_write(file, VA, cpu);
	work_read(VA2, cpu, 2);
	work_file_write(file, VA2, cpu);
}

const struct scenario reclaim_debts = {
	.name = "reclaim-debts",
	.summary = "read-only pages move and are reclaimed, which pays what they owe, and written "
		   "by the kernel",
	.cpus = 3,
	.setup = setup_readonly,
	.program = {move_and_reclaim, read_both, write_file},
	.end = expect_stored,
};
