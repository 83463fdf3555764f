/* Scenarios of an object with a store: pages that leave for it and come back while others use them. */
#include "model.h"

#include <kernel/atomic.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <stdlib.h>
#include <string.h>

static struct aspace *a, *b;
static struct object *obj;
static bool closed;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* ---- the store: whole pages, in memory that no CPU translates ------------------------- */

enum { STORE_PAGES = 2 };
static u64 store[STORE_PAGES][PAGE_SIZE / sizeof(u64)];

static int store_fill(struct object *o, u64 index, slot_t was, struct page *page)
{
	(void)o;
	if (slot_is_ref(was) && slot_ref(was) != index)
		fake_fail("the store gets reference %lu back for page %lu", slot_ref(was), index);
	fake_point(44);
	memcpy(page_to_virt(page), store[index], PAGE_SIZE);
	fake_point(44);
	return 0;
}

static int store_write(struct object *o, u64 index, struct page *page, u64 *ref)
{
	u64 frame = page_to_phys(page) >> PAGE_SHIFT;
	unsigned cpu;

	(void)o;
	if (fake_may_hold(frame, false, &cpu))
		fake_fail("I1: page %lu is stored while CPU %u may hold it", index, cpu);
	if (fake_store_under_way(frame))
		fake_fail("I2: page %lu is stored while a store into it is on its way", index);
	fake_point(45);
	memcpy(store[index], page_to_virt(page), PAGE_SIZE);
	fake_point(45);
	*ref = index;
	return 0;
}

static void store_close(struct object *o)
{
	(void)o;
	if (closed)
		fake_fail("an object is closed twice");
	closed = true;
}

static const struct object_ops store_ops = {.name = "store",
					    .page_refs = 1,
					    .fill = store_fill,
					    .write = store_write,
					    .close = store_close};

/* Two pages that two spaces map; nobody else is a user of the object. */
static void setup(void)
{
	obj = object_create_of(&store_ops, NULL, STORE_PAGES);
	a = work_space_of("a", obj, VA, STORE_PAGES, RW);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, MODEL_FAR, STORE_PAGES, RW);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
}

/* ---- a page that leaves ----------------------------------------------------------------- */

static void empty_first(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		int err;

		aspace_drop(a, VA, PAGE_SIZE);
		aspace_drop(b, MODEL_FAR, PAGE_SIZE);
		err = object_empty(obj, 0);
		if (err && err != -EBUSY && err != -ENOENT)
			fake_fail("emptying: %d", err);
		work_read(VA, cpu, 1);
	}
}

static void write_first(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_write(VA, cpu);
		work_read(VA, cpu, 2);
	}
	work_write(VA2, cpu);
}

static void write_and_move(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	work_migrate(b, MODEL_FAR, STORE_PAGES, 1);
	work_write(MODEL_FAR, cpu);
	work_read(MODEL_FAR + PAGE_SIZE, cpu, 1);
}

static void expect_contents(void)
{
	aspace_populate(a, VA, STORE_PAGES * PAGE_SIZE, BOOT_NODE_NONE);
	work_expect_all(a, VA, STORE_PAGES);
}

const struct scenario object_empties = {
	.name = "object-empty",
	.summary = "a page goes to its store twice while one space writes it and another moves it",
	.weight = 3,
	.cpus = 3,
	.setup = setup,
	.program = {empty_first, write_first, write_and_move},
	.end = expect_contents,
};

/* ---- pages that come, of an object that goes ---------------------------------------------- */

static void setup_stored(void)
{
	setup();
	aspace_drop(a, VA, STORE_PAGES * PAGE_SIZE);
	aspace_drop(b, MODEL_FAR, STORE_PAGES * PAGE_SIZE);
	for (u64 i = 0; i < STORE_PAGES; i++)
		if (object_empty(obj, i))
			fake_fail("scenario: page %lu cannot be emptied", i);
	object_put(obj); /* its areas are its users from here on */
}

static void read_both(unsigned cpu)
{
	work_read(VA, cpu, cpu);
	work_write(VA, cpu);
	work_read(VA2, cpu, 2);
}

/* Gone, perhaps, while we are in its store. */
static void use_until_unmapped(unsigned cpu)
{
	if (work_write(VA, cpu))
		work_read(VA, cpu, cpu);
	work_read(VA2, cpu, 0);
}

static void use_and_unmap(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	aspace_load(NULL);
	aspace_unmap(b, MODEL_FAR, STORE_PAGES * PAGE_SIZE);
	aspace_unmap(a, VA, STORE_PAGES * PAGE_SIZE);
}

static void expect_closed(void)
{
	if (!closed)
		fake_fail("the object has no users and is not closed");
}

const struct scenario object_fills = {
	.name = "object-fill",
	.summary = "three CPUs want the same pages from the store as their areas go",
	.cpus = 3,
	.setup = setup_stored,
	.program = {read_both, use_until_unmapped, use_and_unmap},
	.end = expect_closed,
};

/* ---- the end of a wait ---------------------------------------------------------------------- */

static void setup_one(void)
{
	obj = object_create_of(&store_ops, NULL, STORE_PAGES);
	a = work_space_of("a", obj, VA, 1, RW);
	work_load(a, 0);
	work_load(a, 1);
	aspace_drop(a, VA, PAGE_SIZE);
	if (object_empty(obj, 0))
		fake_fail("scenario: the page cannot be emptied");
}

/* Nothing else would wake a CPU that sleeps until the page is there. */
static void read_one(unsigned cpu)
{
	work_read(VA, cpu, cpu);
}

const struct scenario object_wakes = {
	.name = "object-wake",
	.summary = "two CPUs want the same page from the store, and one goes to sleep for it",
	.cpus = 2,
	.setup = setup_one,
	.program = {read_one, read_one},
};

/* ---- a page that somebody else has isolated ---------------------------------------------- */

static struct page *idle; /* in its slot and not mapped */
static u32 tried; /* to empty it; release and acquire */

static void setup_idle(void)
{
	obj = object_create_of(&store_ops, NULL, STORE_PAGES);
	a = work_space_of("a", obj, VA, 1, RW);
	idle = phys_to_page(pte_pa(*aspace_entry(a, VA), 0));
	aspace_drop(a, VA, PAGE_SIZE);
}

static void empty_idle(unsigned cpu __unused)
{
	object_empty(obj, 0);
	store_release(&tried, 1U);
}

/* As a migration does, which would have to find it isolated until its end. */
static void isolate_idle(unsigned cpu __unused)
{
	if (!page_get(idle, PAGE_REF))
		return;
	if (page_isolate(idle)) {
		while (!load_acquire(&tried))
			cpu_relax();
		if (!(load_relaxed(&idle->flags) & PG_ISOLATED))
			fake_fail("a page's isolation is ended by who did not begin it");
		page_end_isolation(idle);
	}
	page_put(idle, PAGE_REF);
}

const struct scenario object_isolated = {
	.name = "object-isolated",
	.summary = "a page is to leave for its store while another CPU has it isolated",
	.cpus = 2,
	.setup = setup_idle,
	.program = {empty_idle, isolate_idle},
};
