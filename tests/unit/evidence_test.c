/* What broadcasts leave as evidence, on ports that have them, read as the oracle reads it. */
#include <mm/evidence_read.h>
#include <mm/oracle.h>
#include <kernel/ktest.h>

enum {
	TEST_ASID = 200, /* no space has it while tests run one after another on a fresh machine */
	RANGE_MAX = 100, /* pages; without range operations each is a word of the log */
};
#define TEST_VA 0x7f0000000000UL

#define NEEDS_BROADCAST()                                                                          \
	do {                                                                                       \
		if (!tlb_has_bcast())                                                              \
			SKIP("no broadcast");                                                      \
		if (!evidence_enabled)                                                             \
			SKIP("check=off");                                                         \
	} while (0)

/* Is there a broadcast of this CPU's, begun after `since` and complete, of the page or its whole ASID? */
static bool covers_as(vaddr_t va, u32 slot, u64 since)
{
	u64 lost = 0;
	struct oracle_walk w;

	oracle_walk_start_issued(&w, this_cpu_ptr(tlb_evidence));
	return oracle_walk(&w, slot, va, since) == ORACLE_CLEAN ||
	       evidence_bcast_by(cpu_id(), (asid_t)slot, since, &lost);
}

static bool covers(vaddr_t va, asid_t asid, u64 since)
{
	return covers_as(va, EVIDENCE_ISSUED | asid, since);
}

static bool covers_table(vaddr_t va, asid_t asid, u64 since)
{
	return covers_as(va, EVIDENCE_ISSUED | EVIDENCE_TABLES | asid, since);
}

TEST(evidence, broadcast_counts_after_its_completion)
{
	u64 since = load_relaxed(&evidence_clock);

	NEEDS_BROADCAST();
	tlb_bcast_prepare();
	tlb_bcast_issue_page(TEST_VA, TEST_ASID, 0);
	EXPECT(!covers(TEST_VA, TEST_ASID, since));
	tlb_bcast_sync();
	EXPECT(covers(TEST_VA, TEST_ASID, since));
	EXPECT(!covers(TEST_VA + PAGE_SIZE, TEST_ASID, since));
	EXPECT(!covers(TEST_VA, TEST_ASID + 1, since));
	EXPECT(!covers(TEST_VA, TEST_ASID, load_relaxed(&evidence_clock)));
}

TEST(evidence, broadcast_of_a_leaf_counts_for_no_table)
{
	u64 since = load_relaxed(&evidence_clock);

	NEEDS_BROADCAST();
	tlb_bcast_prepare();
	tlb_bcast_issue_page(TEST_VA, TEST_ASID, 0);
	tlb_bcast_sync();
	EXPECT(!covers_table(TEST_VA, TEST_ASID, since));
	tlb_bcast_prepare();
	since = load_relaxed(&evidence_clock) - 1;
	tlb_bcast_issue_page(TEST_VA, TEST_ASID, 1);
	tlb_bcast_sync();
	EXPECT(covers(TEST_VA, TEST_ASID, since));
	EXPECT(covers_table(TEST_VA, TEST_ASID, since));
}

TEST(evidence, broadcast_without_prepare_is_none)
{
	u64 since;

	NEEDS_BROADCAST();
	tlb_bcast_prepare();
	since = load_relaxed(&evidence_clock);
	tlb_bcast_issue_asid(TEST_ASID);
	tlb_bcast_sync();
	EXPECT(!covers(TEST_VA, TEST_ASID, since));
	EXPECT(covers(TEST_VA, TEST_ASID, since - 1));
}

static void expect_range_covered(unsigned pages)
{
	vaddr_t start = TEST_VA + 500 * PAGE_SIZE; /* into the next 2 MiB */
	u64 since = load_relaxed(&evidence_clock);

	tlb_bcast_prepare();
	tlb_bcast_issue_range(start, pages, TEST_ASID);
	tlb_bcast_sync();
	for (unsigned i = 0; i < pages; i++)
		EXPECT(covers(start + i * PAGE_SIZE, TEST_ASID, since));
	EXPECT(!covers(start - PAGE_SIZE, TEST_ASID, since));
	EXPECT(!covers(start + pages * PAGE_SIZE, TEST_ASID, since));
}

TEST(evidence, broadcast_ranges_cover_their_pages)
{
	NEEDS_BROADCAST();
	expect_range_covered(33);
	expect_range_covered(RANGE_MAX);
}

TEST(evidence, ranges_do_not_forget_each_other)
{
	u64 since = load_relaxed(&evidence_clock);

	NEEDS_BROADCAST();
	tlb_bcast_prepare();
	tlb_bcast_issue_range(TEST_VA, 4, TEST_ASID);
	tlb_bcast_issue_range(TEST_VA + 2 * PAGE_SIZE, 4, TEST_ASID);
	tlb_bcast_sync();
	for (unsigned i = 0; i < 6; i++)
		EXPECT(covers(TEST_VA + i * PAGE_SIZE, TEST_ASID, since));
}

TEST(evidence, forgotten_broadcasts_are_known_as_such)
{
	u64 since = load_relaxed(&evidence_clock), lost = 0;

	NEEDS_BROADCAST();
	tlb_bcast_prepare();
	tlb_bcast_issue_asid(TEST_ASID);
	tlb_bcast_issue_asid(TEST_ASID + EVIDENCE_BCAST_ASIDS);
	tlb_bcast_sync();
	EXPECT(!evidence_bcast_by(cpu_id(), TEST_ASID, since, &lost));
	EXPECT(lost > since);
	EXPECT(covers(TEST_VA, TEST_ASID + EVIDENCE_BCAST_ASIDS, since));
}
