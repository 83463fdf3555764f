/* Measured parts: counters before and after, and paying what the deferral still owes. */
#include <kernel/clock.h>
#include <kernel/panic.h>
#include <mm/debt.h>
#include "part.h"
#include "pmu.h"
#include "sums.h"

static void ipi_counts_read(struct ipi_counts *sum)
{
	*sum = (struct ipi_counts){0};
	for_each_online_cpu (cpu) {
		const struct ipi_counts *c = cpu_ptr(cpu, ipi_counts);

		sum->sent_wake += load_relaxed(&c->sent_wake);
		sum->sent_call += load_relaxed(&c->sent_call);
		sum->timer += load_relaxed(&c->timer);
	}
}

static u64 flushes(const struct mm_counters *c)
{
	return c->flush_local_page + c->flush_local_full + c->flush_remote_page +
	       c->flush_remote_full + c->bcast_ops;
}

void part_begin(struct bench_part *part)
{
	pmu_part_begin(); /* first: it interrupts every CPU */
	ipi_counts_read(&part->ipis_before);
	debts_held_max_restart();
	part->began = cycles_now();
	part->held_before = debts_held_integral(part->began);
	mm_counters_read(&part->before);
	deferral_counters_read(part->deferral_before);
}

/* What the deferral in force counted since. */
static void add_deferral_counters(u64 *sum, const u64 *before)
{
	u64 now[DEFERRAL_COUNTERS_MAX];

	deferral_counters_read(now);
	for (unsigned i = 0; i < deferral->counter_count; i++)
		sum[i] += now[i] - before[i];
}

u64 part_end(struct bench_part *part, u64 cycles, struct bench_totals *t)
{
	u64 held = deferral->held(), start, took, end;

	mm_counters_read(&part->middle);
	start = cycles_now();
	deferral_settle();
	end = cycles_now();
	took = end - start;
	mm_counters_read(&part->after);
	add_deferral_counters(t->deferral, part->deferral_before);
	ipi_counts_read(&part->ipis_after);
	sums_add_difference(&t->mm, &part->after, &part->before);
	t->ipis_wake += part->ipis_after.sent_wake - part->ipis_before.sent_wake;
	t->ipis_call += part->ipis_after.sent_call - part->ipis_before.sent_call;
	t->timer_irqs += part->ipis_after.timer - part->ipis_before.timer;
	pmu_part_end(&t->pmu);
	ASSERT(!deferral->held()); /* settled: nothing outlives a part */
	t->cycles += cycles;
	t->settle_cycles += took;
	t->settle_ipis += part->after.ipis_sent - part->middle.ipis_sent;
	t->settle_flushes += flushes(&part->after) - flushes(&part->middle);
	t->debts_at_end = MAX(t->debts_at_end, held);
	t->held_pages_max = MAX(t->held_pages_max, debts_held_max());
	t->held_integral += debts_held_integral(end) - part->held_before;
	t->held_cycles += end - part->began;
	return took;
}

void totals_add(struct bench_totals *sum, const struct bench_totals *t)
{
	u64 debts = MAX(sum->debts_at_end, t->debts_at_end);
	u64 held = MAX(sum->held_pages_max, t->held_pages_max);

	sums_add(sum, t);
	sum->debts_at_end = debts;
	sum->held_pages_max = held;
}
