/* defer=luf: clean pages that are reclaimed leave their file with their flush owed, and who must not meet them pays. */
#include "host_file.h"

#include <fake/machine.h>
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/reclaim.h>
#include <mm/scheme.h>
#include <mm/store.h>

static struct test_store store;
static struct aspace *as;
static vaddr_t va;
static u64 before;

static void age_all(void)
{
	for (u64 i = 0; i < FILE_PAGES; i++)
		pt_change(pgwalk_find(as->root, va + i * PAGE_SIZE, 0).ptep, pte_mk_old);
}

/* All pages of the file, clean and read-only, on node 0; CPU 1 has the space loaded, too. */
static void begin(void)
{
	char err[160];

	host_mm();
	knobs.dirty_pages = 0;
	before = host_in_use();
	store = (struct test_store){0};
	as = host_file_space(&store, FILE_PAGES, RW, &va);
	for (u64 i = 0; i < FILE_PAGES; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = 100 + i;
	CHECK_EQ(file_sync(store.file), 0);
	age_all();
	fake_on_cpu(1, host_load, as);
	CHECK_EQ(scheme_apply("luf", err, sizeof(err)), 0);
}

static void end(void)
{
	scheme_restore();
	fake_on_cpu(1, host_load, NULL);
	host_use_all();
	CHECK(host_file_gone(&store, as, before));
}

static u64 shootdowns(void)
{
	return host_counters(0)->shootdowns;
}

/* May pages that have left still be read? */
static bool owes(void)
{
	return store.store.payment && deferral->is_owed(store.store.payment);
}

static void reclaim_all(void)
{
	CHECK(reclaim_pages(0, FILE_PAGES) >= FILE_PAGES);
}

TEST(owing_pages_leave_without_a_flush)
{
	begin();
	u64 flushed = shootdowns(), owing = host_node().owing;

	reclaim_all();
	CHECK_EQ(shootdowns(), flushed);
	CHECK_EQ(host_node().owing, owing + FILE_PAGES);
	CHECK(owes());
	/* Who reads one in where it may be written pays for all. */
	CHECK_EQ(*host_word(as, va, false), 100);
	CHECK_EQ(shootdowns(), flushed + 1);
	CHECK(!(host_page(as, va)->flags & PG_COPIED));
	CHECK(!owes());
	CHECK_EQ(*host_word(as, va + PAGE_SIZE, true), 101);
	CHECK_EQ(shootdowns(), flushed + 1);
	end();
}

TEST(owing_pages_are_paid_for_before_their_file_is_cut)
{
	begin();
	reclaim_all();
	u64 flushed = shootdowns(), paid = host_counters(0)->forced[PAY_TRUNCATE];

	CHECK_EQ(file_invalidate(store.file, 0, FILE_PAGES, FILE_KEEP), 0);
	CHECK_EQ(shootdowns(), flushed + 1);
	CHECK_EQ(host_counters(0)->forced[PAY_TRUNCATE], paid + 1);
	CHECK_EQ(file_invalidate(store.file, 0, FILE_PAGES, FILE_KEEP),
		 0); /* nothing is left to pay */
	CHECK_EQ(shootdowns(), flushed + 1);
	end();
}

/* A file whose contents a server changes: what left before is paid for, and nothing leaves owing any more. */
TEST(owing_pages_of_a_store_that_changes_are_paid_for)
{
	begin();
	reclaim_all();
	u64 flushed = shootdowns();

	store_begins_to_change(&store.store);
	CHECK_EQ(shootdowns(), flushed + 1);
	CHECK(!owes());
	for (u64 i = 0; i < FILE_PAGES; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), 100 + i);
	age_all();
	reclaim_all();
	CHECK(shootdowns() > flushed + 1);
	flushed = shootdowns();
	deferral_settle();
	CHECK_EQ(shootdowns(), flushed);
	end();
}

/* All of them by the first that is used. */
TEST(owing_frames_are_paid_for_once)
{
	begin();
	reclaim_all();
	u64 flushed = shootdowns();

	host_use_all();
	CHECK_EQ(shootdowns(), flushed + 1);
	host_use_all();
	CHECK_EQ(shootdowns(), flushed + 1);
	end();
}
