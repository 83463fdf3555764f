/* The part of `tlb` that reaches other CPUs: calls and shootdowns, by their number and by their distance. */
#include <kernel/clock.h>
#include <kernel/printf.h>
#include "tlb.h"

/* 1, 2, 4, ... and all of them. */
static unsigned next_count(unsigned count, unsigned all)
{
	return count == all ? 0 : MIN(count * 2, all);
}

/* CPUs that have left the space are still asked once, to make them forget it: do that now. */
void tlb_bench_stop_spinners(struct tlb_state *s)
{
	if (!s->spinners)
		return;
	while (s->spinners)
		spinner_stop(&s->spinner[--s->spinners]);
	tlb_bench_flush_all(s);
}

static int add_spinner(struct tlb_state *s, unsigned cpu)
{
	int rc = spinner_start(&s->spinner[s->spinners], cpu, SPIN_LOAD, s->as, s->small,
			       TLB_FLUSHED);

	if (!rc)
		s->spinners++;
	return rc;
}

static void nothing(void *arg)
{
	(void)arg;
}

static int call_halted(struct bench *b, u64 count, u64 *value)
{
	struct cpumask mask;
	u64 start;

	tlb_bench_stop_spinners(b->state);
	cpumask_clear(&mask);
	for (unsigned i = 0; i < count; i++)
		cpumask_set(&mask, b->params.cpu[i]);
	start = cycles_now();
	for (unsigned i = 0; i < TLB_REPEATS; i++)
		smp_call(&mask, nothing, NULL);
	*value = tlb_bench_cost(cycles_now() - start, TLB_REPEATS);
	return 0;
}

static int shootdown_page(struct tlb_state *s, u64 *value)
{
	u64 total = 0;

	for (unsigned i = 0; i < TLB_REPEATS; i++)
		total += tlb_bench_flush_range(s, 1);
	*value = tlb_bench_cost(total, TLB_REPEATS);
	return 0;
}

static int shootdown_all(struct tlb_state *s, u64 *value)
{
	u64 total = 0;

	for (unsigned i = 0; i < TLB_REPEATS; i++)
		total += tlb_bench_flush_all(s);
	*value = tlb_bench_cost(total, TLB_REPEATS);
	return 0;
}

/* The first `count` CPUs of the list have the space loaded and use it. */
static int spin_on_count(struct bench *b, u64 count)
{
	struct tlb_state *s = b->state;
	int rc = 0;

	while (s->spinners < count && !rc)
		rc = add_spinner(s, b->params.cpu[s->spinners]);
	return rc;
}

static int shootdown_page_count(struct bench *b, u64 count, u64 *value)
{
	int rc = spin_on_count(b, count);

	return rc ? rc : shootdown_page(b->state, value);
}

static int shootdown_all_count(struct bench *b, u64 count, u64 *value)
{
	int rc = spin_on_count(b, count);

	return rc ? rc : shootdown_all(b->state, value);
}

/* Only this CPU has. */
static int spin_on_cpu(struct tlb_state *s, u64 cpu)
{
	if (s->spinners == 1 && s->spinner[0].cpu == cpu)
		return 0;
	tlb_bench_stop_spinners(s);
	return add_spinner(s, (unsigned)cpu);
}

static int shootdown_page_cpu(struct bench *b, u64 cpu, u64 *value)
{
	int rc = spin_on_cpu(b->state, cpu);

	return rc ? rc : shootdown_page(b->state, value);
}

static int shootdown_all_cpu(struct bench *b, u64 cpu, u64 *value)
{
	int rc = spin_on_cpu(b->state, cpu);

	return rc ? rc : shootdown_all(b->state, value);
}

/* First CPU of the list on this package, or off it; MAX_CPUS: none. */
static unsigned cpu_at(const struct bench *b, bool near)
{
	u32 package = this_cpu_ptr(cpu_self)->package;

	for (unsigned i = 0; i < b->params.cpu_count; i++)
		if ((cpu_ptr(b->params.cpu[i], cpu_self)->package == package) == near)
			return b->params.cpu[i];
	return MAX_CPUS;
}

static void declare_distance(struct bench *b, bool near)
{
	unsigned cpu = cpu_at(b, near);

	if (cpu == MAX_CPUS)
		return;
	tlb_bench_add(b, 2, shootdown_page_cpu, cpu,
		      near ? "shootdown_page_near" : "shootdown_page_far");
	tlb_bench_add(b, 2, shootdown_all_cpu, cpu,
		      near ? "shootdown_all_near" : "shootdown_all_far");
}

void tlb_bench_declare_others(struct bench *b)
{
	const struct bench_params *p = &b->params;

	for (unsigned n = 1; n && p->cpu_count; n = next_count(n, p->cpu_count)) {
		char name[32];

		ksnprintf(name, sizeof(name), "call_halted_%u_cpus", n);
		tlb_bench_add(b, 1 + n, call_halted, n, name);
		ksnprintf(name, sizeof(name), "shootdown_page_%u_cpus", n);
		tlb_bench_add(b, 1 + n, shootdown_page_count, n, name);
		ksnprintf(name, sizeof(name), "shootdown_all_%u_cpus", n);
		tlb_bench_add(b, 1 + n, shootdown_all_count, n, name);
	}
	declare_distance(b, true);
	declare_distance(b, false);
}
