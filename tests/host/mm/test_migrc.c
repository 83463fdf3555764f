/* defer=migrc: which page waits, which event pays for it, and whose flushes settle it without one. */
#include "host_mm.h"

#include <fake/machine.h>
#include <kernel/alarm.h>
#include <kernel/clock.h>
#include <kernel/context.h>
#include <mm/debt.h>
#include <mm/deferral.h>
#include <mm/dup.h>
#include <mm/hint.h>
#include <mm/scheme.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 4 };

static struct aspace *as;
static vaddr_t va;

static const struct mm_counters *counters(unsigned cpu)
{
	return cpu_ptr(cpu, mm_counters);
}

static void load(void *space)
{
	aspace_load(space);
}

static bool use(const char *scheme)
{
	char err[160];
	int rc = scheme_apply(scheme, err, sizeof(err));

	if (rc)
		printf("# %s\n", err);
	return !rc;
}

/* Pages that are read-only in an area that may be written: a write fault upgrades them. */
static struct aspace *readonly_entries(u64 pages, vaddr_t *at)
{
	struct aspace *space = host_space(pages, RW, false, 0, at);

	for (vaddr_t v = *at; space && v < *at + pages * PAGE_SIZE; v += PAGE_SIZE) {
		*host_word(space, v, true) = v;
		pt_change(pgwalk_find(space->root, v, 0).ptep, pte_mk_readonly);
	}
	tlb_flush_context(&space->ctx);
	return space;
}

/* On CPU 0, and on CPU 1, too. */
static void begin(const char *scheme)
{
	as = readonly_entries(PAGES, &va);
	fake_on_cpu(1, load, as);
	CHECK(use(scheme));
}

static void end(void)
{
	scheme_restore();
	CHECK_EQ(deferral->held(), 0);
	fake_on_cpu(1, load, NULL);
	aspace_destroy(as);
}

static void move(u32 to)
{
	struct migrate_stats stats;

	CHECK_EQ(host_migrate(as, va, PAGES, to, &stats, NULL), 0);
	CHECK_EQ(stats.moved, PAGES);
}

static u64 counter(unsigned i)
{
	u64 sum[DEFERRAL_COUNTERS_MAX];

	deferral_counters_read(sum);
	return sum[i]; /* kept, full */
}

/* ---- both copies ----------------------------------------------------------------------- */

TEST(migrc_moves_readonly_pages_without_a_flush)
{
	begin("migrc");
	struct mm_counters mine = *counters(0), theirs = *counters(1);
	struct page *old = host_page(as, va);

	move(1);
	CHECK_EQ(counters(0)->shootdowns, mine.shootdowns);
	CHECK_EQ(counters(1)->ipis_received, theirs.ipis_received);
	CHECK_EQ(deferral->held(), PAGES);
	CHECK_EQ(old->state, PAGE_QUARANTINE);
	CHECK_EQ(*(u64 *)page_to_virt(old), va); /* whoever reads it still may */
	deferral_settle();
	CHECK_EQ(counters(0)->shootdowns, mine.shootdowns + 1);
	CHECK_EQ(counters(1)->ipis_received, theirs.ipis_received + 1);
	CHECK_EQ(counters(1)->flush_remote_full, theirs.flush_remote_full + 1);
	CHECK_EQ(deferral->held(), 0);
	end();
}

TEST(migrc_moves_on_what_still_owes)
{
	begin("migrc");
	u64 shootdowns = counters(0)->shootdowns, kept = counter(0);

	for (u32 to = 1; to <= 3; to++)
		move(to & 1);
	CHECK_EQ(counters(0)->shootdowns, shootdowns);
	CHECK_EQ(deferral->held(), 3 * PAGES); /* no held frame is a destination */
	CHECK_EQ(counter(0), kept + 3 * PAGES);
	CHECK_EQ(*host_word(as, va, false), va);
	CHECK(host_word(as, va, true)); /* pays for all copies */
	CHECK_EQ(deferral->held(), 0);
	CHECK_EQ(counters(0)->shootdowns, shootdowns + 1);
	end();
}

TEST(migrc_never_defers_what_may_be_written)
{
	begin("migrc");
	u64 shootdowns = counters(0)->shootdowns, created = counters(0)->debts_created;

	for (u64 i = 0; i < PAGES; i++)
		CHECK(host_word(as, va + i * PAGE_SIZE, true));
	move(1);
	CHECK_EQ(counters(0)->shootdowns, shootdowns + 1);
	CHECK_EQ(counters(0)->debts_created, created); /* nothing was noted either */
	CHECK_EQ(deferral->held(), 0);
	end();
}

TEST(migrc_of_tiers_leaves_other_moves_alone)
{
	begin("migrc+defer_for=tiering");
	u64 shootdowns = counters(0)->shootdowns;

	move(1); /* both nodes have CPUs */
	CHECK_EQ(counters(0)->shootdowns, shootdowns + 1);
	CHECK_EQ(deferral->held(), 0);
	CHECK(!(host_page(as, va)->flags & PG_COPIED));
	end();
}

/* ---- rule 3: flushes for other reasons --------------------------------------------------- */

TEST(migrc_is_settled_by_a_flush_for_another_reason)
{
	begin("migrc");
	u64 settled = counters(0)->debts_settled, skipped = counters(0)->debts_skipped, shootdowns;

	move(1);
	tlb_flush_context(&as->ctx);
	shootdowns = counters(0)->shootdowns;
	deferral_settle();
	CHECK_EQ(counters(0)->shootdowns, shootdowns);
	CHECK_EQ(counters(0)->debts_settled, settled + 1);
	CHECK_EQ(counters(0)->debts_skipped, skipped + 2);
	CHECK_EQ(deferral->held(), 0);
	end();
}

#ifndef HOST_ARM64
/* A flush of one page comes generations later, and so becomes one of everything. */
TEST(migrc_is_settled_by_the_flush_of_a_page)
{
	struct tlb_gather g;

	begin("migrc");
	move(1);
	u64 full = counters(1)->flush_remote_full;

	tlb_gather_init(&g, &as->ctx, 0);
	tlb_gather_add(&g, &as->ctx, va, 0);
	tlb_gather_flush(&g);
	CHECK_EQ(counters(1)->flush_remote_full, full + 1);
	u64 shootdowns = counters(0)->shootdowns;

	deferral_settle();
	CHECK_EQ(counters(0)->shootdowns, shootdowns);
	end();
}

static void flush_here(void *arg)
{
	(void)arg;
	tlb_flush_here();
}

TEST(migrc_asks_only_those_that_have_not_flushed)
{
	begin("migrc");
	u64 skipped = counters(0)->debts_skipped, sent;

	move(1);
	fake_on_cpu(1, flush_here, NULL);
	sent = counters(0)->ipis_sent;
	deferral_settle(); /* CPU 0 flushes itself */
	CHECK_EQ(counters(0)->ipis_sent, sent);
	CHECK_EQ(counters(0)->debts_skipped, skipped + 1);
	move(0); /* a newer debt: what CPU 1 flushed before does not count */
	deferral_settle();
	CHECK_EQ(counters(0)->ipis_sent, sent + 1);
	end();
}

/* The mask alone would not do: CPU 1 has left it, and keeps the entries under its PCID. */
TEST(migrc_makes_a_cpu_flush_that_comes_back)
{
	vaddr_t other_va;
	struct aspace *other = host_space(1, PROT_READ, false, 0, &other_va);

	begin("migrc");
	fake_on_cpu(1, load, other);
	u64 sent = counters(0)->ipis_sent, clock = evidence_clock;

	move(1);
	fake_on_cpu(1, load, as);
	const struct tlb_cpu *it = cpu_ptr(1, tlb_cpu);

	CHECK(cpu_ptr(1, tlb_evidence)->slot[it->slot].flushed > clock);
	deferral_settle();
	CHECK_EQ(counters(0)->ipis_sent, sent);
	fake_on_cpu(1, load, NULL);
	end();
	aspace_destroy(other);
}
#endif

TEST(migrc_without_skipping_asks_everybody)
{
	begin("migrc+defer_skip=off");
	u64 skipped = counters(0)->debts_skipped;

	move(1);
	tlb_flush_context(&as->ctx);
	u64 shootdowns = counters(0)->shootdowns;

	deferral_settle();
	CHECK_EQ(counters(0)->shootdowns, shootdowns + 1);
	CHECK_EQ(counters(0)->debts_skipped, skipped);
	end();
}

TEST(migrc_lets_a_lazy_cpu_leave)
{
	begin("migrc");
	move(1);
	fake_on_cpu(1, load, NULL); /* lazy: it may still hold what was taken down */
	CHECK(cpumask_test(&as->ctx.mask, 1));
	deferral_settle();
	if (!tlb_has_bcast())
		CHECK(!cpumask_test(&as->ctx.mask, 1));
	CHECK_EQ(deferral->held(), 0);
	end();
}

/* ---- rule 2: who pays --------------------------------------------------------------------- */

static struct aspace *other;
static vaddr_t other_va;

static void write_first(void)
{
	CHECK(host_word(as, va, true));
}

static void pin_first(void)
{
	struct page *page;

	CHECK_EQ(aspace_pin(as, va, false, &page), 0);
	page_put(page, PAGE_PIN);
}

static void map_writable(void)
{
	int err;
	vaddr_t at =
		aspace_map(other, host_page(as, va)->object, 0, 0, PAGE_SIZE, RW, false, 0, &err);

	CHECK(at && host_word(other, at, true));
}

static void map_readonly(void)
{
	int err;
	vaddr_t at = aspace_map(other, host_page(as, va)->object, 0, 0, PAGE_SIZE, PROT_READ, false,
				0, &err);

	CHECK(at && host_word(other, at, false));
}

static void protect(void)
{
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
}

static void protect_elsewhere(void)
{
	CHECK_EQ(aspace_protect(other, other_va, PAGE_SIZE, RW), 0);
}

static void unmap(void)
{
	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), 0);
}

static void unmap_elsewhere(void)
{
	CHECK_EQ(aspace_unmap(other, other_va, PAGE_SIZE), 0);
}

static void drop(void)
{
	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
}

static void mark(void)
{
	hint_mark(as, va, va + PAGE_SIZE);
}

static void mark_elsewhere(void)
{
	hint_mark(other, other_va, other_va + PAGE_SIZE);
}

static void duplicate(void)
{
	int err;
	struct aspace *dup = aspace_dup(as, "dup", 0, &err);

	CHECK(dup);
	aspace_destroy(dup);
}

static void write_elsewhere(void)
{
	CHECK(host_word(other, other_va, true));
}

static void pin_elsewhere(void)
{
	struct page *page;

	CHECK_EQ(aspace_pin(other, other_va, false, &page), 0);
	page_put(page, PAGE_PIN);
}

static void destroy_elsewhere(void)
{
	vaddr_t at;
	struct aspace *third = readonly_entries(1, &at);

	aspace_load(as);
	aspace_destroy(third);
}

TEST(migrc_pays_before_what_a_stale_entry_must_not_survive)
{
	static const struct {
		void (*happens)(void);
		enum pay_event why; /* PAY_EVENT_COUNT: nobody pays */
	} events[] = {
		{write_first, PAY_WRITE_UPGRADE},
		{pin_first, PAY_PIN},
		{map_writable, PAY_MAP},
		{protect, PAY_PROTECT},
		{protect_elsewhere, PAY_PROTECT}, /* its pages may be those of another space */
		{unmap, PAY_UNMAP},
		{drop, PAY_DROP},
		{mark, PAY_EVENT_COUNT}, /* the scan flushes the address itself */
		{duplicate, PAY_DUPLICATE},
		{map_readonly, PAY_EVENT_COUNT},
		{unmap_elsewhere, PAY_EVENT_COUNT},
		{mark_elsewhere, PAY_EVENT_COUNT},
		{write_elsewhere, PAY_EVENT_COUNT},
		{pin_elsewhere, PAY_EVENT_COUNT},
		{destroy_elsewhere, PAY_EVENT_COUNT},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(events); i++) {
		other = readonly_entries(1, &other_va);
		begin("migrc");
		move(1);
		struct mm_counters before = *counters(0);

		events[i].happens();
		bool pays = events[i].why < PAY_EVENT_COUNT;

		if (pays)
			CHECK_EQ(counters(0)->forced[events[i].why],
				 before.forced[events[i].why] + 1);
		CHECK_EQ(counters(0)->debts_forced, before.debts_forced + pays);
		CHECK_EQ(deferral->held(), pays ? 0 : PAGES);
		if (events[i].why == PAY_WRITE_UPGRADE || events[i].why == PAY_PIN)
			CHECK(!(host_page(as, va)->flags & PG_COPIED));
		end();
		aspace_destroy(other);
	}
}

TEST(migrc_pays_when_a_space_goes_that_owes)
{
	begin("migrc");
	move(1);
	u64 before = counters(0)->forced[PAY_EXIT];

	fake_on_cpu(1, load, NULL);
	aspace_destroy(as);
	CHECK_EQ(counters(0)->forced[PAY_EXIT], before + 1);
	CHECK_EQ(deferral->held(), 0);
	scheme_restore();
}

TEST(migrc_pays_before_a_large_page_is_split)
{
	struct migrate_stats stats;

	as = host_space(HUGE_PAGES, PROT_READ, true, 0, &va);
	CHECK(host_word(as, va, false));
	CHECK_EQ(host_page(as, va)->order, HUGE_ORDER);
	CHECK(use("migrc"));
	CHECK_EQ(host_migrate(as, va, HUGE_PAGES, 1, &stats, NULL), 0);
	CHECK_EQ(deferral->held(), HUGE_PAGES);
	u64 before = counters(0)->forced[PAY_SPLIT];

	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), 0); /* cuts it */
	CHECK_EQ(counters(0)->forced[PAY_SPLIT], before + 1);
	CHECK_EQ(deferral->held(), 0);
	scheme_restore();
	aspace_destroy(as);
}

/* ---- bounds, and rules 4 and 5 ------------------------------------------------------------- */

TEST(migrc_holds_no_more_than_it_may)
{
	enum { MOST = 32, MANY = 200 };
	struct migrate_stats stats;

	as = host_space(MANY, PROT_READ, false, 0, &va);
	aspace_populate(as, va, MANY * PAGE_SIZE, 0);
	CHECK(use("migrc+defer_pages=32"));
	debts_held_max_restart();
	u64 full = counter(1), bound = counters(0)->forced[PAY_BOUND];

	for (u32 to = 1; to <= 4; to++) {
		CHECK_EQ(host_migrate(as, va, MANY, to & 1, &stats, NULL), 0);
		CHECK_EQ(stats.moved, MANY);
	}
	CHECK_EQ(debts_held_max(), MOST); /* each call again: what is full is paid for at its end */
	CHECK_EQ(counter(1), full + 4 * (MANY - MOST));
	CHECK_EQ(counters(0)->forced[PAY_BOUND], bound + 4);
	CHECK_EQ(deferral->held(), 0);
	CHECK_EQ(host_migrate(as, va, MOST, 1, &stats, NULL), 0);
	CHECK_EQ(deferral->held(), MOST);
	scheme_restore();
	aspace_destroy(as);
}

TEST(migrc_pays_for_what_is_old)
{
	begin("migrc+defer_age=1000");
	u64 before = counters(0)->forced[PAY_TICK];

	move(1);
	CHECK(alarm_is_set());
	alarm_cancel(); /* as it is once it has fired */
	alarm_handler();
	context_due_handler();
	CHECK_EQ(deferral->held(), PAGES); /* too early: set again for the rest */
	CHECK(alarm_is_set());
	fake_steps += 1000; /* a microsecond each */
	alarm_cancel();
	alarm_handler();
	context_due_handler();
	CHECK_EQ(deferral->held(), 0);
	CHECK_EQ(counters(0)->forced[PAY_TICK], before + 1);
	end();
}

TEST(migrc_gives_frames_back_to_an_allocator_in_trouble)
{
	static struct page *got[HOST_NODE_PAGES];
	unsigned n = 0;

	begin("migrc");
	u64 before = counters(0)->forced[PAY_PRESSURE];

	move(1);
	pmm_drain_caches();
	while (n < HOST_NODE_PAGES && (got[n] = pmm_alloc(0, 0, PMM_STRICT)))
		n++;
	CHECK_EQ(counters(0)->forced[PAY_PRESSURE], before + 1);
	CHECK_EQ(deferral->held(), 0);
	while (n)
		pmm_free(got[--n]);
	end();
}

/* A block of two while the node is between its watermarks; single pages would go on. */
TEST(migrc_gives_frames_back_sooner_for_a_large_block)
{
	static struct page *got[HOST_NODE_PAGES];
	struct pmm_node_stats s;
	unsigned n = 0;

	begin("migrc");
	move(1);
	pmm_drain_caches();
	pmm_node_stats(0, &s);
	while (s.free > s.watermark_low) {
		CHECK((got[n++] = pmm_alloc(0, 0, PMM_STRICT)) != NULL);
		pmm_node_stats(0, &s);
	}
	CHECK_EQ(deferral->held(), PAGES);
	struct page *two = pmm_alloc(0, 1, PMM_STRICT);

	CHECK(two);
	CHECK_EQ(deferral->held(), 0);
	pmm_free(two);
	while (n)
		pmm_free(got[--n]);
	end();
}
