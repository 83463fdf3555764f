/*
 * Nested tables without concurrency: what a guest in hardware finds in them, whom a flush reaches, and how a run goes on.
 * The hardware is a function that walks the tables as it would, by the format that it gives.
 */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/nested.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>
#include <kernel/error.h>

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 8 };

static struct nested_mmu guest;

/* What the guest does when it runs, once. */
static struct {
	u64 page;
	bool write;
	bool broken;
	unsigned interrupts; /* so many come first */
	u64 *found; /* where its access went */
	unsigned runs; /* times that it was entered */
	u32 flushed; /* a bit per tag that was to be flushed */
	unsigned flushes;
	unsigned tag; /* of the last run */
} program;

static void run(struct vcpu *v __unused, unsigned tag, struct guest_stop *stop)
{
	u64 at = program.page << PAGE_SHIFT;
	struct pt_pos pos = pgwalk_find_in(&guest.format, guest.root, at, 0);
	pte_t pte = pte_load(pos.ptep);

	*stop = (struct guest_stop){.why = GUEST_CALL};
	program.runs++;
	program.tag = tag;
	program.flushed &= ~(1U << tag);
	if (program.interrupts) {
		program.interrupts--;
		stop->why = GUEST_INTERRUPT;
	} else if (program.broken) {
		stop->why = GUEST_BROKEN;
	} else if (!pte_is_leaf(pte, pos.level) || (program.write && !pte_is_writable(pte))) {
		*stop = (struct guest_stop){
			.why = GUEST_FAULT, .address = at, .write = program.write};
	} else {
		program.found = phys_to_virt(pte_pa(pte, pos.level) +
					     (at & (PT_LEVEL_SIZE(pos.level) - 1)));
	}
}

static void note_flush(unsigned tag)
{
	program.flushed |= 1U << tag;
	program.flushes++;
}

static const struct hypervisor hardware = {
	.name = "a model",
	.start_level = 2,
	.root_entries = PT_ENTRIES,
	.mk_leaf = pte_mk_leaf,
	.mk_table = pte_mk_table,
	.is_table = pte_is_table,
	.pa = pte_pa,
	.block_ok = pt_block_ok,
	.run = run,
	.flush = note_flush,
};

static struct aspace *begin(u64 pages, bool huge, vaddr_t *va)
{
	struct aspace *as = host_space(pages, RW, huge, 0, va);

	aspace_populate(as, *va, pages << PAGE_SHIFT, 0);
	program.broken = false;
	return nested_create(&guest, &hardware, as, *va, pages, 0) ? NULL : as;
}

static void finish(struct aspace *as)
{
	nested_destroy(&guest);
	aspace_destroy(as);
}

/* Where an access of the guest goes; NULL: the space does not allow it. */
static u64 *reach(u64 page, bool write)
{
	struct guest_stop stop;

	program.page = page;
	program.write = write;
	program.runs = 0;
	return nested_run(&guest, NULL, &stop) == NESTED_CALL ? program.found : NULL;
}

static struct pt_pos entry(u64 page)
{
	return pgwalk_find_in(&guest.format, guest.root, page << PAGE_SHIFT, 0);
}

TEST(nested_tables_follow_the_space)
{
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as);
	CHECK_EQ(entry(3).level, 1); /* no table is linked before there is an entry in it */
	*host_word(as, va + 3 * PAGE_SIZE, true) = 7;
	CHECK_EQ(*reach(3, false), 7);
	CHECK_EQ(program.runs, 2); /* a fault, and then the access */
	*reach(3, true) = 8;
	CHECK_EQ(program.runs, 1);
	CHECK_EQ(*host_word(as, va + 3 * PAGE_SIZE, false), 8);
	CHECK(reach(5, true));
	CHECK_EQ(aspace_unmap(as, va + 3 * PAGE_SIZE, PAGE_SIZE), 0);
	CHECK_EQ(entry(3).level, 0);
	CHECK(pte_is_none(pte_load(entry(3).ptep)));
	CHECK(!reach(3, false));
	CHECK(reach(5, true));
	CHECK_EQ(program.runs, 1);
	/* The last entry goes, and its table with it. */
	CHECK_EQ(aspace_unmap(as, va + 5 * PAGE_SIZE, PAGE_SIZE), 0);
	CHECK_EQ(entry(5).level, 1);
	CHECK(pte_is_none(pte_load(entry(5).ptep)));
	CHECK(reach(6, false));
	CHECK_EQ(entry(6).level, 0);
	finish(as);
}

TEST(nested_large_pages_are_one_entry_until_they_are_cut)
{
	vaddr_t va;
	struct aspace *as = begin(2 * HUGE_PAGES, true, &va);
	u64 used = host_counters(0)->secondary_refills;

	CHECK(as);
	for (u64 page = 0; page < 2 * HUGE_PAGES; page += 64)
		CHECK(reach(page, true));
	CHECK_EQ(host_counters(0)->secondary_refills - used, 2);
	CHECK_EQ(entry(3).level, 1);
	CHECK(pte_is_leaf(pte_load(entry(3).ptep), 1));
	CHECK_EQ(aspace_protect(as, va + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CHECK(pte_is_none(pte_load(entry(3).ptep)));
	CHECK(reach(3, true));
	CHECK_EQ(entry(3).level, 0);
	CHECK(!reach(1, true));
	CHECK(reach(1, false));
	CHECK(!pte_is_writable(pte_load(entry(1).ptep)));
	CHECK(pte_is_leaf(pte_load(entry(HUGE_PAGES).ptep), 1)); /* the other one is as it was */
	/* All of the small ones go, and a large page comes back: no table is in its way. */
	CHECK_EQ(aspace_unmap(as, va, HUGE_SIZE), 0);
	CHECK(pte_is_none(pte_load(entry(3).ptep)));
	CHECK_EQ(entry(3).level, 1);
	finish(as);
}

TEST(nested_rights_that_come_back_make_the_cpu_forget)
{
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as);
	CHECK_EQ(aspace_protect(as, va, PAGES * PAGE_SIZE, PROT_READ), 0);
	CHECK(reach(2, false));
	CHECK(!reach(2, true));
	CHECK_EQ(aspace_protect(as, va, PAGES * PAGE_SIZE, RW), 0);
	CHECK(reach(2, true)); /* this CPU may hold the entry without the right */
	unsigned flushes = program.flushes;

	CHECK(reach(2, true));
	CHECK_EQ(program.flushes, flushes);
	finish(as);
}

TEST(flushes_go_to_the_slot_of_the_guest)
{
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);
	struct mm_counters before;

	CHECK(as);
	CHECK(reach(2, true));
	CHECK_EQ(program.flushed, 0);
	unsigned tag = program.tag, flushes = program.flushes;

	/* Nobody is in the guest: it is flushed when it is entered again, under the tag that it has, and once. */
	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), 0);
	CHECK_EQ(aspace_unmap(as, va + 2 * PAGE_SIZE, PAGE_SIZE), 0);
	CHECK_EQ(program.flushes, flushes);
	CHECK(reach(3, true));
	CHECK_EQ(program.tag, tag);
	CHECK(program.flushes > flushes);
	/* A CPU that is asked while it is in the guest marks its tag. */
	irqflags_t flags = irq_save();

	tlb_enter_stage2(&guest.shadow.ctx);
	irq_restore(flags);
	flushes = program.flushes;
	tlb_flush_context(&guest.shadow.ctx);
	CHECK_EQ(program.flushes, flushes + 1);
	CHECK_EQ(program.flushed, 1U << tag);
	flags = irq_save();
	tlb_leave_stage2();
	irq_restore(flags);
	/* Interrupts, and what was no shootdown of the guest. */
	before = *host_counters(0);
	program.interrupts = 3;
	CHECK(reach(3, true));
	CHECK_EQ(program.runs, 4);
	CHECK_EQ(host_counters(0)->guest_exits_interrupt - before.guest_exits_interrupt, 3);
	CHECK_EQ(host_counters(0)->guest_exits_shootdown, before.guest_exits_shootdown);
	CHECK_EQ(host_counters(0)->guest_exits_call - before.guest_exits_call, 1);
	finish(as);
}

TEST(guests_reach_nothing_else)
{
	struct nested_mmu other;
	struct guest_stop stop;
	vaddr_t va;
	struct aspace *as = begin(PAGES, false, &va);

	CHECK(as);
	CHECK(!reach(PAGES, false));
	CHECK(!reach(HUGE_PAGES - 1, true));
	program.broken = true;
	CHECK_EQ(nested_run(&guest, NULL, &stop), NESTED_BROKEN);
	CHECK_EQ(nested_create(&other, &hardware, as, va, (NESTED_SYSTEM >> PAGE_SHIFT) + 1, 0),
		 (u64)-ERANGE);
	finish(as);
}
