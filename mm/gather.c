/*
 * What was taken down, gathered until it is flushed; and the shortest shootdown,
 * which needs neither an interrupt nor a broadcast.
 */
#include <mm/tlb_cpu.h>
#include <mm/asid.h>
#include <mm/stats.h>
#include <kernel/panic.h>
#include <kernel/spinlock.h>

struct tlb_context tlb_kernel_context;
bool tlb_issues_late;
/* Masks are one word and the oracle is on, as nearly always: the fast path then has one test less. */
static bool fast_path_plain;

/* ---- flushing what was gathered ------------------------------------------ */

/* False, for the fast path: the flush is still to be done, under the generation that part.gen holds. */
static bool is_begun(struct tlb_part *part)
{
	part->begun = true;
	return false;
}

/*
 * The fast path: one page of a context that is loaded on this CPU and on no
 * other. The same steps in the same order as tlb_flush_by_ipi(), with nobody to
 * ask. False: it was too long.
 */
static __always_inline bool flush_fast_path(struct tlb_part *part)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	struct tlb_slot *slot = &me->slots[me->slot];
	struct tlb_context *ctx = part->ctx;
	u64 gen = atomic_fetch_add(&ctx->gen, 1) + 1;

	part->gen = gen;
	if (unlikely(load_relaxed(&ctx->mask.bits[0]) != 1UL << cpu_id() % 64))
		return is_begun(part);
	if (likely(fast_path_plain))
		evidence_step();
	else if (cpu_words > 1)
		return is_begun(part);
	irqflags_t flags = irq_save();
	bool in_step = me->loaded == ctx && generation_is(slot->gen + 1, gen);

	if (likely(in_step)) {
		tlb_flush_local_page(part->start, asid_of(ctx, me->slot), part->level);
		store_release(&slot->gen, gen); /* as serve_part() */
		count(flush_local_page);
	}
	irq_restore(flags);
	return likely(in_step) || is_begun(part);
}

/* Late broadcast: all was issued as entries were taken down, and has only to be waited for. */
static __always_inline bool complete_fast_path(const struct tlb_part *part)
{
	if (!tlb_has_bcast() || part->issued != part->pages)
		return false;
	tlb_bcast_sync();
	count(bcast_syncs);
	return true;
}

/* Nothing is gathered of this context any more. */
static inline void gather_reset(struct tlb_part *part)
{
	part->start = ~0UL;
	part->end = 0;
	part->pages = part->issued = 0;
	part->begun = part->full = false;
}

/* All but the fast paths. */
static __noinline void flush_gathered(struct tlb_gather *g)
{
	if (unlikely(g->by_scanner))
		count(shootdowns_scanner);
	else
		count(shootdowns);
	if (knobs.transport == TRANSPORT_IPI)
		tlb_flush_by_ipi(g);
	else
		tlb_flush_by_bcast(g);
	g->count = 1;
	gather_reset(&g->part[0]);
}

void tlb_gather_flush(struct tlb_gather *g)
{
	struct tlb_part *part = &g->part[0];

	if (!part->pages)
		return; /* then there is no second context either */
	for (unsigned i = 0; GENERATIONS_NARROW && i < g->count; i++)
		tlb_keep_near(g->part[i].ctx);
	if (likely(g->count == 1 && !g->by_scanner && !part->full) &&
	    (knobs.transport == TRANSPORT_IPI ? part->pages == 1 && flush_fast_path(part)
					      : complete_fast_path(part))) {
		count(shootdowns);
		gather_reset(part);
		return;
	}
	flush_gathered(g);
}

/* ---- gathering ----------------------------------------------------------- */

/* The part of this context, or a new one. */
static struct tlb_part *part_of(struct tlb_gather *g, struct tlb_context *ctx, unsigned level)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->part[i].ctx == ctx) {
			g->part[i].level = (u8)MIN(g->part[i].level, level);
			return &g->part[i];
		}
	/* Not flushed here: the caller may hold a PTL, with which nobody waits. */
	ASSERT(g->count < TLB_GATHER_CONTEXTS);
	if (g->count == 1 && !g->part[0].pages)
		g->count = 0; /* nothing came of the context that was expected */
	struct tlb_part *part = &g->part[g->count++];

	g->fast_ctx = NULL;
	*part = (struct tlb_part){.ctx = ctx, .start = ~0UL, .level = (u8)level};
	return part;
}

/* Make the part contain [start, end). */
static void widen(struct tlb_part *part, vaddr_t start, vaddr_t end, unsigned level)
{
	part->start = MIN(part->start, start);
	part->end = MAX(part->end, end);
	part->pages += (u32)((end - start) >> PT_LEVEL_SHIFT(level));
}

void tlb_gather_add_slow(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t va, unsigned level)
{
	struct tlb_part *part = part_of(g, ctx, level);

	widen(part, va, va + PT_LEVEL_SIZE(level), level);
	if (unlikely(tlb_issues_late) && !ctx->stage2)
		tlb_issue_now(part, va, level);
}

void tlb_gather_add_range(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t start, vaddr_t end,
			  unsigned level)
{
	widen(part_of(g, ctx, level), start, end, level);
}

bool tlb_gather_is_ours(const struct tlb_gather *g)
{
	unsigned self = cpu_id();
	u64 others = 0;

	if (!g->part[0].pages)
		return false; /* there need be no context yet */
	/* Relaxed: a CPU that loads one now is seen by the flush, which looks again. */
	for (unsigned i = 0; i < g->count; i++)
		for (unsigned w = 0; w < cpu_words; w++) {
			u64 bits = load_relaxed(&g->part[i].ctx->mask.bits[w]);

			others |= w == self / 64 ? bits & ~(1UL << self % 64) : bits;
		}
	return !others;
}

void tlb_gather_widen(struct tlb_gather *g)
{
	for (unsigned i = 0; i < g->count; i++)
		g->part[i].full = g->part[i].pages;
}

void tlb_flush_context(struct tlb_context *ctx)
{
	struct tlb_gather g;

	tlb_gather_init(&g, ctx, 0);
	g.part[0].full = true;
	g.part[0].pages = 1;
	tlb_gather_flush(&g);
}

void tlb_expire_lazy(struct tlb_context *ctx, struct cpumask *cpus)
{
	ASSERT(ctx != &tlb_kernel_context);
	tlb_keep_near(ctx);
	/* Full barrier: entry changes before the mask is read, see the top of tlb_ipi.c. */
	atomic_fetch_add(&ctx->gen, 1);
	cpumask_add(cpus, &ctx->mask);
}

/* ---- flushes that are owed ----------------------------------------------- */

void tlb_owe(struct tlb_context *ctx)
{
	ASSERT(ctx != &tlb_kernel_context && !ctx->stage2);
	/* Full barrier: the entry before the generation, and before the mask is read: see the top of tlb_ipi.c. */
	u64 near = GENERATIONS_NARROW ? load_relaxed(&ctx->near) : 0; /* as in tlb_keep_near() */
	u64 gen = atomic_fetch_add(&ctx->gen, 1) + 1;

	ASSERT(!GENERATIONS_NARROW || !generation_before(gen, near));
	generation_raise(&ctx->owed, gen); /* who pays has taken a lock since */
}

/*
 * Has this CPU flushed everything of ctx since its generation was gen? A generation
 * that tlb_owe() has made belongs to no request. So nobody gets there by flushing the
 * pages of requests one by one.
 */
static bool has_flushed(unsigned cpu, const struct tlb_context *ctx, u64 gen)
{
	const struct tlb_cpu *it = cpu_ptr(cpu, tlb_cpu);

	/*
	 * Acquire: the generation after its context; pairs with load_context(). Relaxed: each flush comes before its
	 * generation. What depends on it is stores, which wait for the branch, and the oracle's questions, which it
	 * asks again behind a full barrier before it complains.
	 */
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (load_acquire(&it->slots[i].ctx) == ctx &&
		    !generation_before(load_relaxed(&it->slots[i].gen), gen))
			return true;
	return false;
}

/*
 * Only the mask tells who may have it loaded; a slot that says "not this context" may
 * be about to say so. Who is not in the mask flushes before he loads it: load_context()
 * sets the bit, then reads the generation.
 */
unsigned tlb_owing_cpus(struct tlb_context *ctx, u64 gen, bool skip, struct cpumask *cpus)
{
	/* Relaxed: as in has_flushed(). Written by note_completed(). */
	bool all = skip && !generation_before(load_relaxed(&ctx->bcast_gen), gen);
	struct cpumask loaded;
	unsigned skipped = 0;

	cpumask_clear(&loaded);
	cpumask_add(&loaded, &ctx->mask);
	cpumask_for_each (cpu, &loaded) {
		if (all || (skip && has_flushed(cpu, ctx, gen)))
			skipped++;
		else
			cpumask_set(cpus, cpu);
	}
	return skipped;
}

void tlb_flush_owed(struct tlb_context *ctx, const struct cpumask *cpus)
{
	struct tlb_gather g;

	ASSERT_MAY_WAIT();
	if (knobs.transport != TRANSPORT_IPI) {
		tlb_flush_context(ctx);
		return;
	}
	count(shootdowns);
	tlb_gather_init(&g, ctx, 0);
	g.part[0].full = true;
	g.part[0].gen = load_relaxed(&ctx->owed);
	tlb_flush_cpus_by_ipi(cpus, &g);
}

/* Broadcasts reach every CPU, so `cpus` matters only to interrupts. */
void tlb_flush_cpus(const struct cpumask *cpus)
{
	ASSERT_MAY_WAIT();
	count(shootdowns);
	count(shootdowns_nonglobal);
	if (knobs.transport == TRANSPORT_IPI)
		tlb_flush_cpus_by_ipi(cpus, NULL);
	else
		tlb_flush_all_by_bcast();
	if (knobs.transport != TRANSPORT_IPI && load_relaxed(&tlb_stage2_count))
		tlb_flush_cpus_by_ipi(cpus, NULL); /* no broadcast reaches a second stage */
}

void tlb_flush_kernel(vaddr_t start, vaddr_t end)
{
	struct tlb_gather g;

	ASSERT(start < end && !((start | end) & (PAGE_SIZE - 1)));
	tlb_gather_init(&g, &tlb_kernel_context, 0);
	tlb_gather_add_range(&g, &tlb_kernel_context, start, end, 0);
	tlb_gather_flush(&g);
}

void tlb_flush_local(struct tlb_context *ctx, vaddr_t va, unsigned level)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	irqflags_t flags = irq_save();

	if (me->loaded == ctx) {
		tlb_flush_local_page(ALIGN_DOWN(va, PT_LEVEL_SIZE(level)), asid_of(ctx, me->slot),
				     level);
		evidence_page_alone();
		count(flush_local_page);
	}
	irq_restore(flags);
}

void tlb_init(void)
{
	context_init(&tlb_kernel_context);
	fast_path_plain = cpu_words == 1 && (!ORACLE_BUILT || evidence_on());
	ipi_tlb_handler = tlb_serve;
}
