/* Second stages without concurrency: a CPU has one entered beside the stage 1 that it has loaded. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/knob.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>

#define RW (PROT_READ | PROT_WRITE)
#define GPA 0x40000000UL

/* What a CPU was told to forget. */
static struct {
	unsigned ranges, all;
	struct tlb_context *ctx;
	u64 start, end;
} told[2];

static void flush_range(struct tlb_context *ctx, u64 start, u64 end, unsigned level)
{
	told[cpu_id()].ranges++;
	told[cpu_id()].ctx = ctx;
	told[cpu_id()].start = start;
	told[cpu_id()].end = end;
	CHECK_EQ(level, 0);
}

static void flush_all(struct tlb_context *ctx)
{
	told[cpu_id()].all++;
	told[cpu_id()].ctx = ctx;
}

static const struct tlb_stage2_ops ops = {.flush_range = flush_range, .flush_all = flush_all};

static void enter(void *ctx)
{
	irqflags_t flags = irq_save();

	tlb_enter_stage2(ctx);
	irq_restore(flags); /* the guest was stopped, and stays entered */
}

static void leave(void *arg __unused)
{
	irqflags_t flags = irq_save();

	tlb_leave_stage2();
	irq_restore(flags);
}

static struct tlb_context ctx, more[TLB_STAGE2_SLOTS];

static void begin(void)
{
	host_mm();
	memset(told, 0, sizeof(told));
	tlb_stage2_init(&ctx, PAGE_SIZE, &ops);
}

static void flush_page(u64 at)
{
	struct tlb_gather g;

	tlb_gather_init(&g, &ctx, 0);
	tlb_gather_add(&g, &ctx, at, 0);
	tlb_gather_flush(&g);
}

static bool set(const char *knob, const char *value)
{
	char err[160];

	return !knob_set(knob, value, "set", err, sizeof(err));
}

TEST(second_stage_is_flushed_where_it_is_entered)
{
	begin();
	u64 asked = cpu_ptr(1, mm_counters)->ipis_received;

	fake_on_cpu(1, enter, &ctx);
	CHECK_EQ(told[1].all, 1); /* it may hold anything that was there under the tag */
	CHECK(cpumask_test(&ctx.mask, 1) && !cpumask_test(&ctx.mask, 0));
	flush_page(GPA);
	CHECK_EQ(told[1].ranges, 1);
	CHECK_EQ(told[1].start, GPA);
	CHECK_EQ(told[1].end, GPA + PAGE_SIZE);
	flush_page(GPA + PAGE_SIZE);
	CHECK_EQ(told[1].ranges, 2); /* still in step */
	CHECK_EQ(told[1].all, 1);
	tlb_flush_context(&ctx);
	CHECK_EQ(told[1].all, 2);
	CHECK_EQ(told[0].ranges + told[0].all, 0);
	CHECK_EQ(cpu_ptr(1, mm_counters)->ipis_received, asked + 3);
	fake_on_cpu(1, leave, NULL);
	tlb_stage2_destroy(&ctx);
}

TEST(second_stage_that_was_left_is_flushed_when_it_is_entered)
{
	begin();
	fake_on_cpu(1, enter, &ctx);
	fake_on_cpu(1, leave, NULL);
	CHECK(cpumask_empty(&ctx.mask));
	fake_on_cpu(1, enter, &ctx);
	CHECK_EQ(told[1].all, 1); /* nothing was asked for meanwhile */
	fake_on_cpu(1, leave, NULL);
	flush_page(GPA);
	CHECK_EQ(told[1].ranges + told[1].all, 1);
	fake_on_cpu(1, enter, &ctx);
	CHECK_EQ(told[1].all, 2);
	flush_page(GPA);
	CHECK_EQ(told[1].ranges, 1); /* in step again */
	fake_on_cpu(1, leave, NULL);
	tlb_stage2_destroy(&ctx);
}

TEST(one_request_is_for_both_stages)
{
	vaddr_t va;
	struct aspace *as;
	struct tlb_gather g;

	begin();
	as = host_space(1, RW, false, 0, &va);
	fake_on_cpu(1, (void (*)(void *))aspace_load, as);
	fake_on_cpu(1, enter, &ctx);
	CHECK(cpu_ptr(1, tlb_cpu)->loaded == &as->ctx);
	CHECK(set("transport", "ipi"));
	struct mm_counters before = *cpu_ptr(1, mm_counters);

	tlb_gather_init(&g, &as->ctx, 0);
	tlb_gather_add(&g, &as->ctx, va, 0);
	tlb_gather_add(&g, &ctx, GPA, 0);
	tlb_gather_flush(&g);
	CHECK_EQ(told[1].ranges, 1);
	CHECK_EQ(cpu_ptr(1, mm_counters)->ipis_received, before.ipis_received + 1);
	CHECK_EQ(cpu_ptr(1, mm_counters)->flush_remote_page, before.flush_remote_page + 2);
	fake_on_cpu(1, leave, NULL);
	tlb_stage2_destroy(&ctx);
	aspace_destroy(as);
}

/* And by the CPU that has it entered itself, between two runs of the guest. */
TEST(second_stage_is_flushed_here)
{
	begin();
	enter(&ctx);
	flush_page(GPA);
	CHECK_EQ(told[0].ranges, 1);
	leave(NULL);
	tlb_stage2_destroy(&ctx);
}

TEST(more_second_stages_than_slots_flush_more)
{
	begin();
	enter(&ctx);
	leave(NULL);
	for (unsigned i = 0; i < TLB_STAGE2_SLOTS; i++) {
		tlb_stage2_init(&more[i], (2 + i) * PAGE_SIZE, &ops);
		enter(&more[i]);
		leave(NULL);
	}
	CHECK_EQ(told[0].all, 1 + TLB_STAGE2_SLOTS);
	enter(&more[TLB_STAGE2_SLOTS - 1]);
	leave(NULL);
	CHECK_EQ(told[0].all, 1 + TLB_STAGE2_SLOTS);
	enter(&ctx); /* somebody took its slot */
	leave(NULL);
	CHECK_EQ(told[0].all, 2 + TLB_STAGE2_SLOTS);
	for (unsigned i = 0; i < TLB_STAGE2_SLOTS; i++)
		tlb_stage2_destroy(&more[i]);
	tlb_stage2_destroy(&ctx);
}

TEST(second_stage_in_the_place_of_another_is_flushed)
{
	begin();
	enter(&ctx);
	leave(NULL);
	CHECK_EQ(tlb_stage2_count, 1);
	tlb_stage2_destroy(&ctx);
	CHECK_EQ(tlb_stage2_count, 0);
	tlb_stage2_init(&ctx, PAGE_SIZE, &ops);
	enter(&ctx);
	leave(NULL);
	CHECK_EQ(told[0].all, 2);
	tlb_stage2_destroy(&ctx);
}

TEST(flush_of_cpus_is_of_second_stages_too)
{
	struct cpumask cpus = {0};

	begin();
	tlb_stage2_init(&more[0], 2 * PAGE_SIZE, &ops);
	fake_on_cpu(1, enter, &more[0]);
	fake_on_cpu(1, leave, NULL);
	fake_on_cpu(1, enter, &ctx);
	CHECK_EQ(told[1].all, 2);
	tlb_expire_lazy(&ctx, &cpus);
	CHECK(cpumask_test(&cpus, 1) && !cpumask_test(&cpus, 0));
	tlb_flush_cpus(&cpus);
	CHECK_EQ(told[1].all, 3);
	CHECK(told[1].ctx == &ctx);
	fake_on_cpu(1, leave, NULL);
	fake_on_cpu(1, enter, &ctx);
	CHECK_EQ(told[1].all, 3); /* up to date */
	fake_on_cpu(1, leave, NULL);
	fake_on_cpu(1, enter, &more[0]);
	CHECK_EQ(told[1].all, 4); /* whether or not it has expired */
	fake_on_cpu(1, leave, NULL);
	tlb_stage2_destroy(&more[0]);
	tlb_stage2_destroy(&ctx);
}

/* The generation goes round, to what the slot has of a CPU that has left it, and of one that stays. */
TEST(second_stage_a_range_of_generations_behind_is_flushed)
{
	struct cpumask cpus;

	begin();
	fake_on_cpu(1, enter, &ctx);
	fake_on_cpu(1, leave, NULL);
	for (u64 i = 0; i < 1UL << GENERATION_BITS; i++)
		tlb_expire_lazy(&ctx, &cpus);
	CHECK_EQ(told[1].all, 1);
	fake_on_cpu(1, enter, &ctx);
	CHECK_EQ(told[1].all, 2);
	for (u64 i = 1; i < 1UL << GENERATION_BITS; i++)
		tlb_expire_lazy(&ctx, &cpus);
	unsigned ranges = told[1].ranges, all = told[1].all;

	flush_page(GPA);
	CHECK_EQ(told[1].ranges + told[1].all, ranges + all + 1);
	fake_on_cpu(1, leave, NULL);
	tlb_stage2_destroy(&ctx);
}

/* Asked while its interrupts were off: it answers before the guest runs. */
TEST(entering_serves_what_is_pending)
{
	struct tlb_cpu *from;

	begin();
	from = cpu_ptr(0, tlb_cpu);
	from->request.count = 1;
	from->request.by_scanner = false;
	from->request.part[0] = (struct tlb_part){
		.ctx = &tlb_kernel_context, .start = KERNEL_BASE, .end = KERNEL_BASE + PAGE_SIZE};
	cpumask_set(&from->unacked, 1);
	cpumask_set(&cpu_ptr(1, tlb_cpu)->pending, 0);
	fake_on_cpu(1, enter, &ctx);
	CHECK(cpumask_empty(&from->unacked));
	fake_on_cpu(1, leave, NULL);
	tlb_stage2_destroy(&ctx);
}

#ifdef HOST_ARM64
TEST(second_stage_is_asked_for_by_interrupt_under_broadcast)
{
	static const char *const transports[] = {"bcast", "bcast-late"};
	vaddr_t va;
	struct aspace *as;
	struct tlb_gather g;

	begin();
	as = host_space(1, RW, false, 0, &va);
	for (unsigned i = 0; i < ARRAY_SIZE(transports); i++) {
		CHECK(set("transport", transports[i]));
		fake_on_cpu(1, enter, &ctx);
		struct mm_counters before = *cpu_ptr(0, mm_counters);
		unsigned ranges = told[1].ranges;

		tlb_gather_init(&g, &as->ctx, 0);
		tlb_gather_add(&g, &ctx, GPA, 0);
		tlb_gather_add(&g, &as->ctx, va, 0);
		tlb_gather_flush(&g);
		CHECK_EQ(told[1].ranges, ranges + 1);
		CHECK_EQ(cpu_ptr(0, mm_counters)->ipis_sent, before.ipis_sent + 1);
		CHECK_EQ(cpu_ptr(0, mm_counters)->bcast_ops, before.bcast_ops + 1);
		CHECK_EQ(cpu_ptr(0, mm_counters)->bcast_syncs, before.bcast_syncs + 1);
		struct cpumask cpus = {0};
		unsigned all = told[1].all;

		tlb_expire_lazy(&ctx, &cpus);
		tlb_flush_cpus(&cpus);
		CHECK_EQ(told[1].all, all + 1);
		fake_on_cpu(1, leave, NULL);
	}
	tlb_stage2_destroy(&ctx);
	aspace_destroy(as);
}
#endif
