/* Scenarios of four CPUs: two that change things, and two that meet both. */
#include "model.h"

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define FAR2 (MODEL_FAR + PAGE_SIZE)

static void move_both(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
}

static void end_two(void)
{
	work_expect_all(a, VA, 2);
}

/* ---- a migrator and a change of the range ------------------------------------------------ */

static void setup_one_space(void)
{
	a = work_space("a", VA, 2, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
}

static void protect_and_allow(unsigned cpu)
{
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_write(VA, cpu);
}

static void write_and_read(unsigned cpu)
{
	work_write(VA2, cpu);
	work_write(VA, cpu);
	work_read(VA2, cpu, 5 - cpu);
}

const struct scenario four_protect = {
	.name = "four-protect",
	.summary = "two pages move, one becomes read-only and writable again, under two writers",
	.cpus = 4,
	.setup = setup_one_space,
	.program = {move_both, protect_and_allow, write_and_read, write_and_read},
	.end = end_two,
};

/* ---- two initiators in two spaces ------------------------------------------------------------ */

static void setup_two_spaces(void)
{
	a = work_space("a", VA, 2, RW);
	b = work_space("b", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		work_load(b, cpu);
		work_load(a, cpu);
	}
	work_load(b, 1);
}

static void move_in_b(unsigned cpu)
{
	work_migrate(b, VA, 1, 1);
	work_write(VA, cpu);
}

static void use_both_spaces(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_load(b);
	work_write(VA, cpu);
	aspace_load(a);
	work_read(VA2, cpu, 3);
}

static void idle_in_between(unsigned cpu)
{
	work_write(VA2, cpu);
	aspace_load(NULL);
	fake_point(42);
	aspace_load(b);
	work_read(VA, cpu, 2);
}

static void end_spaces(void)
{
	work_expect_all(a, VA, 2);
	work_expect_all(b, VA, 1);
}

const struct scenario four_initiators = {
	.name = "four-initiators",
	.summary = "pages of two spaces move at once under a CPU that uses both and one that idles",
	.weight = 4,
	.cpus = 4,
	.setup = setup_two_spaces,
	.program = {move_both, move_in_b, use_both_spaces, idle_in_between},
	.end = end_spaces,
};

/* ---- a shared object ---------------------------------------------------------------------------- */

static void setup_shared(void)
{
	a = work_space("a", VA, 2, RW);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, MODEL_FAR, 2, RW);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
	work_load(b, 3);
}

static void write_here(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA2, cpu, 2);
}

static void fault_there(unsigned cpu)
{
	work_write(cpu == 2 ? MODEL_FAR : FAR2, cpu);
	work_read(MODEL_FAR, cpu, 1);
	work_write(FAR2, cpu);
}

const struct scenario four_shared = {
	.name = "four-shared",
	.summary = "pages of an object move while two CPUs fault them in through another space",
	.cpus = 4,
	.setup = setup_shared,
	.program = {move_both, write_here, fault_there, fault_there},
	.end = end_two,
};
