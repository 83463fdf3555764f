/* From the reports of workload threads to the totals of a variant. */
#include <kernel/printk.h>
#include "books.h"

void books_open(struct books *k, struct victims *victims)
{
	victims_turn(victims);
	for (unsigned i = 0; i < victims->count; i++)
		k->before[i] = victims->victim[i]->report;
}

static void note_first_stale(struct books *k, const struct victims *victims)
{
	for (unsigned i = 0; i < victims->count && !k->first.tag; i++) {
		const struct victim *v = victims->victim[i];

		if (v->report.stale) {
			k->first = v->first_stale;
			k->first_cpu = v->cpu;
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

void books_close(struct books *k, struct victims *victims, struct bench *b,
		 struct bench_round *round)
{
	struct bench_variant *v = &b->variant[round->variant];
	struct victim_report sum;

	victims_turn(victims);
	victims_sum(victims, &sum);
	round->wait = sum.longest_wait;
	note_first_stale(k, victims);
	for (unsigned i = 0; i < victims->count; i++) {
		const struct victim_report *now = &victims->victim[i]->report;

		if (!v->unsafe)
			b->stale_total += now->stale - k->before[i].stale;
		if (!round->warm_up)
			add_victim(v, i, &k->before[i], now);
	}
	if (round->warm_up)
		return;
	v->wait_count += sum.waits;
	v->longest_gap = MAX(v->longest_gap, sum.longest_gap);
	victims_add_latency(victims, v->latency);
}

void books_print_stale(const struct books *k)
{
	const struct stale_read *f = &k->first;

	if (f->tag)
		kprintf("# STALE page %lu on CPU %u: read %#lx and %#lx, page tag %#x, stamp "
			"published %u\n",
			f->page, k->first_cpu, f->word, f->mix, f->tag, f->published);
}
