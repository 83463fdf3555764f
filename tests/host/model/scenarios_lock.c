/*
 * The reader-writer lock alone. Where spaces are at work, other barriers stand in for those of the lock; here nothing else
 * orders what it guards. Those are plain accesses, so only explore_races has these scenarios.
 */
#include "model.h"

static struct rwlock lock;
static u64 first, second; /* guarded by lock; equal whenever no writer has it */

static void setup(void)
{
	/* zero: nobody has it */
}

static void look_and_leave(unsigned cpu)
{
	if (first != second)
		fake_fail("CPU %u reads what a writer has not finished", cpu);
	read_unlock(&lock);
}

static void look(unsigned cpu)
{
	read_lock(&lock);
	look_and_leave(cpu);
}

static void change(unsigned cpu __unused)
{
	write_lock(&lock);
	first++;
	second++;
	write_unlock(&lock);
}

static void change_twice(unsigned cpu)
{
	change(cpu);
	change(cpu);
}

static void look_and_change(unsigned cpu)
{
	look(cpu);
	change(cpu);
}

static void expect_changes(u64 n)
{
	if (first != n || second != n)
		fake_fail("of %lu changes, %lu and %lu are there", n, first, second);
}

static void expect_three(void)
{
	expect_changes(3);
}

const struct scenario lock_turns = {
	.name = "lock-turns",
	.summary = "two CPUs write and one reads, under a reader-writer lock",
	.cpus = 3,
	.weight = 8,
	.setup = setup,
	.program = {change_twice, look_and_change, look},
	.end = expect_three,
};

static void setup_reader(void)
{
	read_lock(&lock);
}

static void expect_one(void)
{
	expect_changes(1);
}

const struct scenario lock_sleeper = {
	.name = "lock-sleeper",
	.summary = "a reader leaves a reader-writer lock as a writer goes to sleep",
	.cpus = 2,
	.setup = setup_reader,
	.program = {change, look_and_leave},
	.end = expect_one,
};
