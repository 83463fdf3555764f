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
	struct aspace *as = host_space(8, RW, false, 0, va);

	for (u64 i = 0; as && i < 8; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = i;
	fake_on_cpu(1, load, as);
	forget_former(as);
	return as;
}

/* The record of an entry that is taken down now. */
static struct oracle_unmap taken(struct aspace *as, vaddr_t va)
{
	return (struct oracle_unmap){host_page(as, va), as->ctx.tag + evidence_clock, va};
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
	flush_page(as, va + EVIDENCE_PAGES * PAGE_SIZE);
	CHECK_EQ(oracle_ask(&u), ORACLE_UNKNOWN); /* what was known is overwritten */
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
	CHECK_EQ(first->unmap_va & PAGE_MASK, at);
	CHECK_EQ(oracle_ask(first), ORACLE_CLEAN); /* unmapping flushed it */
	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), 0); /* and this frees the frame */
	CHECK_EQ(page->unmap_va & PAGE_MASK, va);
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

/* Stamps in the table of page flushes wrap; what is left of the key must still tell slots apart. */
TEST(oracle_tells_slots_apart_after_many_flushes)
{
	vaddr_t va;
	struct aspace *as = loaded_on_both(&va);
	u64 vpn = va >> PAGE_SHIFT, clock = evidence_clock;

	evidence_clock = EVIDENCE_STAMP_MASK + 100;
	struct oracle_unmap u = taken(as, va);

	/* The same page was flushed in the slot below; below slot 0 comes the page before. */
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		ev->page[vpn % EVIDENCE_PAGES] = evidence_page_key(vpn, 0) -
						 (EVIDENCE_STAMP_MASK + 1) +
						 evidence_slot_key(ev->loaded) + evidence_clock;
	}
	CHECK(oracle_ask(&u) != ORACLE_CLEAN);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		ev->page[vpn % EVIDENCE_PAGES] =
			evidence_page_key(vpn, ev->loaded) + evidence_clock;
	}
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	tlb_flush_context(&as->ctx);
	evidence_clock = clock;
	aspace_destroy(as);
}
