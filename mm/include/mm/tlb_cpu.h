/*
 * Inside the shootdown core: what each CPU knows of its TLB. For mm/gather.c, mm/tlb_*.c and mm/context.c alone, but for
 * tlb_loaded(), which is on the way of each fault.
 */
#pragma once

#include <mm/knob.h>
#include <mm/tlb.h>
#include <arch/evidence.h>

struct tlb_request {
	unsigned count; /* of parts; 0: everything but global entries, of every context */
	bool by_scanner; /* counted as the NUMA scanner's, and nowhere else */
	struct tlb_part part[TLB_GATHER_CONTEXTS];
	u64 sent_at; /* cycles, for the acknowledgement histogram */
};

struct tlb_cpu {
	/* This CPU only, interrupts off where it is written. */
	struct tlb_context *loaded; /* NULL: the empty root */
	bool lazy; /* `loaded` is not needed by what runs here now */
	unsigned slot;
	unsigned next_slot; /* round robin victim */
	struct tlb_slot { /* other CPUs read ctx and gen: tlb_owing_cpus() */
		struct tlb_context *ctx;
		u64 gen;
		u64 token; /* the asid_token it was loaded under */
		u64 unused; /* a power of two is cheaper to index */
	} slots[EVIDENCE_SLOTS];

	/* The same of second stages: what this CPU may still hold of those that it entered. */
	struct tlb_context *entered; /* NULL: none */
	unsigned entered_slot, next_stage2_slot;
	struct tlb_stage2_slot {
		struct tlb_context *ctx;
		u64 gen;
	} stage2_slots[TLB_STAGE2_SLOTS];

	/* As initiator. This CPU writes it while `unacked` is empty; targets whose bit is set read it. */
	struct tlb_request request;
	struct cpumask unacked __aligned(CACHE_LINE); /* targets clear their bit */

	/* As target. Each initiator sets its bit; this CPU's handler takes them all at once. */
	struct cpumask pending __aligned(CACHE_LINE);
};
extern PERCPU_DECLARE(struct tlb_cpu, tlb_cpu);

/* The context that this CPU runs in, NULL: none (lazy, or the empty root). */
static inline struct tlb_context *tlb_loaded(void)
{
	const struct tlb_cpu *me = this_cpu_ptr(tlb_cpu);

	return me->lazy ? NULL : me->loaded;
}

/* What a CPU did about a request, if it is not a number of pages that it flushed one by one. */
enum {
	SERVED_ALL = 0, /* flushed everything of the context */
	SERVED_NOTHING =
		-1, /* the flush was done already, or is due when the context is loaded next */
};

/* Load the root with nothing in it on this CPU. Interrupts off. */
void context_leave(struct tlb_cpu *me);
/* Once, before the first switch; every CPU that is online has `kernel` loaded for good. */
void context_init(struct tlb_context *kernel);
/* All of this CPU's TLB, before it loads an ASID of a new generation. Interrupts off. */
void tlb_flush_rolled_over(void);

extern struct tlb_context tlb_kernel_context;

/* More pages than are worth flushing one by one. */
static inline bool tlb_wants_full(const struct tlb_part *part)
{
	return part->full || (part->end - part->start) >> PT_LEVEL_SHIFT(part->level) > knobs.range;
}

/* ---- mm/tlb_ipi.c ---- */
/* Ask every CPU in the masks of what is gathered, flush here, wait. Interrupts on, no spinlock held. */
void tlb_flush_by_ipi(struct tlb_gather *g);
/* What g names on these CPUs, by generations that were raised before; NULL: all but global entries. The same rules. */
void tlb_flush_cpus_by_ipi(const struct cpumask *cpus, const struct tlb_gather *g);
/* IPI_TLB handler, and polled by waiters with interrupts off. May find nothing to do. */
void tlb_serve(void);

/* ---- mm/tlb_stage2.c ---- */
extern u64 tlb_stage2_count; /* second stages alive; atomic */
/* Bring the second stage that is entered here up to date with a request for it; as serve_part(). */
int stage2_serve(struct tlb_cpu *me, const struct tlb_part *part);
/* Drop everything that this CPU holds of any second stage. Interrupts off. */
void stage2_flush_all(struct tlb_cpu *me);

/* ---- mm/tlb_bcast.c ---- */
/* Broadcast what was not broadcast yet, and wait until every CPU has done it. Interrupts on, no spinlock held. */
void tlb_flush_by_bcast(struct tlb_gather *g);
/* Everything on every CPU; waits. */
void tlb_flush_all_by_bcast(void);
/* transport=bcast-late: an entry was added to part; broadcast it at once. PTL held. */
void tlb_issue_now(struct tlb_part *part, vaddr_t va, unsigned level);
