/* What only the arm64 rules ask for, without concurrency: what is flushed, when, and how. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/evidence_read.h>
#include <mm/fault.h>
#include <mm/knob.h>
#include <mm/stats.h>

#define RW (PROT_READ | PROT_WRITE)

static struct mm_counters *counters(unsigned cpu)
{
	return cpu_ptr(cpu, mm_counters);
}

static bool set(const char *knob, const char *value)
{
	char err[160];

	return !knob_set(knob, value, "set", err, sizeof(err));
}

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

static unsigned log_end(unsigned cpu)
{
	return cpu_ptr(cpu, tlb_evidence)->log.at;
}

/* The two go together: whoever has the old entry elsewhere repairs it when he faults. */
static void upgrades_are_local(bool local)
{
	host_mm();
	CHECK(set("spurious", local ? "local" : "always"));
	CHECK(set("upgrade", local ? "local" : "all"));
}

TEST(upgrade_by_a_fault_drops_the_old_entry_here)
{
	upgrades_are_local(true);
	vaddr_t va;
	struct aspace *as = filled(1, &va);

	pt_change(pgwalk_find(as->root, va, 0).ptep, pte_mk_readonly);
	u64 before = counters(0)->flush_local_page;

	CHECK(fault_handle(as, va, true, false));
	CHECK(pte_is_writable(pte_load(pgwalk_find(as->root, va, 0).ptep)));
	CHECK_EQ(counters(0)->flush_local_page, before + 1);
	aspace_destroy(as);
	upgrades_are_local(false);
}

TEST(spurious_fault_drops_the_entry_that_caused_it)
{
	upgrades_are_local(true);
	vaddr_t va;
	struct aspace *as = filled(1, &va);
	u64 before = counters(0)->flush_local_page;
	unsigned end = log_end(0);

	CHECK(fault_handle(as, va, true, false));
	CHECK_EQ(counters(0)->flush_local_page, before + 1);
	CHECK(log_end(0) != end);
	aspace_destroy(as);
	upgrades_are_local(false);
}

TEST(range_made_writable_is_flushed)
{
	vaddr_t va;

	host_mm();
	CHECK(set("transport", "ipi"));
	struct aspace *as = filled(1, &va);

	fake_on_cpu(1, load, as);
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
	u64 before = counters(1)->flush_remote_page;

	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW), 0);
	CHECK_EQ(counters(1)->flush_remote_page, before + 1);
	aspace_destroy(as);
}

/* Flushed both ways: a CPU must not go on executing, nor go on refusing. */
TEST(range_made_executable_or_not_is_flushed)
{
	vaddr_t va;

	host_mm();
	CHECK(set("transport", "ipi") && set("protect_flush", "filter"));
	struct aspace *as = filled(1, &va);

	fake_on_cpu(1, load, as);
	u64 before = counters(1)->flush_remote_page;

	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW | PROT_EXEC), 0);
	CHECK_EQ(counters(1)->flush_remote_page, before + 1);
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW), 0);
	CHECK_EQ(counters(1)->flush_remote_page, before + 2);
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW), 0);
	CHECK_EQ(counters(1)->flush_remote_page, before + 2);
	aspace_destroy(as);
}

TEST(kernel_ranges_beyond_the_knob_are_broadcast_as_one)
{
	host_mm();
	CHECK(set("transport", "bcast"));
	const struct evidence_bcast *all = &cpu_ptr(0, tlb_evidence)->bcast[EVIDENCE_BCAST_ALL];
	u64 stamp = all->stamp, before = counters(0)->bcast_ops;

	tlb_flush_kernel(KERNEL_BASE, KERNEL_BASE + 4 * HUGE_SIZE);
	CHECK_EQ(counters(0)->bcast_ops, before + 1);
	CHECK(all->stamp > stamp);
}

TEST(late_broadcasts_begin_before_the_flush_and_stop_at_the_knob)
{
	vaddr_t va;

	host_mm();
	CHECK(set("transport", "bcast-late"));
	CHECK(set("range", "4"));
	struct aspace *as = filled(8, &va);
	struct tlb_gather g;
	u64 before = counters(0)->bcast_ops;

	tlb_gather_init(&g, &as->ctx, 0);
	for (u64 i = 0; i < 8; i++) {
		tlb_gather_add(&g, &as->ctx, va + i * PAGE_SIZE, 0);
		CHECK_EQ(counters(0)->bcast_ops, before + MIN(i + 1, 4UL));
	}
	tlb_gather_flush(&g);
	CHECK_EQ(counters(0)->bcast_ops, before + 5);
	CHECK(set("range", "64"));
	aspace_destroy(as);
}

TEST(gather_says_when_it_has_room_for_no_other_context)
{
	struct aspace *as[TLB_GATHER_CONTEXTS + 1];
	u64 gen[TLB_GATHER_CONTEXTS + 1];
	struct tlb_gather g;
	vaddr_t va;

	host_mm();
	CHECK(set("transport", "ipi"));
	for (unsigned i = 0; i <= TLB_GATHER_CONTEXTS; i++) {
		as[i] = filled(1, &va);
		gen[i] = as[i]->ctx.gen;
	}
	tlb_gather_init(&g, &as[0]->ctx, 0);
	for (unsigned i = 0; i < TLB_GATHER_CONTEXTS; i++) {
		CHECK(!tlb_gather_is_full(&g, &as[i]->ctx));
		tlb_gather_add(&g, &as[i]->ctx, va, 0);
		CHECK(!tlb_gather_is_full(&g, &as[i]->ctx));
	}
	CHECK(tlb_gather_is_full(&g, &as[TLB_GATHER_CONTEXTS]->ctx));
	tlb_gather_flush(&g);
	for (unsigned i = 0; i < TLB_GATHER_CONTEXTS; i++)
		CHECK_EQ(as[i]->ctx.gen, gen[i] + 1);
	CHECK(!tlb_gather_is_full(&g, &as[TLB_GATHER_CONTEXTS]->ctx));
	tlb_gather_add(&g, &as[TLB_GATHER_CONTEXTS]->ctx, va, 0);
	tlb_gather_flush(&g);
	for (unsigned i = 0; i <= TLB_GATHER_CONTEXTS; i++) {
		CHECK_EQ(as[i]->ctx.gen, gen[i] + 1);
		aspace_destroy(as[i]);
	}
}

static u64 slot_stamp(const struct aspace *as)
{
	const struct tlb_evidence *ev = cpu_ptr(0, tlb_evidence);

	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (ev->slot[i].root == as->ctx.root)
			return ev->slot[i].flushed;
	return 0;
}

TEST(entries_are_kept_where_nothing_was_missed)
{
	vaddr_t va;

	host_mm();
	CHECK(set("transport", "ipi"));
	struct aspace *a = filled(1, &va), *b = filled(1, &va);

	aspace_load(a);
	aspace_load(b);
	u64 stamp = slot_stamp(a);

	aspace_load(a);
	CHECK_EQ(slot_stamp(a), stamp);
	aspace_load(b);
	tlb_flush_context(&a->ctx);
	aspace_load(a);
	CHECK(slot_stamp(a) != stamp);
	aspace_destroy(a);
	aspace_destroy(b);
}

TEST(flush_of_cpus_is_one_broadcast_and_one_completion)
{
	vaddr_t va;
	struct aspace *as = filled(2, &va);
	struct cpumask cpus = {0};

	CHECK(set("transport", "bcast"));
	struct mm_counters before = *counters(0);
	u64 clock = evidence_clock, lost = 0;

	tlb_expire_lazy(&as->ctx, &cpus);
	tlb_flush_cpus(&cpus);
	CHECK_EQ(counters(0)->bcast_ops, before.bcast_ops + 1);
	CHECK_EQ(counters(0)->bcast_syncs, before.bcast_syncs + 1);
	CHECK_EQ(counters(0)->ipis_sent, before.ipis_sent);
	CHECK(evidence_bcast_by(0, as->ctx.asid_token & 0xffff, clock, &lost));
	aspace_destroy(as);
}

/* A broadcast of everything, after which the generation goes on for more than half its range. */
TEST(broadcast_of_long_ago_covers_no_new_debt)
{
	vaddr_t va;
	struct aspace *as = filled(2, &va);

	CHECK(set("transport", "bcast"));
	for (unsigned apart = 0; apart < 1U << GENERATION_BITS; apart += 15) {
		struct cpumask cpus = {0};

		tlb_flush_context(&as->ctx);
		CHECK(generation_is(as->ctx.bcast_gen, as->ctx.gen));
		for (unsigned i = 0; i < apart; i++)
			tlb_expire_lazy(&as->ctx, &cpus);
		cpumask_clear(&cpus);
		tlb_owe(&as->ctx);
		CHECK_EQ(tlb_owing_cpus(&as->ctx, as->ctx.owed, true, &cpus), 0);
		CHECK(cpumask_test(&cpus, 0));
	}
	aspace_destroy(as);
}
