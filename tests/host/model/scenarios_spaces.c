/* Scenarios of several address spaces: switching, spaces and tables that go. */
#include <mm/deferral.h>
#include <mm/knob.h>
#include "model.h"

#include <kernel/alarm.h>
#include <kernel/atomic.h>

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* ---- switching spaces ---------------------------------------------------------------------- */

static void setup_two_spaces(void)
{
	a = work_space("a", VA, 2, RW);
	b = work_space("b", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		work_load(b, cpu);
		work_load(a, cpu);
	}
}

static void migrate_two(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
}

static void switch_to_and_fro(unsigned cpu)
{
	aspace_load(b);
	work_write(VA, cpu);
	aspace_load(a);
	work_write(VA, cpu);
	work_read(VA2, cpu, cpu);
	aspace_load(b);
	work_read(VA, cpu, cpu);
	aspace_load(a);
	work_read(VA, cpu, cpu);
}

static void lazy_in_between(unsigned cpu)
{
	work_write(VA2, cpu);
	aspace_load(NULL);
	fake_point(42);
	aspace_load(a);
	work_read(VA2, cpu, cpu);
	work_read(VA, cpu, 1);
}

static void end_spaces(void)
{
	work_expect_all(a, VA, 2);
	work_expect_all(b, VA, 1);
}

const struct scenario switch_shootdown = {
	.name = "switch-shootdown",
	.summary = "CPUs change spaces or go lazy while a shootdown is under way",
	.cpus = 3,
	.setup = setup_two_spaces,
	.program = {migrate_two, switch_to_and_fro, lazy_in_between},
	.end = end_spaces,
};

static void setup_tables(void)
{
	a = work_space("a", VA, 1, RW);
	b = work_space("b", VA, 1, RW);
	int err;

	aspace_map(a, NULL, 0, MODEL_FAR, HUGE_SIZE, RW, false, 0, &err);
	aspace_populate(a, MODEL_FAR, PAGE_SIZE, 0);
	fake_watch(a->ctx.root, MODEL_FAR);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		work_load(b, cpu);
		work_load(a, cpu);
	}
	fake_on_cpu(2, (void (*)(void *))aspace_load, NULL); /* lazy: keeps walking at will */
}

/* The leaf table goes; its frame is wanted at once. */
static void unmap_table(unsigned cpu)
{
	int err;

	aspace_unmap(a, MODEL_FAR, HUGE_SIZE);
	work_expect_at_most(a, MODEL_FAR, 0);
	aspace_map(a, NULL, 0, MODEL_FAR, PAGE_SIZE, RW, false, 0, &err);
	u64 value = 0;

	if (!fake_access(MODEL_FAR, false, &value) || value)
		fake_fail("a new page reads %#lx", value);
	work_read(VA, cpu, cpu);
}

static void touch_table(unsigned cpu)
{
	u64 value = 0;

	fake_access(MODEL_FAR, false, &value);
	work_write(VA, cpu);
	aspace_load(b);
	work_write(VA, cpu);
	aspace_load(a);
	fake_access(MODEL_FAR, false, &value);
	if (value)
		fake_fail("a fresh page reads %#lx", value);
}

static void wake_up(unsigned cpu)
{
	aspace_load(a);
	work_write(VA, cpu);
	aspace_load(NULL);
}

const struct scenario free_table = {
	.name = "free-table",
	.summary = "a page table is freed while CPUs walk, switch and idle",
	.cpus = 3,
	.setup = setup_tables,
	.program = {unmap_table, touch_table, wake_up},
	.end = NULL,
};

/* Two tables with a page each, at the border between them: that few pages are flushed one by one. */
#define LAST_OF_FIRST (MODEL_FAR + HUGE_SIZE - PAGE_SIZE)
#define FIRST_OF_SECOND (MODEL_FAR + HUGE_SIZE)

static void setup_two_tables(void)
{
	int err;

	a = work_space("a", VA, 1, RW);
	aspace_map(a, NULL, 0, MODEL_FAR, 2 * HUGE_SIZE, RW, false, 0, &err);
	aspace_populate(a, LAST_OF_FIRST, 2 * PAGE_SIZE, 0);
	fake_watch(a->ctx.root, LAST_OF_FIRST);
	fake_watch(a->ctx.root, FIRST_OF_SECOND);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	/* As pages, the tables would be few enough, too: what is flushed must be the tables. */
	knobs.range = 2 * PT_ENTRIES;
}

static void unmap_both_tables(unsigned cpu)
{
	aspace_unmap(a, MODEL_FAR, 2 * HUGE_SIZE);
	work_expect_at_most(a, LAST_OF_FIRST, 0);
	work_expect_at_most(a, FIRST_OF_SECOND, 0);
	work_read(VA, cpu, cpu);
}

static void touch_both_tables(unsigned cpu)
{
	u64 value = 0;

	fake_access(LAST_OF_FIRST, false, &value);
	work_write(VA, cpu);
	fake_access(FIRST_OF_SECOND, false, &value);
	if (value)
		fake_fail("a page that nobody writes reads %#lx", value);
}

const struct scenario free_tables = {
	.name = "free-tables",
	.summary = "two page tables are freed in one call while CPUs walk through them",
	.cpus = 3,
	.setup = setup_two_tables,
	.program = {unmap_both_tables, touch_both_tables, touch_both_tables},
	.end = NULL,
};

static void destroy_b(unsigned cpu)
{
	aspace_load(a);
	aspace_destroy(b);
	b = work_space("c", VA, 1, RW);
	aspace_load(b);
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

static void leave_b(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA2, cpu, 2);
	work_write(VA, cpu);
}

const struct scenario destroy_space = {
	.name = "destroy-space",
	.summary = "a space goes and another takes its place while its tags are around",
	.cpus = 3,
	.setup = setup_two_spaces,
	.program = {destroy_b, leave_b, lazy_in_between},
	.end = NULL,
};

/* ---- a CPU that leaves and comes back (I12) --------------------------------------------- */

static u64 asked, gone, back; /* told so far, release and acquire */

static void setup_leaving(void)
{
	a = work_space("a", VA, 2, RW);
	b = work_space("b", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	work_protect(a, VA, 2, PROT_READ);
}

static void wait_for(const u64 *told)
{
	while (!load_acquire(told))
		cpu_relax();
}

/* While it is gone, everything of the space changes; what is owed from before is paid. */
static void change_without_it(unsigned cpu)
{
	work_migrate(a, VA, 2, 1);
	store_release(&asked, 1UL); /* from here on nothing is asked until it is gone */
	wait_for(&gone);
	work_migrate(a, VA, 2, 0);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_write(VA, cpu);
	deferral_settle();
	store_release(&back, 1UL);
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
}

static void only_read(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++) {
		work_read(VA, cpu, 0);
		work_read(VA2, cpu, 0);
	}
}

/*
 * Out of every mask: it has nothing loaded any more when the context goes that it loaded. From then
 * on it answers nobody, with interrupts off, so that whoever asks it waits for ever.
 */
static void leave_and_return(unsigned cpu)
{
	work_read(VA, cpu, 0);
	aspace_load(b);
	tlb_context_destroy(&b->ctx);
	wait_for(&asked);
	/* A deferral whose CPUs flush themselves may have asked this one: it does so at its tick. */
	alarm_handler();
	irqflags_t flags = irq_save();

	store_release(&gone, 1UL);
	wait_for(&back);
	irq_restore(flags);
	aspace_load(a);
	work_read(VA, cpu, 0);
	work_read(VA2, cpu, 0);
	work_read(VA, cpu, 0);
}

const struct scenario leave_return = {
	.name = "leave-return",
	.summary = "a CPU leaves all spaces, answers nothing while pages move, and comes back",
	.cpus = 3,
	.setup = setup_leaving,
	.program = {change_without_it, only_read, leave_and_return},
	.end = NULL,
};

/* ---- shootdowns against each other ----------------------------------------------------------- */

static void protect_first(unsigned cpu)
{
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	work_read(VA2, cpu, 2);
}

static void drop_in_b(unsigned cpu)
{
	work_drop_begins(VA);
	aspace_drop(b, VA, PAGE_SIZE);
	work_drop_ended(VA);
	work_read(VA, cpu, cpu);
}

static void setup_initiators(void)
{
	setup_two_spaces();
	work_load(b, 1);
}

static void switch_and_read(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_load(b);
	work_read(VA, cpu, cpu);
	aspace_load(a);
	work_read(VA, cpu, cpu);
}

const struct scenario initiators = {
	.name = "initiators",
	.summary = "two CPUs shoot down two spaces at once; a third uses both",
	.cpus = 3,
	.setup = setup_initiators,
	.program = {protect_first, drop_in_b, switch_and_read},
	.end = NULL,
};
