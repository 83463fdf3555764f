/* From the reports of workload threads to the totals of a variant. */
#include <kernel/printk.h>
#include "account.h"

void account_begin(struct victim_account *a, struct victims *victims)
{
	victims_end_period(victims);
	for (unsigned i = 0; i < victims->count; i++)
		a->before[i] = victims->victim[i]->report;
}

static void note_first_stale(struct victim_account *a, const struct victims *victims)
{
	for (unsigned i = 0; i < victims->count && !a->first.tag; i++) {
		const struct victim *v = victims->victim[i];

		if (v->report.stale) {
			a->first = v->first_stale;
			a->first_cpu = v->cpu;
		}
	}
}

static void add_victim(struct bench_variant *v, unsigned i, const struct victim_report *old,
		       const struct victim_report *now)
{
	v->in_window[i] += now->in_window - old->in_window;
	v->reads_in_window += now->in_window - old->in_window;
	v->ops += now->ops - old->ops;
	v->reads_verified += now->verified - old->verified;
	v->stale_reads += now->stale - old->stale;
}

void account_end(struct victim_account *a, struct victims *victims, struct bench *b,
		 struct bench_round *round)
{
	struct bench_variant *v = &b->variant[round->variant];
	struct victim_report sum;

	victims_end_period(victims);
	victims_sum(victims, &sum);
	round->wait = sum.longest_wait;
	note_first_stale(a, victims);
	for (unsigned i = 0; i < victims->count; i++) {
		const struct victim_report *now = &victims->victim[i]->report;

		if (!v->unsafe)
			b->stale_total += now->stale - a->before[i].stale;
		if (!round->warm_up)
			add_victim(v, i, &a->before[i], now);
	}
	if (round->warm_up)
		return;
	v->wait_count += sum.waits;
	v->longest_gap = MAX(v->longest_gap, sum.longest_gap);
	victims_add_latency(victims, v->latency);
}

void account_print_stale(const struct victim_account *a)
{
	const struct stale_read *f = &a->first;

	if (f->tag)
		kprintf("# STALE page %lu on CPU %u: read %#lx and %#lx, page tag %#x, stamp "
			"published %u\n",
			f->page, a->first_cpu, f->word, f->mix, f->tag, f->published);
}
