/* Generations of few bits: they come round again and again, and what was noted long ago does no harm. Last, as the evidence's clock gets far. */
#include "host_file.h"

#include <fake/machine.h>
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/leave.h>
#include <mm/reclaim.h>
#include <mm/scheme.h>
#include <mm/stats.h>
#include <mm/store.h>
#include <mm/tlb_cpu.h>

#define RW (PROT_READ | PROT_WRITE)

enum {
	RANGE = 1 << GENERATION_BITS,
	HALF = RANGE / 2,
	QUARTER = RANGE / 4,
	WRAPS = 2000,
	MIGRATED = 64,
};
_Static_assert(GENERATION_BITS == 10, "tests/host/files.mk: the loops below go round");

TEST(generation_is_before_half_the_range_that_follows)
{
	for (u64 a = 0; a < RANGE; a++)
		for (u64 ahead = 0; ahead < RANGE; ahead++) {
			/* What lies above the bits that count is different. */
			u64 b = (a + ahead) % RANGE + ahead * RANGE;

			CHECK_EQ(generation_before(a, b), ahead && ahead <= HALF);
			CHECK_EQ(generation_is(a, b), !ahead);
			CHECK_EQ(generation_is_far(b, a), ahead >= QUARTER);
		}
}

TEST(generation_is_raised_and_never_lowered)
{
	u64 newest = GENERATION_START;

	generation_raise(&newest, GENERATION_START + 1);
	CHECK_EQ(newest, 0);
	generation_raise(&newest, GENERATION_START);
	CHECK_EQ(newest, 0);
	generation_raise(&newest, 3);
	CHECK_EQ(newest, 3);
}

/* ---- a CPU that was away --------------------------------------------------------------------- */

/* Two spaces, both of which CPU 1 has in slots. */
static struct aspace *as, *other;
static vaddr_t va;
static struct test_store store;
static u64 before;

static u64 forced(void)
{
	return host_counters(0)->flushes_forced;
}

static u64 gen_at(unsigned cpu)
{
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (cpu_ptr(cpu, tlb_cpu)->slots[i].ctx == &as->ctx)
			return cpu_ptr(cpu, tlb_cpu)->slots[i].gen;
	return 0;
}

static u64 flushed_at(unsigned cpu)
{
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (cpu_ptr(cpu, tlb_cpu)->slots[i].ctx == &as->ctx)
			return cpu_ptr(cpu, tlb_evidence)->slot[i].flushed;
	return 0;
}

static void use(const char *scheme)
{
	char err[160];

	CHECK_EQ(scheme_apply(scheme, err, sizeof(err)), 0);
}

static void begin(void)
{
	vaddr_t at;

	as = host_space(MIGRATED, RW, false, 0, &va);
	other = host_space(1, RW, false, 0, &at);
	aspace_load(as);
	aspace_populate(as, va, MIGRATED * PAGE_SIZE, 0);
}

/* Its pages are of a file, clean and read-only. */
static void begin_with_file(void)
{
	vaddr_t at;

	host_mm();
	knobs.dirty_pages = 0;
	before = host_in_use();
	store = (struct test_store){0};
	as = host_file_space(&store, FILE_PAGES, RW, &va);
	for (u64 i = 0; i < FILE_PAGES; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	CHECK_EQ(file_sync(store.file), 0);
	other = host_space(1, RW, false, 0, &at);
	aspace_load(as);
	use("luf");
}

static void end(void)
{
	scheme_restore();
	fake_on_cpu(1, host_load, NULL);
	aspace_destroy(other);
	aspace_destroy(as);
}

static void end_with_file(void)
{
	scheme_restore();
	fake_on_cpu(1, host_load, NULL);
	aspace_destroy(other);
	host_use_all();
	CHECK(host_file_gone(&store, as, before));
}

/* ---- ways to step ---- */

static void flush(void)
{
	struct tlb_gather g;

	tlb_gather_init(&g, &as->ctx, 0);
	tlb_gather_add(&g, &as->ctx, va, 0);
	tlb_gather_flush(&g);
}

static void expire(void)
{
	struct cpumask cpus = {0};

	tlb_expire_lazy(&as->ctx, &cpus);
}

/* The pages that lie on the other node move, and owe: one step each. */
static void migrate(void)
{
	struct migrate_stats stats;
	u32 to = !host_page(as, va)->node;

	CHECK_EQ(host_migrate(as, va, MIGRATED, to, &stats, NULL), 0);
	CHECK_EQ(stats.moved, MIGRATED);
}

static void migrate_one(void)
{
	struct migrate_stats stats;
	u32 to = !host_page(as, va)->node;

	CHECK_EQ(host_migrate(as, va, 1, to, &stats, NULL), 0);
	CHECK_EQ(stats.moved, 1);
}

static void reclaim_all(void)
{
	for (u64 i = 0; i < FILE_PAGES; i++) {
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), i);
		pt_change(pgwalk_find(as->root, va + i * PAGE_SIZE, 0).ptep, pte_mk_old);
	}
	CHECK(reclaim_pages(0, FILE_PAGES) >= FILE_PAGES);
}

/*
 * CPU 1 has the space in a slot, leaves it, and comes back when its generation has gone round once, or nearly. What it
 * held there may be stale, and must be gone.
 */
static void step_round(void (*step)(void))
{
	fake_on_cpu(1, host_load, as);
	fake_on_cpu(1, host_load, other);
	u64 was = gen_at(1), clock = evidence_clock, count = forced();

	while (as->ctx.gen - was < RANGE)
		step();
	CHECK(forced() >= count + 3);
	fake_on_cpu(1, host_load, as);
	CHECK(flushed_at(1) > clock);
}

TEST(generation_goes_round_by_flushes)
{
	begin();
	step_round(flush);
	CHECK(generation_is(as->ctx.gen - RANGE, as->ctx.gen));
	end();
}

TEST(generation_goes_round_by_expiries)
{
	begin();
	step_round(expire);
	end();
}

static void protect(void)
{
	for (u64 i = 0; i < MIGRATED; i++)
		pt_change(pgwalk_find(as->root, va + i * PAGE_SIZE, 0).ptep, pte_mk_readonly);
	flush();
}

TEST(generation_goes_round_by_pages_that_move_and_owe)
{
	begin();
	protect();
	use("luf");
	step_round(migrate);
	end();
	host_use_all();
}

/* Through the reverse map, as another space maps them, too. */
TEST(generation_goes_round_by_shared_pages_that_owe)
{
	vaddr_t at;

	host_mm();
	as = aspace_create("shared", 0);
	other = aspace_create("other", 0);
	struct object *obj = host_shared(as, other, &va, &at);

	CHECK(host_word(as, va, true) && host_word(other, at, true));
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(aspace_protect(other, at, PAGE_SIZE, PROT_READ), 0);
	aspace_load(as);
	use("luf");
	step_round(migrate_one);
	end();
	object_put(obj);
	host_use_all();
}

TEST(generation_goes_round_by_pages_that_leave_and_owe)
{
	begin_with_file();
	step_round(reclaim_all);
	end_with_file();
}

/* ---- one that stayed ------------------------------------------------------------------------- */

/* It has flushed nothing since, and the generation comes to where its slot is. */
TEST(generation_goes_round_under_a_cpu_that_stays)
{
	begin();
	fake_on_cpu(1, host_load, as);
	for (u64 was = gen_at(1); as->ctx.gen - was < RANGE - 1;)
		expire();
	u64 clock = evidence_clock, flushes = host_counters(1)->flush_remote_full;

	flush();
	CHECK_EQ(host_counters(1)->flush_remote_full, flushes + 1);
	CHECK(flushed_at(1) > clock);
	end();
}

/* A space that owes again, after so long that what it owed last looks newer. */
TEST(generation_owed_long_ago_is_not_the_newest)
{
	begin();
	fake_on_cpu(1, host_load, as);
	for (unsigned phase = 0; phase < QUARTER; phase += 50)
		for (unsigned apart = HALF - 100; apart < RANGE; apart += 7) {
			struct cpumask cpus = {0};

			flush();
			for (unsigned i = 0; i < phase; i++)
				expire();
			tlb_owe(&as->ctx);
			for (unsigned i = 0; i < apart; i++)
				expire();
			tlb_owe(&as->ctx);
			CHECK(generation_is(as->ctx.owed, as->ctx.gen));
			CHECK_EQ(tlb_owing_cpus(&as->ctx, as->ctx.owed, true, &cpus), 0);
			CHECK(cpumask_test(&cpus, 0) && cpumask_test(&cpus, 1));
		}
	end();
}

/* ---- debts of any age ------------------------------------------------------------------------ */

/* The oracle looks at each frame as it leaves. */
TEST(generation_of_a_stamp_may_be_as_old_as_you_like)
{
	begin();
	protect();
	fake_on_cpu(1, host_load, as);
	use("stamp");
	host_use_all();
	for (unsigned apart = 0; apart < RANGE + HALF; apart += 41) {
		migrate_one();
		for (unsigned i = 0; i < apart; i++)
			expire();
		migrate_one(); /* the space owes, whatever its first debt has come to */
		CHECK_EQ(*host_word(as, va, false), 0);
		host_use_all();
	}
	end();
}

/* Debts of luf's frames, by the payment that had begun: the first is unpaid, and two are from long ago. */
TEST(generation_of_a_frame_is_looked_at_by_itself)
{
	begin();
	protect();
	use("luf");
	host_use_all();
	struct page *frame[MIGRATED], *first = NULL;

	for (u64 i = 0; i < MIGRATED; i++)
		frame[i] = host_page(as, va + i * PAGE_SIZE);
	migrate();
	for (u64 i = 0; i < MIGRATED && !first; i++)
		if (frame[i][1].flags & frame[i][2].flags & PG_OWES)
			first = frame[i];
	CHECK(first && first->flags & PG_OWES);
	first[1].debt += HALF - 100;
	first[2].debt += RANGE - 200;
	CHECK(deferral->frames_leave(first, 3));
	CHECK(!deferral->frames_leave(first, 1)); /* paid */
	first[1].debt -= HALF - 100;
	first[2].debt -= RANGE - 200;
	end();
	host_use_all();
}

/* Whatever a file noted last, what leaves it now is owed. */
static bool is_noted(u64 was)
{
	store.store.payment = was;
	file_leaves_owing(store.file);
	return store.store.payment && deferral->is_owed(store.store.payment);
}

static void note_all(void)
{
	u64 payment = deferral->payment();

	for (u64 ago = 0; ago <= RANGE; ago++)
		CHECK(is_noted(payment - ago));
}

static u64 paying;

/* By another CPU, once a payment has begun and before it is over. */
static void note_meanwhile(const void *addr, u64 old, u64 value, bool atomic)
{
	(void)addr, (void)old, (void)value, (void)atomic;
	if (deferral->payment() == paying)
		return;
	fake_hooks.stored = NULL;
	note_all();
}

TEST(generation_of_a_payment_may_be_as_old_as_you_like)
{
	begin_with_file();
	for (unsigned i = 0; i < RANGE; i++) {
		CHECK(is_noted(0));
		deferral_settle();
	}
	note_all();
	paying = deferral->payment();
	fake_hooks.stored = note_meanwhile;
	deferral_settle();
	CHECK(!fake_hooks.stored);
	fake_hooks.stored = NULL;
	end_with_file();
}

/* ---- thousands of times ---------------------------------------------------------------------- */

TEST(generation_comes_round_thousands_of_times)
{
	u64 wraps = 0, count = forced(), clock;

	begin();
	fake_on_cpu(1, host_load, as);
	for (u64 round = 0; round < WRAPS; round++) {
		fake_on_cpu(1, host_load, other);
		for (unsigned i = 0; i < RANGE; i++) {
			flush();
			wraps += generation_is(as->ctx.gen, 0);
		}
		clock = evidence_clock;
		fake_on_cpu(1, host_load, as);
		/* One more flush, here or there: it has none to do. */
		CHECK(generation_is(gen_at(1), as->ctx.gen) &&
		      generation_is(gen_at(0), as->ctx.gen));
		CHECK(flushed_at(1) >= clock);
	}
	CHECK(wraps >= WRAPS);
	CHECK(forced() - count >= 3 * WRAPS);
	end();
}
