/* The shootdown core without concurrency: who is asked, what is flushed, and what is remembered. */
#include "host_mm.h"

#include <fake/machine.h>
#include <kernel/clock.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>

#define RW (PROT_READ | PROT_WRITE)

static void load(void *as)
{
	aspace_load(as);
}

static struct mm_counters *counters(unsigned cpu)
{
	return cpu_ptr(cpu, mm_counters);
}

static struct aspace *loaded_everywhere(vaddr_t *va)
{
	struct aspace *as = host_space(8, RW, false, 0, va);

	for (u64 i = 0; as && i < 8; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = i;
	fake_on_cpu(1, load, as);
	return as;
}

TEST(shootdown_flushes_page_by_page_while_in_step)
{
	vaddr_t va;
	struct aspace *as = loaded_everywhere(&va);
	struct mm_counters before = *counters(1), own = *counters(0);

	for (u64 i = 0; i < 3; i++)
		CHECK_EQ(aspace_protect(as, va + i * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(counters(1)->ipis_received, before.ipis_received + 3);
	CHECK_EQ(counters(1)->flush_remote_page, before.flush_remote_page + 3);
	CHECK_EQ(counters(1)->flush_remote_full, before.flush_remote_full);
	CHECK_EQ(counters(0)->flush_local_page, own.flush_local_page + 3);
	CHECK_EQ(counters(0)->flush_local_full, own.flush_local_full);
	aspace_destroy(as);
}

TEST(shootdown_of_nobody_else_stays_in_step)
{
	vaddr_t va;
	struct aspace *as = host_space(8, RW, false, 0, &va);

	for (u64 i = 0; as && i < 8; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	struct mm_counters own = *counters(0);

	for (u64 i = 0; i < 3; i++)
		CHECK_EQ(aspace_protect(as, va + i * PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(counters(0)->ipis_sent, own.ipis_sent);
	CHECK_EQ(counters(0)->flush_local_page, own.flush_local_page + 3);
	CHECK_EQ(counters(0)->flush_local_full, own.flush_local_full);
	aspace_destroy(as);
}

TEST(shootdown_asks_a_lazy_cpu_once)
{
	vaddr_t va;
	struct aspace *as = loaded_everywhere(&va);
	u64 before = counters(1)->ipis_received;

	fake_on_cpu(1, load, NULL);
	CHECK(cpumask_test(&as->ctx.mask, 1));
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
	CHECK(!cpumask_test(&as->ctx.mask, 1));
	CHECK_EQ(aspace_protect(as, va + PAGE_SIZE, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(counters(1)->ipis_received, before + 1);
	aspace_destroy(as);
}

TEST(shootdown_leaves_out_who_switched_away)
{
	vaddr_t va, other_va;
	struct aspace *as = loaded_everywhere(&va);
	struct aspace *other = host_space(1, RW, false, 0, &other_va);
	u64 before;

	aspace_load(as);
	fake_on_cpu(1, load, other);
	CHECK(!cpumask_test(&as->ctx.mask, 1));
	CHECK(cpumask_test(&other->ctx.mask, 1));
	before = counters(1)->ipis_received;
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(counters(1)->ipis_received, before);
	aspace_destroy(other);
	aspace_destroy(as);
}

TEST(context_is_forgotten_by_every_cpu)
{
	static struct tlb_context ctx;

	host_mm();
	struct page *root = pmm_alloc(0, 0, PMM_ZERO);

	tlb_context_init(&ctx, page_to_phys(root));
	fake_on_cpu(1, (void (*)(void *))tlb_switch, &ctx);
	CHECK(cpumask_test(&ctx.mask, 1));
	CHECK(tlb_context_by_id(ctx.id) == &ctx);
	tlb_context_destroy(&ctx);
	CHECK(cpumask_empty(&ctx.mask));
	CHECK(!tlb_context_by_id(ctx.id));
	pmm_free(root);
}

/* As an interrupt does. */
static void serve(void *arg __unused)
{
	irqflags_t flags = irq_save();

	tlb_serve();
	irq_restore(flags);
}

static u64 sum_of_acks(unsigned cpu, unsigned bucket)
{
	u64 sum = 0;

	for (unsigned distance = 0; distance < ACK_DISTANCES; distance++)
		sum += counters(cpu)->ack[distance][bucket];
	return sum;
}

static unsigned log_end(unsigned cpu)
{
	return cpu_ptr(cpu, tlb_evidence)->log.at;
}

TEST(kernel_mappings_are_flushed_everywhere)
{
	vaddr_t va = KERNEL_BASE + 5 * PAGE_SIZE;
	u64 end[2], all[2];

	host_mm();
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		end[cpu] = log_end(cpu);
		all[cpu] = cpu_ptr(cpu, tlb_evidence)->kernel_flushed;
	}
	tlb_flush_kernel(va, va + PAGE_SIZE);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		CHECK(log_end(cpu) != end[cpu]);
		CHECK_EQ(cpu_ptr(cpu, tlb_evidence)->kernel_flushed, all[cpu]);
	}
	tlb_flush_kernel(KERNEL_BASE, KERNEL_BASE + HUGE_SIZE);
	for (unsigned cpu = 0; cpu < 2; cpu++)
		CHECK(cpu_ptr(cpu, tlb_evidence)->kernel_flushed > all[cpu]);
}

static u64 flushed_at(unsigned cpu, const struct aspace *as)
{
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (cpu_ptr(cpu, tlb_cpu)->slots[i].ctx == &as->ctx)
			return cpu_ptr(cpu, tlb_evidence)->slot[i].flushed;
	return 0;
}

TEST(cpus_flush_all_contexts_in_one_shootdown)
{
	vaddr_t va, other_va;
	struct aspace *as = loaded_everywhere(&va);
	struct aspace *other = host_space(1, RW, false, 0, &other_va);
	struct mm_counters theirs = *counters(1), mine = *counters(0);
	struct cpumask cpus = {0};
	u64 clock, first, second;

	aspace_load(as);
	fake_on_cpu(1, load, other);
	tlb_expire_lazy(&as->ctx, &cpus); /* CPU 1 has it in a slot that is not loaded */
	tlb_expire_lazy(&other->ctx, &cpus);
	CHECK(cpumask_test(&cpus, 0) && cpumask_test(&cpus, 1));
	clock = evidence_clock;
	tlb_flush_cpus(&cpus);
	CHECK_EQ(counters(0)->shootdowns, mine.shootdowns + 1);
	CHECK_EQ(counters(0)->shootdowns_nonglobal, mine.shootdowns_nonglobal + 1);
	CHECK_EQ(counters(0)->flush_local_full, mine.flush_local_full + 1);
	CHECK_EQ(counters(0)->ipis_sent, mine.ipis_sent + 1); /* none to itself */
	CHECK_EQ(counters(1)->ipis_received, theirs.ipis_received + 1);
	CHECK_EQ(counters(1)->flush_remote_full, theirs.flush_remote_full + 1);
	CHECK(flushed_at(0, as) > clock);
	first = flushed_at(1, as);
	second = flushed_at(1, other);
	CHECK(first > clock && second > clock);
	/* Both are up to date: neither load flushes again. */
	fake_on_cpu(1, load, as);
	fake_on_cpu(1, load, other);
	CHECK_EQ(flushed_at(1, as), first);
	CHECK_EQ(flushed_at(1, other), second);
	aspace_destroy(other);
	aspace_destroy(as);
}

TEST(cpus_that_hold_nothing_loaded_flush_when_they_load)
{
	vaddr_t va, other_va;
	struct aspace *as = loaded_everywhere(&va);
	struct aspace *other = host_space(1, RW, false, 0, &other_va);
	struct cpumask cpus = {0};
	u64 clock;

	fake_on_cpu(1, load, other);
	tlb_expire_lazy(&as->ctx, &cpus);
	CHECK(cpumask_empty(&cpus)); /* it is in a slot of both, and loaded by none */
	clock = counters(1)->ipis_received;
	tlb_flush_cpus(&cpus);
	CHECK_EQ(counters(1)->ipis_received, clock);
	clock = evidence_clock;
	fake_on_cpu(1, load, as);
	CHECK(flushed_at(1, as) > clock);
	aspace_destroy(other);
	aspace_destroy(as);
}

TEST(flush_of_cpus_lets_a_lazy_one_leave)
{
	vaddr_t va;
	struct aspace *as = loaded_everywhere(&va);
	struct cpumask cpus = {0};

	fake_on_cpu(1, load, NULL);
	tlb_expire_lazy(&as->ctx, &cpus);
	tlb_flush_cpus(&cpus);
	CHECK(!cpumask_test(&as->ctx.mask, 1));
	CHECK(!cpu_ptr(1, tlb_cpu)->loaded);
	aspace_destroy(as);
}

/* A request that was sent at a time that this CPU's clock has not reached yet. */
TEST(acknowledgement_by_a_lagging_clock_took_no_time)
{
	struct tlb_cpu *from;
	u64 shortest, longest;

	host_mm();
	from = cpu_ptr(0, tlb_cpu);
	shortest = sum_of_acks(1, 0);
	longest = sum_of_acks(1, ACK_BUCKETS - 1);
	from->request.count = 0;
	from->request.by_scanner = false;
	from->request.sent_at = cycles_now() + (1UL << 40);
	cpumask_set(&from->unacked, 1);
	cpumask_set(&cpu_ptr(1, tlb_cpu)->pending, 0);
	fake_on_cpu(1, serve, NULL);
	CHECK(cpumask_empty(&from->unacked));
	CHECK_EQ(sum_of_acks(1, ACK_BUCKETS - 1), longest);
	CHECK_EQ(sum_of_acks(1, 0), shortest + 1);
}

TEST(gather_of_many_pages_becomes_one_flush_of_everything)
{
	vaddr_t va;
	struct aspace *as = host_space(128, RW, false, 0, &va);
	u64 full = counters(0)->flush_local_full;

	for (u64 i = 0; i < 128; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	CHECK_EQ(aspace_protect(as, va, 128 * PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(counters(0)->flush_local_full, full + 1);
	aspace_destroy(as);
}
