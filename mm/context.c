/*
 * Which context a CPU has loaded, and under which tag.
 *
 * A switch sets this CPU's bit in the mask (full barrier), then reads the
 * generation; see the top of tlb_ipi.c for the other side. What a slot remembers
 * decides whether its entries may be kept.
 */
#include <mm/tlb_cpu.h>
#include <mm/asid.h>
#include <mm/oracle.h>
#include <mm/pay.h>
#include <kernel/panic.h>

void context_leave(struct tlb_cpu *me)
{
	ASSERT(!irqs_enabled());
	mmu_switch(mmu_empty_root(), asid_none(), false);
	store_relaxed(&me->slots[me->slot].ctx, NULL);
	if (!asid_is_global()) /* the empty root took that tag */
		store_relaxed(&me->slots[asid_none()].ctx, NULL);
	me->loaded = NULL;
}

/* ---- loading contexts ---------------------------------------------------- */

/* The slot that this context has on this CPU, or the one that it gets, in turn. Interrupts off. */
static unsigned find_slot(struct tlb_cpu *me, const struct tlb_context *ctx, bool *found)
{
	unsigned slots = MIN(asid_count(), (unsigned)EVIDENCE_SLOTS);

	for (unsigned i = 0; i < slots; i++)
		if (me->slots[i].ctx == ctx) {
			*found = true;
			return i;
		}
	*found = false;
	me->next_slot = (me->next_slot + 1) % slots;
	return me->next_slot;
}

/* Interrupts off. */
static void load_context(struct tlb_cpu *me, struct tlb_context *ctx)
{
	struct tlb_context *old = me->loaded;
	bool found, rolled_over;

	/* Full barrier between our bit and the read of ctx.gen: pairs with the increment in flush_by_ipi(). */
	cpumask_set_atomic(&ctx->mask, cpu_id());
	/* Before ctx.gen is read: waiting for its lock, this CPU may answer a request for ctx by doing nothing. */
	u64 token = asid_begin(ctx, &rolled_over);
	/* Relaxed: mmu_switch() is a full barrier between it and any walk. */
	u64 gen = load_relaxed(&ctx->gen);
	unsigned slot = find_slot(me, ctx, &found);

	if (rolled_over)
		tlb_flush_rolled_over();
	bool keep = found && asid_count() > 1 && generation_is(me->slots[slot].gen, gen) &&
		    me->slots[slot].token == token;

	mmu_switch(ctx->root, asid_of(ctx, slot), keep);
	/* Not before: the old root is walked under the old ASID until here. */
	asid_end();
	if (keep)
		oracle_check_keep(ctx, asid_of(ctx, slot));
	/*
	 * gen first, by the release of ctx: who finds a context in the slot finds a
	 * generation up to which its entries here are flushed, or that of a later context,
	 * whose load has flushed them all. Pairs with has_flushed().
	 */
	store_relaxed(&me->slots[slot].gen, gen);
	store_release(&me->slots[slot].ctx, ctx);
	me->slots[slot].token = token;
	me->slot = slot;
	me->loaded = ctx;
	/* Not before the other root is loaded: until then we could still fill from the old one. */
	if (old)
		cpumask_unset_atomic(&old->mask, cpu_id());
}

void tlb_switch(struct tlb_context *ctx)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);

	if (ctx)
		pay(PAY_SWITCH, pay_context(ctx));
	else
		pay(PAY_IDLE, pay_all());
	irqflags_t flags = irq_save();

	if (!ctx) {
		me->lazy = true; /* handlers on this CPU read it, nobody else */
	} else {
		if (me->loaded != ctx)
			load_context(me, ctx);
		me->lazy = false;
	}
	irq_restore(flags);
}

/* ---- contexts ------------------------------------------------------------ */

static struct tlb_context *contexts[TLB_CONTEXT_IDS];
static paddr_t roots[TLB_CONTEXT_IDS]; /* 0: none. The oracle reads it without a lock */
static u16 next_id;
static struct spinlock contexts_lock; /* contexts, roots, next_id */
static struct rwlock contexts_life; /* read side: contexts that are found by id stay */

struct tlb_context *tlb_context_by_id(u16 id)
{
	return load_relaxed(&contexts[id % TLB_CONTEXT_IDS]);
}

paddr_t tlb_root_by_id(u16 id)
{
	return load_relaxed(&roots[id % TLB_CONTEXT_IDS]);
}

void tlb_contexts_hold(void)
{
	read_lock(&contexts_life);
}

void tlb_contexts_release(void)
{
	read_unlock(&contexts_life);
}

void tlb_context_init(struct tlb_context *ctx, paddr_t root)
{
	cpumask_clear(&ctx->mask);
	ctx->root = root;
	ctx->gen = ctx->owed = ctx->bcast_gen = ctx->near = GENERATION_START;
	ctx->asid_token = ctx->owes_since = 0;
	ctx->stage2 = NULL;
	unsigned tried = 0;

	spin_lock(&contexts_lock);
	do {
		ASSERT(tried++ < TLB_CONTEXT_IDS); /* else all ids are taken */
		next_id = (u16)((next_id + 1) % TLB_CONTEXT_IDS);
	} while (!next_id || contexts[next_id]);
	ctx->id = next_id;
	ctx->tag = oracle_tag(next_id);
	store_relaxed(&contexts[next_id], ctx);
	store_relaxed(&roots[next_id], root);
	spin_unlock(&contexts_lock);
}

/* On each CPU, by remote call with interrupts off. */
static void forget_here(void *arg)
{
	struct tlb_context *ctx = arg;
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);

	if (me->loaded == ctx) {
		context_leave(me);
		me->lazy = true;
	}
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (me->slots[i].ctx == ctx)
			store_relaxed(&me->slots[i].ctx, NULL);
	cpumask_unset_atomic(&ctx->mask, cpu_id());
}

void tlb_context_destroy(struct tlb_context *ctx)
{
	ASSERT(ctx->id && tlb_context_by_id(ctx->id) == ctx);
	smp_call(&cpu_online, forget_here, ctx);
	asid_release(ctx);
	/* Whoever found it before may still flush it; nobody finds it afterwards. */
	write_lock(&contexts_life);
	spin_lock(&contexts_lock);
	store_relaxed(&contexts[ctx->id], NULL);
	store_relaxed(&roots[ctx->id], 0UL);
	spin_unlock(&contexts_lock);
	write_unlock(&contexts_life);
}

void context_init(struct tlb_context *kernel)
{
	/* Beside 0, one that each CPU has loaded, and one for who takes another: take_free() in asid.c. */
	if (asid_is_global() && asid_count() < cpu_count + 2)
		panic("%u ASIDs are too few for %u CPUs: boot with nr_cpus=%u", asid_count(),
		      cpu_count, asid_count() - 2);
	evidence_slots = MIN(asid_count(), (unsigned)EVIDENCE_SLOTS);
	contexts[0] = kernel;
	kernel->gen = kernel->near = GENERATION_START;
	for_each_online_cpu (cpu)
		cpumask_set(&kernel->mask, cpu);
}
