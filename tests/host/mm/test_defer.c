/* What deferrals stand on: frames that are free and owe, limits that fail loudly, counters. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/deferral.h>
#include <mm/debt.h>
#include <mm/knob.h>
#include <mm/oracle.h>
#include <mm/scheme.h>
#include <mm/stats.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does fn end the run by a panic that says so? */
static bool panics(void (*fn)(void), const char *says)
{
	char out[4096] = "";
	int ends[2], status = 0;
	ssize_t len;

	fflush(stdout);
	if (pipe(ends))
		return false;
	if (!fork()) {
		dup2(ends[1], STDOUT_FILENO);
		fn();
		fflush(stdout);
		_exit(0);
	}
	close(ends[1]);
	for (size_t at = 0; (len = read(ends[0], out + at, sizeof(out) - 1 - at)) > 0;)
		at += (size_t)len;
	close(ends[0]);
	wait(&status);
	return WIFEXITED(status) && WEXITSTATUS(status) && strstr(out, says);
}

/* ---- frames that leave the allocator ------------------------------------------------ */

static struct debts debts;
static struct page *owing;
static unsigned leaves;
static bool pays, contents_kept;

static u64 pay_frames_that_leave(struct page *first, u64 count)
{
	u64 found = 0;

	for (struct page *page = first; page < first + count; page++)
		if (load_relaxed(&page->flags) & PG_OWES) {
			if (page == owing)
				contents_kept = *(u64 *)page_to_virt(page) != POISON_WORD;
			found++;
		}
	leaves++;
	return found && pays ? debts_pay(&debts) : 0;
}

static u64 pay_debts(enum pay_event why, const struct pay_scope *scope)
{
	(void)why, (void)scope;
	return debts_pay(&debts);
}

static const struct deferral lazy_free = {
	.name = "lazy-free", .pay = pay_debts, .frames_leave = pay_frames_that_leave};

/* A page of a space: its entry goes, and the frame is freed before anybody has flushed. */
static struct aspace *free_unflushed(bool huge)
{
	u64 pages = huge ? HUGE_SIZE / PAGE_SIZE : 1;
	vaddr_t va;
	struct aspace *as = host_space(pages, PROT_READ | PROT_WRITE, huge, 0, &va);

	aspace_populate(as, va, pages * PAGE_SIZE, 0);
	*host_word(as, va, true) = 42;
	owing = host_page(as, va);
	struct object *obj = owing->object;
	struct pt_pos pos = pgwalk_find(as->root, va, 0);

	deferral_use(&lazy_free);
	leaves = 0;
	contents_kept = false;
	pt_take(pos.ptep, pte_none());
	oracle_unmapped(owing, &as->ctx, va, ORACLE_SITE(ORACLE_OTHER));
	debts_owe(&debts, &as->ctx);
	*object_slot(obj, owing->index, false) = slot_none();
	owing->object = NULL;
	owing->mapcount = 0;
	object_release(obj);
	pmm_free_owing(owing);
	return as;
}

static u64 owing_frames(void)
{
	struct pmm_node_stats s;

	pmm_node_stats(0, &s);
	return s.owing;
}

/* Everything of node 0, in pieces of one size, until the frame comes. */
static bool take_all(unsigned order, struct page **got, unsigned *n)
{
	bool came = false;

	pmm_drain_caches();
	while (*n < HOST_NODE_PAGES && (got[*n] = pmm_alloc(0, order, PMM_STRICT | PMM_RESERVE)))
		came |= got[(*n)++] == owing;
	return came;
}

static void check_leaves(bool huge, unsigned order)
{
	static struct page *got[HOST_NODE_PAGES];
	unsigned n = 0;
	u64 shootdowns, flushes, used = pmm_used();
	struct aspace *as = free_unflushed(huge);
	u64 *word = page_to_virt(owing);

	pays = true;
	CHECK_EQ(owing_frames(), huge ? 512 : 1);
	CHECK_EQ(*word, 42); /* free, and unpoisoned: somebody may still read it */
	shootdowns = this_cpu_ptr(mm_counters)->shootdowns;
	flushes = this_cpu_ptr(mm_counters)->forced[PAY_LEAVE];
	CHECK(take_all(order, got, &n));
	CHECK(leaves >= 1);
	CHECK(contents_kept);
	CHECK_EQ(this_cpu_ptr(mm_counters)->shootdowns, shootdowns + 1);
	CHECK_EQ(this_cpu_ptr(mm_counters)->forced[PAY_LEAVE], flushes + 1); /* one debt */
	CHECK_EQ(*word, POISON_WORD); /* by now nobody reads it */
	CHECK_EQ(owing_frames(), 0);
	CHECK(!(load_relaxed(&owing->flags) & PG_OWES));
	while (n)
		pmm_free(got[--n]);
	deferral_use(deferrals[0]);
	aspace_destroy(as);
	pmm_drain_caches();
	CHECK(pmm_used() <= used + 8); /* tables and small objects that are kept */
}

TEST(frames_that_owe_are_paid_for_when_they_leave)
{
	host_mm();
	check_leaves(false, 0);
}

TEST(large_frames_that_owe_are_paid_for_whole_or_in_parts)
{
	host_mm();
	check_leaves(true, HUGE_ORDER);
	check_leaves(true, 0);
}

static void leave_unpaid(void)
{
	static struct page *got[HOST_NODE_PAGES];
	unsigned n = 0;

	free_unflushed(false);
	pays = false;
	take_all(0, got, &n);
}

TEST(frames_that_leave_unpaid_are_caught_by_the_oracle)
{
	host_mm();
	CHECK(panics(leave_unpaid, "oracle"));
}

TEST(zeroes_are_written_after_the_payment)
{
	static struct page *got[HOST_NODE_PAGES];
	unsigned n = 0;
	struct page *page;

	host_mm();
	struct aspace *as = free_unflushed(false);

	pays = true;
	pmm_drain_caches();
	while ((page = pmm_alloc(0, 0, PMM_STRICT | PMM_RESERVE | PMM_ZERO)) && page != owing)
		got[n++] = page;
	CHECK(page == owing);
	CHECK(contents_kept);
	CHECK_EQ(*(u64 *)page_to_virt(page), 0);
	pmm_free(page);
	while (n)
		pmm_free(got[--n]);
	deferral_use(deferrals[0]);
	aspace_destroy(as);
}

/* ---- many contexts ------------------------------------------------------------------- */

TEST(many_contexts_are_paid_for_in_one_shootdown)
{
	enum { SPACES = 5 }; /* more than a gather has room for */
	struct aspace *as[SPACES];
	const struct mm_counters *c = this_cpu_ptr(mm_counters);
	u64 gen[SPACES], shootdowns, nonglobal;
	vaddr_t va;

	host_mm();
	for (unsigned n = 0; n <= SPACES; n++) {
		for (unsigned i = 0; i < n; i++) {
			as[i] = host_space(1, PROT_READ, false, 0, &va);
			gen[i] = as[i]->ctx.gen;
			debts_owe(&debts, &as[i]->ctx);
			debts_owe(&debts, &as[i]->ctx);
		}
		shootdowns = c->shootdowns;
		nonglobal = c->shootdowns_nonglobal;
		CHECK_EQ(debts_pay(&debts), n);
		CHECK_EQ(c->shootdowns, shootdowns + !!n);
		CHECK_EQ(c->shootdowns_nonglobal, nonglobal + (n > 1));
		for (unsigned i = 0; i < n; i++) {
			CHECK_EQ(as[i]->ctx.gen,
				 gen[i] + 2); /* one per entry: the payment needs none */
			aspace_destroy(as[i]);
		}
		CHECK_EQ(debts_pay(&debts), 0);
	}
}

/* ---- events ----------------------------------------------------------------------------- */

static struct {
	enum pay_event why;
	struct tlb_context *ctx;
} heard[8];
static unsigned heard_count;

static u64 hear(enum pay_event why, const struct pay_scope *scope)
{
	if (heard_count < ARRAY_SIZE(heard)) {
		heard[heard_count].why = why;
		heard[heard_count].ctx = scope->ctx;
	}
	heard_count++;
	return 0;
}

/* Before anything of it is taken down: a deferral that lets unmapped pages wait has no later chance. */
TEST(a_space_that_goes_says_so_first)
{
	static const struct deferral listens = {.name = "listens", .pay = hear};
	vaddr_t va;
	struct aspace *as;

	host_mm();
	as = host_space(1, PROT_READ, false, 0, &va);
	struct tlb_context *ctx = &as->ctx;

	deferral_use(&listens);
	heard_count = 0;
	aspace_destroy(as);
	deferral_use(deferrals[0]);
	CHECK(heard_count > 1);
	CHECK_EQ(heard[0].why, PAY_EXIT);
	CHECK(heard[0].ctx == ctx);
	CHECK_EQ(heard[1].why, PAY_UNMAP);
}

/* ---- limits -------------------------------------------------------------------------- */

static u32 value;

static void add_many_knobs(void)
{
	static char names[KNOBS_MAX + 1][8];
	static struct knob many[KNOBS_MAX + 1];

	for (unsigned i = 0; i <= KNOBS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "k%u", i);
		many[i] = (struct knob){.name = names[i], .unit = "", .value = &value};
		knob_add(&many[i], 1);
	}
}

static void add_knob_twice(void)
{
	static struct knob twice = {.name = "batch", .unit = "", .value = &value};

	knob_add(&twice, 1);
}

static void add_long_knob(void)
{
	static struct knob longer = {
		.name = "a_name_that_no_column_has_room_for", .unit = "", .value = &value};

	knob_add(&longer, 1);
}

static void count_too_much(void)
{
	static const struct deferral counts = {.name = "counts",
					       .counter_count = DEFERRAL_COUNTERS_MAX + 1};

	deferral_use(&counts);
}

static bool never_defers(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old)
{
	(void)src, (void)ctx, (void)va, (void)old;
	return false;
}

static void defer_unpaid(void)
{
	static const struct deferral unpaid = {.name = "unpaid", .entry_taken = never_defers};

	deferral_use(&unpaid);
}

/* It saw that payments were heard, and then the deferral was replaced. */
TEST(who_pays_too_late_pays_nothing)
{
	host_mm();
	u64 forced = this_cpu_ptr(mm_counters)->forced[PAY_TICK];

	pay_now(PAY_TICK, pay_all());
	CHECK_EQ(this_cpu_ptr(mm_counters)->forced[PAY_TICK], forced);
}

TEST(limits_fail_loudly)
{
	host_mm();
	CHECK(panics(add_many_knobs, "no room for knob"));
	CHECK(panics(add_knob_twice, "knob batch"));
	CHECK(panics(add_long_knob, "too long"));
	CHECK(panics(count_too_much, "counter_count"));
	CHECK(panics(defer_unpaid, "wanted->pay"));
}

TEST(knobs_of_a_deferral_are_in_the_list_and_restored)
{
	struct knob *age;
	char err[160];

	host_mm();
	age = knob_find("skeleton_age");
	CHECK(age);
	CHECK_EQ(scheme_apply("batch+defer=skeleton+skeleton_age=9", err, sizeof(err)), 0);
	CHECK_EQ(*age->value, 9);
	scheme_restore();
	CHECK_EQ(*age->value, 0);
	CHECK(!strcmp(knob_source(age), "default"));
}
