/*
 * The reader-writer lock alone, with nothing else that orders what it guards. Only explore_races has these: what is guarded
 * has no accessors, and where spaces are at work, other barriers stand in for those of the lock.
 */
#include "model.h"

static struct rwlock lock;
static u64 first, second; /* guarded by lock: alike, but for a writer */

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

static void expect_three(void)
{
	if (first != 3 || second != 3)
		fake_fail("three writers made %lu and %lu changes", first, second);
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
	if (first != 1 || second != 1)
		fake_fail("a writer made %lu and %lu changes", first, second);
}

const struct scenario lock_sleeper = {
	.name = "lock-sleeper",
	.summary = "a reader leaves a reader-writer lock as a writer goes to sleep",
	.cpus = 2,
	.setup = setup_reader,
	.program = {change, look_and_leave},
	.end = expect_one,
};
