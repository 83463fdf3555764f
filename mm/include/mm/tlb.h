/*
 * Shootdowns: the one place that flushes TLBs.
 *
 * The law: take the entry down, flush every CPU that may hold it, only then
 * reuse what it pointed to. A gather collects what was taken down and
 * tlb_gather_flush() returns when no CPU holds any of it.
 *
 * Lock chain of the memory manager:
 *   aspace.lock -> object.lock -> ptl -> pmm_node.lock -> console
 * Nobody waits for acknowledgements with a spinlock held or interrupts off.
 */
#pragma once

#include <kernel/smp.h>
#include <kernel/cpumask.h>
#include <arch/tlb.h>
#include <arch/pgtable.h>

struct tlb_context;

/*
 * How a CPU forgets translations of a second stage, and what was cached by way of
 * them. Called on a CPU that has the context entered or is about to, interrupts
 * off; complete on return. As the contract's flushes: begins when earlier loads
 * are complete, may drop more than asked, never less. Addresses are the guest's
 * physical ones.
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
	u64 gen; /* flushes asked for so far; starts at 1 (see the top of tlb_ipi.c) */
	struct cpumask mask; /* superset of the CPUs that may hold translations */
	const struct tlb_stage2_ops *stage2; /* NULL: a stage 1 */
	u64 asid_token; /* ports with global ASIDs: generation | asid, see mm/asid.c */
};

enum {
	TLB_CONTEXT_IDS = 4096
}; /* contexts alive at once; a record of the oracle has room for these */
enum { TLB_GATHER_CONTEXTS = 4 }; /* more in one batch: see tlb_gather_is_full() */

extern bool tlb_issues_late; /* transport=bcast-late: each addition is broadcast at once */

/* What is to be flushed of one context; also the form in which targets get it. */
struct tlb_part {
	struct tlb_context *ctx;
	vaddr_t start, end; /* smallest range that has all that was added */
	u64 gen; /* of this flush, once it is under way */
	u32 pages; /* entries added */
	u32 issued; /* of them, broadcast when they were added */
	u8 level; /* smallest level added */
	bool full; /* everything of the context */
};

struct tlb_gather {
	u8 count; /* contexts in use */
	bool by_scanner; /* counted as the NUMA scanner's, here and by its targets, and nowhere else */
	struct tlb_context
		*fast_ctx; /* part[0]'s if adding to it only widens its range, else NULL */
	struct tlb_part part[TLB_GATHER_CONTEXTS];
};

/* Start gathering; most of it will be of ctx, at this level. */
static inline void tlb_gather_init(struct tlb_gather *g, struct tlb_context *ctx, unsigned level)
{
	g->count = 1;
	g->by_scanner = false;
	g->fast_ctx = tlb_issues_late ? NULL : ctx;
	g->part[0] = (struct tlb_part){.ctx = ctx, .start = ~0UL, .level = (u8)level};
}

void tlb_gather_add_slow(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t va, unsigned level);

/*
 * No room for this context: flush before the PTL is taken under which its entry
 * is added. Whoever adds entries of several contexts asks first. Flushing early
 * is always allowed.
 */
static inline bool tlb_gather_is_full(const struct tlb_gather *g, const struct tlb_context *ctx)
{
	unsigned i = 0;

	while (i < g->count && g->part[i].ctx != ctx)
		i++;
	return i == TLB_GATHER_CONTEXTS;
}

/*
 * An entry of this level for va was taken down or lost permissions. Call after the entry was
 * written. Of a level above 0: walk caches of what it covers are flushed, too.
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

/* The same for a run of entries; all of [start, end) counts as changed. */
void tlb_gather_add_range(struct tlb_gather *g, struct tlb_context *ctx, vaddr_t start, vaddr_t end,
			  unsigned level);
/*
 * Flush what was gathered on every CPU that may hold it and wait for all of
 * them; the gather is empty afterwards. Interrupts on, no spinlock held.
 */
void tlb_gather_flush(struct tlb_gather *g);
/* Something is gathered, and no other CPU has any of its contexts loaded, lazily or not: a guess, to choose by. */
bool tlb_gather_is_ours(const struct tlb_gather *g);
/* If anything is gathered of a context, all of it is to be flushed. */
void tlb_gather_widen(struct tlb_gather *g);
/* Flush all of a context everywhere. */
void tlb_flush_context(struct tlb_context *ctx);
/*
 * Many contexts in one shootdown: tlb_expire() for each of them, after their
 * entries were taken down, then tlb_flush_cpus() once. When that returns, no CPU
 * uses anything that it held of a context when tlb_expire() was called for it.
 *
 * tlb_expire() adds to `cpus` those that have ctx loaded; all others flush before
 * they load it again, or are reached by the broadcast. ctx: not the kernel's.
 */
void tlb_expire(struct tlb_context *ctx, struct cpumask *cpus);
/*
 * Everything but global entries, of every context, is flushed on these CPUs,
 * which may include this one. Waits for all. Interrupts on, no spinlock held.
 */
void tlb_flush_cpus(const struct cpumask *cpus);
/* Kernel mappings of a range changed. */
void tlb_flush_kernel(vaddr_t start, vaddr_t end);
/* Only this CPU, one page (spurious faults, write upgrades). */
void tlb_flush_local(struct tlb_context *ctx, vaddr_t va, unsigned level);

void tlb_context_init(struct tlb_context *ctx, paddr_t root);
/* Every CPU forgets it: nobody may have it loaded any more. Call before the root is freed. */
void tlb_context_destroy(struct tlb_context *ctx);
struct tlb_context *tlb_context_by_id(u16 id); /* NULL: no such context any more */
/* Its root, 0: no such context any more. For who does not keep the context from going. Any context. */
paddr_t tlb_root_by_id(u16 id);
/*
 * No context found by its id goes away until the release: tlb_context_destroy()
 * waits. The read side of a lock, which may be held across a flush and is not
 * taken twice. Task context, interrupts on, no spinlock held.
 */
void tlb_contexts_hold(void);
void tlb_contexts_release(void);
/* Load a context on this CPU (NULL: run on lazily). Task context, at operation boundaries. */
void tlb_switch(struct tlb_context *ctx);
struct tlb_context *tlb_loaded(void);

/*
 * ---- second stages: mm/tlb_stage2.c ----
 *
 * Beside the stage 1 that it has loaded, a CPU may have one second stage entered:
 * a guest runs there, or may run without another call. Shootdowns of a second
 * stage go the same way as those of a space (tlb_gather_add(), tlb_flush_context());
 * whatever the transport, its CPUs are asked by interrupt.
 */
void tlb_stage2_init(struct tlb_context *ctx, paddr_t root, const struct tlb_stage2_ops *ops);
/* Every CPU forgets it; nobody has it entered. Call before its tables are freed. Task context. */
void tlb_stage2_destroy(struct tlb_context *ctx);
/*
 * From now on a guest may run on this CPU under ctx, with nothing stale: requests
 * that are pending here are served, and what was asked for while the CPU was
 * elsewhere is flushed. Interrupts off, and off until the guest runs, which an
 * interrupt that comes meanwhile must prevent; entering it must be an event that
 * orders its walks behind what was read here. No other second stage is entered.
 */
void tlb_enter_stage2(struct tlb_context *ctx);
/* The guest has stopped, and all its accesses are complete. Interrupts off. */
void tlb_leave_stage2(void);

void tlb_init(void);

enum tlb_transport { TRANSPORT_IPI, TRANSPORT_BCAST, TRANSPORT_BCAST_LATE };

/* How long targets took to acknowledge, by distance from the initiator; log2 buckets of nanoseconds. */
enum ack_distance { ACK_SMT, ACK_SOCKET, ACK_REMOTE, ACK_DISTANCES };
enum { ACK_BUCKETS = 32 };
