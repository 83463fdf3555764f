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
#include <mm/knob.h>
#include <mm/tlb_cpu.h>
#include <mm/asid.h>
#include <mm/stats.h>
#include <kernel/clock.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>

PERCPU(struct tlb_cpu, tlb_cpu);

static struct tlb_context kernel_ctx;
bool tlb_issues_late;
/* Masks of several words, or no evidence: set once, a test on a short path. */
static bool alone_unusual;

/* ---- flushing this CPU --------------------------------------------------- */

/* Context loaded here, interrupts off. Returns pages flushed one by one, 0 = everything. */
static __always_inline int flush_part(struct tlb_cpu *me, const struct tlb_part *part, bool partial)
{
	asid_t asid = asid_of(part->ctx, me->slot);
	vaddr_t va = part->start;
	int pages = 0;

	if (unlikely(!partial || part->full)) {
		tlb_flush_local_asid(asid);
		return 0;
	}
	do {
		tlb_flush_local_page(va, asid, part->level);
		va += PT_LEVEL_SIZE(part->level);
		pages++;
	} while (va < part->end);
	return pages;
}

static int serve_kernel_part(const struct tlb_part *part)
{
	if (part->full)
		tlb_flush_local_all();
	for (vaddr_t va = part->start; !part->full && va < part->end; va += PAGE_SIZE)
		tlb_flush_local_page(va, ASID_KERNEL, 0);
	return 0;
}

/* Bring this CPU up to date with a request. Interrupts off. Pages flushed, 0 = all, -1 = nothing to do. */
static __always_inline int serve_part(struct tlb_cpu *me, const struct tlb_part *part)
{
	struct tlb_context *ctx = part->ctx;

	if (unlikely(me->loaded != ctx))
		/* If it is cached in a slot, that is behind now, which tlb_switch() will see. */
		return ctx == &kernel_ctx ? serve_kernel_part(part) : -1;
	if (unlikely(me->lazy)) {
		/* Nobody here needs it: leave, so that we are not asked again. */
		context_leave(me);
		cpumask_unset_atomic(&ctx->mask, cpu_id());
		return 0;
	}
	/* Relaxed: the flush completes earlier loads first, so what it lets us walk is not older than gen. */
	u64 gen = load_relaxed(&ctx->gen), mine = me->slots[me->slot].gen;

	if (unlikely(mine >= gen))
		return -1;
	int pages = flush_part(me, part, part->gen == mine + 1 && part->gen == gen);

	me->slots[me->slot].gen = gen;
	return pages;
}

/* Interrupts off: a handler that flushes in between would tear generation and evidence. */
static __always_inline void flush_here(struct tlb_cpu *me, const struct tlb_part *parts,
				       unsigned count)
{
	irqflags_t flags = irq_save();

	const struct tlb_part *end = parts + count;

	do {
		int pages = serve_part(me, parts);

		if (likely(pages > 0))
			count_add(flush_local_page, (unsigned)pages);
		else if (!pages)
			count(flush_local_full);
	} while (unlikely(++parts < end));
	irq_restore(flags);
}

void tlb_flush_rolled_over(void)
{
	tlb_flush_local_all();
}

/* ---- target -------------------------------------------------------------- */

static enum ack_distance distance_of(unsigned a, unsigned b)
{
	const struct cpu *x = cpu_ptr(a, cpu_self), *y = cpu_ptr(b, cpu_self);

	if (x->package != y->package)
		return ACK_REMOTE;
	return x->core == y->core ? ACK_SMT : ACK_SOCKET;
}

static void count_served(int pages, bool apart)
{
	if (unlikely(apart))
		count_add(flush_scanner, pages > 0 ? (unsigned)pages : !pages);
	else if (pages > 0)
		count_add(flush_remote_page, (unsigned)pages);
	else if (!pages)
		count(flush_remote_full);
	else
		count(flush_skipped);
}

static void count_ack(unsigned initiator, u64 sent_at)
{
	u64 took = cycles_to_ns(cycles_now() - sent_at);
	unsigned bucket = took ? 63 - (unsigned)__builtin_clzl(took) : 0;

	this_cpu_ptr(mm_counters)
		->ack[distance_of(cpu_id(), initiator)][MIN(bucket, ACK_BUCKETS - 1U)]++;
}

/* True: it was the scanner's. */
static bool serve_initiator(struct tlb_cpu *me, unsigned initiator)
{
	struct tlb_cpu *from = cpu_ptr(initiator, tlb_cpu);
	bool apart = from->request.apart;

	for (unsigned i = 0; i < from->request.count; i++)
		count_served(serve_part(me, &from->request.part[i]), apart);
	if (likely(!apart))
		count_ack(initiator, from->request.sent_at);
	/* The acknowledgement: a full barrier after the flush; pairs with the one after the initiator's wait. */
	cpumask_unset_atomic(&from->unacked, cpu_id());
	if (cpumask_empty(&from->unacked))
		cpu_wake(initiator);
	return apart;
}

/* IPI_TLB handler, and polled by waiters with interrupts off. May find nothing to do. */
static void tlb_serve(void)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	u64 start = cycles_now();
	bool apart = false, others = false;

	for (unsigned w = 0; w < cpu_words; w++) {
		if (!load_relaxed(&me->pending.bits[w]))
			continue;
		/* Full barrier: requests published before their bit are read after it. */
		u64 bits = atomic_xchg(&me->pending.bits[w], 0);

		for (; bits; bits &= bits - 1)
			if (serve_initiator(me, w * 64 + (unsigned)__builtin_ctzl(bits)))
				apart = true;
			else
				others = true;
	}
	if (unlikely(apart && !others))
		return;
	count(ipis_received);
	count_add(target_stolen, cycles_now() - start);
}

/* ---- initiator ----------------------------------------------------------- */

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
static void send_requests(struct tlb_cpu *me, const struct tlb_gather *g,
			  const struct cpumask *targets)
{
	unsigned self = cpu_id(), sent = 0;
	u64 bit = 1UL << (self % 64);

	me->request.count = g->count;
	me->request.apart = g->apart;
	memcpy(me->request.part, g->part, g->count * sizeof(g->part[0]));
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

static void wait_for_acks(struct tlb_cpu *me)
{
	u64 start = cycles_now();

	ASSERT(irqs_enabled());
	/* Targets answer by interrupt wherever they are, or poll where they have interrupts off. */
	wait_until_blame(cpumask_empty(&me->unacked), "shootdown", blame_unacked, me);
	/* Pairs with the barrier in each acknowledgement: frames are reused after their flush. */
	smp_mb();
	count_add(wait_initiator, cycles_now() - start);
}

/* CPUs that may hold something of what is gathered, without this one. True: this one may, too. */
static __always_inline bool find_targets(const struct tlb_gather *g, struct cpumask *targets,
					 bool *others)
{
	unsigned self = cpu_id(), w = 0;
	u64 any = 0, here = 0;

	do {
		u64 bits = load_relaxed(&g->part[0].ctx->mask.bits[w]);

		for (unsigned i = 1; unlikely(i < g->count); i++)
			bits |= load_relaxed(&g->part[i].ctx->mask.bits[w]);
		if (w == self / 64) {
			here = bits & 1UL << self % 64;
			bits ^= here;
		}
		targets->bits[w] = bits;
		any |= bits;
	} while (unlikely(++w < cpu_words));
	*others = any;
	return here;
}

static inline bool wants_full(const struct tlb_part *part)
{
	return part->full || (part->end - part->start) >> PT_LEVEL_SHIFT(part->level) > knobs.range;
}

static void flush_by_ipi(struct tlb_gather *g)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	struct cpumask targets;
	bool others;

	struct tlb_part *part = g->part, *end = part + g->count;

	do {
		part->full = wants_full(part);
		/* Full barrier: entry changes before the mask is read, see the top of the file. */
		if (likely(!part->gen))
			part->gen = atomic_fetch_add(&part->ctx->gen, 1) + 1;
	} while (unlikely(++part < end));
	bool here = find_targets(g, &targets, &others);

	/* For the oracle: this flush begins after what was taken down. It takes nobody's word for it. */
	if (evidence_on())
		evidence_step();
	if (others)
		send_requests(me, g, &targets);
	if (likely(here))
		flush_here(me, g->part, g->count);
	if (others)
		wait_for_acks(me);
}

static void issue_part(const struct tlb_part *part)
{
	asid_t asid = part->ctx == &kernel_ctx ? ASID_KERNEL : asid_of(part->ctx, 0);
	u64 pages = (part->end - part->start) >> PAGE_SHIFT;

	tlb_bcast_prepare();
	if (wants_full(part)) {
		if (asid == ASID_KERNEL)
			tlb_bcast_issue_all();
		else
			tlb_bcast_issue_asid(asid);
		count(bcast_ops);
		return;
	}
	if (!part->level && pages > 1) {
		count_add(bcast_ops, tlb_bcast_issue_range(part->start, pages, asid));
		return;
	}
	for (vaddr_t va = part->start; va < part->end; va += PT_LEVEL_SIZE(part->level)) {
		tlb_bcast_issue_page(va, asid, part->level);
		count(bcast_ops);
	}
}

/* Issue and completion on one CPU: contexts do not move between CPUs. */
static void flush_by_bcast(struct tlb_gather *g)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->part[i].full || g->part[i].issued != g->part[i].pages)
			issue_part(&g->part[i]);
	tlb_bcast_sync();
	count(bcast_syncs);
}

/*
 * The shortest shootdown: one page of the context that is loaded here and
 * nowhere else. Same steps, same order as below, nobody to ask. False: the rest
 * is still to be done, under the generation that part.gen holds now.
 */
static __always_inline bool flush_alone(struct tlb_part *part)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	struct tlb_slot *slot = &me->slots[me->slot];
	struct tlb_context *ctx = part->ctx;
	u64 gen = atomic_fetch_add(&ctx->gen, 1) + 1;

	part->gen = gen;
	if (unlikely(load_relaxed(&ctx->mask.bits[0]) != 1UL << cpu_id() % 64))
		return false;
	if (likely(!alone_unusual))
		evidence_step();
	else if (cpu_words > 1)
		return false; /* the long way */
	irqflags_t flags = irq_save();
	bool quick = me->loaded == ctx && slot->gen + 1 == gen;

	if (likely(quick)) {
		tlb_flush_local_page(part->start, asid_of(ctx, me->slot), part->level);
		slot->gen = gen;
		count(flush_local_page);
	}
	irq_restore(flags);
	return quick;
}

static inline void gather_reset(struct tlb_part *part)
{
	part->start = ~0UL;
	part->end = 0;
	part->gen = 0;
	part->pages = part->issued = 0;
	part->full = false;
}

static __noinline void flush_gathered(struct tlb_gather *g)
{
	count(shootdowns);
	if (knobs.transport == TRANSPORT_IPI)
		flush_by_ipi(g);
	else
		flush_by_bcast(g);
	g->count = 1;
	gather_reset(&g->part[0]);
}

void tlb_gather_flush(struct tlb_gather *g)
{
	struct tlb_part *part = &g->part[0];

	if (likely(g->count == 1)) {
		if (!part->pages)
			return;
		if (part->pages == 1 && !part->full && knobs.transport == TRANSPORT_IPI &&
		    flush_alone(part)) {
			count(shootdowns);
			gather_reset(part);
			return;
		}
	}
	flush_gathered(g);
}

/* ---- gathering ----------------------------------------------------------- */

static struct tlb_part *part_of(struct tlb_gather *g, struct tlb_context *ctx, unsigned level)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->part[i].ctx == ctx) {
			g->part[i].level = (u8)MIN(g->part[i].level, level);
			return &g->part[i];
		}
	if (unlikely(g->count == TLB_GATHER_CONTEXTS))
		tlb_gather_flush(g); /* early is always allowed */
	if (g->count == 1 && !g->part[0].pages)
		g->count = 0; /* nothing came of the context that was expected */
	struct tlb_part *part = &g->part[g->count++];

	g->quick = NULL;
	*part = (struct tlb_part){.ctx = ctx, .start = ~0UL, .level = (u8)level};
	return part;
}

static void widen(struct tlb_part *part, vaddr_t start, vaddr_t end, unsigned level)
{
	part->start = MIN(part->start, start);
	part->end = MAX(part->end, end);
	part->pages += (u32)((end - start) >> PT_LEVEL_SHIFT(level));
}

/*
 * Late broadcast issues as entries are taken down, so that the flush has only
 * to wait; past the ceiling it stops and flushes the context at the end.
 */
static void issue_now(struct tlb_part *part, vaddr_t va, unsigned level)
{
	if (part->pages > knobs.range)
		return; /* flush_by_bcast() sees that not all was issued */
	tlb_bcast_prepare();
	tlb_bcast_issue_page(va, asid_of(part->ctx, 0), level);
	count(bcast_ops);
	part->issued++;
}

void tlb_gather_add_slow(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t va, unsigned level)
{
	struct tlb_part *part = part_of(g, ctx, level);

	widen(part, va, va + PT_LEVEL_SIZE(level), level);
	if (unlikely(tlb_issues_late))
		issue_now(part, va, level);
}

void tlb_gather_add_range(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t start, vaddr_t end,
			  unsigned level)
{
	widen(part_of(g, ctx, level), start, end, level);
}

void tlb_flush_context(struct tlb_context *ctx)
{
	struct tlb_gather g;

	tlb_gather_init(&g, ctx, 0);
	g.part[0].full = true;
	g.part[0].pages = 1;
	tlb_gather_flush(&g);
}

void tlb_flush_kernel(vaddr_t start, vaddr_t end)
{
	struct tlb_gather g;

	tlb_gather_init(&g, &kernel_ctx, 0);
	tlb_gather_add_range(&g, &kernel_ctx, start, end, 0);
	tlb_gather_flush(&g);
}

void tlb_flush_local(struct tlb_context *ctx, vaddr_t va, unsigned level)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	irqflags_t flags = irq_save();

	if (me->loaded == ctx) {
		tlb_flush_local_page(ALIGN_DOWN(va, PT_LEVEL_SIZE(level)), asid_of(ctx, me->slot),
				     level);
		evidence_page_aside();
		count(flush_local_page);
	}
	irq_restore(flags);
}

void tlb_init(void)
{
	context_init(&kernel_ctx);
	alone_unusual = cpu_words > 1 || (ORACLE_BUILT && !evidence_on());
	ipi_tlb_handler = tlb_serve;
}
