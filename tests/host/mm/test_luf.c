/* defer=luf: frames are freed owing and used last; the first that is used has all of them paid for, in one flush. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/deferral.h>
#include <mm/scheme.h>
#include <mm/stats.h>

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 4, FREED = 0, SETTLED = 1, PAID = 2 };

static struct aspace *as;
static vaddr_t va;

/* Pages on node 0, which are loaded on CPUs 0 and 1, read-only where they may be written. */
static void begin(const char *scheme)
{
	char err[160];

	as = host_space(PAGES, RW, false, 0, &va);
	aspace_populate(as, va, PAGES * PAGE_SIZE, 0);
	for (vaddr_t v = va; v < va + PAGES * PAGE_SIZE; v += PAGE_SIZE)
		pt_change(pgwalk_find(as->root, v, 0).ptep, pte_mk_readonly);
	tlb_flush_context(&as->ctx);
	fake_on_cpu(1, host_load, as);
	CHECK_EQ(scheme_apply(scheme, err, sizeof(err)), 0);
}

static void end(void)
{
	scheme_restore();
	fake_on_cpu(1, host_load, NULL);
	aspace_destroy(as);
}

/* So many pages from this one on. */
static void move(unsigned first, unsigned pages, u32 to)
{
	struct migrate_stats stats;

	CHECK_EQ(host_migrate(as, va + first * PAGE_SIZE, pages, to, &stats, NULL), 0);
	CHECK_EQ(stats.moved, pages);
}

TEST(luf_frames_are_free_and_owe)
{
	begin("luf");
	struct page *old = host_page(as, va);
	u64 shootdowns = host_counters(0)->shootdowns, freed = host_counter(FREED);
	u64 word = *host_word(as, va, false);

	move(0, PAGES, 1);
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns);
	host_expect_freed_owing(old, PAGES);
	CHECK_EQ(*(u64 *)page_to_virt(old), word); /* not poisoned: whoever reads it still may */
	CHECK_EQ(host_counter(FREED), freed + PAGES);
	CHECK(host_page(as, va)->flags & PG_COPIED);
	end();
	host_use_all();
}

TEST(luf_frames_are_used_last)
{
	begin("luf");
	host_use_all();
	move(0, PAGES, 1);
	u64 shootdowns = host_counters(0)->shootdowns, others = host_node().free - PAGES;

	CHECK_EQ(host_take(others), others);
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns);
	CHECK_EQ(host_node().owing, PAGES);
	struct page *page = pmm_alloc(0, 0, PMM_STRICT | PMM_RESERVE);

	CHECK(page);
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns + 1);
	pmm_free(page);
	host_give((unsigned)others);
	end();
	host_use_all();
}

/* Of two spaces, and frames that lie apart: each leaves in a block of its own. */
TEST(luf_pays_once_for_all_that_is_free)
{
	vaddr_t at;
	struct migrate_stats stats;

	begin("luf");
	struct aspace *other = host_space(1, PROT_READ, false, 0, &at);

	aspace_populate(other, at, PAGE_SIZE, 0);
	fake_on_cpu(1, host_load, other);
	move(0, 1, 1);
	move(2, 1, 1);
	CHECK_EQ(host_migrate(other, at, 1, 1, &stats, NULL), 0);
	u64 shootdowns = host_counters(0)->shootdowns, left = host_counters(0)->forced[PAY_LEAVE],
	    paid = host_counter(PAID);

	host_use_all();
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns + 1);
	CHECK_EQ(host_counters(0)->forced[PAY_LEAVE], left + 2); /* both spaces */
	CHECK_EQ(host_counter(PAID), paid + 1);
	fake_on_cpu(1, host_load, as);
	aspace_destroy(other);
	end();
}

TEST(luf_is_settled_by_a_flush_for_another_reason)
{
	static const char *const schemes[] = {"luf", "luf+defer_skip=off"};

	for (unsigned i = 0; i < ARRAY_SIZE(schemes); i++) {
		begin(schemes[i]);
		move(0, PAGES, 1);
		tlb_flush_context(&as->ctx);
		struct mm_counters before = *host_counters(0);

		host_use_all();
		CHECK_EQ(host_counters(0)->shootdowns, before.shootdowns + i);
		CHECK_EQ(host_counters(0)->debts_settled, before.debts_settled + !i);
		end();
	}
}

/* The frame of the first is paid for, that of the second is not: together they are not. */
TEST(luf_blocks_that_merge_keep_both_debts)
{
	begin("luf");
	for (unsigned first = 0; first < 2; first++) {
		host_use_all();
		move(first, 1, 1);
		deferral_settle();
		move(!first, 1, 1);
		u64 shootdowns = host_counters(0)->shootdowns;

		CHECK_EQ(host_node().owing, 2);
		host_use_all();
		CHECK_EQ(host_counters(0)->shootdowns, shootdowns + 1);
		CHECK(host_word(as, va, true)); /* pays, so that both can go back */
		move(0, 2, 0);
		deferral_settle();
		for (vaddr_t v = va; v < va + PAGES * PAGE_SIZE; v += PAGE_SIZE)
			pt_change(pgwalk_find(as->root, v, 0).ptep, pte_mk_readonly);
		tlb_flush_context(&as->ctx);
	}
	end();
}

TEST(luf_pages_pay_before_they_are_written)
{
	begin("luf");
	move(0, PAGES, 1);
	u64 forced = host_counters(0)->forced[PAY_WRITE_UPGRADE], settled = host_counter(SETTLED);

	CHECK(host_word(as, va, true));
	CHECK_EQ(host_counters(0)->forced[PAY_WRITE_UPGRADE], forced + 1);
	u64 shootdowns = host_counters(0)->shootdowns;

	host_use_all(); /* nothing is left to pay */
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns);
	CHECK(host_counter(SETTLED) > settled);
	end();
}

/* Nothing but allocations pays, each time for all that has been freed since a node was last used up. */
TEST(luf_pays_once_in_all_that_is_free)
{
	enum { MANY = 256, MOVES = 128 };
	struct migrate_stats stats;
	char err[160];
	vaddr_t at;

	as = host_space(MANY, PROT_READ, false, 0, &at);
	aspace_populate(as, at, MANY * PAGE_SIZE, 0);
	CHECK_EQ(scheme_apply("luf", err, sizeof(err)), 0);
	struct mm_counters before = *host_counters(0);

	for (unsigned i = 0; i < MOVES; i++) {
		CHECK_EQ(host_migrate(as, at, MANY, !(i & 1), &stats, NULL), 0);
		CHECK_EQ(stats.moved, MANY);
	}
	u64 paid = host_counters(0)->shootdowns - before.shootdowns;

	CHECK_EQ(host_counters(0)->forced[PAY_LEAVE], before.forced[PAY_LEAVE] + paid);
	CHECK(paid && paid <= MOVES * MANY / (host_node().free - MANY));
	scheme_restore();
	aspace_destroy(as);
}

/* What luf noted on a frame means nothing to stamp, nor the other way round. */
TEST(luf_frames_owe_nothing_to_the_next_deferral)
{
	static const char *const schemes[] = {"luf", "stamp", "luf"};

	for (unsigned i = 0; i + 1 < ARRAY_SIZE(schemes); i++) {
		begin(schemes[i]);
		struct page *old = host_page(as, va);
		char err[160];

		move(0, PAGES, 1);
		CHECK_EQ(host_node().owing, PAGES);
		CHECK_EQ(scheme_apply(schemes[i + 1], err, sizeof(err)), 0);
		CHECK_EQ(host_node().owing, 0);
		CHECK(!(old->flags & PG_OWES));
		CHECK_EQ(*(u64 *)page_to_virt(old), POISON_WORD);
		u64 left = host_counter(SETTLED) + host_counter(PAID);

		move(0, PAGES, 0); /* now others owe, and are not asked about either */
		move(0, 1, 1);
		host_use_all();
		CHECK_EQ(host_counter(SETTLED) + host_counter(PAID), left + 1);
		end();
	}
}

TEST(luf_pays_when_a_debt_is_old)
{
	begin("luf+defer_age=1000");
	move(0, 1, 1);
	u64 shootdowns = host_counters(0)->shootdowns;

	fake_steps += 1000; /* a microsecond each */
	move(1, 1, 1);
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns + 1);
	host_use_all();
	CHECK_EQ(host_counters(0)->shootdowns, shootdowns + 1);
	end();
}
