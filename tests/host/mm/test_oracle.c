/*
 * The oracle, without concurrency: each thing that decides whether a flush
 * happens is broken in turn, and the evidence must tell. And which records it
 * keeps of a frame.
 */
#include "host_oracle.h"

#include <fake/machine.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>

#define RW (PROT_READ | PROT_WRITE)

static void load(void *as)
{
	aspace_load(as);
}

TEST(oracle_wants_every_cpu_that_has_the_space_loaded)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	struct oracle_unmap u = oracle_taken(as, va);

	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* no flush at all */
	tlb_flush_local(&as->ctx, va, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* CPU 1 has not */
	oracle_flush(as, va, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	aspace_destroy(as);
}

TEST(oracle_takes_a_flush_of_everything)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	struct oracle_unmap u = oracle_taken(as, va);

	tlb_flush_context(&as->ctx);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	u = oracle_taken(as, va);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	aspace_destroy(as);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN); /* no such space any more */
}

TEST(oracle_sees_a_bit_that_is_missing_in_the_mask)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	struct oracle_unmap u = oracle_taken(as, va);

	cpumask_unset(&as->ctx.mask, 1);
	oracle_flush(as, va, 0);
	tlb_flush_context(&as->ctx);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	cpumask_set(&as->ctx.mask, 1);
	oracle_flush(as, va, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	aspace_destroy(as);
}

TEST(oracle_sees_a_generation_stepped_before_its_flush)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	struct tlb_cpu *other = cpu_ptr(1, tlb_cpu);
	struct oracle_unmap u = oracle_taken(as, va);
	u64 gen = other->slots[other->slot].gen;

	other->slots[other->slot].gen = gen + 2;
	oracle_flush(as, va, 0);
	tlb_flush_context(&as->ctx);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	other->slots[other->slot].gen = gen;
	oracle_flush(as, va, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	aspace_destroy(as);
}

TEST(oracle_wants_this_page_flushed_after_this_unmap)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);

	oracle_flush(as, va, 0);
	struct oracle_unmap u = oracle_taken(as, va);

	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* flushed before */
	oracle_flush(as, va + PAGE_SIZE, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* its neighbour */
	oracle_flush(as, va, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	for (unsigned i = 0; i < EVIDENCE_LOG_WORDS; i++) {
		oracle_flush(as, va + PAGE_SIZE, 0);
		as->ctx.near = as->ctx.gen; /* none of everything is forced: mm/generation.c */
	}
	CHECK_EQ(oracle_ask(&u), ORACLE_UNKNOWN); /* what was known is overwritten */
	u = oracle_taken(as, va);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE); /* what has come since is not */
	aspace_destroy(as);
}

TEST(oracle_wants_entries_flushed_that_a_switch_would_keep)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va), *next = host_space(1, RW, false, 0, &va);
	struct oracle_unmap u;

	fake_on_cpu(1, load, next);
	u = oracle_taken(as, va);
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
	struct aspace *as = oracle_loaded_on_both(&va);
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
	struct aspace *as = oracle_loaded_on_both(&va);
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

static const struct oracle_unmap *record_of(const struct page *page)
{
	const struct oracle_unmap *r =
		cpu_ptr(0, oracle_aliases)->set[(u64)(page - page_array) % ORACLE_ALIAS_SETS];

	for (unsigned i = 0; i < ORACLE_ALIAS_WAYS; i++)
		if (r[i].page == page)
			return &r[i];
	return NULL;
}

/* A page leaves one space, comes into another and leaves that, too, before the first flush. */
TEST(oracle_keeps_a_record_that_a_newer_one_of_another_space_overwrites)
{
	vaddr_t va, x, y;
	struct aspace *a = oracle_loaded_on_both(&va), *b = aspace_create("other", 0);
	struct object *obj = host_shared(a, b, &x, &y);

	CHECK(host_word(a, x, true));
	struct page *page = host_page(a, x);

	oracle_unmapped(page, &a->ctx, x, 0);
	oracle_unmapped(page, &b->ctx, y, 0);
	const struct oracle_unmap *kept = record_of(page);

	CHECK(kept && page->flags & PG_ALIASED);
	CHECK_EQ(oracle_va(kept->unmap, kept->unmap_word), x);
	CHECK_EQ(oracle_va(page->unmap, page->unmap_word), y);
	CHECK_EQ(oracle_ask(kept), ORACLE_STALE);
	tlb_flush_context(&a->ctx);
	CHECK_EQ(oracle_ask(kept), ORACLE_CLEAN);
	tlb_flush_context(&b->ctx);
	oracle_shown(page);
	aspace_destroy(b);
	aspace_destroy(a);
	object_put(obj);
}

TEST(oracle_keeps_no_record_that_is_settled_or_of_the_same_entry)
{
	vaddr_t va;
	struct aspace *as = oracle_loaded_on_both(&va);
	struct page *page = host_page(as, va);

	/* Of earlier owners of the frame. */
	memset(cpu_ptr(0, oracle_aliases), 0, sizeof(struct oracle_aliases));
	oracle_unmapped(page, &as->ctx, va, 0);
	oracle_unmapped(page, &as->ctx, va,
			0); /* was mapped there again, and no flush has come yet */
	CHECK_EQ(records_of(page), 0);
	tlb_flush_context(&as->ctx);
	oracle_unmapped(page, &as->ctx, va + PAGE_SIZE, 0);
	CHECK_EQ(records_of(page), 0);
	oracle_unmapped(page, &as->ctx, va, 0);
	CHECK_EQ(records_of(page), 1);
	tlb_flush_context(&as->ctx);
	aspace_destroy(as);
}

/* ---- a space that goes --------------------------------------------------------- */

/* Slot 0 is the empty root's, which drops what was there: of two spaces, take one with another slot. */
TEST(oracle_wants_what_was_held_of_a_freed_root_flushed_before_it_is_used)
{
	vaddr_t va;
	struct tlb_evidence *ev = cpu_ptr(1, tlb_evidence);
	struct aspace *gone = oracle_loaded_on_both(&va);
	unsigned slot = ev->loaded;
	struct aspace *stays = oracle_loaded_on_both(&va);

	if (!slot) {
		struct aspace *first = gone;

		gone = stays;
		stays = first;
		slot = ev->loaded;
	}
	CHECK(slot < EVIDENCE_SLOTS && ev->slot[slot].root == gone->ctx.root);
	CHECK(ev->slot[slot].released <= ev->slot[slot].flushed);
	aspace_destroy(gone);
	CHECK(ev->slot[slot].released > ev->slot[slot].flushed);
	aspace_destroy(stays);
}
