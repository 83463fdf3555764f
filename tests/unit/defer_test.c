/* What deferrals are given: knobs and counters of their own, and a tick that shares the timer with waits. */
#include <mm/deferral.h>
#include <mm/knob.h>
#include "mm_fixture.h"
#include <kernel/alarm.h>
#include <kernel/clock.h>

#define NS_PER_S 1000000000UL

static u64 timer_irqs(void)
{
	return load_relaxed(&this_cpu_ptr(ipi_counts)->timer);
}

static bool set(const char *knob, const char *value)
{
	char err[128];

	return !knob_set(knob, value, "test", err, sizeof(err));
}

/* Sleep and take turns until the condition holds, far longer than it may take. */
#define SLEEP_UNTIL(cond, ns)                                                                      \
	do {                                                                                       \
		for (u64 end_ = clock_ns() + 10 * NS_PER_S; !(cond) && clock_ns() < end_;) {       \
			wait_nap(ns);                                                              \
			context_yield();                                                           \
		}                                                                                  \
		EXPECT(cond);                                                                      \
	} while (0)

/* Move read-only pages of the fixture under defer=skeleton. False: there is no second node. */
static bool move_deferred(struct fixture *fx, u32 to)
{
	return set("defer", "skeleton") && fixture_migrate(fx, to, NULL) == 0;
}

TEST(defer, a_debt_ticks_once_and_only_where_that_is_wanted)
{
	u32 from = pmm_node_has_memory(0) ? 0 : fixture_other_node(0),
	    to = fixture_other_node(from);
	struct fixture fx;

	if (to == BOOT_NODE_NONE)
		SKIP("one node with memory");
	REQUIRE(fixture_init(&fx, 16, PROT_READ, false, from));
	EXPECT_EQ(aspace_populate(fx.as, fx.va, fx.len, from), 16);

	u64 ticks = timer_irqs();

	EXPECT(set("skeleton_age", "0"));
	EXPECT(move_deferred(&fx, to));
	EXPECT_EQ(deferral->held(), 16);
	EXPECT(!alarm_is_set()); /* nobody asked for a tick */
	EXPECT_EQ(timer_irqs(), ticks);

	struct mm_counters before, after;

	EXPECT(set("skeleton_age",
		   "200000")); /* us: far longer than the move takes on a busy host */
	mm_counters_read(&before);
	EXPECT(move_deferred(&fx, from));
	SLEEP_UNTIL(!deferral->held(), NS_PER_S);
	mm_counters_read(&after);
	EXPECT_EQ(after.forced[PAY_TICK] - before.forced[PAY_TICK], 1);
	EXPECT(timer_irqs() > ticks); /* also those of the naps */
	EXPECT(!alarm_is_set()); /* once */

	EXPECT(set("skeleton_age", "1000000"));
	EXPECT(move_deferred(&fx, to));
	EXPECT(alarm_is_set());
	EXPECT(set("defer", "none")); /* paid, so there is nothing to wait for */
	EXPECT(!alarm_is_set());
	EXPECT(set("skeleton_age", "0"));
	fixture_fini(&fx);
}

static u64 alarms;

static void note_alarm(void)
{
	alarms++;
}

TEST(defer, alarm_and_waits_share_the_timer)
{
	void (*handler)(void) = alarm_handler;

	alarm_handler = note_alarm;
	alarms = 0;
	/* Short naps on the way do not lose it, nor let it come early. */
	u64 start = clock_ns();

	alarm_set(20000000);
	alarm_set(1); /* one is set already */
	wait_nap(1000000);
	EXPECT(alarms || alarm_is_set());
	SLEEP_UNTIL(load_relaxed(&alarms), 1000000);
	EXPECT(clock_ns() - start >= 20000000);
	EXPECT(!alarm_is_set());
	/* A long nap ends with it. */
	alarm_set(1000000);
	SLEEP_UNTIL(load_relaxed(&alarms) == 2, 60 * NS_PER_S);
	/* Cancelled: the nap's own interrupt calls nobody. */
	alarm_set(5000000);
	alarm_cancel();
	wait_nap(10000000);
	EXPECT_EQ(alarms, 2);
	alarm_handler = handler;
}

TEST(defer, knobs_are_found_set_and_restored)
{
	struct knob *k = knob_find("skeleton_age");

	REQUIRE(k);
	knobs_save();
	EXPECT(set("skeleton_age", "7"));
	EXPECT_EQ(*k->value, 7);
	EXPECT(!set("skeleton_age", "1000001"));
	knobs_restore();
	EXPECT_EQ(*k->value, 0);
	for (unsigned i = 0; i < knob_count(); i++)
		EXPECT(knob_find(knob_at(i)->name) == knob_at(i)); /* no name twice */
}
