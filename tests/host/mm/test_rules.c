/*
 * The rule tables against the modelled TLBs: of each row, a smaller flush than it asks
 * for leaves something stale, or a fault that never ends; and what it asks for is enough.
 */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/knob.h>
#include <mm/rules.h>

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

static struct aspace *space; /* one for all tests, as few can be watched; on both CPUs */
static vaddr_t page;
static pte_t *ptep;

static void load(void *as)
{
	aspace_load(as);
}

static void use_rules(bool hw_dirty)
{
	host_mm();
	fake_config.hw_dirty = hw_dirty;
	rules_use();
}

static void one_page(void)
{
	if (space)
		return;
	space = host_space(1, RWX, false, 0, &page);
	*host_word(space, page, true) = 1;
	fake_on_cpu(1, load, space);
	fake_watch(space->ctx.root, page);
	ptep = pgwalk_find(space->root, page, 0).ptep;
}

/* The entry becomes this one at once, and no CPU holds any other. */
static void settle(pte_t entry)
{
	pt_take(ptep, pte_none());
	tlb_flush_context(&space->ctx);
	pt_install(ptep, entry);
	fake_failure[0] = 0;
}

/* What a change needs: the most that any of its parts does. */
static enum rule_flush needed_for(u32 changes)
{
	u8 most = RULE_NONE;

	for (unsigned c = 0; c < ENTRY_CHANGES; c++)
		if (changes & ENTRY_BIT(c))
			most = MAX(most, rules.flush[c]);
	return most;
}

/* ---- rows about one leaf and its frame ---------------------------------------------- */

static pte_t same(pte_t leaf)
{
	return leaf;
}

static pte_t gone(pte_t leaf __unused)
{
	return pte_none();
}

/* What is done to a writable, executable, accessed and dirty leaf, before and for the change. */
static const struct leaf_row {
	enum entry_change change;
	pte_t (*before)(pte_t), (*after)(pte_t);
} leaf_rows[] = {
	{ENTRY_APPEARED, gone, same},
	{ENTRY_WENT, same, gone},
	{ENTRY_W_GAINED, pte_mk_readonly, same},
	{ENTRY_W_LOST, same, pte_mk_readonly},
	{ENTRY_X_GAINED, pte_mk_noexec, same},
	{ENTRY_X_LOST, same, pte_mk_noexec},
	{ENTRY_D_SET, pte_mk_clean, same},
	{ENTRY_D_CLEARED, same, pte_mk_clean},
	{ENTRY_A_SET, pte_mk_old, same},
	{ENTRY_A_CLEARED, same, pte_mk_old},
};

static void check_leaf_row(const struct leaf_row *row, pte_t leaf)
{
	pte_t before = row->before(leaf), after = row->after(leaf);
	const struct rule *rule = &rules_native()->rule[row->change];
	enum rule_flush needed = pt_hw_dirty() ? rule->flush : rule->by_faults;

	CHECK(entry_changes(before, after, 0) == ENTRY_BIT(row->change));
	CHECK_EQ(needed_for(entry_changes(before, after, 0)), needed);
	CHECK(!pte_needs_bbm(before, after, 0));
	settle(before);
	pt_take(ptep, after);
	for (enum rule_flush how = RULE_NONE; how <= RULE_ALL; how++) {
		CHECK_EQ(rule_flush_entry(&space->ctx, page, 0, how), how == RULE_ALL);
		CHECK_EQ(!fake_stale(space->ctx.root, page), how >= needed);
	}
	CHECK_STR(fake_failure, "");
}

TEST(each_row_about_a_leaf_asks_for_just_enough)
{
	for (unsigned hw_dirty = 0; hw_dirty < 2; hw_dirty++) {
		use_rules(hw_dirty);
		one_page();
		pte_t leaf = pte_load(ptep);

		for (unsigned i = 0; i < ARRAY_SIZE(leaf_rows); i++)
			check_leaf_row(&leaf_rows[i], leaf);
		settle(leaf);
	}
	use_rules(false);
}

/* Under arm64's rules not even a flush everywhere makes up for an entry that was replaced while it was in use. */
static void check_replaced(pte_t before, pte_t after, unsigned level, enum entry_change change,
			   bool conflicts)
{
	enum rule_flush needed = rules.flush[change];

	CHECK_EQ(entry_changes(before, after, level), ENTRY_BIT(change));
	CHECK_EQ(needed == RULE_BREAK, pte_needs_bbm(before, after, level));
	CHECK_EQ(needed, conflicts ? RULE_BREAK : RULE_ALL);
	if (level)
		return;
	settle(before);
	pt_take(ptep, after);
	CHECK_EQ(!fake_failure[0], !conflicts);
	fake_failure[0] = 0;
	rule_flush_entry(&space->ctx, page, 0, RULE_LOCAL);
	CHECK(fake_stale(space->ctx.root, page));
	rule_flush_entry(&space->ctx, page, 0, RULE_ALL);
	CHECK(!fake_stale(space->ctx.root, page));
	settle(before);
	pt_take(ptep, pte_none());
	rule_flush_entry(&space->ctx, page, 0, RULE_ALL);
	pt_install(ptep, after); /* break, then make */
	CHECK_STR(fake_failure, "");
	CHECK(!fake_stale(space->ctx.root, page));
}

TEST(another_frame_needs_a_break_under_arm64_rules_only)
{
	use_rules(true);
	one_page();
	pte_t leaf = pte_load(ptep);
	struct page *other = pmm_alloc(0, 0, PMM_STRICT);

	memcpy(page_to_virt(other), phys_to_virt(pte_pa(leaf, 0)), PAGE_SIZE);
	/* x86 rules: contents are equal and nobody writes, or the program would see both frames. */
	prot_t prot = fake_config.arm64 ? PROT_READ | PROT_WRITE : PROT_READ;

	check_replaced(pte_mk_leaf(pte_pa(leaf, 0), prot, 0),
		       pte_mk_leaf(page_to_phys(other), prot, 0), 0, ENTRY_FRAME,
		       fake_config.arm64);
	settle(leaf);
	page_put(other, PAGE_REF);
	use_rules(false);
}

TEST(another_size_needs_a_break_under_both_rules)
{
	use_rules(true);
	one_page();
	pte_t large = pte_mk_leaf(HUGE_SIZE, PROT_READ, 1), table = pte_mk_table(PAGE_SIZE);

	check_replaced(large, table, 1, ENTRY_SIZE, true);
	check_replaced(table, large, 1, ENTRY_SIZE, true);
	CHECK_EQ(entry_changes(table, pte_mk_table(2 * PAGE_SIZE), 1), ENTRY_BIT(ENTRY_FRAME));
	use_rules(false);
}

/* ---- the tables themselves ------------------------------------------------------------ */

TEST(every_rule_names_its_change_and_its_source)
{
	const struct rule_set *sets[] = {&rules_x86, &rules_arm64};

	for (unsigned s = 0; s < ARRAY_SIZE(sets); s++)
		for (unsigned c = 0; c < ENTRY_CHANGES; c++) {
			const struct rule *r = &sets[s]->rule[c];

			CHECK(r->change && r->source && strlen(r->source) > 10);
			/* Faults that set a bit make up for hardware: never with a smaller flush. */
			CHECK(r->by_faults >= r->flush);
		}
}

/* A change is as bad as its worst part. */
TEST(a_change_of_several_parts_needs_the_most_of_them)
{
	pte_t rw = pte_mk_leaf(PAGE_SIZE, PROT_READ | PROT_WRITE, 0);
	pte_t x_old = pte_mk_old(pte_mk_leaf(PAGE_SIZE, PROT_READ | PROT_EXEC, 0));

	use_rules(true);
	CHECK_EQ(entry_changes(x_old, pte_mk_young(pte_mk_noexec(pte_mk_writable(x_old))), 0),
		 ENTRY_BIT(ENTRY_W_GAINED) | ENTRY_BIT(ENTRY_D_SET) | ENTRY_BIT(ENTRY_X_LOST) |
			 ENTRY_BIT(ENTRY_A_SET));
	CHECK_EQ(needed_for(entry_changes(x_old, pte_mk_noexec(x_old), 0)), RULE_ALL);
	CHECK_EQ(needed_for(entry_changes(rw, rw, 0)), RULE_NONE);
	CHECK_EQ(needed_for(entry_changes(pte_mk_hint(rw), rw, 0)), RULE_NONE);
	CHECK_EQ(needed_for(entry_changes(rw, pte_mk_hint(rw), 0)), RULE_ALL);
	CHECK_EQ(needed_for(ENTRY_BIT(ENTRY_A_SET) | ENTRY_BIT(ENTRY_SIZE)), RULE_BREAK);
	use_rules(false);
}

/* ---- who repairs an entry that refuses -------------------------------------------------- */

static bool wrote;

static void write_page(void *arg __unused)
{
	u64 value = 2;

	wrote = fake_access(page, true, &value);
}

/* CPU 1 keeps a read-only entry of a page that CPU 0 makes writable. Does its write end? */
static bool write_ends(u8 fixup)
{
	pte_t leaf = pte_load(ptep);

	settle(pte_mk_readonly(leaf));
	pt_change(ptep, pte_mk_writable);
	rule_flush_entry(&space->ctx, page, 0, RULE_LOCAL);
	rules.fixup[0] = fixup;
	fake_on_cpu(1, write_page, NULL);
	bool stuck = strstr(fake_failure, "still a fault after");

	settle(leaf);
	return wrote && !stuck;
}

TEST(a_cpu_that_keeps_an_entry_that_refuses_faults_for_ever_unless_somebody_flushes)
{
	use_rules(true);
	one_page();
	CHECK_EQ(write_ends(RULE_NONE), pt_fault_drops());
	CHECK(write_ends(RULE_LOCAL));
	CHECK(write_ends(RULE_ALL));
	use_rules(false);
}
