/*
 * What the operations of the product do. An operation checks what it was promised unless another one of
 * the same space may take that back.
 */
#include "product.h"

#include <kernel/bootinfo.h>
#include <mm/deferral.h>
#include <mm/hint.h>

/* Another CPU of the same space has such an operation. */
static bool neighbour(unsigned cpu, unsigned what)
{
	for (unsigned other = 0; other < PRODUCT_CPUS; other++)
		if (other != cpu && world_is(other, what) && world_home(other) == world_home(cpu))
			return true;
	return false;
}

/* ---- what they are made of ------------------------------------------------------------------- */

static void touch(unsigned cpu)
{
	work_write(world.one, cpu);
	work_read(world.next, cpu, cpu);
}

static void move(unsigned cpu, u32 node)
{
	work_migrate(world_here(cpu), VA, (unsigned)((world_range_end() - VA) >> PAGE_SHIFT), node);
}

static void expect_readonly(unsigned cpu, vaddr_t va)
{
	if (!neighbour(cpu, OP_RAISES))
		work_expect_at_most(world_here(cpu), va, PROT_READ);
}

/* Refused: a 2 MiB page that would have to be split is pinned. */
static bool lower(unsigned cpu, vaddr_t va, vaddr_t until)
{
	if (aspace_protect(world_here(cpu), va, until - va, PROT_READ))
		return false;
	expect_readonly(cpu, va);
	return true;
}

/* ---- the operations ------------------------------------------------------------------------------ */

static void migrate(unsigned cpu)
{
	move(cpu, 1);
	touch(cpu);
}

static void fro(unsigned cpu)
{
	move(cpu, 1);
	move(cpu, 0);
	touch(cpu);
}

/* One of two pages; or from inside a 2 MiB page on, and what is behind it, if nothing makes that hundreds of pages. */
static void part(unsigned cpu)
{
	bool whole = !world_any(OP_SPLITS | OP_LOWERS | OP_RAISES | OP_GOES);
	unsigned pages = world.it->scenario.large && whole ? (AFTER - MIDDLE) / PAGE_SIZE + 1 : 1;
	bool alone = pages > 1;

	for (unsigned other = 0; other < PRODUCT_CPUS; other++)
		alone &= other == cpu || !world_is(other, OP_MOVES);
	work_migrate_told(world_here(cpu), world.it->scenario.large ? MIDDLE : world.next, pages, 1,
			  alone);
}

static void scan(unsigned cpu)
{
	hint_mark(world_here(cpu), VA, world_range_end());
	work_read(world.one, cpu, cpu);
}

static void use(unsigned cpu)
{
	work_write(world.one, cpu);
	work_read(world.next, cpu, 1);
	work_write(world.next, cpu);
	work_read(world.one, cpu, cpu);
}

static void protect(unsigned cpu)
{
	if (lower(cpu, VA, world.end))
		expect_readonly(cpu, world.it->scenario.large ? MIDDLE : world.next);
	work_read(world.one, cpu, 1);
}

static void allow(unsigned cpu)
{
	lower(cpu, world.one, world.one + PAGE_SIZE);
	aspace_protect(world_here(cpu), world.one, PAGE_SIZE, RW);
	work_write(world.one, cpu);
}

static void cut(unsigned cpu)
{
	lower(cpu, MIDDLE, MIDDLE + PAGE_SIZE);
	work_read(MIDDLE, cpu, 1);
}

static void unmap(unsigned cpu)
{
	world_goes();
	if (!aspace_unmap(world_here(cpu), world.one, PAGE_SIZE))
		work_expect_at_most(world_here(cpu), world.one, 0);
	work_read(world.next, cpu, 1);
}

/* Reads zero from then on, if nothing can bring the page back. */
static void drop(unsigned cpu)
{
	unsigned going = 0;

	for (unsigned other = 0; other < PRODUCT_CPUS; other++)
		going += world_is(other, OP_GOES | OP_ABSENT | OP_MAPS | OP_PINS);
	world_goes();
	if (!aspace_drop(world_here(cpu), world.one, PAGE_SIZE) && world.it->sharing == PRIVATE &&
	    going == 1)
		work_drop_ended(world.one);
	work_read(world.one, cpu, 1);
	work_read(world.one, cpu, cpu);
}

static void expect_mapped(unsigned cpu, const struct page *page)
{
	struct pt_pos pos = pgwalk_find(world_here(cpu)->root, world.one, 0);

	if (!neighbour(cpu, OP_GOES) && phys_to_page(pte_pa(pte_load(pos.ptep), pos.level)) != page)
		fake_fail("I10: the pinned page is not the mapped one");
}

static void pin(unsigned cpu)
{
	struct page *page;

	if (aspace_pin(world_here(cpu), world.one, true, &page)) {
		if (!neighbour(cpu, OP_UNMAPS | OP_LOWERS) && !world_any(OP_READONLY))
			fake_fail("pin: refused");
		return;
	}
	fake_point(40);
	expect_mapped(cpu, page);
	if (!world.it->scenario.large)
		work_device_write(world.one, page, cpu);
	fake_point(41);
	expect_mapped(cpu, page);
	page_put(page, PAGE_PIN);
	work_read(world.one, cpu, cpu);
}

static void visit_other(unsigned cpu)
{
	aspace_load(world.others[0]);
	work_write(VA, cpu);
}

static void leave(unsigned cpu)
{
	work_write(world.one, cpu);
	visit_other(cpu);
	work_read(VA, cpu, cpu);
}

static void visit(unsigned cpu)
{
	visit_other(cpu);
	aspace_load(world_here(cpu));
	touch(cpu);
}

static void lazy(unsigned cpu)
{
	work_write(world.next, cpu);
	aspace_load(NULL);
	fake_point(42);
	aspace_load(world_here(cpu));
	touch(cpu);
}

static void lazyleave(unsigned cpu)
{
	aspace_load(NULL);
	fake_point(42);
	visit_other(cpu);
}

/* More spaces than there are tags (arm64 rules), and then the pages move under a new one. */
static void roll(unsigned cpu)
{
	for (unsigned i = 0; i < PRODUCT_OTHERS; i++) {
		aspace_load(world.others[i]);
		work_write(VA, cpu);
	}
	aspace_load(world_here(cpu));
	migrate(cpu);
}

/* A space that has the pages goes, and another takes its place. */
static void destroy(unsigned cpu)
{
	struct aspace *fresh;

	aspace_load(world_here(cpu));
	aspace_destroy(world.spaces[world_target(cpu)]);
	world.destroyed[world_target(cpu)] = true;
	touch(cpu);
	fresh = work_space("fresh", VA, 1, RW);
	aspace_load(fresh);
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

static void map(unsigned cpu)
{
	vaddr_t va = MODEL_FAR + (4 + cpu) * PAGE_SIZE;

	work_map(world_here(cpu), world.object, 0, va);
	work_write(va, cpu);
	work_read(va, cpu, 1);
}

static void populate(unsigned cpu)
{
	aspace_populate(world_here(cpu), VA, world.end - VA, BOOT_NODE_NONE);
	touch(cpu);
}

static void fault(unsigned cpu)
{
	work_write(world.one, cpu);
	work_read(world.one, cpu, 1);
}

static void upgrade(unsigned cpu)
{
	aspace_protect(world_here(cpu), world.one, PAGE_SIZE, RW);
	work_write(world.one, cpu);
	work_write(world.one, cpu);
}

static void read_only(unsigned cpu)
{
	work_read(world.one, cpu, 1);
	work_read(world.next, cpu, 1);
	work_read(world.one, cpu, 0);
}

static void settle(unsigned cpu)
{
	move(cpu, 1);
	deferral_settle();
	work_read(world.one, cpu, 1);
}

const struct operation operations[] = {
	{"migrate", migrate, OP_MOVES},
	{"fro", fro, OP_MOVES},
	{"part", part, OP_MOVES},
	{"settle", settle, OP_MOVES},
	{"roll", roll, OP_MOVES | OP_OTHERS},
	{"scan", scan, OP_SCANS},
	{"late", use, OP_HINTED | OP_MOVES},
	{"early", use, OP_HINTED | OP_MOVES | OP_EARLY},
	{"split", use, OP_HINTED | OP_SPLITS | OP_LARGE},
	{"protect", protect, OP_LOWERS},
	{"allow", allow, OP_LOWERS | OP_RAISES},
	{"upgrade", upgrade, OP_READONLY | OP_RAISES},
	{"cut", cut, OP_LOWERS | OP_LARGE},
	{"unmap", unmap, OP_GOES | OP_UNMAPS},
	{"drop", drop, OP_GOES},
	{"destroy", destroy, OP_DESTROYS},
	{"map", map, OP_MAPS | OP_SMALL},
	{"populate", populate, OP_ABSENT | OP_SMALL},
	{"fault", fault, OP_ABSENT | OP_SMALL},
	{"pin", pin, OP_PINS},
	{"leave", leave, OP_ONE_OTHER},
	{"visit", visit, OP_ONE_OTHER},
	{"lazy", lazy, 0},
	{"lazyleave", lazyleave, OP_ONE_OTHER},
	{"use", use, 0},
	{"read", read_only, OP_READONLY},
};
const unsigned operation_count = ARRAY_SIZE(operations);

void operations_run(unsigned cpu)
{
	world.it->op[cpu]->run(cpu);
}
