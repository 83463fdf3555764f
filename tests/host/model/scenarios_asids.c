/* Scenarios of tags that run out: more spaces than ASIDs (arm64 rules), loaded in turns. */
#include "model.h"

static struct aspace *a, *b, *c, *d, *e;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

static void migrate_two(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
}

static void setup_four_spaces(void)
{
	a = work_space("a", VA, 2, RW);
	b = work_space("b", VA, 1, RW);
	c = work_space("c", VA, 1, RW);
	d = work_space("d", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
}

/* More spaces than tags (arm64 rules): a tag gets another owner while its old entries are around. */
static void through_all_four(unsigned cpu)
{
	/* The fourth needs a new generation; then back and forth between an old and a new owner. */
	struct aspace *const spaces[] = {b, c, d, a, d, a};

	work_write(VA, cpu);
	for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
		aspace_load(spaces[i]);
		work_write(VA, cpu);
		work_read(VA, cpu, cpu);
	}
}

static void migrate_and_visit(unsigned cpu)
{
	work_migrate(a, VA, 2, 1);
	aspace_load(d);
	work_write(VA, cpu);
	aspace_load(a);
	work_migrate(a, VA, 1, 0);
	work_read(VA, cpu, cpu);
}

static void end_four(void)
{
	work_expect_all(a, VA, 2);
	work_expect_all(b, VA, 1);
	work_expect_all(c, VA, 1);
	work_expect_all(d, VA, 1);
}

const struct scenario rollover = {
	.name = "rollover",
	.summary = "a CPU goes through more spaces than there are tags while another moves pages",
	.cpus = 2,
	.setup = setup_four_spaces,
	.program = {migrate_and_visit, through_all_four},
	.end = end_four,
};

/* Three CPUs have four tags to share out (arm64 rules). e has b's page, so that no more are needed. */
static void setup_five_spaces(void)
{
	setup_four_spaces();
	e = aspace_create("e", 1);
	work_alias(e, b, VA, VA, 1, RW);
}

/* Each needs more tags than there are, the other way round: generations end under each other. */
static void through_all(unsigned cpu)
{
	struct aspace *const up[] = {b, c, d, e, a}, *const down[] = {e, d, c, b, a};

	work_write(VA, cpu);
	for (unsigned i = 0; i < ARRAY_SIZE(up); i++) {
		aspace_load(cpu == 1 ? up[i] : down[i]);
		work_write(VA, cpu);
		work_read(VA, cpu, 3 - cpu);
	}
}

const struct scenario rollover_load = {
	.name = "rollover-load",
	.summary = "two CPUs use up the tags in opposite orders while pages move under them",
	.weight = 4,
	.cpus = 3,
	.setup = setup_five_spaces,
	.program = {migrate_two, through_all, through_all},
	.end = end_four,
};

/* ---- more spaces than a CPU keeps tags for (x86 rules) ---------------------------------------- */

static struct aspace *many[7];

/* A page each, at the same address. */
static void setup_seven_spaces(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = work_space("many", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(many[0], cpu);
}

static void through_all_seven(unsigned cpu)
{
	for (unsigned i = 0; i <= ARRAY_SIZE(many); i++) {
		aspace_load(many[i % ARRAY_SIZE(many)]);
		work_write(VA, cpu);
		work_read(VA, cpu, cpu);
	}
}

static void migrate_first(unsigned cpu)
{
	work_migrate(many[0], VA, 1, 1);
	work_read(VA, cpu, cpu);
}

static void end_seven(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		work_expect_all(many[i], VA, 1);
}

const struct scenario slots_reused = {
	.name = "slots-reused",
	.summary = "a CPU goes through more spaces than it keeps entries of, and comes back to one "
		   "that moves",
	.cpus = 2,
	.setup = setup_seven_spaces,
	.program = {migrate_first, through_all_seven},
	.end = end_seven,
};

/* ---- a CPU that stays while generations come and go ------------------------------------------ */

static void roll_over_and_migrate(unsigned cpu)
{
	struct aspace *const spaces[] = {b, c, d, a, b, c, d, a};

	for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++)
		aspace_load(spaces[i]);
	work_migrate(a, VA, 2, 1);
	work_read(VA, cpu, 1);
}

static void stay(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++) {
		work_write(VA, cpu);
		work_read(VA2, cpu, cpu);
	}
}

const struct scenario rollover_stay = {
	.name = "rollover-stay",
	.summary = "a CPU stays in a space through several generations while its pages move",
	.cpus = 2,
	.setup = setup_four_spaces,
	.program = {roll_over_and_migrate, stay},
	.end = end_four,
};

/* ---- a CPU leaves the space whose pages move ---------------------------------------------- */

/* Uses up the tags while the other CPU leaves a, comes back to a under another tag, and moves its pages. */
static void use_up_and_migrate(unsigned cpu)
{
	aspace_load(c);
	aspace_load(d);
	aspace_load(a);
	work_write(VA, cpu);
	work_migrate(a, VA, 2, 1);
	work_read(VA, cpu, cpu);
}

static void leave_and_come_back(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_load(b);
	work_write(VA, cpu);
	aspace_load(a);
	work_read(VA, cpu, cpu);
	work_read(VA2, cpu, cpu);
}

const struct scenario rollover_leave = {
	.name = "rollover-leave",
	.summary =
		"a CPU leaves a space while the tags run out under it and the space's pages move",
	.cpus = 2,
	.setup = setup_four_spaces,
	.program = {use_up_and_migrate, leave_and_come_back},
	.end = end_four,
};

static void leave_while_lazy(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_load(NULL);
	aspace_load(b);
	work_write(VA, cpu);
	aspace_load(NULL);
	aspace_load(a);
	work_read(VA, cpu, cpu);
}

const struct scenario rollover_lazy = {
	.name = "rollover-lazy",
	.summary = "the same, and the CPU that leaves was lazy",
	.cpus = 2,
	.setup = setup_four_spaces,
	.program = {use_up_and_migrate, leave_while_lazy},
	.end = end_four,
};
