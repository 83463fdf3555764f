/* Scenarios of code: pages that may be executed, no longer may, and may again. */
#include "model.h"

#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define RX (PROT_READ | PROT_EXEC)

static void load_everywhere(void)
{
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
}

static void must_execute(vaddr_t va, unsigned cpu)
{
	if (!work_execute(va, cpu, cpu))
		fake_fail("CPU %u: code at %#lx is refused although it may be executed", cpu, va);
}

static void setup_code(void)
{
	a = work_space("a", VA, 2, RX);
	load_everywhere();
}

static void forbid_and_allow(unsigned cpu)
{
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	aspace_protect(a, VA, PAGE_SIZE, RX);
	work_expect_at_most(a, VA, RX);
	must_execute(VA, cpu);
}

static void execute_while_allowed(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_execute(VA, cpu, 0);
	must_execute(VA2, cpu);
}

static void move_and_execute(unsigned cpu)
{
	work_migrate(a, VA, 2, 1);
	work_drop_begins(VA2);
	aspace_drop(a, VA2, PAGE_SIZE);
	work_drop_ended(VA2);
	must_execute(VA2, cpu); /* zeroes, which the fault must have made visible to fetches */
	work_execute(VA, cpu, 0);
}

const struct scenario exec_protect = {
	.name = "exec-protect",
	.summary = "code that moves may not be executed for a while, or is new, under a thread "
		   "that executes it",
	.cpus = 3,
	.setup = setup_code,
	.program = {forbid_and_allow, execute_while_allowed, move_and_execute},
};

/* Data that becomes code while a scan has taken it away. */
static void setup_marked(void)
{
	a = work_space("a", VA, 2, RW);
	load_everywhere();
	knobs.hint = HINT_LATE;
	hint_mark(a, VA, VA + 2 * PAGE_SIZE);
}

static void make_code(unsigned cpu)
{
	aspace_protect(a, VA, 2 * PAGE_SIZE, RX);
	work_expect_at_most(a, VA, RX);
	work_expect_at_most(a, VA2, RX);
	must_execute(VA, cpu);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_expect_at_most(a, VA, RW);
	must_execute(VA2, cpu);
}

static void write_or_execute(unsigned cpu)
{
	work_write(VA, cpu);
	work_execute(VA2, cpu, cpu);
	work_write(VA2, cpu);
	work_execute(VA, cpu, cpu);
}

static void expect_both(void)
{
	work_expect_all(a, VA, 2);
}

const struct scenario exec_hint = {
	.name = "exec-hint",
	.summary = "data of which hint entries are left becomes code, and data again",
	.cpus = 3,
	.setup = setup_marked,
	.program = {make_code, write_or_execute, write_or_execute},
	.end = expect_both,
};

/* The same page as code here and as data there. */
static void setup_alias(void)
{
	a = work_space("a", VA, 1, RX);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, MODEL_FAR, 1, RW);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
}

static void forbid_then_move(unsigned cpu)
{
	must_execute(VA, cpu);
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	work_migrate(a, VA, 1, 1);
	work_expect_at_most(a, VA, PROT_READ);
}

static void execute_or_read(unsigned cpu)
{
	if (!work_execute(VA, cpu, 2))
		work_read(VA, cpu, 2);
	work_execute(VA, cpu, 2);
}

static void write_only(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	if (work_execute(MODEL_FAR, cpu, cpu))
		fake_fail("data of another mapping is executed");
	work_write(MODEL_FAR, cpu);
}

static void expect_one(void)
{
	work_expect_all(a, VA, 1);
}

const struct scenario exec_alias = {
	.name = "exec-alias",
	.summary = "a page is code in one space and data in another, loses the one right and moves",
	.cpus = 3,
	.setup = setup_alias,
	.program = {forbid_then_move, execute_or_read, write_only},
	.end = expect_one,
};
