/* The page-table contract: what every port's entries promise, level by level. */
#include <arch/cpu.h>
#include <arch/platform.h>
#include <mm/kmap.h>
#include <mm/rules.h>
#include <arch/pgtable.h>
#include <kernel/ktest.h>
#include <kernel/string.h>

static const prot_t prots[] = {
	PROT_READ,
	PROT_READ | PROT_WRITE,
	PROT_READ | PROT_EXEC,
	PROT_READ | PROT_WRITE | PROT_EXEC,
	PROT_READ | PROT_EXEC | PROT_USER,
	PROT_READ | PROT_WRITE | PROT_USER,
	PROT_READ | PROT_GLOBAL,
};

static paddr_t frame_at(unsigned level)
{
	return 0x12345UL << 30 & ((1UL << 40) - 1) & ~(PT_LEVEL_SIZE(level) - 1);
}

/* Making a leaf and reading it back is the identity. */
TEST(pgtable, leaf_round_trip)
{
	for (unsigned level = 0; level <= 2; level++)
		for (unsigned i = 0; pt_block_ok(level) && i < ARRAY_SIZE(prots); i++) {
			pte_t pte = pte_mk_leaf(frame_at(level), prots[i], level);

			EXPECT(pte_is_present(pte) && pte_is_leaf(pte, level));
			EXPECT(!pte_is_none(pte) && !pte_is_hint(pte) && !pte_is_migration(pte));
			EXPECT(level == 0 || !pte_is_table(pte, level));
			EXPECT_EQ(pte_pa(pte, level), frame_at(level));
			EXPECT_EQ(pte_prot(pte), prots[i]);
			EXPECT(pte_is_accessed(pte));
			EXPECT_EQ(pte_is_writable(pte), !!(prots[i] & PROT_WRITE));
		}
}

/* An empty entry is nothing else; a table is a table only above level 0. */
TEST(pgtable, none_and_table)
{
	for (unsigned level = 1; level < PT_LEVELS; level++) {
		pte_t table = pte_mk_table(0x7000);

		EXPECT(pte_is_table(table, level) && pte_is_present(table));
		EXPECT(!pte_is_leaf(table, level) && !pte_is_none(table));
		EXPECT_EQ(pte_pa(table, level), 0x7000);
	}
	EXPECT(pte_is_none(pte_none()) && !pte_is_present(pte_none()));
	EXPECT(!pte_is_hint(pte_none()) && !pte_is_migration(pte_none()));
}

/* What a walk of some CPUs may leave in an entry that was just cleared (x86-64: Xeon Phi). */
TEST(pgtable, accessed_and_dirty_alone_are_none)
{
	if (strcmp(cpu_isa(), "x86_64"))
		SKIP("x86-64's rule");
	EXPECT(pte_is_none(pte_mk_young(pte_none())));
	EXPECT(pte_is_none(pte_mk_young(pte_mk_dirty(pte_none()))));
	EXPECT(!pte_is_none(pte_mk_hint(pte_mk_leaf(0, PROT_READ, 0))));
}

/* Accessed, dirty and writable change alone; the frame and the rest stay. */
TEST(pgtable, bits_are_independent)
{
	pte_t rw = pte_mk_leaf(0x5000, PROT_READ | PROT_WRITE, 0);

	EXPECT(pte_is_dirty(rw));
	EXPECT(!pte_is_accessed(pte_mk_old(rw)) && pte_is_accessed(pte_mk_young(pte_mk_old(rw))));
	EXPECT(!pte_is_dirty(pte_mk_clean(rw)) && pte_is_writable(pte_mk_clean(rw)));
	EXPECT(pte_is_dirty(pte_mk_dirty(pte_mk_clean(rw))));
	EXPECT(!pte_is_writable(pte_mk_readonly(rw)));
	EXPECT(pte_is_writable(pte_mk_writable(pte_mk_readonly(rw))));
	EXPECT_EQ(pte_pa(pte_mk_old(pte_mk_clean(pte_mk_readonly(rw))), 0), 0x5000);
}

/* Any rights from any others; the rest of the entry stays, and so does its dirty state. */
TEST(pgtable, rights_change_alone)
{
	for (unsigned i = 0; i < ARRAY_SIZE(prots); i++)
		for (unsigned j = 0; j < ARRAY_SIZE(prots); j++) {
			prot_t rights = prots[j] & PROT_CHANGES;
			pte_t from = pte_mk_leaf(0x5000, prots[i], 0);
			pte_t to = pte_with_prot(from, rights);

			EXPECT_EQ(pte_prot(to), (prots[i] & ~PROT_CHANGES) | rights);
			EXPECT_EQ(pte_is_executable(to), !!(rights & PROT_EXEC));
			EXPECT_EQ(pte_is_dirty(to), pte_is_dirty(from) || rights & PROT_WRITE);
			EXPECT_EQ(pte_pa(to, 0), 0x5000);
			EXPECT_EQ(pte_with_prot(to, rights).v, to.v);
			pte_t clean = pte_mk_clean(from);

			EXPECT_EQ(pte_is_dirty(pte_with_prot(clean, rights)),
				  (rights & PROT_WRITE) && !pte_is_writable(clean));
		}
}

/* Hint entries are invisible to hardware and give the leaf back, made young. */
TEST(pgtable, hint_round_trip)
{
	for (unsigned level = 0; level <= 1; level++)
		for (unsigned i = 0; i < ARRAY_SIZE(prots); i++) {
			pte_t leaf = pte_mk_leaf(frame_at(level), prots[i], level);
			pte_t hint = pte_mk_hint(leaf);

			EXPECT(pte_is_hint(hint) && !pte_is_present(hint));
			EXPECT(!pte_is_none(hint) && !pte_is_migration(hint));
			EXPECT(level == 0 || !pte_is_table(hint, level));
			EXPECT_EQ(pte_pa(hint, level), frame_at(level));
			EXPECT_EQ(pte_from_hint(hint).v, pte_mk_young(leaf).v);
			pte_t clean = pte_mk_clean(leaf);

			EXPECT_EQ(pte_is_dirty(pte_from_hint(pte_mk_hint(clean))),
				  pte_is_dirty(clean));
		}
}

/* Migration entries keep frame and bits, from leaves and from hint entries. */
TEST(pgtable, migration_round_trip)
{
	for (unsigned level = 0; level <= 1; level++)
		for (unsigned i = 0; i < ARRAY_SIZE(prots); i++) {
			pte_t leaf = pte_mk_leaf(frame_at(level), prots[i], level);
			pte_t entry = pte_mk_migration(leaf, level);
			paddr_t to = frame_at(level) + PT_LEVEL_SIZE(level);

			EXPECT(pte_is_migration(entry) && !pte_is_present(entry));
			EXPECT(!pte_is_none(entry) && !pte_is_hint(entry));
			EXPECT(level == 0 || !pte_is_table(entry, level));
			EXPECT_EQ(pte_pa(entry, level), frame_at(level));
			EXPECT_EQ(pte_from_migration(entry, frame_at(level), level).v, leaf.v);
			EXPECT_EQ(pte_pa(pte_from_migration(entry, to, level), level), to);
			EXPECT_EQ(pte_prot(pte_from_migration(entry, to, level)), prots[i]);
			pte_t clean_old = pte_mk_old(pte_mk_clean(leaf));

			EXPECT_EQ(pte_from_migration(pte_mk_migration(clean_old, level),
						     frame_at(level), level)
					  .v,
				  clean_old.v);
			EXPECT(!pte_is_none(pte_mk_migration(pte_mk_hint(leaf), level)));
			EXPECT_EQ(pte_pa(pte_mk_migration(pte_mk_hint(leaf), level), level),
				  frame_at(level));
		}
}

/* Exchange and compare-exchange on memory do what they say. */
TEST(pgtable, memory_operations)
{
	pte_t cell = pte_mk_leaf(0x1000, PROT_READ, 0), other = pte_mk_leaf(0x2000, PROT_READ, 0);
	pte_t wrong = pte_none();

	EXPECT(!pte_cmpxchg(&cell, &wrong, other));
	EXPECT_EQ(wrong.v, cell.v);
	EXPECT(pte_cmpxchg(&cell, &wrong, other));
	EXPECT_EQ(pte_xchg(&cell, pte_none()).v, other.v);
	EXPECT(pte_is_none(pte_load(&cell)));
	pte_store(&cell, other);
	pt_publish();
	EXPECT_EQ(pte_load(&cell).v, other.v);
}

/* Changing the frame of a writable page or its size may need break-before-make; gaining bits never does. */
TEST(pgtable, bbm_only_where_needed)
{
	pte_t a = pte_mk_leaf(0x1000, PROT_READ | PROT_WRITE, 0);

	EXPECT(!pte_needs_bbm(a, pte_mk_readonly(a), 0));
	EXPECT(!pte_needs_bbm(pte_none(), a, 0));
	EXPECT(!pte_needs_bbm(a, pte_none(), 0));
	EXPECT(!pte_needs_bbm(pte_mk_old(a), pte_mk_young(a), 0));
}

/* UARTs and interrupt controllers of servers lie far above their RAM. */
TEST(kmap, reaches_what_the_cpu_can_address_and_no_further)
{
	u64 limit = arch_phys_limit();

	EXPECT(limit >= 1UL << 32 && limit <= DIRECT_SIZE);
	EXPECT_EQ((u64)kmap_device(limit - PAGE_SIZE, PAGE_SIZE),
		  (u64)phys_to_virt(limit - PAGE_SIZE));
	EXPECT_EQ((u64)kmap_device(limit, 1), 0);
	EXPECT_EQ((u64)kmap_device(limit - PAGE_SIZE, PAGE_SIZE + 1), 0);
	EXPECT_EQ((u64)kmap_device(~0UL, 2), 0);
}

/* The rule table knows this port's entries: one change each way, at each level. */
TEST(pgtable, changes_are_told_apart)
{
	for (unsigned level = 0; level <= 1; level++) {
		pte_t rwx = pte_mk_leaf(frame_at(level), PROT_READ | PROT_WRITE | PROT_EXEC, level);
		pte_t other = pte_mk_leaf(2 * frame_at(level), pte_prot(rwx), level);
		const struct {
			pte_t from, to;
			enum entry_change change;
		} one[] = {
			{pte_none(), rwx, ENTRY_APPEARED},
			{rwx, pte_none(), ENTRY_WENT},
			{pte_mk_hint(rwx), rwx, ENTRY_APPEARED},
			{rwx, pte_mk_migration(rwx, level), ENTRY_WENT},
			{rwx, other, ENTRY_FRAME},
			{pte_mk_readonly(rwx), rwx, ENTRY_W_GAINED},
			{rwx, pte_mk_readonly(rwx), ENTRY_W_LOST},
			{pte_mk_noexec(rwx), rwx, ENTRY_X_GAINED},
			{rwx, pte_mk_noexec(rwx), ENTRY_X_LOST},
			{pte_mk_clean(rwx), rwx, ENTRY_D_SET},
			{rwx, pte_mk_clean(rwx), ENTRY_D_CLEARED},
			{pte_mk_old(rwx), rwx, ENTRY_A_SET},
			{rwx, pte_mk_old(rwx), ENTRY_A_CLEARED},
		};

		for (unsigned i = 0; i < ARRAY_SIZE(one); i++)
			EXPECT_EQ(entry_changes(one[i].from, one[i].to, level),
				  ENTRY_BIT(one[i].change));
		EXPECT_EQ(entry_changes(rwx, rwx, level), 0);
	}
	pte_t large = pte_mk_leaf(frame_at(1), PROT_READ, 1);

	EXPECT_EQ(entry_changes(large, pte_mk_table(0x7000), 1), ENTRY_BIT(ENTRY_SIZE));
	EXPECT_EQ(entry_changes(pte_mk_table(0x7000), pte_mk_table(0x8000), 1),
		  ENTRY_BIT(ENTRY_FRAME));
}

/* What tells the two tables apart, on the machine at hand. */
TEST(pgtable, gains_need_a_flush_where_a_fault_drops_nothing)
{
	enum rule_flush gain = pt_fault_drops() ? RULE_NONE : RULE_ALL;

	EXPECT_EQ(rules_native(), strcmp(cpu_isa(), "arm64") ? &rules_x86 : &rules_arm64);
	EXPECT_EQ(rules.flush[ENTRY_W_GAINED], gain);
	EXPECT_EQ(rules.flush[ENTRY_X_GAINED], gain);
	EXPECT_EQ(rules.flush[ENTRY_D_SET], pt_hw_dirty() ? RULE_NONE : RULE_ALL);
	EXPECT_EQ(rules.flush[ENTRY_A_SET], RULE_NONE);
	EXPECT_EQ(rules.flush[ENTRY_W_LOST], RULE_ALL);
}
