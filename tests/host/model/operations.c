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

void operations_touch(unsigned cpu)
{
	work_write(world.one, cpu);
	work_read(world.next, cpu, cpu);
}

static void move(unsigned cpu, u32 node)
{
	work_migrate(world_here(cpu), VA, (unsigned)((world_range_end() - VA) >> PAGE_SHIFT), node);
}

static void expect_at_most(unsigned cpu, vaddr_t va, prot_t prot)
{
	if (!neighbour(cpu, OP_RAISES))
		work_expect_at_most(world_here(cpu), va, prot);
}

/* Refused: a 2 MiB page that would have to be split is pinned; or it was unmapped. */
static bool set_rights(unsigned cpu, vaddr_t va, vaddr_t until, prot_t prot)
{
	if (aspace_protect(world_here(cpu), va, until - va, prot))
		return false;
	expect_at_most(cpu, va, prot);
	return true;
}

static bool lower(unsigned cpu, vaddr_t va, vaddr_t until)
{
	return set_rights(cpu, va, until, PROT_READ);
}

/* ---- the operations ------------------------------------------------------------------------------ */

static void migrate(unsigned cpu)
{
	move(cpu, 1);
	operations_touch(cpu);
}

static void fro(unsigned cpu)
{
	move(cpu, 1);
	move(cpu, 0);
	operations_touch(cpu);
}

/* The same, found by their frames. */
static void frames(unsigned cpu)
{
	struct page *list[2];
	unsigned pages = (unsigned)((world_range_end() - VA) >> PAGE_SHIFT);

	work_move_frames(list, work_list_frames(world_here(cpu), VA, pages, list), 1);
	operations_touch(cpu);
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
		expect_at_most(cpu, world.it->scenario.large ? MIDDLE : world.next, PROT_READ);
	work_read(world.one, cpu, 1);
}

static void allow(unsigned cpu)
{
	lower(cpu, world.one, world.one + PAGE_SIZE);
	aspace_protect(world_here(cpu), world.one, PAGE_SIZE, RW);
	work_write(world.one, cpu);
}

static bool allow_code(unsigned cpu)
{
	return set_rights(cpu, world.one, world.one + PAGE_SIZE, PROT_READ | PROT_EXEC);
}

/* Code from here on, then not, then again. */
static void exec(unsigned cpu)
{
	bool allowed = allow_code(cpu), alone = !neighbour(cpu, OP_LOWERS | OP_RAISES | OP_UNMAPS);

	if (!work_execute(world.one, cpu, 0) && allowed && alone)
		fake_fail("code is refused although it may be executed");
	bool lowered = lower(cpu, world.one, world.one + PAGE_SIZE);

	if (work_execute(world.one, cpu, 0) && lowered && alone)
		fake_fail("I7: what may only be read is executed");
	allow_code(cpu);
	work_execute(world.one, cpu, 1);
}

static void cut(unsigned cpu)
{
	lower(cpu, MIDDLE, MIDDLE + PAGE_SIZE);
	work_read(MIDDLE, cpu, 1);
}

static void unmap(unsigned cpu)
{
	world_goes(cpu);
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
	world_goes(cpu);
	if (!aspace_drop(world_here(cpu), world.one, PAGE_SIZE) && going == 1 &&
	    (world.it->sharing == PRIVATE || world.it->sharing == DUPLICATED))
		work_drop_ended(world.one);
	work_read(world.one, cpu, 1);
	work_read(world.one, cpu, cpu);
}

static void expect_mapped(unsigned cpu, const struct page *page)
{
	struct pt_pos pos = pgwalk_find(world_here(cpu)->root, world.one, 0);
	pte_t pte = pte_load(pos.ptep);
	/* A pinned page stays in its file, but its entries may go. */
	bool may_go = neighbour(cpu, OP_GOES) || (pte_is_none(pte) && world_any(OP_LEAVES));

	if (!may_go && phys_to_page(pte_pa(pte, pos.level)) != page)
		fake_fail("I10: the pinned page is not the mapped one");
}

static void pin(unsigned cpu)
{
	struct page *page;

	work_touch(world.one);
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
	operations_touch(cpu);
}

static void lazy(unsigned cpu)
{
	work_write(world.next, cpu);
	aspace_load(NULL);
	fake_point(42);
	aspace_load(world_here(cpu));
	operations_touch(cpu);
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
	operations_touch(cpu);
	fresh = work_space("fresh", VA, 1, RW);
	aspace_load(fresh);
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

/* What the space is now is there twice, and writes go apart. */
static void duplicate(unsigned cpu)
{
	world.duplicates[cpu] = work_dup(world_here(cpu));
	aspace_load(world.duplicates[cpu]);
	work_read(world.one, cpu, 1);
	work_write(world.one, cpu);
	work_read(world.next, cpu, 0);
	aspace_load(world_here(cpu));
	work_write(world.one, cpu);
}

static void subscribe(unsigned cpu)
{
	static struct listener listeners[PRODUCT_CPUS];

	listener_visits(&listeners[cpu], world_here(cpu), world.one, cpu);
	operations_touch(cpu);
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
	operations_touch(cpu);
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
	{"frames", frames, OP_MOVES | OP_PINS},
	{"roll", roll, OP_MOVES | OP_OTHERS | OP_SWITCHES},
	{"scan", scan, OP_SCANS},
	{"late", use, OP_HINTED | OP_MOVES},
	{"early", use, OP_HINTED | OP_MOVES | OP_EARLY},
	{"split", use, OP_HINTED | OP_SPLITS | OP_LARGE},
	{"protect", protect, OP_LOWERS},
	{"allow", allow, OP_LOWERS | OP_RAISES},
	{"upgrade", upgrade, OP_READONLY | OP_RAISES},
	{"exec", exec, OP_LOWERS | OP_RAISES},
	{"cut", cut, OP_LOWERS | OP_LARGE},
	{"unmap", unmap, OP_GOES | OP_UNMAPS},
	{"drop", drop, OP_GOES},
	{"destroy", destroy, OP_DESTROYS},
	{"duplicate", duplicate, OP_DUPLICATES | OP_SMALL},
	{"subscribe", subscribe, 0},
	{"map", map, OP_MAPS | OP_SMALL},
	{"populate", populate, OP_ABSENT | OP_SMALL},
	{"fault", fault, OP_ABSENT | OP_SMALL},
	{"pin", pin, OP_PINS},
	{"leave", leave, OP_ONE_OTHER | OP_SWITCHES},
	{"visit", visit, OP_ONE_OTHER | OP_SWITCHES},
	{"lazy", lazy, OP_SWITCHES},
	{"lazyleave", lazyleave, OP_ONE_OTHER | OP_SWITCHES},
	{"use", use, 0},
	{"read", read_only, OP_READONLY},
	{"clean", operation_clean, OP_FILE},
	{"invalidate", operation_invalidate, OP_FILE | OP_LEAVES},
	{"reclaim", operation_reclaim, OP_FILE | OP_LEAVES},
	{"swap", operation_reclaim, OP_LEAVES | OP_SWAPS | OP_SMALL},
	{"filewrite", operation_file_write, OP_FILE},
};
const unsigned operation_count = ARRAY_SIZE(operations);

void operations_run(unsigned cpu)
{
	world.it->op[cpu]->run(cpu);
}
