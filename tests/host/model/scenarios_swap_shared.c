/*
 * Scenarios of swap: pages of an object that two spaces show leave both by one slot, while others use them, move
 * them, or give one of the mappings up. CPUs 0 and 1 use the first space, CPU 2 the second one.
 */
#include "model.h"

#include <kernel/atomic.h>
#include <kernel/bootinfo.h>
#include <mm/kmem.h>
#include <mm/knob.h>
#include <mm/reclaim.h>
#include <mm/swap.h>

static struct aspace *a, *b;
static struct object *object;

enum { PAGES = 2 };
#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define FAR MODEL_FAR
#define FAR2 (MODEL_FAR + PAGE_SIZE)

static void setup_store(bool fails)
{
	object = object_create(PAGES);
	a = work_space_of("a", object, VA, PAGES, RW);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, FAR, PAGES, RW);
	aspace_populate(b, FAR, PAGES * PAGE_SIZE, BOOT_NODE_NONE);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
	knobs.reclaim_batch = PAGES;
	work_swap(fails);
	work_age(a, VA, PAGES);
	work_age(b, FAR, PAGES);
}

static void setup(void)
{
	setup_store(false);
}

static void setup_failing(void)
{
	setup_store(true);
}

static void setup_gone(void)
{
	setup();
	if (reclaim_pages(0, PAGES) != PAGES)
		fake_fail("scenario: pages stay");
}

static void expect_quiet(const struct aspace *as)
{
	if (as->owing)
		fake_fail("somebody owes at the end");
}

static void expect_all(void)
{
	work_expect_swapped_in();
	expect_quiet(a);
	expect_quiet(b);
	work_expect_all(a, VA, PAGES);
	work_expect_all(b, FAR, PAGES);
}

/* The second space has nothing mapped. */
static void expect_first(void)
{
	work_expect_swapped_in();
	expect_quiet(a);
	work_expect_all(a, VA, PAGES);
}

/* ---- pages that are used ------------------------------------------------------------------------ */

static void use_far(unsigned cpu)
{
	work_read(FAR, cpu, 1);
	work_write(FAR2, cpu);
	work_read(FAR, cpu, 1);
	work_write(FAR, cpu);
}

const struct scenario swap_shared_writes = {
	.name = "swap-shared-write",
	.summary = "pages of two spaces go to swap twice while both write and read them",
	.weight = 8,
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, work_write_both, use_far},
	.end = expect_all,
};

/* Only the first space has entries: a fault of the other one finds the slot alone. */
static void setup_half(void)
{
	setup();
	aspace_drop(b, FAR, PAGES * PAGE_SIZE);
}

const struct scenario swap_shared_faults = {
	.name = "swap-shared-fault",
	.summary = "a space maps pages for the first time while they go to swap from another one",
	.weight = 8,
	.cpus = 3,
	.setup = setup_half,
	.program = {work_reclaim_and_read, work_write_both, use_far},
	.end = expect_all,
};

const struct scenario swap_shared_fails = {
	.name = "swap-shared-fail",
	.summary = "swap fails to write a page, which is mapped again in both spaces while they "
		   "write it",
	.weight = 14,
	.cpus = 3,
	.setup = setup_failing,
	.program = {work_reclaim, work_write_both, use_far},
	.end = expect_all,
};

/* ---- who works on the same pages ------------------------------------------------------------------ */

static void move_far(unsigned cpu)
{
	work_write(FAR, cpu); /* where it was in swap, it is held from now on */
	work_migrate(b, FAR, PAGES, 1);
	work_write(FAR2, cpu);
	work_migrate(b, FAR, PAGES, 0);
	work_read(FAR, cpu, 1);
}

static void reclaim_everywhere(unsigned cpu)
{
	reclaim_pages(0, PAGES);
	work_read(VA, cpu, 1);
	reclaim_pages(1, PAGES);
}

const struct scenario swap_shared_moves = {
	.name = "swap-shared-migrate",
	.summary = "pages of two spaces move to and fro while they go to swap from either node",
	.weight = 26,
	.cpus = 3,
	.setup = setup_gone,
	.program = {reclaim_everywhere, work_write_both, move_far},
	.end = expect_all,
};

static void pin_far(unsigned cpu)
{
	work_pin_and_write(b, FAR, cpu);
}

const struct scenario swap_shared_pins = {
	.name = "swap-shared-pin",
	.summary = "a page is pinned through one space, and written by a device, while it goes to "
		   "swap",
	.weight = 3,
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, work_write_both, pin_far},
	.end = expect_all,
};

/* ---- who gives a mapping up ------------------------------------------------------------------------- */

static void write_far_then_unmap(unsigned cpu)
{
	work_write(FAR, cpu);
	aspace_unmap(b, FAR, PAGES * PAGE_SIZE);
	work_expect_at_most(b, FAR, 0);
	work_expect_at_most(b, FAR2, 0);
}

const struct scenario swap_shared_unmaps = {
	.name = "swap-shared-unmap",
	.summary = "a space unmaps pages that go to swap, and the other one goes on to write them",
	.weight = 6,
	.cpus = 3,
	.setup = setup,
	.program = {work_reclaim_and_read, work_write_both, write_far_then_unmap},
	.end = expect_first,
};

/* What it reads in, it gives up at once: nobody else has mapped it since. */
static void write_far_and_drop(unsigned cpu)
{
	work_write(FAR, cpu);
	aspace_drop(b, FAR, PAGES * PAGE_SIZE);
	work_write(FAR2, cpu);
	aspace_drop(b, FAR, PAGES * PAGE_SIZE);
}

const struct scenario swap_shared_drops = {
	.name = "swap-shared-drop",
	.summary = "a space drops pages that it has read in, and the other one, which has mapped "
		   "none, finds them",
	.weight = 9,
	.cpus = 3,
	.setup = setup_gone,
	.program = {work_reclaim_and_read, work_write_both, write_far_and_drop},
	.end = expect_first,
};

/* The object is closed with the last space that shows it: what is in swap, or on its way, goes with it. */
static u32 spaces_gone; /* of two; atomic */
static u64 used; /* frames before there was one */

static u64 frames_in_use(void)
{
	pmm_drain_caches();
	return pmm_used() - kmem_pages_kept();
}

static void setup_closing(void)
{
	used = frames_in_use();
	setup_gone();
	object_put(object);
	store_relaxed(&spaces_gone, 0U);
}

static void destroy_first(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_load(NULL);
	aspace_destroy(a);
	atomic_fetch_add(&spaces_gone, 1U);
}

static void destroy_second(unsigned cpu)
{
	work_read(FAR2, cpu, 1);
	aspace_load(NULL);
	aspace_destroy(b);
	atomic_fetch_add(&spaces_gone, 1U);
}

static void reclaim_without_a_space(unsigned cpu __unused)
{
	aspace_load(NULL);
	reclaim_pages(0, PAGES);
}

static void expect_none(void)
{
	if (spaces_gone != 2)
		fake_fail("scenario: a space is left");
	if (swap_references())
		fake_fail("%lu references to swap are left of an object that is closed",
			  swap_references());
	if (frames_in_use() != used)
		fake_fail("%lu frames are left of an object that is closed",
			  frames_in_use() - used);
}

const struct scenario swap_shared_closes = {
	.name = "swap-shared-close",
	.summary = "both spaces of an object go, and it with them, while its pages go to swap and "
		   "are read in",
	.weight = 20,
	.cpus = 3,
	.setup = setup_closing,
	.program = {reclaim_without_a_space, destroy_first, destroy_second},
	.end = expect_none,
};
