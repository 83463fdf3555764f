/*
 * Scenarios of duplicated spaces: what the space has when it is duplicated is in the duplicate, and what is written
 * later in one of them stays out of the other.
 */
#include "model.h"

#include <kernel/atomic.h>
#include <kernel/bootinfo.h>
#include <kernel/smp.h>
#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a, *dup;
static u32 there; /* the duplicate is; release and acquire */

enum { PAGES = 2 };
#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

static void setup(void)
{
	there = 0;
	dup = NULL;
	a = work_space("a", VA, PAGES, RW);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		work_load(a, cpu);
}

static void expect_last(void)
{
	work_expect_all(a, VA, PAGES);
}

/* What others write in `a` does not come; what is written here does not go there. */
static void use_duplicate(unsigned cpu)
{
	work_load(dup, cpu);
	work_read(VA, cpu, 1);
	work_read(VA, cpu, 2);
	bool written = work_write(VA, cpu); /* it may have been duplicated when it was read-only */

	work_read(VA, cpu, 1);
	work_read(VA, cpu, 2);
	if (written)
		work_read(VA, cpu, cpu);
	work_load(a, cpu);
}

static void duplicate(unsigned cpu)
{
	dup = work_dup(a);
	store_release(&there, 1U);
	use_duplicate(cpu);
	work_read(VA, cpu, 1);
	work_write(VA, cpu);
}

static void write_three(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_write(VA, cpu);
	work_read(VA, cpu, 0);
}

static void write_and_read(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
}

const struct scenario dup_writes = {
	.name = "dup-write",
	.summary = "a space is duplicated while two of its threads write",
	.weight = 4,
	.cpus = 3,
	.setup = setup,
	.program = {duplicate, write_three, write_and_read},
	.end = expect_last,
};

static void move(unsigned cpu)
{
	work_migrate(a, VA, PAGES, 1);
	work_read(VA, cpu, 1);
	work_migrate(a, VA, PAGES, 0);
	work_write(VA, cpu);
}

const struct scenario dup_migrates = {
	.name = "dup-migrate",
	.summary = "a space is duplicated while its pages move there and back",
	.weight = 6,
	.cpus = 3,
	.setup = setup,
	.program = {duplicate, write_three, move},
	.end = expect_last,
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
	setup();
}

const struct scenario dup_hints = {
	.name = "dup-hint",
	.summary = "a space is duplicated while a scan makes entries hint entries",
	.cpus = 3,
	.setup = setup_scanned,
	.program = {duplicate, write_three, scan},
	.end = expect_last,
};

/* The second page goes; rights of the first one change. */
static void unmap_and_protect(unsigned cpu)
{
	aspace_unmap(a, VA2, PAGE_SIZE);
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_write(VA, cpu);
}

static void expect_first(void)
{
	work_expect_all(a, VA, 1);
}

const struct scenario dup_unmaps = {
	.name = "dup-unmap",
	.summary = "a space is duplicated while pages are unmapped, and protected",
	.cpus = 3,
	.setup = setup,
	.program = {duplicate, write_three, unmap_and_protect},
	.end = expect_first,
};

/* ---- the duplicate lets go of a page, and the other one is the last to have it ---------- */

static void setup_duplicate(void)
{
	setup();
	dup = work_dup(a);
	work_load(dup, 0);
	work_load(dup, 2);
}

static void read_duplicate(unsigned cpu)
{
	for (unsigned i = 0; i < 4; i++)
		work_read(VA, cpu, 1);
}

static void drop_duplicate(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_drop_begins(VA);
	aspace_drop(dup, VA, PAGE_SIZE);
	work_read(VA, cpu, 1);
}

const struct scenario dup_drops = {
	.name = "dup-drop",
	.summary = "a duplicate drops a page while the other space writes it",
	.cpus = 3,
	.setup = setup_duplicate,
	.program = {read_duplicate, write_three, drop_duplicate},
	.end = expect_last,
};

static struct page *pinned;

/* The duplicate is gone, and a reader's pin is all that is left beside the mapping. */
static void setup_last(void)
{
	setup();
	aspace_destroy(work_dup(a));
	if (aspace_pin(a, VA, false, &pinned))
		fake_fail("scenario: no pin");
}

static void unpin_and_write(unsigned cpu)
{
	page_put(pinned, PAGE_PIN);
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

static void write_once(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, 0);
}

const struct scenario dup_reuses = {
	.name = "dup-reuse",
	.summary = "a thread finds a page to be its last mapping that another one is about to copy",
	.cpus = 2,
	.setup = setup_last,
	.program = {unpin_and_write, write_once},
	.end = expect_last,
};

/* ---- a frame that comes back ---- */

static void setup_both(void)
{
	setup();
	dup = work_dup(a);
	work_load(dup, 1);
}

static void there_and_back(unsigned cpu)
{
	work_migrate(a, VA, 1, 1);
	work_migrate(a, VA, 1, 0);
	work_read(VA, cpu, 1);
}

static void write_apart(unsigned cpu)
{
	work_write(VA, cpu);
}

const struct scenario dup_returns = {
	.name = "dup-return",
	.summary = "a page is back in its old frame, which had one reference on the way, when a "
		   "duplicate writes it",
	.cpus = 2,
	.setup = setup_both,
	.program = {there_and_back, write_apart},
	.end = expect_last,
};

/* ---- a page that moves through the duplicate ---- */

static void setup_shared(void)
{
	setup();
	dup = work_dup(a);
}

static void move_shared(unsigned cpu __unused)
{
	work_migrate(dup, VA, 1, 1);
}

static void duplicate_again(unsigned cpu)
{
	aspace_destroy(work_dup(a));
	work_read(VA, cpu, cpu);
}

const struct scenario dup_waits = {
	.name = "dup-wait",
	.summary = "a space is duplicated while a page that it shares moves through the other one",
	.cpus = 2,
	.setup = setup_shared,
	.program = {move_shared, duplicate_again},
	.end = expect_last,
};

/* ---- a pinned page ------------------------------------------------------------------------ */

static void pin_and_duplicate(unsigned cpu)
{
	struct page *page;

	if (aspace_pin(a, VA, true, &page))
		fake_fail("scenario: no pin");
	work_device_write(VA, page, cpu);
	dup = work_dup(a);
	work_device_write(VA, page, cpu);
	work_read(VA, cpu, cpu);
	page_put(page, PAGE_PIN);
	work_load(dup, cpu);
	work_read(VA, cpu, cpu);
	work_read(VA, cpu, 1);
}

static void setup_alone(void)
{
	setup();
	aspace_destroy(work_dup(a));
}

/* Nobody else maps it, wherever it moves: a device and a CPU write the same page. */
static void move_and_pin(unsigned cpu)
{
	struct page *page;

	work_write(VA, cpu);
	work_migrate(a, VA, 1, 1);
	while (aspace_pin(a, VA, true, &page))
		cpu_relax(); /* it may not be written for a while */
	work_device_write(VA, page, cpu);
	fake_point(47);
	work_device_write(VA, page, cpu);
	page_put(page, PAGE_PIN);
}

static void protect_and_write(unsigned cpu)
{
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_write(VA, cpu);
}

const struct scenario dup_pin_protects = {
	.name = "dup-pin-protect",
	.summary = "a page that was duplicated is pinned for a device, protected and written",
	.cpus = 2,
	.setup = setup_alone,
	.program = {move_and_pin, protect_and_write},
	.end = expect_last,
};

static void write_around(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, 0);
	work_write(VA, cpu);
	work_read(VA, cpu, 0);
}

const struct scenario dup_pins = {
	.name = "dup-pin",
	.summary = "a space is duplicated while a device writes a page of it",
	.cpus = 3,
	.setup = setup,
	.program = {pin_and_duplicate, write_around, write_around},
	.end = expect_last,
};
