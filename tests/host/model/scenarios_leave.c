/* Scenarios of pages that leave their file: it is invalidated or gets shorter while others use them. */
#include "model.h"

#include <kernel/atomic.h>
#include <mm/file.h>

static struct aspace *a, *b;
static struct object *file;

enum { PAGES = 2 };
#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

static void setup(void)
{
	file = work_file(&a, &b);
}

static void write_three(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_write(VA, cpu);
	work_read(VA, cpu, 2);
}

static void invalidate(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_expect("invalidating", file_invalidate(file, 0, 1, FILE_KEEP));
		work_read(VA, cpu, 1);
	}
}

static void read_far(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(MODEL_FAR, cpu, 1);
	work_write(MODEL_FAR, cpu);
}

const struct scenario file_invalidates = {
	.name = "file-invalidate",
	.summary =
		"a page is invalidated twice while it is written in one space and read in another",
	.cpus = 3,
	.setup = setup,
	.program = {invalidate, write_three, read_far},
	.end = work_expect_stored,
};

/* Two take it out, and one writes it without a mapping. */
static void write_file_twice(unsigned cpu)
{
	work_file_write(file, VA, cpu);
	work_read(VA, cpu, 0);
	work_file_write(file, VA, cpu);
}

static void invalidate_far(unsigned cpu)
{
	work_expect("invalidating", file_invalidate(file, 0, 1, FILE_KEEP));
	work_write(MODEL_FAR, cpu);
}

const struct scenario file_drop_writes = {
	.name = "file-invalidate-write",
	.summary = "a page is invalidated by two while the kernel writes it",
	.weight = 8,
	.cpus = 3,
	.setup = setup,
	.program = {invalidate, write_file_twice, invalidate_far},
	.end = work_expect_stored,
};

static void move_to_and_fro(unsigned cpu)
{
	work_migrate(b, MODEL_FAR, 1, 1);
	work_read(MODEL_FAR, cpu, 1);
	work_migrate(b, MODEL_FAR, 1, 0);
}

const struct scenario file_drop_moves = {
	.name = "file-invalidate-migrate",
	.summary = "a page is invalidated twice while it is written and moves there and back",
	.weight = 4,
	.cpus = 3,
	.setup = setup,
	.program = {invalidate, write_three, move_to_and_fro},
	.end = work_expect_stored,
};

/* Nothing is mapped in the second space, so its tables and entries come while pages leave. */
static void setup_absent(void)
{
	setup();
	file_sync(file);
	aspace_unmap(b, MODEL_FAR, PAGES * PAGE_SIZE);
	work_alias(b, a, VA, MODEL_FAR, PAGES, RW);
}

const struct scenario file_drops_early = {
	.name = "file-invalidate-fault",
	.summary = "a page is invalidated while another space maps it for the first time",
	.weight = 4,
	.cpus = 3,
	.setup = setup_absent,
	.program = {invalidate, write_three, read_far},
	.end = work_expect_stored,
};

/* ---- a file that gets shorter ------------------------------------------------------------------ */

static u32 shorter; /* file_truncate() has returned; release and acquire */

static void truncate(unsigned cpu)
{
	work_expect("truncating", file_truncate(file, 1));
	store_release(&shorter, 1U);
	work_read(VA, cpu, 1);
}

static void expect_refused(bool was, bool went)
{
	if (was && went)
		fake_fail("I7: an access beyond the end of the file went through");
}

static void write_last(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++) {
		bool was = load_acquire(&shorter);

		expect_refused(was, work_write(VA2, cpu));
	}
	work_write(VA, cpu);
}

static void read_last(unsigned cpu)
{
	bool was = load_acquire(&shorter);

	expect_refused(was, work_read(MODEL_FAR + PAGE_SIZE, cpu, 1));
	work_migrate(b, MODEL_FAR, PAGES, 1);
	was = load_acquire(&shorter);
	expect_refused(was, work_read(MODEL_FAR + PAGE_SIZE, cpu, 1));
}

static bool is_mapped(struct aspace *as, vaddr_t va)
{
	const pte_t *entry = aspace_entry(as, va);

	return entry && !pte_is_none(*entry);
}

static void expect_short(void)
{
	slot_t *slot = object_slot(file, 1, false);

	if (is_mapped(a, VA2) || is_mapped(b, MODEL_FAR + PAGE_SIZE))
		fake_fail("I7: a page beyond the end of the file is mapped at the end");
	if (slot && slot_is_busy(slot_load(slot)))
		fake_fail("a slot is busy at the end");
}

const struct scenario file_truncates = {
	.name = "file-truncate",
	.summary = "a file gets shorter while its last page is written, read and moved",
	.cpus = 3,
	.setup = setup,
	.program = {truncate, write_last, read_last},
	.end = expect_short,
};

const struct scenario file_truncates_early = {
	.name = "file-truncate-fault",
	.summary = "a file gets shorter while its last page is mapped for the first time",
	.weight = 3,
	.cpus = 3,
	.setup = setup_absent,
	.program = {truncate, write_last, read_last},
	.end = expect_short,
};

static void write_last_by_kernel(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		bool was = load_acquire(&shorter);

		expect_refused(was, work_file_write(file, VA2, cpu));
	}
}

static void read_last_by_kernel(unsigned cpu)
{
	bool was = load_acquire(&shorter);

	expect_refused(was, work_file_read(file, MODEL_FAR + PAGE_SIZE, cpu, 1));
	file_sync(file);
}

/* What was written beyond the end is gone with the page. */
static void expect_no_more(void)
{
	slot_t *slot = object_slot(file, 1, false);

	expect_short();
	if (slot && slot_is_page(slot_load(slot)) && slot_page(slot_load(slot))->flags & PG_DIRTY)
		fake_fail("I7: a page beyond the end of the file is to be stored at the end");
}

/* Its last page is in no frame, so it may come after the one who cuts it off has passed. */
static void setup_stored(void)
{
	setup();
	work_expect("invalidating", file_invalidate(file, 0, PAGES, FILE_KEEP));
}

const struct scenario file_cut_writes = {
	.name = "file-truncate-write",
	.summary = "a file gets shorter while the kernel reads and writes its last page",
	.cpus = 3,
	.setup = setup_stored,
	.program = {truncate, write_last_by_kernel, read_last_by_kernel},
	.end = expect_no_more,
};

const struct scenario file_cut_fills = {
	.name = "file-truncate-fill",
	.summary = "a file gets shorter while its last page comes from the store to be mapped",
	.weight = 3,
	.cpus = 3,
	.setup = setup_stored,
	.program = {truncate, write_last, read_last},
	.end = expect_short,
};

/* ---- what two owe at the same time ------------------------------------------------------------- */

static void setup_threads(void)
{
	setup();
	work_load(a, 2);
}

static void truncate_and_look(unsigned cpu __unused)
{
	work_expect("truncating", file_truncate(file, 1));
	work_expect_at_most(a, VA2, 0);
}

static void drop_and_unmap(unsigned cpu __unused)
{
	/* Nobody can map it again then, but who drops it finds entries that are down and not flushed. */
	bool cut = load_acquire(&file->size) == 1;

	aspace_drop(a, VA2, PAGE_SIZE);
	if (cut)
		work_expect_at_most(a, VA2, 0);
	aspace_unmap(a, VA2, PAGE_SIZE);
	work_expect_at_most(a, VA2, 0);
}

static void write_until_gone(unsigned cpu)
{
	for (unsigned i = 0; i < 4 && work_write(VA2, cpu); i++)
		;
}

const struct scenario file_cut_unmaps = {
	.name = "file-truncate-unmap",
	.summary = "a page is dropped and unmapped while it leaves its file, under a writer",
	.cpus = 3,
	.setup = setup_threads,
	.program = {truncate_and_look, drop_and_unmap, write_until_gone},
	.end = expect_short,
};

/* ---- debts of pages of files --------------------------------------------------------------------- */

static void setup_readonly(void)
{
	setup_threads();
	file_sync(file);
	work_protect(a, VA, PAGES, PROT_READ);
	aspace_drop(b, MODEL_FAR, PAGES * PAGE_SIZE);
}

static void move_both(unsigned cpu)
{
	work_migrate(a, VA, PAGES, 1);
	work_read(VA, cpu, 1);
}

static void write_and_drop(unsigned cpu)
{
	work_file_write(file, VA, cpu);
	work_expect("invalidating", file_invalidate(file, 1, 1, FILE_KEEP));
	work_file_write(file, VA2, cpu);
}

static void read_both(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_read(VA, cpu, 1);
		work_read(VA2, cpu, 1);
	}
}

const struct scenario file_debts = {
	.name = "file-debts",
	.summary = "read-only pages move, then the kernel writes one and drops the other",
	.cpus = 3,
	.setup = setup_readonly,
	.program = {move_both, write_and_drop, read_both},
	.end = work_expect_stored,
};
