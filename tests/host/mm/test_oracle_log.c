/* The oracle's reading of logs and sums: what they show of many flushes, and of frames that are freed together. */
#include "host_oracle.h"

#include <fake/machine.h>

/* ---- the log of page flushes ------------------------------------------------------ */

struct flush {
	vaddr_t va;
	u64 stamp;
	unsigned other; /* slots from the one in use */
};

static void note(void *arg)
{
	const struct flush *f = arg;

	evidence_page(f->stamp, f->va, this_cpu_ptr(tlb_evidence)->loaded + f->other);
}

static void note_on_both(vaddr_t va, u64 stamp, unsigned other)
{
	struct flush f = {va, stamp, other};

	fake_on_cpu(0, note, &f);
	fake_on_cpu(1, note, &f);
}

TEST(oracle_tells_pages_and_slots_apart_when_stamps_reach_into_the_address)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	u64 clock = evidence_clock;

	evidence_clock = (3UL << EVIDENCE_STAMP_BITS) - 1;
	struct oracle_unmap u = oracle_taken(as, va);
	u64 stamp = evidence_tick();

	note_on_both(va, stamp, 1);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	/* As words, these are of va: in the future, and before it was unmapped. */
	note_on_both(va + PAGE_SIZE, stamp, 0);
	note_on_both(va - PAGE_SIZE, stamp, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	note_on_both(va, stamp, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	tlb_flush_context(&as->ctx);
	evidence_clock = clock;
	aspace_destroy(as);
}

TEST(oracle_does_not_take_a_neighbours_flush_for_an_old_debt_s)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	u64 clock = evidence_clock, lost = 1UL << EVIDENCE_STAMP_BITS;
	struct oracle_unmap u = oracle_taken(as, va);

	evidence_clock += lost + 10;
	/* As a word, this is of va: a moment after it was unmapped. */
	note_on_both(va - PAGE_SIZE, evidence_now(), 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_UNKNOWN);
	note_on_both(va, evidence_now(), 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	tlb_flush_context(&as->ctx);
	evidence_clock = clock;
	aspace_destroy(as);
}

static void note_range(void *arg)
{
	const struct flush *f = arg;
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	evidence_page(f->stamp, f->va, ev->loaded);
	evidence_log_add(&ev->log, EVIDENCE_RANGE | 3, 0);
}

TEST(oracle_finds_each_page_of_a_range_and_no_other)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	struct oracle_walk w;
	const struct tlb_evidence *ev = cpu_ptr(0, tlb_evidence);
	u64 before = evidence_now();
	struct flush f = {va, evidence_tick(), 0};

	fake_on_cpu(0, note, &f);
	f = (struct flush){va + 4 * PAGE_SIZE, evidence_tick(), 0};
	fake_on_cpu(0, note_range, &f);
	oracle_walk_start(&w, &ev->log);
	for (unsigned i = 7; i-- > 4;) /* one walk for all, as for frames that are freed together */
		CHECK_EQ(oracle_walk(&w, ev->loaded, va + i * PAGE_SIZE, before), ORACLE_CLEAN);
	CHECK_EQ(oracle_walk(&w, ev->loaded, va, before), ORACLE_CLEAN);
	for (unsigned i = 1; i < 9; i++) {
		oracle_walk_start(&w, &ev->log);
		CHECK_EQ(oracle_walk(&w, ev->loaded, va + i * PAGE_SIZE, before),
			 i >= 4 && i < 7 ? ORACLE_CLEAN : ORACLE_STALE);
	}
	aspace_destroy(as);
}

TEST(oracle_knows_that_a_log_went_round_while_it_was_read)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	const struct tlb_evidence *ev = cpu_ptr(1, tlb_evidence);
	u64 clock = evidence_clock;

	evidence_clock += 2UL << EVIDENCE_STAMP_BITS; /* so that a stamp may seem that much older */
	struct oracle_unmap u = oracle_taken(as, va);
	struct oracle_walk w;

	note_on_both(va + PAGE_SIZE, evidence_tick(), 0);
	oracle_walk_start(&w, &ev->log);
	for (unsigned i = 0; i < EVIDENCE_LOG_WORDS; i++)
		note_on_both(va + PAGE_SIZE, evidence_tick(), 0);
	CHECK_EQ(oracle_walk(&w, ev->loaded, va, oracle_stamp(u.unmap)), ORACLE_UNKNOWN);
	tlb_flush_context(&as->ctx);
	evidence_clock = clock;
	aspace_destroy(as);
}

/* ---- many frames at once ------------------------------------------------------------ */

enum { MANY = ORACLE_MANY, ODD_ONE = 9, ROUNDS = 256 };

static void drop(struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_flush(as, va + i * PAGE_SIZE, 0);
}

static void in_order(struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_take(as, va, i);
	drop(as, va, i);
}

static void with_another(struct aspace *as, vaddr_t va, unsigned i)
{
	in_order(as, va, i);
	if (i == ODD_ONE)
		drop(as, va, MANY);
}

static void backwards(struct aspace *as, vaddr_t va, unsigned i)
{
	in_order(as, va, MANY - 1 - i);
}

static void one_left_out(struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_take(as, va, i);
	if (i != ODD_ONE)
		drop(as, va, i);
}

static void one_in_another_s_stead(struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_take(as, va, i);
	drop(as, va, i == ODD_ONE ? i - 1 : i);
}

static void one_too_early(struct aspace *as, vaddr_t va, unsigned i)
{
	if (i == ODD_ONE)
		drop(as, va, i);
	oracle_take(as, va, i);
	if (i != ODD_ONE)
		drop(as, va, i);
}

static void one_without_a_tick(struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_take(as, va, i);
	if (i == ODD_ONE)
		note_on_both(va + i * PAGE_SIZE, evidence_now(), 0);
	else
		drop(as, va, i);
}

static void one_of_another_slot(struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_take(as, va, i);
	note_on_both(va + i * PAGE_SIZE, evidence_tick(), i == ODD_ONE);
}

static void with_a_turn(struct aspace *as, vaddr_t va, unsigned i)
{
	in_order(as, va, i);
	if (i == ODD_ONE)
		note_on_both(va, evidence_now(), 1);
}

/* On one CPU each two are flushed at the other's time: sums cannot tell. */
static void in_pairs_on(unsigned wrong, struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_take(as, va, i);

	u64 stamp = evidence_tick();

	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct flush f = {va + (cpu == wrong ? i ^ 1 : i) * PAGE_SIZE, stamp, 0};

		fake_on_cpu(cpu, note, &f);
	}
}

static void in_pairs_here(struct aspace *as, vaddr_t va, unsigned i)
{
	in_pairs_on(0, as, va, i);
}

static void in_pairs_there(struct aspace *as, vaddr_t va, unsigned i)
{
	in_pairs_on(1, as, va, i);
}

TEST(oracle_takes_many_flushes_in_any_order_and_company)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);

	for (unsigned round = 0; round < 3; round++) {
		CHECK(!oracle_found_stale(as, va, in_order));
		CHECK(!oracle_found_stale(as, va, with_another));
		CHECK(!oracle_found_stale(as, va, backwards));
		CHECK(!oracle_found_stale(as, va, with_a_turn));
	}
	aspace_destroy(as);
}

TEST(oracle_misses_one_flush_of_many)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);

	for (unsigned round = 0; round < 3; round++) {
		CHECK(oracle_found_stale(as, va, one_left_out));
		CHECK(oracle_found_stale(as, va, one_in_another_s_stead));
		CHECK(oracle_found_stale(as, va, one_too_early));
		CHECK(oracle_found_stale(as, va, one_without_a_tick));
		CHECK(oracle_found_stale(as, va, one_of_another_slot));
		CHECK(!oracle_found_stale(as, va, in_order));
	}
	aspace_destroy(as);
}

TEST(oracle_finds_before_long_what_sums_cannot_tell)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	unsigned here = 0, there = 0;

	CHECK(!oracle_found_stale(as, va, in_order)); /* from now on the sums are known */
	for (unsigned round = 0; round < ROUNDS; round++)
		here += oracle_found_stale(as, va, in_pairs_here);
	for (unsigned round = 0; round < ROUNDS; round++)
		there += oracle_found_stale(as, va, in_pairs_there);
	CHECK(here && there);
	CHECK(here < ROUNDS && there < ROUNDS); /* else there was no need for a sample */
	aspace_destroy(as);
}
