/* The record and the table of `vm`. */
#include <kernel/fixed.h>
#include <kernel/printk.h>
#include <harness/sums.h>
#include <report/figures.h>
#include <report/table.h>
#include "vm.h"

static u64 exits(const struct mm_counters *c)
{
	return c->guest_exits_fault + c->guest_exits_shootdown + c->guest_exits_interrupt +
	       c->guest_exits_call;
}

static void put_dma(const struct vm_state *s, struct json *j, u64 value)
{
	if (s->dma.used)
		json_u64(j, value);
	else
		json_null(j);
}

void vm_record(struct bench *b, unsigned variant, struct json *j)
{
	const struct vm_state *s = b->state;
	const struct bench_variant *v = &b->variant[variant];
	const struct mm_counters *c = &v->totals.mm;

	json_key(j, "mmu"), json_string(j, s->hv ? "hardware" : "software");
	json_key(j, "guest_pages"), json_u64(j, s->pages);
	json_key(j, "pinned_pages"), json_u64(j, s->pinned_pages);
	json_key(j, "device"), json_string(j, s->dma.used ? "edu" : "none");
	json_key(j, "dma_transfers"), put_dma(s, j, s->sums[variant].dma.transfers);
	json_key(j, "dma_bytes"), put_dma(s, j, s->sums[variant].dma.bytes);
	json_key(j, "dma_errors"), put_dma(s, j, s->sums[variant].dma.wrong);
	json_key(j, "passes"), json_u64(j, s->sums[variant].passes);
	json_key(j, "guest_ops"), json_u64(j, v->felt.ops);
	json_key(j, "guest_exits"), json_object(j);
	json_key(j, "fault"), json_u64(j, c->guest_exits_fault);
	json_key(j, "shootdown"), json_u64(j, c->guest_exits_shootdown);
	json_key(j, "interrupt"), json_u64(j, c->guest_exits_interrupt);
	json_key(j, "call"), json_u64(j, c->guest_exits_call);
	json_object_end(j);
	json_key(j, "exits_per_mop");
	if (v->felt.ops)
		json_u64(j, mul_div_u64(exits(c), 1000000, v->felt.ops));
	else
		json_null(j);
}

static void print_row(const struct bench *b, unsigned i)
{
	const struct vm_state *s = b->state;
	const struct bench_variant *v = &b->variant[i];
	const struct mm_counters *c = &v->totals.mm;

	kprintf("%-*s %6lu %10lu %9lu %8lu %8lu %8lu %8lu %8lu %8lu %8lu %8lu\n",
		table_label_width(b), v->label, s->sums[i].passes, v->felt.ops,
		mul_div_u64(exits(c), 1000000, v->felt.ops ? v->felt.ops : 1),
		c->secondary_invalidations, c->secondary_useless, c->secondary_refills,
		c->secondary_flushes, c->secondary_retried, c->hint_entries, c->hint_spared,
		c->hint_moved);
}

/* What skip-cow takes for pinned, and what it misses. */
static void print_spared(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct mm_counters *c = &b->variant[i].totals.mm;

		if (c->hint_spared_unpinned || c->hint_marked_pinned)
			kprintf("%s: %lu of those spared were not pinned, %lu pinned ones were not "
				"spared\n",
				b->variant[i].label, c->hint_spared_unpinned,
				c->hint_marked_pinned);
	}
}

/* 2 MiB entries of the guest, as they go and come: broken up only with the host's pages. */
static void print_large(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct mm_counters *c = &b->variant[i].totals.mm;

		if (!b->variant[i].skipped[0])
			kprintf("%s: %lu refills were of 2 MiB, %lu of them rebuilt, %lu were "
				"broken up, "
				"%lu pages of the host were split\n",
				b->variant[i].label, c->secondary_refills_2m,
				c->secondary_rebuilt_2m, c->secondary_broken_2m, c->pages_split);
	}
}

static void print_dma(const struct bench *b)
{
	const struct vm_state *s = b->state;
	struct dma_counts sum = {0};

	for (unsigned i = 0; i < b->variant_count; i++)
		sums_add(&sum, &s->sums[i].dma);
	if (s->dma.used)
		kprintf("device: edu, %lu transfers into and out of pinned pages, %lu bytes, %lu "
			"of them wrong\n",
			sum.transfers, sum.bytes, sum.wrong);
	else if (s->pinned)
		kprintf("no device: pinned pages are only pinned\n");
}

void vm_table(struct bench *b)
{
	const struct bench_params *p = &b->params;
	const struct vm_state *s = b->state;
	static const struct table_column columns[] = {
		{"passes", "number", 6},  {"guest", "operations", 10}, {"exits", "per Mop", 9},
		{"zapped", "entries", 8}, {"useless", "zaps", 8},      {"refills", "number", 8},
		{"flushes", "number", 8}, {"retried", "refills", 8},   {"hints", "made", 8},
		{"spared", "entries", 8}, {"moved", "pages", 8},
	};

	kprintf("%lu pages%s, %lu pinned%s, %s mapping, %lu virtual CPUs; %s%s%s\n\n", s->pages,
		p->thp ? " in 2 MiB pages" : "", s->pinned_pages,
		vm_options.spread ? " among the others" : "",
		p->mapping == MAPPING_SHARED ? "shared" : "private", p->threads,
		s->hv ? s->hv->name : "the software MMU", s->hv ? "" : ": ", s->hv ? "" : s->why);
	table_heading(b, "guest", columns, ARRAY_SIZE(columns));
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			print_row(b, i);
	kprintf("zapped: of the guest's MMU; useless: refilled with the same frame; flushes: of "
		"that "
		"MMU, on any CPU;\nhints: entries that the scan took; spared: that it left alone; "
		"moved: to the node of the virtual CPU\n");
	print_spared(b);
	if (p->thp)
		print_large(b);
	print_dma(b);
	account_print_stale(&s->account);
}
