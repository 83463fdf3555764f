/*
 * Shootdowns by broadcast instructions. Issue and completion happen on one CPU:
 * contexts do not move between CPUs while they gather.
 */
#include <mm/tlb_cpu.h>
#include <mm/asid.h>
#include <mm/stats.h>

/* Returns the number of instructions issued. If everything of the context goes, part.gen is the generation up to which. */
static unsigned issue_part(struct tlb_part *part)
{
	asid_t asid = part->ctx == &tlb_kernel_context ? ASID_KERNEL : asid_of(part->ctx, 0);
	u64 pages = (part->end - part->start) >> PAGE_SHIFT;
	bool whole = tlb_wants_full(part);

	if (whole) {
		/*
		 * Entries that were owed by this generation were taken down before it; pairs with tlb_owe(). The
		 * barrier keeps the broadcast behind it: else it might miss one that the generation stands for.
		 */
		part->gen = load_acquire(&part->ctx->gen);
		part->begun = true;
		tlb_bcast_prepare_reads();
		if (asid == ASID_KERNEL)
			tlb_bcast_issue_all();
		else
			tlb_bcast_issue_asid(asid);
		return 1;
	}
	tlb_bcast_prepare();
	if (!part->level && pages > 1)
		return tlb_bcast_issue_range(part->start, pages, asid);
	unsigned ops = 0;

	for (vaddr_t va = part->start; va < part->end; va += PT_LEVEL_SIZE(part->level), ops++)
		tlb_bcast_issue_page(va, asid, part->level);
	return ops;
}

/* Out of line: with late broadcasts there is mostly nothing left to issue. True: part.gen was set. */
static __noinline bool issue_and_count(struct tlb_part *part, bool by_scanner)
{
	unsigned ops = issue_part(part);

	if (by_scanner)
		count_add(flush_scanner, ops);
	else
		count_add(bcast_ops, ops);
	return part->begun;
}

/* No broadcast reaches a second stage: leave its parts to be asked for. False: there are none. */
static bool keep_stage2(struct tlb_gather *g)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < g->count; i++)
		if (g->part[i].ctx->stage2)
			g->part[kept++] = g->part[i];
	g->count = (u8)kept;
	return kept;
}

/* Everything of some contexts was dropped on every CPU, by a broadcast that began at these generations. */
static void note_completed(const struct tlb_gather *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		const struct tlb_part *part = &g->part[i];

		/* The wait for the broadcast was a full barrier: it comes before its generation, see has_flushed(). */
		if (part->begun)
			generation_raise(&part->ctx->bcast_gen, part->gen);
	}
}

/* Issue what is left, then wait once for all. */
static void issue_and_sync(struct tlb_gather *g)
{
	bool whole = false;

	for (unsigned i = 0; i < g->count; i++)
		if (!g->part[i].ctx->stage2 &&
		    (g->part[i].full || g->part[i].issued != g->part[i].pages))
			whole |= issue_and_count(&g->part[i], g->by_scanner);
	tlb_bcast_sync();
	if (unlikely(whole))
		note_completed(g);
	if (unlikely(g->by_scanner))
		count(bcast_scanner);
	else
		count(bcast_syncs);
}

void tlb_flush_by_bcast(struct tlb_gather *g)
{
	issue_and_sync(g);
	if (unlikely(load_relaxed(&tlb_stage2_count)) && keep_stage2(g))
		tlb_flush_by_ipi(g);
}

void tlb_flush_all_by_bcast(void)
{
	tlb_bcast_prepare();
	tlb_bcast_issue_all();
	count(bcast_ops);
	tlb_bcast_sync();
	count(bcast_syncs);
}

/*
 * Late broadcast issues as entries are taken down, so that the flush has only
 * to wait; past the ceiling it stops and flushes the context at the end.
 */
void tlb_issue_now(struct tlb_part *part, vaddr_t va, unsigned level)
{
	if (part->pages > knobs.range)
		return; /* tlb_flush_by_bcast() sees that not all was issued */
	tlb_bcast_prepare();
	tlb_bcast_issue_page(va, asid_of(part->ctx, 0), level);
	count(bcast_ops);
	part->issued++;
}
