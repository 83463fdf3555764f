/*
 * The shootdown core: the only caller of flush instructions and the only
 * sender of IPI_TLB.
 *
 * Generations. ctx.gen counts flushes asked for; each CPU remembers, per slot,
 * the generation its TLB has reached. A request carries the generation its own
 * increment produced. The three decide how much a target flushes:
 *   slot.gen == ctx.gen                        nothing left to do
 *   request.gen == slot.gen + 1 == ctx.gen     exactly this request is missing: its pages
 *   else                                       several are missing: everything of the context
 * A CPU writes the generation it read *before* it flushed, so it may
 * under-report and flush again, never over-report.
 *
 * Who is asked. ctx.mask holds every CPU that has the context loaded. The
 * initiator changes entries, then increments ctx.gen (full barrier), then reads
 * the mask; a switching CPU sets its bit (full barrier), then reads ctx.gen. So
 * either the initiator sees the bit or the switcher sees the generation.
 * A lazy CPU is asked once: it leaves the context and its bit.
 *
 * Acknowledgements. One request slot per initiator, one bit per target in the
 * initiator's `unacked`, one bit per initiator in the target's `pending`. Any
 * number of CPUs initiate at once; a waiter serves others by interrupt.
 */
#include <mm/tlb.h>
#include <mm/asid.h>
#include <mm/oracle.h>
#include <mm/scheme.h>
#include <mm/stats.h>
#include <kernel/clock.h>
#include <kernel/panic.h>
#include <kernel/printk.h>

struct tlb_request {
	unsigned count;
	struct tlb_part {
		struct tlb_context *ctx;
		vaddr_t start, end;
		u64 gen;
		u8 level;
		bool full;
	} part[TLB_GATHER_CONTEXTS];
	u64 sent_at; /* cycles, for the acknowledgement histogram */
};

struct tlb_cpu {
	/* This CPU only, interrupts off where it is written. */
	struct tlb_context *loaded; /* NULL: the empty root */
	bool lazy; /* loaded, but no context of it runs */
	unsigned slot;
	unsigned next_slot; /* round robin victim */
	struct {
		struct tlb_context *ctx;
		u64 gen;
		u64 token; /* the asid_token it was loaded under */
	} slots[EVIDENCE_SLOTS];

	/* As initiator: written by this CPU while `unacked` is empty, read by targets whose bit is set. */
	struct tlb_request request;
	struct cpumask unacked __aligned(CACHE_LINE); /* targets clear their bit */

	/* As target: initiators set their bit, this CPU's handler takes them all. */
	struct cpumask pending __aligned(CACHE_LINE);
};
static PERCPU(struct tlb_cpu, tlb_cpu);

static struct tlb_context kernel_ctx;

/* ---- flushing this CPU --------------------------------------------------- */

/* Context loaded here, interrupts off. Returns pages flushed one by one, 0 = everything. */
static unsigned flush_part(struct tlb_cpu *me, const struct tlb_part *part, bool partial)
{
	asid_t asid = asid_of(part->ctx, me->slot);
	u64 size = PT_LEVEL_SIZE(part->level);
	unsigned pages = 0;

	if (!partial || part->full) {
		tlb_flush_local_asid(asid);
		return 0;
	}
	for (vaddr_t va = part->start; va < part->end; va += size, pages++)
		tlb_flush_local_page(va, asid, part->level);
	return pages;
}

/* Load the root with nothing in it. Interrupts off. */
static void leave_context(struct tlb_cpu *me)
{
	mmu_switch(mmu_empty_root(), asid_none(), false);
	me->slots[me->slot].ctx = NULL;
	if (!asid_is_global())
		me->slots[asid_none()].ctx = NULL; /* the empty root took that tag */
	me->loaded = NULL;
}

/* Bring this CPU up to date with a request. Interrupts off. Pages flushed, 0 = all, -1 = nothing to do. */
static int serve_part(struct tlb_cpu *me, const struct tlb_part *part)
{
	struct tlb_context *ctx = part->ctx;

	if (ctx == &kernel_ctx) {
		if (part->full)
			tlb_flush_local_all();
		for (vaddr_t va = part->start; !part->full && va < part->end; va += PAGE_SIZE)
			tlb_flush_local_page(va, ASID_KERNEL, 0);
		return 0;
	}
	if (me->loaded != ctx)
		return -1; /* its slot is behind now, which tlb_switch() will see */
	if (me->lazy) {
		/* Nobody here needs it: leave, so that we are not asked again. */
		leave_context(me);
		cpumask_unset_atomic(&ctx->mask, cpu_id());
		return 0;
	}
	/* Acquire: what was written before the increment is walked after the flush. */
	u64 gen = load_acquire(&ctx->gen), mine = me->slots[me->slot].gen;

	if (mine >= gen)
		return -1;
	int pages = (int)flush_part(me, part, part->gen == mine + 1 && part->gen == gen);

	me->slots[me->slot].gen = gen;
	return pages;
}

static void flush_here(struct tlb_cpu *me, const struct tlb_request *req)
{
	irqflags_t flags = irq_save();

	for (unsigned i = 0; i < req->count; i++) {
		int pages = serve_part(me, &req->part[i]);

		if (pages > 0)
			count_add(flush_local_page, (unsigned)pages);
		else if (!pages)
			count(flush_local_full);
	}
	irq_restore(flags);
}

/* ---- target -------------------------------------------------------------- */

static enum ack_distance distance_of(unsigned a, unsigned b)
{
	const struct cpu *x = cpu_ptr(a, cpu_self), *y = cpu_ptr(b, cpu_self);

	if (x->package != y->package)
		return ACK_REMOTE;
	return x->core == y->core ? ACK_SMT : ACK_SOCKET;
}

static void serve_initiator(struct tlb_cpu *me, unsigned initiator)
{
	struct tlb_cpu *from = cpu_ptr(initiator, tlb_cpu);
	u64 sent_at = from->request.sent_at;

	for (unsigned i = 0; i < from->request.count; i++) {
		int pages = serve_part(me, &from->request.part[i]);

		if (pages > 0)
			count_add(flush_remote_page, (unsigned)pages);
		else if (!pages)
			count(flush_remote_full);
		else
			count(flush_skipped);
	}
	u64 took = cycles_to_ns(cycles_now() - sent_at);
	unsigned bucket = took ? 63 - (unsigned)__builtin_clzl(took) : 0;

	this_cpu_ptr(mm_counters)
		->ack[distance_of(cpu_id(), initiator)][MIN(bucket, ACK_BUCKETS - 1U)]++;
	/* The acknowledgement: a full barrier after the flush; pairs with the one after the initiator's wait. */
	cpumask_unset_atomic(&from->unacked, cpu_id());
	if (cpumask_empty(&from->unacked))
		cpu_wake(initiator);
}

/* IPI_TLB handler, and polled by waiters with interrupts off. May find nothing to do. */
static void tlb_serve(void)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	u64 start = cycles_now();

	count(ipis_received);
	for (unsigned w = 0; w < cpu_words; w++) {
		if (!load_relaxed(&me->pending.bits[w]))
			continue;
		/* Full barrier: requests published before their bit are read after it. */
		u64 bits = atomic_xchg(&me->pending.bits[w], 0);

		for (; bits; bits &= bits - 1)
			serve_initiator(me, w * 64 + (unsigned)__builtin_ctzl(bits));
	}
	count_add(target_stolen, cycles_now() - start);
}

/* ---- initiator ----------------------------------------------------------- */

static void request_add(struct tlb_request *req, const struct tlb_gather_entry *e, bool tables)
{
	struct tlb_part *part = &req->part[req->count++];
	u64 span = (e->end - e->start) >> PT_LEVEL_SHIFT(e->level);

	part->ctx = e->ctx;
	part->start = e->start;
	part->end = e->end;
	part->level = (u8)e->level;
	part->full = e->full || tables || span > knobs.range;
	/* Full barrier: orders the entry changes before the mask is read, see the top of the file. */
	part->gen = atomic_fetch_add(&e->ctx->gen, 1) + 1;
}

static void blame_unacked(void *arg)
{
	struct tlb_cpu *me = arg;

	cpumask_for_each (cpu, &me->unacked) {
		char name[64];
		u64 ip;

		cpu_sample_ip(cpu, &ip);
		kprintf("CPU %u has not acknowledged a shootdown; it is at %s (%#lx)\n", cpu,
			symbol_of(ip, name, sizeof(name)), ip);
	}
}

/* Ring the targets. A target with a bit of ours in a word that was not empty is being rung by another CPU. */
static void send_requests(struct tlb_cpu *me, const struct cpumask *targets)
{
	unsigned self = cpu_id(), sent = 0;
	u64 bit = 1UL << (self % 64);

	for (unsigned w = 0; w < cpu_words; w++)
		store_relaxed(&me->unacked.bits[w], targets->bits[w]);
	me->request.sent_at = cycles_now();
	cpumask_for_each (cpu, targets) {
		/* Full barrier: request and unacked before the bit; pairs with the exchange in tlb_serve(). */
		if (atomic_fetch_or(&cpu_ptr(cpu, tlb_cpu)->pending.bits[self / 64], bit)) {
			count(ipis_merged);
			continue;
		}
		ipi_send(cpu, IPI_TLB);
		sent++;
	}
	count_add(ipis_sent, sent);
}

static void shoot_down(struct tlb_request *req)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	struct cpumask targets;
	bool here = false, others;

	cpumask_clear(&targets);
	for (unsigned i = 0; i < req->count; i++)
		for (unsigned w = 0; w < cpu_words; w++)
			targets.bits[w] |= load_relaxed(&req->part[i].ctx->mask.bits[w]);
	here = cpumask_test(&targets, cpu_id());
	cpumask_unset(&targets, cpu_id());
	others = !cpumask_empty(&targets);
	if (others)
		send_requests(me, &targets);
	if (here)
		flush_here(me, req);
	if (others) {
		u64 start = cycles_now();

		/* Targets answer by interrupt wherever they are, or poll where they have interrupts off. */
		wait_until_blame(cpumask_empty(&me->unacked), "shootdown", blame_unacked, me);
		/* Pairs with the barrier in each acknowledgement: frames are reused after their flush. */
		smp_mb();
		count_add(wait_initiator, cycles_now() - start);
	}
}

static void flush_by_ipi(struct tlb_gather *g)
{
	struct tlb_request *req = &this_cpu_ptr(tlb_cpu)->request;

	req->count = 0;
	for (unsigned i = 0; i < g->count; i++)
		request_add(req, &g->entry[i], g->tables);
	shoot_down(req);
}

static void issue_entry(const struct tlb_gather_entry *e, bool tables)
{
	asid_t asid = e->ctx == &kernel_ctx ? ASID_KERNEL : asid_of(e->ctx, 0);
	u64 span = (e->end - e->start) >> PT_LEVEL_SHIFT(e->level);

	tlb_bcast_prepare();
	if (e->full || tables || span > knobs.range) {
		if (asid == ASID_KERNEL)
			tlb_bcast_issue_all();
		else
			tlb_bcast_issue_asid(asid);
		count(bcast_ops);
		return;
	}
	if (!e->level && span > 1) {
		count_add(bcast_ops, tlb_bcast_issue_range(e->start, span, asid));
		return;
	}
	for (vaddr_t va = e->start; va < e->end; va += PT_LEVEL_SIZE(e->level)) {
		tlb_bcast_issue_page(va, asid, e->level);
		count(bcast_ops);
	}
}

/* Issue and completion on one CPU: contexts do not move between CPUs. */
static void flush_by_bcast(struct tlb_gather *g)
{
	if (!g->issued)
		for (unsigned i = 0; i < g->count; i++)
			issue_entry(&g->entry[i], g->tables);
	tlb_bcast_sync();
	count(bcast_syncs);
}

void tlb_gather_flush(struct tlb_gather *g)
{
	if (!g->count)
		return;
	ASSERT(irqs_enabled());
	count(shootdowns);
	if (knobs.transport == TRANSPORT_IPI)
		flush_by_ipi(g);
	else
		flush_by_bcast(g);
	tlb_gather_init(g);
}

/* ---- gathering ----------------------------------------------------------- */

static struct tlb_gather_entry *entry_of(struct tlb_gather *g, struct tlb_context *ctx)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->entry[i].ctx == ctx)
			return &g->entry[i];
	if (g->count == TLB_GATHER_CONTEXTS)
		tlb_gather_flush(g); /* early is always allowed */
	struct tlb_gather_entry *e = &g->entry[g->count++];

	e->ctx = ctx;
	e->start = ~0UL;
	e->end = 0;
	e->pages = 0;
	e->level = PT_LEVELS;
	e->full = false;
	return e;
}

/*
 * Late broadcast issues as entries are taken down, so that the flush has only
 * to wait; past the ceiling it stops and flushes the context at the end.
 */
static void issue_now(struct tlb_gather *g, struct tlb_gather_entry *e, vaddr_t va, unsigned level)
{
	if (e->pages > knobs.range) {
		g->issued = false;
		e->full = true;
		return;
	}
	tlb_bcast_prepare();
	tlb_bcast_issue_page(va, asid_of(e->ctx, 0), level);
	count(bcast_ops);
	g->issued = true;
}

void tlb_gather_add(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t va, unsigned level)
{
	struct tlb_gather_entry *e = &g->entry[0];

	if (unlikely(!g->count || e->ctx != ctx))
		e = entry_of(g, ctx);
	e->start = MIN(e->start, va);
	e->end = MAX(e->end, va + PT_LEVEL_SIZE(level));
	e->level = MIN(e->level, level);
	e->pages++;
	if (unlikely(knobs.transport == TRANSPORT_BCAST_LATE))
		issue_now(g, e, va, level);
}

void tlb_gather_add_range(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t start, vaddr_t end,
			  unsigned level)
{
	struct tlb_gather_entry *e = entry_of(g, ctx);

	e->start = MIN(e->start, start);
	e->end = MAX(e->end, end);
	e->level = MIN(e->level, level);
	e->pages += (end - start) >> PT_LEVEL_SHIFT(level);
	g->issued = false;
}

void tlb_flush_context(struct tlb_context *ctx)
{
	struct tlb_gather g;

	tlb_gather_init(&g);
	entry_of(&g, ctx)->full = true;
	tlb_gather_flush(&g);
}

void tlb_flush_kernel(vaddr_t start, vaddr_t end)
{
	struct tlb_gather g;

	tlb_gather_init(&g);
	tlb_gather_add_range(&g, &kernel_ctx, start, end, 0);
	tlb_gather_flush(&g);
}

void tlb_flush_local(struct tlb_context *ctx, vaddr_t va, unsigned level)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	irqflags_t flags = irq_save();

	if (me->loaded == ctx) {
		tlb_flush_local_page(va, asid_of(ctx, me->slot), level);
		count(flush_local_page);
	}
	irq_restore(flags);
}

/* ---- loading contexts ---------------------------------------------------- */

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
	bool found;

	/* Full barrier between our bit and the read of ctx.gen: pairs with request_add(). */
	cpumask_set_atomic(&ctx->mask, cpu_id());
	u64 gen = load_acquire(&ctx->gen), token = asid_assign(ctx);
	unsigned slot = find_slot(me, ctx, &found);
	bool keep = found && asid_count() > 1 && me->slots[slot].gen == gen &&
		    me->slots[slot].token == token;

	if (keep)
		oracle_check_keep(ctx, slot);
	mmu_switch(ctx->root, asid_of(ctx, slot), keep);
	me->slots[slot].ctx = ctx;
	me->slots[slot].gen = gen;
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

struct tlb_context *tlb_loaded(void)
{
	const struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);

	return me->lazy ? NULL : me->loaded;
}

/* ---- contexts ------------------------------------------------------------ */

static struct tlb_context *contexts[TLB_CONTEXT_IDS];
static u16 next_id;
static struct spinlock contexts_lock; /* contexts, next_id */

struct tlb_context *tlb_context_by_id(u16 id)
{
	return load_relaxed(&contexts[id % TLB_CONTEXT_IDS]);
}

void tlb_context_init(struct tlb_context *ctx, paddr_t root)
{
	cpumask_clear(&ctx->mask);
	ctx->root = root;
	ctx->gen = 1;
	ctx->asid_token = 0;
	ctx->oracle_released = 0;
	spin_lock(&contexts_lock);
	do
		next_id = (u16)((next_id + 1) % TLB_CONTEXT_IDS);
	while (!next_id || contexts[next_id]);
	ctx->id = next_id;
	contexts[next_id] = ctx;
	spin_unlock(&contexts_lock);
}

static void forget_here(void *arg)
{
	struct tlb_context *ctx = arg;
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);

	if (me->loaded == ctx) {
		leave_context(me);
		me->lazy = true;
	}
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (me->slots[i].ctx == ctx)
			me->slots[i].ctx = NULL;
	cpumask_unset_atomic(&ctx->mask, cpu_id());
}

void tlb_context_destroy(struct tlb_context *ctx)
{
	smp_call(&cpu_online, forget_here, ctx);
	asid_release(ctx);
	spin_lock(&contexts_lock);
	contexts[ctx->id] = NULL;
	spin_unlock(&contexts_lock);
}

void tlb_init(void)
{
	contexts[0] = &kernel_ctx;
	kernel_ctx.gen = 1;
	for_each_online_cpu (cpu)
		cpumask_set(&kernel_ctx.mask, cpu);
	ipi_tlb_handler = tlb_serve;
}
