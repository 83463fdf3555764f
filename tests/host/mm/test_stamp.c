/* defer=stamp: frames are freed with a stamp, and whoever gets one asks CPUs that have not flushed since, and no others. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/deferral.h>
#include <mm/scheme.h>
#include <mm/stats.h>

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 4, FREED = 0, SETTLED = 1, PAID = 2 };

static struct aspace *as, *other;
static vaddr_t va, other_va;

static void flush_here(void *arg __unused)
{
	tlb_flush_here();
}

/* Read-only pages on node 0, loaded on CPUs 0 and 1. */
static void begin(const char *scheme)
{
	char err[160];

	as = host_space(PAGES, PROT_READ, false, 0, &va);
	aspace_populate(as, va, PAGES * PAGE_SIZE, 0);
	fake_on_cpu(1, host_load, as);
	CHECK_EQ(scheme_apply(scheme, err, sizeof(err)), 0);
}

static void end(void)
{
	scheme_restore();
	fake_on_cpu(1, host_load, NULL);
	aspace_destroy(as);
}

static void move(u32 to)
{
	struct migrate_stats stats;

	CHECK_EQ(host_migrate(as, va, PAGES, to, &stats, NULL), 0);
	CHECK_EQ(stats.moved, PAGES);
}

TEST(stamped_frames_are_free_and_owe)
{
	begin("stamp");
	struct page *old = host_page(as, va);
	u64 shootdowns = host_counters(0)->shootdowns, freed = host_counter(FREED);

	move(1);
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns);
	host_expect_freed_owing(old, PAGES);
	CHECK_EQ(host_counter(FREED), freed + PAGES);
	CHECK(host_page(as, va)->flags & PG_COPIED);
	end();
	host_use_all();
}

TEST(stamped_frames_are_paid_for_in_one_shootdown_as_they_leave)
{
	begin("stamp");
	move(1);
	u64 shootdowns = host_counters(0)->shootdowns, received = host_counters(1)->ipis_received;
	u64 left = host_counters(0)->forced[PAY_LEAVE], paid = host_counter(PAID);

	host_use_all();
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns + 1);
	if (!tlb_has_bcast())
		CHECK_EQ(host_counters(1)->ipis_received, received + 1);
	CHECK_EQ(host_counters(0)->forced[PAY_LEAVE], left + 1);
	CHECK_EQ(host_counter(PAID), paid + 1);
	end();
}

TEST(stamped_frames_leave_for_nothing_if_all_have_flushed)
{
	begin("stamp");
	move(1);
	u64 settled = host_counter(SETTLED), paid = host_counter(PAID);

	tlb_flush_context(&as->ctx);
	u64 shootdowns = host_counters(0)->shootdowns;

	host_use_all();
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns);
	CHECK(host_counter(SETTLED) > settled);
	CHECK_EQ(host_counter(PAID), paid);
	end();
}

TEST(stamped_frames_are_paid_for_again_without_skipping)
{
	begin("stamp+defer_skip=off");
	move(1);
	tlb_flush_context(&as->ctx);
	u64 shootdowns = host_counters(0)->shootdowns;

	host_use_all();
	CHECK(host_counters(0)->shootdowns > shootdowns);
	end();
}

TEST(stamps_of_frames_are_each_looked_at)
{
	struct migrate_stats stats;

	begin("stamp");
	host_use_all(); /* what the pages leave merges with what is free */
	CHECK_EQ(host_migrate(as, va, 1, 1, &stats, NULL), 0);
	tlb_flush_context(&as->ctx);
	CHECK_EQ(host_migrate(as, va + PAGE_SIZE, 1, 1, &stats, NULL), 0);
	u64 left = host_counters(0)->forced[PAY_LEAVE], shootdowns = host_counters(0)->shootdowns;

	host_use_all();
	CHECK_EQ(host_counters(0)->forced[PAY_LEAVE], left + 1); /* the second frame's alone */
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns + 1);
	end();
}

#ifndef HOST_ARM64
TEST(stamps_tell_who_has_flushed_since)
{
	begin("stamp");
	fake_on_cpu(1, flush_here, NULL); /* before: does not count */
	move(1);
	u64 received = host_counters(1)->ipis_received;

	fake_on_cpu(1, flush_here, NULL);
	host_use_all(); /* CPU 0 flushes itself */
	CHECK_EQ(host_counters(1)->ipis_received, received);
	move(0);
	fake_on_cpu(1, host_load, NULL); /* lazy: it may still hold what was taken down */
	move(1);
	host_use_all();
	CHECK_EQ(host_counters(1)->ipis_received, received + 1);
	end();
}
#endif

/* Buddies of two spaces: the block that they become is paid for at once, for both. */
TEST(stamped_frames_of_two_spaces_are_paid_for_in_one_shootdown)
{
	struct migrate_stats stats;
	int err;

	begin("stamp");
	other = aspace_create("other", 0);
	other_va = aspace_map(other, NULL, 0, 0, PAGES * PAGE_SIZE, PROT_READ, false, 0, &err);
	CHECK(host_word(other, other_va, false)); /* its tables are not to come between the pages */
	CHECK_EQ(aspace_drop(as, va, PAGES * PAGE_SIZE), 0);
	CHECK_EQ(aspace_drop(other, other_va, PAGES * PAGE_SIZE), 0);
	pmm_drain_caches();
	for (u64 at = 0; at < PAGES * PAGE_SIZE; at += PAGE_SIZE)
		CHECK(host_word(as, va + at, false) && host_word(other, other_va + at, false));
	fake_on_cpu(1, host_load, other);
	move(1);
	CHECK_EQ(host_migrate(other, other_va, PAGES, 1, &stats, NULL), 0);
	CHECK_EQ(host_node().owing, 2 * PAGES);
	u64 left = host_counters(0)->forced[PAY_LEAVE], shootdowns = host_counters(0)->shootdowns;

	pmm_drain_caches();
	/* First what does not owe, so that a block of both has to be taken. */
	unsigned others = (unsigned)(host_node().free - host_node().owing);

	CHECK_EQ(host_take(others), others);
	struct page *block = pmm_alloc(0, 1, PMM_STRICT | PMM_RESERVE);

	CHECK(block);
	left = host_counters(0)->forced[PAY_LEAVE] - left;
	shootdowns = host_counters(0)->shootdowns - shootdowns;
	CHECK_EQ(left, 2); /* both spaces */
	CHECK_EQ(shootdowns, 1);
	pmm_free(block);
	host_give(others);
	host_use_all();
	fake_on_cpu(1, host_load, as);
	aspace_destroy(other);
	end();
}

/* Frames that several spaces mapped, and those of a space that is gone. */
TEST(stamps_of_several_spaces_pay_for_all)
{
	int err;

	begin("stamp");
	other = aspace_create("other", 0);
	other_va = aspace_map(other, host_page(as, va)->object, 0, 0, PAGES * PAGE_SIZE, PROT_READ,
			      false, 0, &err);
	CHECK(host_word(other, other_va, false));
	fake_on_cpu(1, host_load, other);
	move(1);
	u64 left = host_counters(0)->forced[PAY_LEAVE];

	host_use_all();
	CHECK_EQ(host_counters(0)->forced[PAY_LEAVE], left + 2); /* both spaces */
	move(0);
	move(1);
	fake_on_cpu(1, host_load, as);
	aspace_destroy(other);
	left = host_counters(0)->forced[PAY_LEAVE];
	host_use_all();
	CHECK_EQ(host_counters(0)->forced[PAY_LEAVE], left); /* who went has paid for all */
	end();
}

TEST(stamped_pages_pay_before_they_are_written)
{
	begin("stamp");
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW), 0);
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
	move(1);
	u64 forced = host_counters(0)->forced[PAY_PROTECT], shootdowns;

	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW), 0);
	CHECK_EQ(host_counters(0)->forced[PAY_PROTECT], forced + 1);
	shootdowns = host_counters(0)->shootdowns;
	host_use_all(); /* nothing is left to pay */
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns);
	end();
}
