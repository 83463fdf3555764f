/* The contract of page-table entries, on the odd encoding, and the walker. */
#include "host_mm.h"

#include <fake/machine.h>

#define RW (PROT_READ | PROT_WRITE)
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
	pgwalk_free_tables(&pt_stage1, root);
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
	pgwalk_free_tables(&pt_stage1, root);
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

/* ---- a second format: three levels, a root of two tables in a row, entries of its own ---- */

#define NESTED_LEAF (1UL << 1)
#define NESTED_TABLE (5UL << 1) /* stage 1 sees neither a leaf nor a table in it */
#define NESTED_WRITE (1UL << 5)
#define NESTED_FRAME (((1UL << 48) - 1) & ~(PAGE_SIZE - 1))

static pte_t nested_leaf(paddr_t pa, prot_t prot, unsigned level __unused)
{
	return (pte_t){pa | NESTED_LEAF | (prot & PROT_WRITE ? NESTED_WRITE : 0)};
}

static pte_t nested_table(paddr_t pa)
{
	return (pte_t){pa | NESTED_TABLE};
}

static bool nested_is_table(pte_t pte, unsigned level)
{
	return level && (pte.v & 0xf) == NESTED_TABLE;
}

static paddr_t nested_pa(pte_t pte, unsigned level __unused)
{
	return pte.v & NESTED_FRAME;
}

static bool nested_block_ok(unsigned level)
{
	return level == 1;
}

static const struct pt_format nested = {
	.name = "nested",
	.start_level = 2,
	.root_entries = 2 * PT_ENTRIES,
	.own_entries = 2 * PT_ENTRIES,
	.mk_leaf = nested_leaf,
	.mk_table = nested_table,
	.is_table = nested_is_table,
	.pa = nested_pa,
	.block_ok = nested_block_ok,
};

#define NESTED_END (2 * PT_ENTRIES * PT_LEVEL_SIZE(2))

TEST(walker_follows_a_second_format)
{
	static const vaddr_t vas[] = {
		0, 0x1000, 5UL << 30, NESTED_END / 2, 700UL << 30, NESTED_END - PAGE_SIZE};

	host_mm();
	u64 used = pmm_used();
	pte_t *root = pt_root_alloc(&nested, 1);

	CHECK_EQ((u64)root % (2 * PAGE_SIZE), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(vas); i++) {
		struct pt_pos pos = pgwalk_create(&nested, root, vas[i], 0, 0);

		CHECK(pos.ptep && !pos.level);
		CHECK(pte_is_none(pte_load(pos.ptep)));
		pt_install(pos.ptep, nested.mk_leaf(SOME_PA + i * PAGE_SIZE, PROT_READ, 0));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(vas); i++) {
		struct pt_pos pos = pgwalk_find_in(&nested, root, vas[i], 0);

		CHECK_EQ(pos.level, 0);
		CHECK_EQ(nested.pa(pte_load(pos.ptep), 0), SOME_PA + i * PAGE_SIZE);
	}
	CHECK_EQ(pgwalk_find_in(&nested, root, 6UL << 30, 0).level, 2);
	pgwalk_free_tables(&nested, root);
	pt_root_free(&nested, root);
	CHECK_EQ(pmm_used(), used);
}

/* The root's second table has its own page, and with it its own lock. */
TEST(root_of_two_tables_has_a_lock_for_each)
{
	host_mm();
	u64 used = pmm_used();
	pte_t *root = pt_root_alloc(&nested, 0);
	struct pt_pos low = pgwalk_find_in(&nested, root, 0, 2);
	struct pt_pos high = pgwalk_find_in(&nested, root, NESTED_END / 2, 2);

	CHECK(low.ptep == root && high.ptep == root + PT_ENTRIES);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(virt_to_page(root + i * PT_ENTRIES)->table_level, 2);
	CHECK(pt_lock_of(low.ptep) != pt_lock_of(high.ptep));
	spin_lock(pt_lock_of(low.ptep));
	spin_lock(pt_lock_of(high.ptep));
	spin_unlock(pt_lock_of(high.ptep));
	spin_unlock(pt_lock_of(low.ptep));
	pt_root_free(&nested, root);
	CHECK_EQ(pmm_used(), used);
}

TEST(ranges_of_a_second_format_have_its_large_leaves)
{
	const u64 len = PT_LEVEL_SIZE(2) + HUGE_SIZE + PAGE_SIZE;
	vaddr_t va = NESTED_END / 2 - PT_LEVEL_SIZE(2); /* across the border of the root's tables */

	host_mm();
	u64 used = pmm_used();
	pte_t *root = pt_root_alloc(&nested, 0);

	CHECK_EQ(pgwalk_map_range(&nested, root, va, PT_LEVEL_SIZE(2), len, RW, true), 0);
	CHECK_EQ(pgwalk_find_in(&nested, root, va, 0).level, 1); /* it has none at level 2 */
	struct pt_pos last = pgwalk_find_in(&nested, root, va + len - PAGE_SIZE, 0);

	CHECK_EQ(last.level, 0);
	CHECK_EQ(nested.pa(pte_load(last.ptep), 0), PT_LEVEL_SIZE(2) + len - PAGE_SIZE);
	CHECK(pte_load(last.ptep).v & NESTED_WRITE);
	CHECK(pte_is_none(pte_load(pgwalk_find_in(&nested, root, va + len, 0).ptep)));
	pgwalk_free_tables(&nested, root);
	pt_root_free(&nested, root);
	CHECK_EQ(pmm_used(), used);
}
