/* The contract of page-table entries, on the odd encoding, and the walker. */
#include "host_mm.h"

#include <fake/machine.h>

#define SOME_PA (FAKE_RAM_PHYS + 0x123000)

TEST(entry_none_is_nothing)
{
	CHECK(pte_is_none(pte_none()));
	CHECK(!pte_is_present(pte_none()));
	CHECK(!pte_is_hint(pte_none()) && !pte_is_migration(pte_none()));
}

TEST(entry_leaf_reads_back)
{
	static const prot_t prots[] = {PROT_READ,
				       PROT_READ | PROT_WRITE,
				       PROT_READ | PROT_EXEC,
				       PROT_READ | PROT_USER | PROT_WRITE,
				       PROT_READ | PROT_GLOBAL,
				       PROT_READ | PROT_DEVICE};

	for (unsigned level = 0; level < 3; level++)
		for (unsigned i = 0; i < ARRAY_SIZE(prots); i++) {
			paddr_t pa =
				ALIGN_DOWN(SOME_PA, PT_LEVEL_SIZE(level)) + PT_LEVEL_SIZE(level);
			pte_t leaf = pte_mk_leaf(pa, prots[i], level);

			CHECK(pte_is_present(leaf) && pte_is_leaf(leaf, level));
			CHECK(!pte_is_table(leaf, level));
			CHECK_EQ(pte_pa(leaf, level), pa);
			CHECK_EQ(pte_prot(leaf), prots[i]);
			CHECK(pte_is_accessed(leaf));
			CHECK_EQ(pte_is_dirty(leaf), !!(prots[i] & PROT_WRITE));
		}
}

TEST(entry_hidden_forms_keep_frame_and_rights)
{
	pte_t leaf = pte_mk_leaf(SOME_PA, PROT_READ | PROT_WRITE, 0);
	pte_t hint = pte_mk_hint(pte_mk_old(leaf)), moving = pte_mk_migration(hint, 0);

	CHECK(!pte_is_present(hint) && pte_is_hint(hint) && !pte_is_migration(hint));
	CHECK(!pte_is_present(moving) && pte_is_migration(moving) && !pte_is_hint(moving));
	CHECK_EQ(pte_pa(hint, 0), SOME_PA);
	CHECK_EQ(pte_pa(moving, 0), SOME_PA);
	CHECK_EQ(pte_from_hint(hint).v, leaf.v);
	pte_t there = pte_from_migration(pte_mk_migration(leaf, 0), SOME_PA + PAGE_SIZE, 0);

	CHECK_EQ(pte_pa(there, 0), SOME_PA + PAGE_SIZE);
	CHECK(pte_is_writable(there) && pte_is_dirty(there));
	CHECK(!pte_is_writable(
		pte_from_migration(pte_mk_migration(pte_mk_readonly(leaf), 0), SOME_PA, 0)));
}

TEST(walker_creates_finds_and_frees_tables)
{
	static const vaddr_t vas[] = {0x1000, HUGE_SIZE, 5UL << 30, (1UL << 39) + 0x5000,
				      PT_VA_LOW_END - PAGE_SIZE};

	host_mm();
	u64 used = pmm_used();
	pte_t *root = pt_table_alloc(0, PT_LEVELS - 1);

	for (unsigned i = 0; i < ARRAY_SIZE(vas); i++) {
		struct pt_pos none = pgwalk_find(root, vas[i], 0);
		struct pt_pos made = pgwalk_create(&pt_stage1, root, vas[i], 0, 0);

		CHECK(i == 1 || none.level > 0);
		CHECK(made.ptep && !made.level);
		pt_install(made.ptep, pte_mk_leaf(SOME_PA + i * PAGE_SIZE, PROT_READ, 0));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(vas); i++) {
		struct pt_pos pos = pgwalk_find(root, vas[i], 0);

		CHECK_EQ(pos.level, 0);
		CHECK_EQ(pte_pa(pte_load(pos.ptep), 0), SOME_PA + i * PAGE_SIZE);
	}
	pgwalk_free_tables(root);
	pt_table_free(root);
	CHECK_EQ(pmm_used(), used);
}

TEST(walker_stops_at_a_large_leaf)
{
	host_mm();
	u64 used = pmm_used();
	pte_t *root = pt_table_alloc(0, PT_LEVELS - 1);
	struct pt_pos pos = pgwalk_create(&pt_stage1, root, 3 * HUGE_SIZE, 1, 0);

	CHECK_EQ(pos.level, 1);
	pt_install(pos.ptep, pte_mk_leaf(FAKE_RAM_PHYS + HUGE_SIZE, PROT_READ, 1));
	CHECK_EQ(pgwalk_find(root, 3 * HUGE_SIZE + 0x7000, 0).level, 1);
	CHECK_EQ(pgwalk_create(&pt_stage1, root, 3 * HUGE_SIZE + 0x7000, 0, 0).level, 1);
	pt_note(pos.ptep, pte_none());
	pgwalk_free_tables(root);
	pt_table_free(root);
	CHECK_EQ(pmm_used(), used);
}

TEST(walker_cache_follows_the_table)
{
	struct pt_cache cache = PT_CACHE_EMPTY;
	vaddr_t va;

	struct aspace *as = host_space(1024, PROT_READ | PROT_WRITE, false, 0, &va);

	CHECK(as);
	CHECK(!pgwalk_cached(as->root, va, &cache));
	CHECK(host_word(as, va, true) && host_word(as, va + HUGE_SIZE, true));
	for (u64 at = 0; at < 2 * HUGE_SIZE; at += HUGE_SIZE) {
		pte_t *ptep = pgwalk_cached(as->root, va + at, &cache);

		CHECK(ptep == pgwalk_find(as->root, va + at, 0).ptep);
		CHECK(pgwalk_cached(as->root, va + at + 5 * PAGE_SIZE, &cache) == ptep + 5);
	}
	aspace_destroy(as);
}
