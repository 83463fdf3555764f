/*
 * Where the scenarios of the product begin, and what must be true at the end: two pages of an object, or
 * two parts of a 2 MiB page, in one or several spaces.
 */
#include "product.h"

#include <kernel/bootinfo.h>
#include <mm/hint.h>
#include <mm/scheme.h>

struct world world;

unsigned world_spaces(void)
{
	static const unsigned counts[] = {[PRIVATE] = 1,    [TWO_AREAS] = 1,
					  [TWO_SPACES] = 2, [FIVE_SPACES] = PRODUCT_SPACES,
					  [FILE_PAGES] = 2, [COPY_ON_WRITE] = 2,
					  [DUPLICATED] = 2};

	return counts[world.it->sharing];
}

bool world_is(unsigned cpu, unsigned what)
{
	return world.it->op[cpu] && world.it->op[cpu]->is & what;
}

bool world_any(unsigned what)
{
	for (unsigned cpu = 0; cpu < PRODUCT_CPUS; cpu++)
		if (world_is(cpu, what))
			return true;
	return false;
}

/* Who destroys the other space of two leaves none that anybody could run in. */
unsigned world_home(unsigned cpu)
{
	unsigned count = world_spaces();

	if (count == 2 && world_any(OP_DESTROYS))
		return 0;
	return world.it->sharing == COPY_ON_WRITE ? !cpu : cpu % count;
}

unsigned world_target(unsigned cpu)
{
	return world_spaces() - 1 - (world_spaces() > 2 ? cpu : 0);
}

struct aspace *world_here(unsigned cpu)
{
	return world.spaces[world_home(cpu)];
}

static bool has_file(void)
{
	return world.it->sharing == FILE_PAGES || world.it->sharing == COPY_ON_WRITE;
}

/* May the first page be without a mapping at some time, so that its contents go? */
static bool may_be_unmapped(void)
{
	unsigned gone = 0, mappings = world.it->sharing == TWO_AREAS ? 2 : world_spaces();

	for (unsigned cpu = 0; cpu < PRODUCT_CPUS; cpu++) {
		if (world_is(cpu, OP_DESTROYS))
			gone |= 1U << world_target(cpu);
		if (world_is(cpu, OP_GOES | OP_ABSENT))
			gone |= 1U << world_home(cpu);
	}
	return (unsigned)__builtin_popcount(gone) >= mappings;
}

/* If the first page goes from the CPU's space, is what was written there lost? */
static bool vanishes(unsigned cpu)
{
	switch (world.it->sharing) {
	case FILE_PAGES:
		return false;
	case COPY_ON_WRITE: /* copies are */
		return !world_home(cpu);
	case DUPLICATED: /* what the other space has does not come back */
		return true;
	default:
		return may_be_unmapped();
	}
}

/*
 * Of a whole 2 MiB page, one page of the range takes all of it; of one that was split, a part: the
 * others are steps for nothing.
 */
vaddr_t world_range_end(void)
{
	return world.it->scenario.large ? VA + PAGE_SIZE : world.end;
}

void world_goes(unsigned cpu)
{
	if (vanishes(cpu))
		work_drop_begins_in(world_here(cpu), world.one);
}

/* ---- where they begin -------------------------------------------------------------------------- */

/* The second one maps the file, the first one privately. */
static void make_private(const char *const names[])
{
	world.object = work_file_in(names[1], VA, &world.spaces[1]);
	world.spaces[0] = aspace_create(names[0], 0);
	work_private(world.spaces[0], world.spaces[1], VA, VA, WORLD_PAGES, RW);
	aspace_populate(world.spaces[0], VA, world.end - VA, 0);
}

static void make_first(const char *name)
{
	if (world.it->sharing == FILE_PAGES) {
		work_file_in(name, VA, &world.spaces[0]);
	} else if (world.it->scenario.large) {
		world.spaces[0] = work_large(name, VA, MIDDLE);
		work_add(world.spaces[0], AFTER);
	} else {
		world.spaces[0] = work_space(name, VA, WORLD_PAGES, RW);
	}
	world.object = aspace_find(world.spaces[0], VA)->object;
}

static void make_spaces(void)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};

	if (world.it->sharing == COPY_ON_WRITE) {
		make_private(names);
		return;
	}
	make_first(names[0]);
	if (world.it->sharing == DUPLICATED) {
		world.spaces[1] = work_dup(world.spaces[0]);
		return;
	}
	for (unsigned i = 1; i < world_spaces(); i++) {
		world.spaces[i] = aspace_create(names[i], 0);
		work_alias(world.spaces[i], world.spaces[0], VA, VA, WORLD_PAGES, RW);
		aspace_populate(world.spaces[i], VA, world.end - VA, 0);
	}
	if (world.it->sharing == TWO_AREAS) {
		work_alias(world.spaces[0], world.spaces[0], VA, MODEL_FAR, WORLD_PAGES, RW);
		aspace_populate(world.spaces[0], MODEL_FAR, world.end - VA, 0);
	}
}

static void make_others(void)
{
	unsigned count = world_any(OP_OTHERS) ? PRODUCT_OTHERS : world_any(OP_ONE_OTHER);

	for (unsigned i = 0; i < count; i++)
		world.others[i] = work_space("other", VA, 1, RW);
}

/* What each CPU had loaded before leaves its tags. */
static void load_spaces(void)
{
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		if (world.others[0])
			work_load(world.others[0], cpu);
		if (world_is(cpu, OP_DESTROYS))
			work_load(world_here(cpu), cpu);
		work_load(world_is(cpu, OP_DESTROYS) ? world.spaces[world_target(cpu)]
						     : world_here(cpu),
			  cpu);
	}
}

static struct page *page_of(vaddr_t va)
{
	for (unsigned i = 0; i < world_spaces(); i++) {
		struct pt_pos pos = pgwalk_find(world.spaces[i]->root, va, 0);
		pte_t pte = pte_load(pos.ptep);

		if (pte_is_present(pte) || pte_is_hint(pte))
			return phys_to_page(pte_pa(pte, pos.level));
	}
	return NULL;
}

/* As if that CPU had touched the pages once before: the next time, they come to it. */
static void touched_by(unsigned cpu)
{
	for (vaddr_t va = VA; va < world.end; va += PAGE_SIZE) {
		struct page *page = page_of(va);

		if (page)
			page->last = 1U << 16 | (cpu + 1);
		if (world.it->scenario.large)
			return;
	}
}

static void hint_pages(unsigned cpu)
{
	if (!world_any(OP_SPLITS)) {
		touched_by(cpu);
	} else {
		/* Last touched by CPU 0, after a turn from the other node. */
		page_of(VA)->last = 1U << 22 | 1U << 16 | 1;
		knobs.numa_split = SPLIT_SHARED;
	}
	hint_mark(world_here(cpu), VA, world_range_end());
}

/* Reclaim takes both with one flush. */
static void age_pages(void)
{
	knobs.reclaim_batch = WORLD_PAGES;
	for (unsigned i = 0; i < world_spaces(); i++)
		work_age(world.spaces[i], VA, WORLD_PAGES);
}

void world_choose(const struct product *p)
{
	world.it = p;
	world.one = p->scenario.large ? MIDDLE : VA;
	world.next = p->scenario.large ? VA : VA + PAGE_SIZE;
	world.end = p->scenario.large ? VA + HUGE_SIZE : VA + 2 * PAGE_SIZE;
}

void world_setup(void)
{
	make_spaces();
	make_others();
	load_spaces();
	if (world_any(OP_HINTED | OP_SCANS))
		knobs.hint = world_any(OP_EARLY) ? HINT_EARLY : HINT_LATE;
	for (unsigned i = 0; world_any(OP_READONLY) && i < world_spaces(); i++)
		aspace_protect(world.spaces[i], VA, world.end - VA, PROT_READ);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		if (world_is(cpu, OP_ABSENT)) {
			if (!has_file()) /* nothing is copied yet */
				world_goes(cpu);
			aspace_drop(world_here(cpu), world.one, PAGE_SIZE);
		}
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		if (world_is(cpu, OP_HINTED))
			hint_pages(cpu);
	if (world_any(OP_SWAPS))
		work_swap(false);
	if (world_any(OP_LEAVES))
		age_pages();
}

/* ---- the end ------------------------------------------------------------------------------------- */

static bool goes_from(unsigned space)
{
	for (unsigned cpu = 0; cpu < PRODUCT_CPUS; cpu++)
		if (world_is(cpu, OP_GOES | OP_ABSENT) && world_home(cpu) == space)
			return true;
	return false;
}

/* Pages of a file, and copies that a fault had not mapped when it was refused, come back when they are wanted. */
static void bring_back(void)
{
	work_expect_synced();
	for (unsigned i = 0; i < world_spaces(); i++)
		for (vaddr_t va = VA; !world.destroyed[i] && va < world.end; va += PAGE_SIZE)
			aspace_populate(world.spaces[i], va, PAGE_SIZE, BOOT_NODE_NONE);
}

void world_check(void)
{
	if (world_any(OP_SWAPS))
		work_expect_swapped_in();
	if (has_file())
		bring_back();
	for (unsigned i = 0; i < world_spaces(); i++) {
		if (world.destroyed[i])
			continue;
		work_expect_kept(world.spaces[i], world.one, !goes_from(i));
		work_expect_kept(world.spaces[i], world.next, true);
	}
	if (world.it->sharing == TWO_AREAS)
		work_expect_kept(world.spaces[0], MODEL_FAR, true);
	for (unsigned cpu = 0; cpu < PRODUCT_CPUS; cpu++)
		for (vaddr_t va = VA; world.duplicates[cpu] && va < world.end; va += PAGE_SIZE)
			work_expect_kept(world.duplicates[cpu], va, false);
	for (unsigned i = 0; i < PRODUCT_OTHERS && world.others[i]; i++)
		work_expect_all(world.others[i], VA, 1);
	if (change_subscriptions)
		fake_fail("%u subscriptions are left", change_subscriptions);
}
