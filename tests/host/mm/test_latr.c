/* defer=latr on one CPU: what its tick brings back, what it refuses, and what happens when its ring is full. */
#include "host_mm.h"

#include <kernel/alarm.h>
#include <kernel/context.h>
#include <mm/deferral.h>
#include <mm/scheme.h>
#include <mm/stats.h>

enum { RING = 16 }; /* states of a CPU */

static struct aspace *as;
static vaddr_t va;

static void begin(prot_t prot)
{
	char err[160];

	host_mm();
	as = host_space(1, prot, false, 0, &va);
	CHECK(host_word(as, va, prot & PROT_WRITE));
	CHECK_EQ(scheme_apply("latr", err, sizeof(err)), 0);
}

static void end(void)
{
	scheme_restore();
	CHECK_EQ(deferral->held(), 0);
	aspace_destroy(as);
}

static void move(u32 to)
{
	struct migrate_stats stats;

	CHECK_EQ(host_migrate(as, va, 1, to, &stats, NULL), 0);
}

static u64 counter(unsigned i)
{
	u64 sum[DEFERRAL_COUNTERS_MAX];

	deferral_counters_read(sum);
	return sum[i]; /* posted, sweeps, ring full */
}

TEST(latr_gives_frames_back_after_the_tick_without_a_shootdown)
{
	const struct mm_counters *c = this_cpu_ptr(mm_counters);

	begin(PROT_READ);
	u64 shootdowns = c->shootdowns, flushes = c->flush_local_full;

	move(1);
	CHECK_EQ(deferral->held(), 1);
	context_due_handler(); /* nobody has swept yet */
	CHECK_EQ(deferral->held(), 1);
	alarm_handler();
	CHECK_EQ(c->flush_local_full, flushes + 1);
	alarm_handler(); /* its name is off: nothing to flush */
	CHECK_EQ(c->flush_local_full, flushes + 1);
	context_due_handler();
	CHECK_EQ(deferral->held(), 0);
	CHECK_EQ(c->shootdowns, shootdowns);
	end();
}

TEST(latr_sweeps_before_a_space_is_loaded)
{
	begin(PROT_READ);
	u64 sweeps = counter(1);

	move(1);
	aspace_load(as);
	CHECK_EQ(counter(1), sweeps + 1);
	end();
}

TEST(latr_never_defers_what_may_be_written)
{
	const struct mm_counters *c = this_cpu_ptr(mm_counters);

	begin(PROT_READ | PROT_WRITE);
	u64 shootdowns = c->shootdowns, posted = counter(0);

	move(1);
	CHECK_EQ(c->shootdowns, shootdowns + 1);
	CHECK_EQ(deferral->held(), 0);
	CHECK_EQ(counter(0), posted); /* a state without frames would name CPUs for nothing */
	end();
}

TEST(latr_pays_by_shootdown_where_its_ring_is_full)
{
	begin(PROT_READ);
	u64 full = counter(2);

	for (unsigned i = 0; i < RING; i++)
		move(~i & 1);
	CHECK_EQ(deferral->held(), RING);
	CHECK_EQ(counter(2), full);
	move(1);
	CHECK_EQ(counter(2), full + 1);
	CHECK_EQ(deferral->held(), RING); /* of the states: the last page's frame is free */
	deferral_settle();
	CHECK_EQ(deferral->held(), 0);
	move(0); /* names are still there until the tick, and so is every state */
	CHECK_EQ(counter(2), full + 2);
	alarm_handler();
	move(1);
	CHECK_EQ(counter(2), full + 2);
	CHECK_EQ(deferral->held(), 1);
	end();
}
