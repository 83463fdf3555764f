/*
 * Shootdowns: the one place that flushes TLBs.
 *
 * The rule: take the entry down, flush every CPU that may hold it, and only then
 * reuse what it pointed to. A gather collects what was taken down;
 * tlb_gather_flush() returns when no CPU holds any of it.
 *
 * Nobody waits for acknowledgements with a spinlock held or interrupts off. The
 * order of all locks is in docs/design.md.
 */
#pragma once

#include <kernel/smp.h>
#include <kernel/cpumask.h>
#include <mm/generation.h>
#include <arch/tlb.h>
#include <arch/pgtable.h>

struct tlb_context;

/*
 * How this CPU drops translations of a second stage, and whatever it has cached
 * with their help. Called with interrupts off on a CPU that has the context entered
 * or is about to enter it. The rules of <arch/tlb.h> for local flushes: complete on
 * return, begins when earlier loads are complete, may drop more than asked but never
 * less. Addresses are guest-physical.
 */
struct tlb_stage2_ops {
	void (*flush_range)(struct tlb_context *ctx, u64 start, u64 end, unsigned level);
	void (*flush_all)(struct tlb_context *ctx);
};

/* Whose translations: the kernel's, an address space's or a second stage's. */
struct tlb_context {
	u16 id; /* 0 = kernel */
	u64 tag; /* the id as the oracle's records of frames have it */
	paddr_t root;
	u64 gen; /* of the newest flush that was asked for; atomic (see the top of mm/tlb_ipi.c) */
	struct cpumask mask; /* CPUs that have it loaded or entered; those must be asked */
	const struct tlb_stage2_ops *stage2; /* NULL: a stage 1 */
	u64 asid_token; /* ports with global ASIDs: generation | asid, see mm/asid.c */
	u64 owed; /* generation of the newest tlb_owe(), or a later one; atomic */
	u64 owes_since; /* cycles: when a deferral noted the debt that it has now; written under debts.lock, atomic */
	u64 bcast_gen; /* everything was flushed on every CPU since this generation; atomic */
	u64 near; /* slots, owed and bcast_gen have reached it: mm/generation.c; atomic */
};

enum {
	TLB_CONTEXT_IDS = 4096
}; /* contexts alive at once; a record of the oracle has room for these */
enum { TLB_GATHER_CONTEXTS = 4 }; /* of one gather; for more see tlb_gather_is_full() */

extern bool tlb_issues_late; /* transport=bcast-late: what is gathered is broadcast at once */

/* What is to be flushed of one context. Targets read the request in this form, too. */
struct tlb_part {
	struct tlb_context *ctx;
	vaddr_t start, end; /* the smallest range that contains all that was added */
	u64 gen; /* generation of this flush, if it is begun */
	u32 pages; /* entries added */
	u32 issued; /* of them, broadcast when they were added */
	u8 level; /* smallest level added */
	bool full; /* everything of the context */
	bool begun; /* gen is set: nothing is added any more */
};

struct tlb_gather {
	u8 count; /* contexts in use */
	bool by_scanner; /* count this flush, here and on its targets, only in the NUMA scan's counters */
	struct tlb_context *
		fast_ctx; /* context of part[0] if adding an entry only widens its range, else NULL */
	struct tlb_part part[TLB_GATHER_CONTEXTS];
};

/* Begin to gather. Most entries are expected to be of ctx and of this level. */
static inline void tlb_gather_init(struct tlb_gather *g, struct tlb_context *ctx, unsigned level)
{
	g->count = 1;
	g->by_scanner = false;
	g->fast_ctx = tlb_issues_late ? NULL : ctx;
	g->part[0] = (struct tlb_part){.ctx = ctx, .start = ~0UL, .level = (u8)level};
}

/* tlb_gather_add() of another context or a lower level, and of what is broadcast at once. */
void tlb_gather_add_slow(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t va, unsigned level);

/*
 * True: there is no room for another context, so tlb_gather_flush() must come before
 * an entry of this one is added. To be asked by code that adds entries of several
 * contexts, before it takes the PTL. Flushing early is always allowed.
 */
static inline bool tlb_gather_is_full(const struct tlb_gather *g, const struct tlb_context *ctx)
{
	unsigned i = 0;

	while (i < g->count && g->part[i].ctx != ctx)
		i++;
	return i == TLB_GATHER_CONTEXTS;
}

/*
 * Add an entry of this level for va that was taken down or lost rights. Call it after the entry was
 * written; the PTL may be held. Level above 0: walk caches of what it covers are flushed, too.
 */
static inline void tlb_gather_add(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t va,
				  unsigned level)
{
	struct tlb_part *part = &g->part[0];

	if (unlikely(g->fast_ctx != ctx || level < part->level)) {
		tlb_gather_add_slow(g, ctx, va, level);
		return;
	}
	part->start = MIN(part->start, va);
	part->end = MAX(part->end, va + PT_LEVEL_SIZE(level));
	part->pages++;
}

/* The same for all entries of this level in [start, end), also those that have not changed. */
void tlb_gather_add_range(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t start, vaddr_t end,
			  unsigned level);
/*
 * Flush what was gathered on every CPU that may hold it and wait for all of
 * them; the gather is empty afterwards. Interrupts on, no spinlock held.
 */
void tlb_gather_flush(struct tlb_gather *g);
/*
 * True: something is gathered, and no other CPU has one of its contexts loaded, lazily or not. This
 * may change at once; it is good enough to choose how to flush.
 */
bool tlb_gather_is_ours(const struct tlb_gather *g);
/* Flush everything of each context of which something is gathered. */
void tlb_gather_widen(struct tlb_gather *g);
/* Flush everything of a context on every CPU and wait. Interrupts on, no spinlock held. */
void tlb_flush_context(struct tlb_context *ctx);
/*
 * Everything but global entries, of every context, is flushed on these CPUs,
 * which may include this one. Waits for all. Interrupts on, no spinlock held.
 */
void tlb_flush_cpus(const struct cpumask *cpus);
/*
 * Without a shootdown: after entries of ctx were taken down, add to `cpus` those
 * that have it loaded; each of them calls tlb_flush_here() itself, from any
 * context. All others flush before they load it again. ctx: not the kernel's.
 */
void tlb_expire_lazy(struct tlb_context *ctx, struct cpumask *cpus);
void tlb_flush_here(void);
/*
 * Before ctx's generation is stepped: if it has come far since all that is compared with it was known to be near, flush
 * everything everywhere, and wait. Interrupts on, no spinlock held. With 64 bits it never has: mm/generation.c.
 */
void tlb_force_flush(struct tlb_context *ctx);
static inline void tlb_keep_near(struct tlb_context *ctx)
{
	u64 near = GENERATIONS_NARROW ? load_relaxed(&ctx->near)
				      : 0; /* first: it is never later than gen */

	if (GENERATIONS_NARROW && unlikely(generation_is_far(load_relaxed(&ctx->gen), near)))
		tlb_force_flush(ctx);
}
/*
 * A flush that is owed, and may be settled by others.
 *
 * tlb_owe(): an entry of ctx was just taken down, and nobody flushes it now. This
 * asks for a flush of everything, by a generation of its own. So any CPU that loads
 * ctx flushes, and one that has it loaded does so at the next flush that it is asked
 * for. A PTL may be held; tlb_keep_near() came before that. ctx: not the kernel's.
 */
void tlb_owe(struct tlb_context *ctx);
/*
 * Add to `cpus` those that may still use what was owed when ctx->owed was gen. skip: look at each
 * CPU that has ctx loaded, and leave out those that have flushed everything of it
 * since then, whatever for. Returns how many were left out.
 */
unsigned tlb_owing_cpus(struct tlb_context *ctx, u64 gen, bool skip, struct cpumask *cpus);
/* Flush everything of ctx that was owed on these CPUs and wait. Interrupts on, no spinlock held. */
void tlb_flush_owed(struct tlb_context *ctx, const struct cpumask *cpus);
/*
 * Kernel mappings of [start, end) have changed: flush them on every CPU. Multiples of 4 KiB.
 * Interrupts on, no spinlock held.
 */
void tlb_flush_kernel(vaddr_t start, vaddr_t end);
/* Flush one entry on this CPU only: after a spurious fault or an upgrade of rights. Any context. */
void tlb_flush_local(struct tlb_context *ctx, vaddr_t va, unsigned level);

/*
 * A new context of the tables at root, with an id of its own. At most TLB_CONTEXT_IDS - 1 exist at
 * once. Task context.
 */
void tlb_context_init(struct tlb_context *ctx, paddr_t root);
/*
 * Every CPU forgets the context, and its id is free. Nothing runs in it any more; call it before the
 * root is freed. Task context, interrupts on, no locks held; waits for every CPU.
 */
void tlb_context_destroy(struct tlb_context *ctx);
/* The context with this id, NULL: there is none any more. Between tlb_contexts_hold() and _release(). */
struct tlb_context *tlb_context_by_id(u16 id);
/* Physical address of its root, 0: there is no such context any more. Any context, no lock. */
paddr_t tlb_root_by_id(u16 id);
/*
 * From here to tlb_contexts_release() no context goes away: tlb_context_destroy()
 * waits. This is the read side of a lock. It may be held across a flush, and must
 * not be taken twice. Task context, interrupts on, no spinlock held.
 */
void tlb_contexts_hold(void);
void tlb_contexts_release(void);
/*
 * Load a context on this CPU. NULL: none is needed; the old one may stay loaded (lazy) until a flush
 * asks for it. Task context, no locks held; may pay debts, which waits.
 */
void tlb_switch(struct tlb_context *ctx);

/*
 * ---- second stages: mm/tlb_stage2.c ----
 *
 * Beside the stage 1 that it has loaded, a CPU may have one second stage entered:
 * a guest runs there, or may run without another call. Shootdowns of a second
 * stage go the same way as those of a space (tlb_gather_add(), tlb_flush_context());
 * whatever the transport, its CPUs are asked by interrupt.
 */
enum { TLB_STAGE2_SLOTS = 4 }; /* of which a CPU keeps translations at once */

/* As tlb_context_init(), for a second stage. ops: both functions set. */
void tlb_stage2_init(struct tlb_context *ctx, paddr_t root, const struct tlb_stage2_ops *ops);
/* As tlb_context_destroy(). No CPU has it entered. Call it before its tables are freed. */
void tlb_stage2_destroy(struct tlb_context *ctx);
/*
 * From now on a guest may run on this CPU under ctx. On return nothing stale is
 * left: pending requests are served, and what was asked for while the CPU was
 * elsewhere is flushed. No other second stage is entered here.
 *
 * Interrupts are off, and stay off until the guest runs. An interrupt that arrives
 * before that must keep the guest from starting. Entering the guest must order its
 * walks after the loads of this function.
 */
void tlb_enter_stage2(struct tlb_context *ctx);
/* The guest has stopped, and all its accesses are complete. Interrupts off. */
void tlb_leave_stage2(void);
/* Which of this CPU's slots, from 0 on, the second stage has that is entered, or is about to be. Interrupts off. */
unsigned tlb_stage2_slot(void);
/* This CPU flushes everything of ctx, which is not entered here, before it enters it again. Interrupts off. */
void tlb_stage2_forget(const struct tlb_context *ctx);

/* Boot CPU, once, when all CPUs are up. */
void tlb_init(void);

enum tlb_transport { TRANSPORT_IPI, TRANSPORT_BCAST, TRANSPORT_BCAST_LATE };

/* How long targets took to acknowledge, by distance from the initiator; log2 buckets of nanoseconds. */
enum ack_distance { ACK_SMT, ACK_SOCKET, ACK_REMOTE, ACK_DISTANCES };
enum { ACK_BUCKETS = 32 };
