/* The scan's windows, and which changes of a range reach the scheme in force. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/deferral.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>

#define RW (PROT_READ | PROT_WRITE)

static void load(void *as)
{
	aspace_load(as);
}

static struct aspace *filled(u64 pages, vaddr_t *va)
{
	struct aspace *as = host_space(pages, RW, false, 0, va);

	for (u64 i = 0; as && i < pages; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = i;
	return as;
}

static pte_t entry_of(struct aspace *as, vaddr_t va)
{
	return pte_load(pgwalk_find(as->root, va, 0).ptep);
}

TEST(hint_window_is_flushed_everywhere_and_counted_apart)
{
	struct mm_counters *mine = cpu_ptr(0, mm_counters), *theirs = cpu_ptr(1, mm_counters);
	vaddr_t va;
	struct aspace *as = filled(4, &va);

	fake_on_cpu(1, load, as);
	u64 gen = as->ctx.gen, scans = mine->shootdowns_scanner, flushes = theirs->flush_scanner;
	u64 shootdowns = mine->shootdowns, made = mine->hint_entries;

	CHECK_EQ(hint_mark(as, va, va + 4 * PAGE_SIZE), 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK(pte_is_hint(entry_of(as, va + i * PAGE_SIZE)));
	CHECK_EQ(as->ctx.gen, gen + 1);
	CHECK_EQ(as->flush_pending, 0);
	CHECK_EQ(mine->shootdowns_scanner, scans + 1);
	CHECK_EQ(mine->shootdowns, shootdowns);
	CHECK_EQ(mine->hint_entries, made + 4);
	CHECK(theirs->flush_scanner > flushes);
	for (u64 i = 0; i < 4; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), i);
	aspace_destroy(as);
}

static void count_another_flush(const void *addr, u64 old __unused, u64 value __unused, bool atomic)
{
	if (atomic && addr == &cpu_ptr(1, tlb_cpu)->pending.bits[0])
		count(shootdowns);
}

/* What this CPU counts in the middle of a scan's flush, as work that a waiter runs may, stays counted. */
TEST(hint_flush_keeps_what_others_count_meanwhile)
{
	struct mm_counters before, *mine = cpu_ptr(0, mm_counters);
	vaddr_t va;
	struct aspace *as = filled(4, &va);

	fake_on_cpu(1, load, as);
	before = *mine;
	fake_hooks.stored = count_another_flush;
	CHECK_EQ(hint_mark(as, va, va + 4 * PAGE_SIZE), 4);
	fake_hooks.stored = NULL;
	CHECK(mine->shootdowns > before.shootdowns);
	CHECK_EQ(mine->shootdowns_scanner, before.shootdowns_scanner + 1);
	CHECK_EQ(mine->ipis_scanner, before.ipis_scanner + 1);
	CHECK_EQ(mine->ipis_sent, before.ipis_sent);
	CHECK_EQ(mine->flush_local_page, before.flush_local_page);
	CHECK_EQ(mine->wait_initiator, before.wait_initiator);
	aspace_destroy(as);
}

/* One page, nobody else: the shortest flush there is. Counted apart, too. */
TEST(hint_flush_of_one_page_is_counted_apart)
{
	struct mm_counters before, *mine = cpu_ptr(0, mm_counters);
	vaddr_t va;
	struct aspace *as = filled(1, &va);

	before = *mine;
	CHECK_EQ(hint_mark(as, va, va + PAGE_SIZE), 1);
	CHECK_EQ(mine->shootdowns_scanner, before.shootdowns_scanner + 1);
	CHECK_EQ(mine->flush_scanner, before.flush_scanner + 1);
	CHECK_EQ(mine->shootdowns, before.shootdowns);
	CHECK_EQ(mine->flush_local_page, before.flush_local_page);
	aspace_destroy(as);
}

/* ---- what the scheme is told ---------------------------------------------------- */

static struct {
	enum pay_event why;
	struct pay_scope scope;
	unsigned times;
} told;

static u64 note_event(enum pay_event why, const struct pay_scope *scope)
{
	told.why = why;
	told.scope = *scope;
	told.times++;
	return 3;
}

static bool was_told(enum pay_event why, struct aspace *as, vaddr_t va, u64 pages)
{
	u64 *counted = &this_cpu_ptr(mm_counters)->forced[why];
	bool right = told.times == 1 && told.why == why && told.scope.ctx == &as->ctx &&
		     told.scope.start == va && told.scope.end == va + pages * PAGE_SIZE &&
		     *counted == 3;

	told.times = 0;
	*counted = 0;
	return right;
}

TEST(deferral_hears_of_each_change_before_it)
{
	static const struct deferral probe = {.name = "probe",
					      .pay = note_event,
					      .events = PAY_BIT(PAY_MIGRATE) | PAY_BIT(PAY_SWITCH) |
							PAY_BIT(PAY_IDLE)};
	struct migrate_stats stats;
	struct page *page;
	vaddr_t va;
	struct aspace *as = filled(4, &va);
	struct hint_scan scan = {.as = as};

	deferral_use(&probe);
	told.times = 0;
	memset(this_cpu_ptr(mm_counters)->forced, 0, sizeof(this_cpu_ptr(mm_counters)->forced));

	CHECK_EQ(hint_mark(as, va, va + 2 * PAGE_SIZE), 2);
	CHECK(was_told(PAY_HINT, as, va, 2));
	CHECK(hint_scan(&scan));
	CHECK(was_told(PAY_HINT, as, va, 4)); /* what it scans, not the hole before it */
	knobs.batch = 4; /* once per batch */
	CHECK_EQ(host_migrate(as, va, 4, 1, &stats, NULL), 0);
	CHECK(was_told(PAY_MIGRATE, as, va, 4));
	knobs.batch = 1;
	CHECK_EQ(aspace_protect(as, va, 2 * PAGE_SIZE, PROT_READ), 0);
	CHECK(was_told(PAY_PROTECT, as, va, 2));
	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
	CHECK(was_told(PAY_DROP, as, va, 1));
	CHECK_EQ(aspace_populate(as, va, PAGE_SIZE, 0), 1);
	CHECK(!told.scope.page && !told.scope.write); /* nobody maps it, nobody may write it */
	CHECK(was_told(PAY_MAP, as, va, 1));
	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), 0);
	CHECK(was_told(PAY_UNMAP, as, va, 1));
	CHECK_EQ(aspace_pin(as, va + 3 * PAGE_SIZE, true, &page), 0);
	CHECK(told.why == PAY_PIN && told.scope.page == page);
	page_put(page, PAGE_PIN);
	told.times = 0;
	aspace_load(as);
	CHECK(told.times == 1 && told.why == PAY_SWITCH && told.scope.ctx == &as->ctx);
	aspace_load(NULL);
	CHECK(told.times == 2 && told.why == PAY_IDLE);
	deferral_settle();
	CHECK(told.times == 3 && told.why == PAY_SETTLE);
	CHECK_EQ(this_cpu_ptr(mm_counters)->forced[PAY_SETTLE], 3);

	deferral_use(deferrals[0]);
	told.times = 0;
	aspace_destroy(as);
	CHECK_EQ(told.times, 0);
}

/* ---- a page with an entry that a scan took and has not flushed yet ----------------- */

TEST(migrate_leaves_pages_whose_other_entry_waits_for_a_scan)
{
	struct migrate_stats stats = {0};
	vaddr_t a, b, x, y;

	struct aspace *other = filled(1, &b), *as = filled(1, &a);
	struct object *obj = host_shared(as, other, &x, &y);

	*host_word(as, x, true) = 7;
	CHECK_EQ(*host_word(other, y, false), 7);
	CHECK_EQ(hint_mark(other, y, y + PAGE_SIZE), 1);
	hint_flush_begins(other); /* another window is open */
	struct migrate_request req = {.as = as,
				      .start = x,
				      .len = PAGE_SIZE,
				      .from_nodes = 1,
				      .to_node = 1,
				      .stats = &stats,
				      .unflushed = true};

	CHECK_EQ(migrate_range(&req), 1);
	CHECK_EQ(stats.failed[MIGRATE_SCANNED], 1);
	CHECK_EQ(host_page(as, x)->node, 0);
	CHECK(pte_is_present(entry_of(as, x)));
	hint_flush_ended(other);
	CHECK_EQ(migrate_range(&req), 0);
	CHECK_EQ(host_page(as, x)->node, 1);
	CHECK_EQ(*host_word(other, y, false), 7);
	object_put(obj);
	aspace_destroy(as);
	aspace_destroy(other);
}

/* A pass may end between the two counts of one fault. */
TEST(hint_scan_adapts_to_half_a_fault)
{
	vaddr_t va;
	struct aspace *as = filled(4, &va);
	struct hint_scan scan = {.as = as};

	hint_scan(&scan);
	as->hints.remote++;
	hint_scan(&scan);
	CHECK_EQ(scan.passes, 2);
	CHECK_EQ(scan.before.remote, 1);
	CHECK_EQ(scan.before.shared, 0);
	as->hints.shared++;
	hint_scan(&scan);
	CHECK_EQ(scan.before.shared, 1);
	aspace_destroy(as);
}

/* The longest pass that may be asked for, shared out over the largest window. */
TEST(hint_scan_pauses_for_its_part_of_a_long_pass)
{
	char err[100];
	vaddr_t va;
	struct aspace *as = filled(4, &va);
	struct hint_scan scan = {.as = as, .space_pages = 1UL << 25, .next = va, .pages = 1};
	int none;

	CHECK_EQ(knob_set("scan_max", "3600000000", "test", err, sizeof(err)), 0);
	CHECK_EQ(knob_set("scan_min", "3600000000", "test", err, sizeof(err)), 0);
	CHECK_EQ(knob_set("scan_size", "16777216", "test", err, sizeof(err)), 0);
	/* As many pages as a window takes, nobody behind them; and more to come. */
	CHECK(aspace_map(as, NULL, 0, va + HUGE_SIZE, (1UL << 36) - (4 << PAGE_SHIFT), RW, false, 0,
			 &none));
	CHECK(aspace_map(as, NULL, 0, va + (1UL << 37), HUGE_SIZE, RW, false, 0, &none));
	CHECK_EQ(hint_scan(&scan), 3600000000000UL / 2);
	CHECK_EQ(knob_set("scan_size", "65536", "test", err, sizeof(err)), 0);
	CHECK_EQ(knob_set("scan_min", "1000", "test", err, sizeof(err)), 0);
	CHECK_EQ(knob_set("scan_max", "60000", "test", err, sizeof(err)), 0);
	aspace_destroy(as);
}
