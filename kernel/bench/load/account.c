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

static void add_victim(struct bench_felt *felt, unsigned i, const struct victim_report *old,
		       const struct victim_report *now)
{
	felt->in_window[i] += now->in_window - old->in_window;
	felt->reads_in_window += now->in_window - old->in_window;
	felt->ops += now->ops - old->ops;
	felt->reads_verified += now->verified - old->verified;
	felt->stale_reads += now->stale - old->stale;
}

void account_end(struct victim_account *a, struct victims *victims, struct bench *b,
		 struct bench_round *round)
{
	struct victim_report sum;

	victims_end_period(victims);
	victims_sum(victims, &sum);
	round->wait = sum.longest_wait;
	note_first_stale(a, victims);
	for (unsigned i = 0; i < victims->count; i++) {
		const struct victim_report *now = &victims->victim[i]->report;

		if (!b->variant[round->variant].unsafe)
			b->stale_total += now->stale - a->before[i].stale;
		add_victim(&round->felt, i, &a->before[i], now);
	}
	round->felt.wait_count = sum.waits;
	round->felt.longest_gap = sum.longest_gap;
	victims_add_latency(victims, round->felt.latency);
}

void account_print_stale(const struct victim_account *a)
{
	const struct stale_read *f = &a->first;

	if (f->tag)
		kprintf("# STALE page %lu on CPU %u: read %#lx and %#lx, page tag %#x, stamp "
			"published %u\n",
			f->page, a->first_cpu, f->word, f->mix, f->tag, f->published);
}
