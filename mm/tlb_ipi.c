/*
 * Shootdowns by interrupt: what a target does with a request, and how an
 * initiator sends it and waits. The only sender of IPI_TLB. Generations and lazy
 * CPUs are as in Linux's arch/x86/mm/tlb.c.
 *
 * Generations. ctx.gen counts the flushes that were asked for. Each CPU remembers
 * per slot up to which generation its TLB is flushed. A request carries the
 * generation that its own increment produced. The three numbers decide how much a
 * target flushes:
 *   slot.gen == ctx.gen                        nothing left to do
 *   request.gen == slot.gen + 1 == ctx.gen     exactly this request is missing: its pages
 *   else                                       several are missing: everything of the context
 * A CPU notes the generation that it read *before* it flushed. So the number may
 * be too small, which costs one more flush, but never too large.
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
#include <mm/tlb_cpu.h>
#include <mm/asid.h>
#include <mm/stats.h>
#include <kernel/clock.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>

PERCPU(struct tlb_cpu, tlb_cpu);

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

/* Kernel mappings are loaded on every CPU, whatever context it runs. */
static int serve_kernel_part(const struct tlb_part *part)
{
	if (part->full)
		tlb_flush_local_all();
	for (vaddr_t va = part->start; !part->full && va < part->end; va += PAGE_SIZE)
		tlb_flush_local_page(va, ASID_KERNEL, 0);
	return 0;
}

/* A request for a context that is not the one loaded here. */
static int serve_not_loaded(struct tlb_cpu *me, const struct tlb_part *part)
{
	if (part->ctx == &tlb_kernel_context)
		return serve_kernel_part(part);
	if (part->ctx == me->entered)
		return stage2_serve(me, part);
	/*
	 * If a slot still holds entries of it, tlb_switch() or tlb_enter_stage2() will see its
	 * generation and flush.
	 */
	return SERVED_NOTHING;
}

/*
 * Everything but global entries, whatever context it is of. Those in slots that
 * are not loaded cannot come back before a switch, so each slot is up to date
 * with what its context asked for before the flush. Interrupts off.
 */
static void flush_nonglobal(struct tlb_cpu *me)
{
	u64 gen[EVIDENCE_SLOTS];

	ASSERT(!irqs_enabled());
	if (me->lazy && me->loaded) {
		struct tlb_context *left = me->loaded;

		context_leave(me);
		cpumask_unset_atomic(&left->mask, cpu_id());
	}
	/* Relaxed, and no context goes meanwhile: destroying it calls every CPU. */
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		gen[i] = me->slots[i].ctx ? load_relaxed(&me->slots[i].ctx->gen) : 0;
	tlb_flush_local_nonglobal();
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		store_release(&me->slots[i].gen, gen[i]); /* as serve_part() */
	stage2_flush_all(me);
}

/* Bring this CPU up to date with a request. Interrupts off. Returns the pages flushed one by one, or SERVED_*. */
static __always_inline int serve_part(struct tlb_cpu *me, const struct tlb_part *part)
{
	struct tlb_context *ctx = part->ctx;

	if (unlikely(me->loaded != ctx))
		return serve_not_loaded(me, part);
	if (unlikely(me->lazy)) {
		/* Nobody here needs it: leave, so that we are not asked again. */
		context_leave(me);
		cpumask_unset_atomic(&ctx->mask, cpu_id());
		return 0;
	}
	/* Relaxed: the flush completes earlier loads first, so what it lets us walk is not older than gen. */
	u64 gen = load_relaxed(&ctx->gen), mine = me->slots[me->slot].gen;

	if (unlikely(!generation_before(mine, gen)))
		return SERVED_NOTHING;
	bool only_this = generation_is(part->gen, mine + 1) && generation_is(part->gen, gen);
	int pages = flush_part(me, part, only_this);

	/* Release: the flush before its generation; pairs with has_flushed(). */
	store_release(&me->slots[me->slot].gen, gen);
	return pages;
}

/* The scanner's flush instructions, on any CPU. */
static void count_scanner(int pages)
{
	count_add(flush_scanner, pages > 0 ? (unsigned)pages : !pages);
}

/* Interrupts off: a handler that flushes in between would tear generation and evidence. */
static __always_inline void flush_here(struct tlb_cpu *me, const struct tlb_gather *g)
{
	irqflags_t flags = irq_save();

	const struct tlb_part *part = g->part, *end = part + g->count;

	do {
		int pages = serve_part(me, part);

		if (unlikely(g->by_scanner))
			count_scanner(pages);
		else if (likely(pages > 0))
			count_add(flush_local_page, (unsigned)pages);
		else if (!pages)
			count(flush_local_full);
	} while (unlikely(++part < end));
	irq_restore(flags);
}

void tlb_flush_here(void)
{
	irqflags_t flags = irq_save();

	flush_nonglobal(this_cpu_ptr(tlb_cpu));
	count(flush_local_full);
	irq_restore(flags);
}

void tlb_flush_rolled_over(void)
{
	tlb_flush_local_all();
}

/* ---- target -------------------------------------------------------------- */

/* How far apart two CPUs are. */
static enum ack_distance distance_of(unsigned a, unsigned b)
{
	const struct cpu *x = cpu_ptr(a, cpu_self), *y = cpu_ptr(b, cpu_self);

	if (x->package != y->package)
		return ACK_REMOTE;
	return x->core == y->core ? ACK_SMT : ACK_SOCKET;
}

/* What serve_part() did for another CPU, in that one's or the scanner's counters. */
static void count_served(int pages, bool by_scanner)
{
	if (unlikely(by_scanner))
		count_scanner(pages);
	else if (pages > 0)
		count_add(flush_remote_page, (unsigned)pages);
	else if (!pages)
		count(flush_remote_full);
	else
		count(flush_skipped);
}

/* Two CPUs' clocks: one that lags may read less than was read when the request was sent. That is no time. */
static void count_ack(unsigned initiator, u64 sent_at)
{
	s64 cycles = (s64)(cycles_now() - sent_at);
	u64 took = cycles > 0 ? cycles_to_ns((u64)cycles) : 0;
	unsigned bucket = took ? 63 - (unsigned)__builtin_clzl(took) : 0;

	this_cpu_ptr(mm_counters)
		->ack[distance_of(cpu_id(), initiator)][MIN(bucket, ACK_BUCKETS - 1U)]++;
}

/* True: it was the scanner's. */
static bool serve_initiator(struct tlb_cpu *me, unsigned initiator)
{
	struct tlb_cpu *from = cpu_ptr(initiator, tlb_cpu);
	bool by_scanner = from->request.by_scanner;

	for (unsigned i = 0; i < from->request.count; i++)
		count_served(serve_part(me, &from->request.part[i]), by_scanner);
	if (unlikely(!from->request.count)) {
		flush_nonglobal(me);
		count_served(0, by_scanner);
	}
	if (likely(!by_scanner))
		count_ack(initiator, from->request.sent_at);
	/* The acknowledgement: a full barrier after the flush; pairs with the one after the initiator's wait. */
	cpumask_unset_atomic(&from->unacked, cpu_id());
	if (cpumask_empty(&from->unacked))
		cpu_wake(initiator);
	return by_scanner;
}

/* IPI_TLB handler, and polled by waiters with interrupts off. May find nothing to do. */
void tlb_serve(void)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	u64 start = cycles_now();
	bool by_scanner = false, others = false;

	for (unsigned w = 0; w < cpu_words; w++) {
		if (!load_relaxed(&me->pending.bits[w]))
			continue;
		/* Full barrier: requests published before their bit are read after it. */
		u64 bits = atomic_xchg(&me->pending.bits[w], 0);

		for (; bits; bits &= bits - 1)
			if (serve_initiator(me, w * 64 + (unsigned)__builtin_ctzl(bits)))
				by_scanner = true;
			else
				others = true;
	}
	if (unlikely(by_scanner && !others))
		return;
	count(ipis_received);
	count_add(target_stolen, cycles_now() - start);
}

/* ---- initiator ----------------------------------------------------------- */

/* For the watchdog: name the CPUs that have not answered. */
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

/* Targets may read it from the moment their bit of us is set. */
static inline void write_request(struct tlb_cpu *me, const struct tlb_gather *g)
{
	me->request.count = g->count;
	me->request.by_scanner = g->by_scanner;
	memcpy(me->request.part, g->part, g->count * sizeof(g->part[0]));
}

/*
 * Ring the targets of the request just written. A target whose word of `pending`
 * was not empty is being rung by another CPU.
 */
static void send_requests(struct tlb_cpu *me, const struct cpumask *targets)
{
	unsigned self = cpu_id(), sent = 0, merged = 0;
	u64 bit = 1UL << (self % 64);

	for (unsigned w = 0; w < cpu_words; w++)
		store_relaxed(&me->unacked.bits[w], targets->bits[w]);
	me->request.sent_at = cycles_now();
	cpumask_for_each (cpu, targets) {
		/* Full barrier: request and unacked before the bit; pairs with the exchange in tlb_serve(). */
		if (atomic_fetch_or(&cpu_ptr(cpu, tlb_cpu)->pending.bits[self / 64], bit)) {
			merged++;
			continue;
		}
		ipi_send(cpu, IPI_TLB);
		sent++;
	}
	if (unlikely(me->request.by_scanner)) {
		count_add(ipis_scanner, sent);
		return;
	}
	count_add(ipis_sent, sent);
	count_add(ipis_merged, merged);
}

/* Until every target has cleared its bit. Serves others meanwhile, as interrupts are on. */
static void wait_for_acks(struct tlb_cpu *me, bool by_scanner)
{
	u64 start = cycles_now();

	ASSERT(irqs_enabled());
	/* Targets answer by interrupt wherever they are, or poll where they have interrupts off. */
	wait_until_blame(cpumask_empty(&me->unacked), "shootdown", blame_unacked, me);
	/* Pairs with the barrier in each acknowledgement: frames are reused after their flush. */
	smp_mb();
	if (likely(!by_scanner))
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

void tlb_flush_by_ipi(struct tlb_gather *g)
{
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	struct cpumask targets;
	bool others;

	struct tlb_part *part = g->part, *end = part + g->count;

	do {
		part->full = tlb_wants_full(part);
		/* Full barrier: entry changes before the mask is read, see the top of the file. */
		if (likely(!part->begun))
			part->gen = atomic_fetch_add(&part->ctx->gen, 1) + 1;
	} while (unlikely(++part < end));
	bool here = find_targets(g, &targets, &others);

	/* For the oracle: this flush begins after what was taken down. It takes nobody's word for it. */
	if (evidence_on())
		evidence_step();
	if (others) {
		write_request(me, g);
		send_requests(me, &targets);
	}
	if (likely(here))
		flush_here(me, g);
	if (others)
		wait_for_acks(me, g->by_scanner);
}

/* Here, because of what tlb_flush_cpus_by_ipi() was called for. */
static void flush_here_too(struct tlb_cpu *me, const struct tlb_gather *g)
{
	if (g)
		flush_here(me, g);
	else
		tlb_flush_here();
}

void tlb_flush_cpus_by_ipi(const struct cpumask *cpus, const struct tlb_gather *g)
{
	static const struct tlb_gather all;
	struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);
	struct cpumask targets = *cpus;
	bool here = cpumask_test(cpus, cpu_id());

	cpumask_unset(&targets, cpu_id());
	bool others = !cpumask_empty(&targets);

	if (others) {
		ASSERT(cpumask_empty(&me->unacked)); /* targets still read the last request */
		write_request(me, g ? g : &all);
		send_requests(me, &targets);
	}
	if (here)
		flush_here_too(me, g);
	if (others)
		wait_for_acks(me, false);
}
