/*
 * The oracle, without concurrency: each thing that decides whether a flush
 * happens is broken in turn, and the evidence must tell.
 */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/oracle.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>

#define RW (PROT_READ | PROT_WRITE)
enum { PAGES = 33 };

static void load(void *as)
{
	aspace_load(as);
}

/* Slots of spaces that are gone, and whose root page is this one's now, would count as well. */
static void forget_former(const struct aspace *as)
{
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
			if (i != ev->loaded && ev->slot[i].root == as->ctx.root)
				ev->slot[i].root = 0;
	}
}

static struct aspace *loaded_on_both(vaddr_t *va)
{
	struct aspace *as = host_space(PAGES, RW, false, 0, va);

	for (u64 i = 0; as && i < PAGES; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = i;
	fake_on_cpu(1, load, as);
	forget_former(as);
	return as;
}

/* The record of an entry that is taken down now. */
static struct oracle_unmap taken(struct aspace *as, vaddr_t va)
{
	return (struct oracle_unmap){host_page(as, va), as->ctx.tag + evidence_clock,
				     evidence_word(va, evidence_clock)};
}

static void flush_page(struct aspace *as, vaddr_t va)
{
	struct tlb_gather g;

	tlb_gather_init(&g, &as->ctx, 0);
	tlb_gather_add(&g, &as->ctx, va, 0);
	tlb_gather_flush(&g);
}

TEST(oracle_wants_every_cpu_that_has_the_space_loaded)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);
	struct oracle_unmap u = taken(as, va);

	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* no flush at all */
	tlb_flush_local(&as->ctx, va, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* CPU 1 has not */
	flush_page(as, va);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	aspace_destroy(as);
}

TEST(oracle_takes_a_flush_of_everything)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);
	struct oracle_unmap u = taken(as, va);

	tlb_flush_context(&as->ctx);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	u = taken(as, va);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	aspace_destroy(as);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN); /* no such space any more */
}

TEST(oracle_sees_a_bit_that_is_missing_in_the_mask)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);
	struct oracle_unmap u = taken(as, va);

	cpumask_unset(&as->ctx.mask, 1);
	flush_page(as, va);
	tlb_flush_context(&as->ctx);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	cpumask_set(&as->ctx.mask, 1);
	flush_page(as, va);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	aspace_destroy(as);
}

TEST(oracle_sees_a_generation_stepped_before_its_flush)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);
	struct tlb_cpu *other = cpu_ptr(1, tlb_cpu);
	struct oracle_unmap u = taken(as, va);
	u64 gen = other->slots[other->slot].gen;

	other->slots[other->slot].gen = gen + 2;
	flush_page(as, va);
	tlb_flush_context(&as->ctx);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	other->slots[other->slot].gen = gen;
	flush_page(as, va);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	aspace_destroy(as);
}

TEST(oracle_wants_this_page_flushed_after_this_unmap)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);

	flush_page(as, va);
	struct oracle_unmap u = taken(as, va);

	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* flushed before */
	flush_page(as, va + PAGE_SIZE);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* its neighbour */
	flush_page(as, va);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	for (unsigned i = 0; i < EVIDENCE_LOG_WORDS; i++)
		flush_page(as, va + PAGE_SIZE);
	CHECK_EQ(oracle_ask(&u), ORACLE_UNKNOWN); /* what was known is overwritten */
	u = taken(as, va);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* what has come since is not */
	aspace_destroy(as);
}

TEST(oracle_wants_entries_flushed_that_a_switch_would_keep)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va), *next = host_space(1, RW, false, 0, &va);
	struct oracle_unmap u;

	fake_on_cpu(1, load, next);
	u = taken(as, va);
	tlb_flush_context(&as->ctx); /* neither CPU has it loaded: nobody is asked */
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	aspace_load(as);
	fake_on_cpu(1, load, as);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	aspace_destroy(next);
	aspace_destroy(as);
}

/* ---- several mappings ---------------------------------------------------------- */

static unsigned records_of(const struct page *page)
{
	const struct oracle_aliases *a = cpu_ptr(0, oracle_aliases);
	unsigned n = 0;

	for (unsigned i = 0; i < ORACLE_ALIAS_SETS; i++)
		for (unsigned w = 0; w < ORACLE_ALIAS_WAYS; w++)
			n += a->set[i][w].page == page;
	return n;
}

TEST(oracle_keeps_the_records_of_all_mappings)
{
	vaddr_t va, at;
	struct aspace *as = loaded_on_both(&va);
	struct page *page = host_page(as, va);
	struct object *obj = page->object;
	struct oracle_unmap *first;
	int err;

	at = aspace_map(as, obj, 0, 0, 8 * PAGE_SIZE, RW, false, 0, &err);
	CHECK(at && host_word(as, at, false));
	CHECK_EQ(page->mapcount, 2);
	CHECK_EQ(aspace_unmap(as, at, PAGE_SIZE), 0);
	CHECK_EQ(records_of(page), 1);
	CHECK(page->flags & PG_ALIASED);
	first = cpu_ptr(0, oracle_aliases)->set[(u64)(page - page_array) % ORACLE_ALIAS_SETS];
	while (first->page != page)
		first++;
	CHECK_EQ(oracle_va(first->unmap, first->unmap_word), at);
	CHECK_EQ(oracle_ask(first), ORACLE_CLEAN); /* unmapping flushed it */
	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), 0); /* and this frees the frame */
	CHECK_EQ(oracle_va(page->unmap, page->unmap_word), va);
	aspace_destroy(as);
}

TEST(oracle_overwrites_only_records_that_are_settled)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);
	struct page *page = host_page(as, va);
	struct mm_counters *c = cpu_ptr(0, mm_counters);
	u64 lost = c->oracle_unknown;

	for (unsigned i = 0; i < ORACLE_ALIAS_WAYS; i++)
		oracle_unmapped_alias(page, &as->ctx, va + i * PAGE_SIZE, 0);
	CHECK_EQ(records_of(page), ORACLE_ALIAS_WAYS);
	CHECK_EQ(c->oracle_unknown, lost);
	oracle_unmapped_alias(page + ORACLE_ALIAS_SETS, &as->ctx, va, 0);
	CHECK_EQ(c->oracle_unknown, lost + 1);
	CHECK_EQ(records_of(page), ORACLE_ALIAS_WAYS);
	tlb_flush_context(&as->ctx);
	oracle_unmapped_alias(page + ORACLE_ALIAS_SETS, &as->ctx, va, 0);
	CHECK_EQ(c->oracle_unknown, lost + 1);
	CHECK_EQ(records_of(page + ORACLE_ALIAS_SETS), 1);
	tlb_flush_context(&as->ctx);
	aspace_destroy(as);
}

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
	struct aspace *as = loaded_on_both(&va);
	u64 clock = evidence_clock;

	evidence_clock = (3UL << EVIDENCE_STAMP_BITS) - 1;
	struct oracle_unmap u = taken(as, va);
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
	struct aspace *as = loaded_on_both(&va);
	u64 clock = evidence_clock, lost = 1UL << EVIDENCE_STAMP_BITS;
	struct oracle_unmap u = taken(as, va);

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
	struct aspace *as = loaded_on_both(&va);
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
	struct aspace *as = loaded_on_both(&va);
	const struct tlb_evidence *ev = cpu_ptr(1, tlb_evidence);
	u64 clock = evidence_clock;

	evidence_clock += 2UL << EVIDENCE_STAMP_BITS; /* so that a stamp may seem that much older */
	struct oracle_unmap u = taken(as, va);
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

enum { MANY = 32, ODD_ONE = 9, ROUNDS = 256 };

static void take(struct aspace *as, vaddr_t va, unsigned i)
{
	va += i * PAGE_SIZE;
	oracle_unmapped(host_page(as, va), &as->ctx, va, ORACLE_SITE(ORACLE_OTHER));
}

static void drop(struct aspace *as, vaddr_t va, unsigned i)
{
	flush_page(as, va + i * PAGE_SIZE);
}

/* Nothing is loaded meanwhile, so whoever would panic tells the next switch instead. */
static bool found_stale(struct aspace *as, vaddr_t va,
			void (*step)(struct aspace *as, vaddr_t va, unsigned i))
{
	struct page *pages[MANY];
	u64 unmap = 0, words = 0, released = 0;

	for (unsigned i = 0; i < MANY; i++)
		step(as, va, i);
	for (unsigned i = 0; i < MANY; i++) {
		pages[i] = host_page(as, va + i * PAGE_SIZE);
		unmap |= pages[i]->unmap;
		words += pages[i]->unmap_word;
	}
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		ev->slot[ev->loaded].released = 0;
		ev->loaded += EVIDENCE_SLOTS;
	}
	oracle_release(pages, MANY, unmap, words);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		ev->loaded -= EVIDENCE_SLOTS;
		released |= ev->slot[ev->loaded].released;
		ev->slot[ev->loaded].released = 0;
	}
	for (unsigned i = 0; i < MANY; i++)
		oracle_remapped(pages[i]);
	return released;
}

static void in_order(struct aspace *as, vaddr_t va, unsigned i)
{
	take(as, va, i);
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
	take(as, va, i);
	if (i != ODD_ONE)
		drop(as, va, i);
}

static void one_in_another_s_stead(struct aspace *as, vaddr_t va, unsigned i)
{
	take(as, va, i);
	drop(as, va, i == ODD_ONE ? i - 1 : i);
}

static void one_too_early(struct aspace *as, vaddr_t va, unsigned i)
{
	if (i == ODD_ONE)
		drop(as, va, i);
	take(as, va, i);
	if (i != ODD_ONE)
		drop(as, va, i);
}

static void one_without_a_tick(struct aspace *as, vaddr_t va, unsigned i)
{
	take(as, va, i);
	if (i == ODD_ONE)
		note_on_both(va + i * PAGE_SIZE, evidence_now(), 0);
	else
		drop(as, va, i);
}

static void one_of_another_slot(struct aspace *as, vaddr_t va, unsigned i)
{
	take(as, va, i);
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
	take(as, va, i);

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
	struct aspace *as = loaded_on_both(&va);

	for (unsigned round = 0; round < 3; round++) {
		CHECK(!found_stale(as, va, in_order));
		CHECK(!found_stale(as, va, with_another));
		CHECK(!found_stale(as, va, backwards));
		CHECK(!found_stale(as, va, with_a_turn));
	}
	aspace_destroy(as);
}

TEST(oracle_misses_one_flush_of_many)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);

	for (unsigned round = 0; round < 3; round++) {
		CHECK(found_stale(as, va, one_left_out));
		CHECK(found_stale(as, va, one_in_another_s_stead));
		CHECK(found_stale(as, va, one_too_early));
		CHECK(found_stale(as, va, one_without_a_tick));
		CHECK(found_stale(as, va, one_of_another_slot));
		CHECK(!found_stale(as, va, in_order));
	}
	aspace_destroy(as);
}

TEST(oracle_finds_before_long_what_sums_cannot_tell)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);
	unsigned here = 0, there = 0;

	CHECK(!found_stale(as, va, in_order)); /* from now on the sums are known */
	for (unsigned round = 0; round < ROUNDS; round++)
		here += found_stale(as, va, in_pairs_here);
	for (unsigned round = 0; round < ROUNDS; round++)
		there += found_stale(as, va, in_pairs_there);
	CHECK(here && there);
	CHECK(here < ROUNDS && there < ROUNDS); /* else there was no need for a sample */
	aspace_destroy(as);
}
