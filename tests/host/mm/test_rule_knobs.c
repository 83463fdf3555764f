/* The knobs of the rule table: who flushes after which fault, and after which change of protection. */
#include "host_file.h"

#include <fake/machine.h>
#include <kernel/error.h>
#include <mm/fault.h>
#include <mm/knob.h>
#include <mm/rules.h>
#include <mm/scheme.h>
#include <mm/stats.h>

static char reason[160];

static bool set(const char *knob, const char *value)
{
	host_mm();
	return !knob_set(knob, value, "set", reason, sizeof(reason));
}

/* What a test begins with. */
static bool baseline(void)
{
	return set("upgrade", "all") && set("spurious", "always") && set("model", "native") &&
	       set("protect_flush", "always");
}

static void defaults(void)
{
	host_mm();
	knobs_stage_defaults();
	CHECK_EQ(knobs_commit(reason, sizeof(reason)), 0);
}

static u64 counted(u64 before, u64 now)
{
	return now - before;
}

static pte_t as_it_is(pte_t leaf)
{
	return leaf;
}

/* A store whose page somebody else has mapped by the time that the fault which waited for it looks again. */
static vaddr_t mapped_meanwhile;
static struct aspace *mapped_in;
static pte_t (*mapped_as)(pte_t);

static int fill_and_map(struct object *obj __unused, u64 index __unused, slot_t was __unused,
			struct page *filled)
{
	struct pt_pos pos = pgwalk_find(mapped_in->root, mapped_meanwhile, 0);

	page_get(filled, PAGE_REF);
	atomic_fetch_add(&filled->mapcount, 1);
	pt_install(pos.ptep,
		   mapped_as(pte_mk_leaf(page_to_phys(filled), PROT_READ | PROT_WRITE, 0)));
	return 0;
}

static const struct object_ops mapping_store = {.name = "mapping", .fill = fill_and_map};

/* One write fault that is retried and finds its entry there. */
static void retried_fault(pte_t (*as_what)(pte_t))
{
	struct object *obj = object_create_of(&mapping_store, NULL, 1);
	struct aspace *as = aspace_create("retried", 0);
	int err;

	mapped_in = as;
	mapped_as = as_what;
	mapped_meanwhile =
		aspace_map(as, obj, 0, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, false, 0, &err);
	aspace_load(as);
	CHECK(fault_handle(as, mapped_meanwhile, true, false));
	aspace_destroy(as);
	object_put(obj);
}

/* What each value of `spurious` does after a first and after a retried fault that changed nothing. */
static const struct spurious_row {
	const char *value;
	bool here, first,
		retried; /* flushes: here only, or everywhere after a first or a retried fault */
} spurious_rows[] = {
	{"always", false, true, true},	{"rfc", false, true, false},   {"skip", false, true, false},
	{"never", false, false, false}, {"local", true, false, false},
};

static void check_spurious(const struct spurious_row *row, bool arm64)
{
	struct mm_counters *c = cpu_ptr(0, mm_counters), before;
	vaddr_t va;
	struct aspace *as = host_space(1, PROT_READ | PROT_WRITE, false, 0, &va);

	CHECK(set("spurious", row->value));
	*host_word(as, va, true) = 1;
	before = *c;
	CHECK(fault_handle(as, va, false, false)); /* nothing that is cached refuses to be read */
	CHECK_EQ(counted(before.spurious_faults, c->spurious_faults), 1);
	CHECK_EQ(counted(before.spurious_flushes, c->spurious_flushes), 0);
	CHECK_EQ(counted(before.flush_local_page, c->flush_local_page), 0);
	CHECK(fault_handle(as, va, true, false));
	CHECK_EQ(counted(before.spurious_faults, c->spurious_faults), 2);
	CHECK_EQ(counted(before.spurious_flushes, c->spurious_flushes), arm64 && row->first);
	CHECK_EQ(counted(before.shootdowns, c->shootdowns), arm64 && row->first);
	if (!row->first)
		CHECK_EQ(counted(before.flush_local_page, c->flush_local_page), arm64 && row->here);
	aspace_destroy(as);
	before = *c;
	retried_fault(as_it_is);
	CHECK_EQ(counted(before.retried_faults, c->retried_faults), 1);
	CHECK_EQ(counted(before.spurious_flushes, c->spurious_flushes), arm64 && row->retried);
	CHECK_EQ(counted(before.extra_faults, c->extra_faults), 0);
}

TEST(the_fix_up_runs_when_the_knob_says_so)
{
	static const char *const models[] = {"native", "arm64"};

	CHECK(baseline());
	for (unsigned m = 0; m < ARRAY_SIZE(models); m++)
		for (unsigned i = 0; i < ARRAY_SIZE(spurious_rows); i++) {
			CHECK(set("model", models[m]));
			check_spurious(&spurious_rows[i], m || fake_config.arm64);
		}
	defaults();
}

/* Real CPUs of this kind would fault for ever without the local flush, whatever `spurious` says. */
TEST(x86_rules_keep_a_local_flush_where_a_fault_drops_nothing)
{
	CHECK(baseline());
	CHECK(set("model", "x86"));
	for (unsigned i = 0; i < ARRAY_SIZE(spurious_rows); i++) {
		CHECK(set("spurious", spurious_rows[i].value));
		CHECK_EQ(rules.fixup[0], fake_config.arm64 ? RULE_LOCAL : RULE_NONE);
		CHECK_EQ(rules.fixup[1], rules.fixup[0]);
	}
	CHECK_EQ(rules.upgrade[ENTRY_W_GAINED], RULE_NONE);
	CHECK_EQ(rules.shootdown & ENTRY_GAINS, 0);
	CHECK(rules.shootdown & ENTRY_BIT(ENTRY_W_LOST));
	defaults();
}

static pte_t clean(pte_t leaf)
{
	return pte_mk_clean(leaf);
}

static pte_t old(pte_t leaf)
{
	return pte_mk_old(leaf);
}

/* rfc leaves what a retried fault finds, even if the access faults once more for it; skip does not. */
TEST(a_retried_fault_leaves_accessed_and_dirty_alone_only_with_rfc)
{
	static pte_t (*const lacks[])(pte_t) = {clean, old};
	struct mm_counters *c = cpu_ptr(0, mm_counters), before;

	CHECK(baseline());
	for (unsigned i = 0; i < ARRAY_SIZE(lacks); i++) {
		CHECK(set("spurious", "rfc"));
		before = *c;
		retried_fault(lacks[i]);
		CHECK_EQ(counted(before.extra_faults, c->extra_faults), !pt_hw_dirty());
		CHECK_EQ(counted(before.upgrade_flushes, c->upgrade_flushes), 0);
		CHECK_EQ(counted(before.spurious_faults, c->spurious_faults), 0);
		CHECK(set("spurious", "skip"));
		before = *c;
		retried_fault(lacks[i]);
		CHECK_EQ(counted(before.extra_faults, c->extra_faults), 0);
		CHECK_EQ(counted(before.upgrade_flushes, c->upgrade_flushes),
			 lacks[i] == clean && !pt_hw_dirty());
	}
	/* A read-only page is made writable all the same. */
	CHECK(set("spurious", "rfc"));
	before = *c;
	retried_fault(pte_mk_readonly);
	CHECK_EQ(counted(before.upgrade_flushes, c->upgrade_flushes), fake_config.arm64);
	defaults();
}

static u64 upgrade_flushes_of_one(const char *upgrade, const char *spurious)
{
	struct mm_counters *c = cpu_ptr(0, mm_counters);
	u64 before = c->upgrade_flushes;
	vaddr_t va;
	struct aspace *as = host_space(1, PROT_READ | PROT_WRITE, false, 0, &va);

	if (!set("spurious", spurious) || !set("upgrade", upgrade) || !host_word(as, va, true))
		return ~0UL;
	pt_change(pgwalk_find(as->root, va, 0).ptep, pte_mk_readonly);
	if (!fault_handle(as, va, true, false))
		return ~0UL;
	aspace_destroy(as);
	return c->upgrade_flushes - before;
}

TEST(who_flushes_an_upgrade_is_a_knob)
{
	CHECK(baseline());
	CHECK(set("model", "arm64"));
	CHECK_EQ(upgrade_flushes_of_one("all", "never"), 1);
	CHECK_EQ(upgrade_flushes_of_one("local", "local"), 0);
	CHECK_EQ(rules.upgrade[ENTRY_W_GAINED], RULE_LOCAL);
	CHECK_EQ(rules.upgrade[ENTRY_W_LOST], RULE_ALL);
	CHECK(set("model", "x86"));
	CHECK_EQ(upgrade_flushes_of_one("all", "always"), 0);
	defaults();
}

/* By arm64's rules somebody has to flush: both ways round, at once, and as parts of a scheme. */
TEST(nobody_flushes_an_upgrade_is_refused_by_arm64_rules)
{
	const char *why = "upgrade=local with spurious=never: by arm64's rules a CPU that keeps "
			  "its old entry would fault for ever";

	CHECK(baseline());
	CHECK(set("model", "arm64") && set("upgrade", "local"));
	CHECK(!set("spurious", "never"));
	CHECK_STR(reason, why);
	CHECK_EQ(knobs.spurious, SPURIOUS_ALWAYS);
	CHECK(set("upgrade", "all") && set("spurious", "never"));
	CHECK(!set("upgrade", "local"));
	CHECK_EQ(knobs.upgrade, UPGRADE_ALL);
	CHECK(set("model", "x86") && set("upgrade", "local"));
	CHECK(!set("model", "arm64"));
	CHECK_EQ(knobs.model, RULES_X86);
	CHECK_EQ(set("model", "native"), !fake_config.arm64);
	CHECK(baseline() && set("model", "arm64"));
	CHECK_EQ(scheme_apply("spurious=never+upgrade=local", reason, sizeof(reason)), -ENOTSUP);
	CHECK_STR(reason, why);
	CHECK(knobs.upgrade == UPGRADE_ALL && knobs.spurious == SPURIOUS_ALWAYS);
	CHECK_EQ(scheme_apply("local-upgrade", reason, sizeof(reason)), 0);
	scheme_restore();
	defaults();
}

/* ---- changes of protection ------------------------------------------------------------------ */

/* Shootdowns of one change from rights to rights. */
static u64 shootdowns(prot_t from, prot_t to)
{
	struct mm_counters *c = cpu_ptr(0, mm_counters);
	vaddr_t va;
	struct aspace *as = host_space(1, from, false, 0, &va);

	host_word(as, va, from & PROT_WRITE);
	u64 before = c->shootdowns;

	aspace_protect(as, va, PAGE_SIZE, to);
	u64 made = c->shootdowns - before;

	aspace_destroy(as);
	return made;
}

TEST(a_change_of_protection_flushes_what_the_knob_and_the_rules_ask_for)
{
	const prot_t r = PROT_READ, rw = PROT_READ | PROT_WRITE, rx = PROT_READ | PROT_EXEC;

	CHECK(baseline());
	CHECK(set("protect_flush", "always"));
	CHECK_EQ(shootdowns(r, r), 1);
	CHECK_EQ(shootdowns(rw, rw), 1);
	CHECK_EQ(shootdowns(r, rw), 1);
	CHECK_EQ(shootdowns(rw, r), 1);
	CHECK(set("protect_flush", "filter"));
	for (unsigned arm64 = 0; arm64 < 2; arm64++) {
		CHECK(set("model", arm64 ? "arm64" : "x86"));
		CHECK_EQ(shootdowns(r, r), 0);
		CHECK_EQ(shootdowns(rw, rw), 0);
		CHECK_EQ(shootdowns(r, rw), arm64);
		CHECK_EQ(shootdowns(r, rx), arm64);
		CHECK_EQ(shootdowns(rw, r), 1);
		CHECK_EQ(shootdowns(rx, r), 1);
		CHECK_EQ(shootdowns(rx, rw), 1); /* more and less: less counts */
	}
	/* Whoever faults on what it kept repairs it, so nobody has to be told. */
	CHECK(set("upgrade", "local"));
	CHECK_EQ(shootdowns(r, rw), 0);
	CHECK_EQ(shootdowns(r, rx), 0);
	CHECK_EQ(shootdowns(rw, r), 1);
	defaults();
}

/* One range, two kinds of entries: what was found out for the one does not hold for the other. */
TEST(filtered_protection_looks_at_each_kind_of_entry)
{
	struct mm_counters *c = cpu_ptr(0, mm_counters);
	struct test_store s = {0};
	u64 in_use = host_in_use();
	vaddr_t va;
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va);

	CHECK(baseline() && set("protect_flush", "filter") && set("model", "x86"));
	for (unsigned writable = 0; writable < 2; writable++) {
		/* Pages that were only read have entries that are read-only: they gain execution, and lose nothing. */
		for (unsigned i = 0; i < FILE_PAGES; i++)
			host_word(as, va + i * PAGE_SIZE, writable && i == FILE_PAGES - 1);
		u64 before = c->shootdowns;

		CHECK_EQ(aspace_protect(as, va, FILE_PAGES * PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
		CHECK_EQ(c->shootdowns - before, writable);
		CHECK_EQ(aspace_protect(as, va, FILE_PAGES * PAGE_SIZE, RW), 0);
		aspace_drop(as, va, FILE_PAGES * PAGE_SIZE);
	}
	defaults();
	CHECK(host_file_gone(&s, as, in_use));
}

TEST(schemes_set_what_their_kernels_do_after_faults)
{
	static const struct {
		const char *scheme;
		u32 spurious, upgrade, protect_x86, protect_arm64;
		bool arm64_never;
	} rows[] = {
		{"baseline", SPURIOUS_ALWAYS, UPGRADE_ALL, PROTECT_FLUSH_ALWAYS,
		 PROTECT_FLUSH_ALWAYS, false},
		/* The defaults are the historical kernel's: other schemes change nothing beside their own. */
		{"batch", SPURIOUS_ALWAYS, UPGRADE_ALL, PROTECT_FLUSH_ALWAYS, PROTECT_FLUSH_ALWAYS,
		 false},
		{"skip-retry", SPURIOUS_SKIP, UPGRADE_ALL, PROTECT_FLUSH_ALWAYS,
		 PROTECT_FLUSH_ALWAYS, false},
		{"local-upgrade", SPURIOUS_LOCAL, UPGRADE_LOCAL, PROTECT_FLUSH_ALWAYS,
		 PROTECT_FLUSH_ALWAYS, false},
		{"filter-protect", SPURIOUS_ALWAYS, UPGRADE_ALL, PROTECT_FLUSH_FILTER,
		 PROTECT_FLUSH_FILTER, false},
		{"like-linux-6.1", SPURIOUS_SKIP, UPGRADE_ALL, PROTECT_FLUSH_FILTER,
		 PROTECT_FLUSH_ALWAYS, true},
		{"like-linux-6.12", SPURIOUS_SKIP, UPGRADE_ALL, PROTECT_FLUSH_FILTER,
		 PROTECT_FLUSH_ALWAYS, true},
	};

	defaults();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		bool arm64 = fake_config.arm64;

		CHECK_EQ(scheme_apply(rows[i].scheme, reason, sizeof(reason)), 0);
		CHECK_EQ(knobs.spurious,
			 arm64 && rows[i].arm64_never ? (u32)SPURIOUS_NEVER : rows[i].spurious);
		CHECK_EQ(knobs.upgrade, rows[i].upgrade);
		CHECK_EQ(knobs.protect_flush, arm64 ? rows[i].protect_arm64 : rows[i].protect_x86);
		CHECK_EQ(knobs.model, RULES_NATIVE);
		scheme_restore();
	}
	defaults();
}
