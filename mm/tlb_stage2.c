/*
 * Second stages: translations of guests, which a CPU uses beside the stage 1 that
 * it has loaded.
 *
 * Entering is like a switch (mm/context.c): this CPU's bit in the mask (full
 * barrier), then the generation; see the top of tlb_ipi.c for the other side. The
 * mask holds the CPUs that have the second stage entered. One that left it may
 * keep its translations, tagged, and is not asked; its slot remembers up to which
 * generation they are good.
 */
#include <mm/tlb_cpu.h>
#include <kernel/panic.h>

u64 tlb_stage2_count; /* atomic; nothing is ordered by it */

/* Flush all of the second stage that is entered; it has reached this generation. */
static void flush_slot(struct tlb_cpu *me, unsigned slot, u64 gen)
{
	me->entered->stage2->flush_all(me->entered);
	me->stage2_slots[slot].gen = gen;
}

int stage2_serve(struct tlb_cpu *me, const struct tlb_part *part)
{
	struct tlb_context *ctx = part->ctx;
	/* Relaxed: the flush completes earlier loads first, as in serve_part(). */
	u64 gen = load_relaxed(&ctx->gen), mine = me->stage2_slots[me->entered_slot].gen;

	if (!generation_before(mine, gen))
		return SERVED_NOTHING;
	if (part->full || !generation_is(part->gen, mine + 1) || !generation_is(part->gen, gen)) {
		flush_slot(me, me->entered_slot, gen);
		return 0;
	}
	ctx->stage2->flush_range(ctx, part->start, part->end, part->level);
	me->stage2_slots[me->entered_slot].gen = gen;
	return (int)((part->end - part->start) >> PT_LEVEL_SHIFT(part->level));
}

void stage2_flush_all(struct tlb_cpu *me)
{
	for (unsigned i = 0; i < TLB_STAGE2_SLOTS; i++)
		if (me->stage2_slots[i].ctx != me->entered)
			me->stage2_slots[i].ctx = NULL; /* flushed when it is entered again */
	if (me->entered)
		flush_slot(me, me->entered_slot, load_relaxed(&me->entered->gen));
}

/* ---- entering and leaving -------------------------------------------------- */

/* The slot that this second stage has on this CPU, or the one that it gets, in turn. Interrupts off. */
static unsigned find_slot(struct tlb_cpu *me, const struct tlb_context *ctx, bool *found)
{
	for (unsigned i = 0; i < TLB_STAGE2_SLOTS; i++)
		if (me->stage2_slots[i].ctx == ctx) {
			*found = true;
			return i;
		}
	*found = false;
	me->next_stage2_slot = (me->next_stage2_slot + 1) % TLB_STAGE2_SLOTS;
	return me->next_stage2_slot;
}

void tlb_enter_stage2(struct tlb_context *ctx)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	unsigned cpu = cpu_id();
	bool found;

	ASSERT(ctx->stage2 && !me->entered && !irqs_enabled());
	/* Full barrier between our bit and the read of ctx.gen: pairs with the increment in tlb_flush_by_ipi(). */
	cpumask_set_atomic(&ctx->mask, cpu);
	/* Relaxed: a flush completes earlier loads first; without one, entering the guest orders its walks. */
	u64 gen = load_relaxed(&ctx->gen);

	me->entered = ctx;
	me->entered_slot = find_slot(me, ctx, &found);
	if (!found || !generation_is(me->stage2_slots[me->entered_slot].gen, gen))
		flush_slot(me, me->entered_slot, gen);
	me->stage2_slots[me->entered_slot].ctx = ctx;
	/* A request that is pending would end the guest's run at once. */
	if (!cpumask_empty(&me->pending))
		tlb_serve();
}

unsigned tlb_stage2_slot(void)
{
	return this_cpu_ptr(tlb_cpu)->entered_slot;
}

void tlb_leave_stage2(void)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	struct tlb_context *ctx = me->entered;
	unsigned cpu = cpu_id();

	ASSERT(ctx && !irqs_enabled());
	me->entered = NULL;
	/* Full barrier: what the guest did is done when nobody asks this CPU any more. */
	cpumask_unset_atomic(&ctx->mask, cpu);
}

/* ---- second stages --------------------------------------------------------- */

void tlb_stage2_init(struct tlb_context *ctx, paddr_t root, const struct tlb_stage2_ops *ops)
{
	ASSERT(ops->flush_range && ops->flush_all);
	tlb_context_init(ctx, root);
	ctx->stage2 = ops;
	atomic_fetch_add_relaxed(&tlb_stage2_count, 1);
}

void tlb_stage2_forget(const struct tlb_context *ctx)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);

	ASSERT(me->entered != ctx);
	for (unsigned i = 0; i < TLB_STAGE2_SLOTS; i++)
		if (me->stage2_slots[i].ctx == ctx)
			me->stage2_slots[i].ctx = NULL;
}

/* On each CPU, by remote call. */
static void forget_here(void *arg)
{
	tlb_stage2_forget(arg);
}

void tlb_stage2_destroy(struct tlb_context *ctx)
{
	ASSERT(ctx->stage2);
	smp_call(&cpu_online, forget_here, ctx);
	tlb_context_destroy(ctx);
	atomic_fetch_add_relaxed(&tlb_stage2_count, -1UL);
}
