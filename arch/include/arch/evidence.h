/*
 * Evidence: a record of every flush instruction and every load of a root, per
 * CPU, written by the ports at the place where the instruction executes. This
 * header writes the records, <mm/evidence_read.h> reads them, and mm/oracle.c
 * decides with them whether a frame may be reused.
 *
 * Time is counted by one clock that all CPUs share, evidence_clock. It counts
 * flushes, not time that passes.
 *
 *   unmap   take the entry down, then read the clock: the time of the unmap
 *   flush   read the clock, then execute the instruction: the stamp of the flush
 *
 * A flush covers an unmap if its stamp is the later of the two. The clock was
 * then advanced after the unmap had read it and before the flush read it, so the
 * entry was already gone when the flush began.
 *
 * It does not matter who advanced the clock. If nobody did, or too early, both
 * readings are equal and the oracle reports a flush that is missing. A mistake
 * in advancing the clock can therefore cause a false alarm, but never hide a
 * stale entry.
 *
 * The flush of one page only reads the clock, since it is on the path of every
 * page that moves; the shootdown core advances the clock once per shootdown.
 * All other flushes are rare and advance it themselves.
 */
#pragma once

#include <kernel/atomic.h>
#include <kernel/cpumask.h>
#include <kernel/percpu.h>

/* 0: make ORACLE=no, an image without oracle that exists only to measure what the oracle costs. */
#ifndef ORACLE_BUILT
#define ORACLE_BUILT 1
#endif

enum {
	EVIDENCE_SLOTS = 6, /* address spaces whose entries one CPU may keep at once */
	EVIDENCE_LOG_WORDS =
		1 << 13, /* page flushes remembered per CPU: 64 KiB, 16 bits of offset */

	/*
	 * Broadcasts of all of an ASID, remembered by the CPU that issued them, each in the one
	 * place it can be in.
	 */
	EVIDENCE_BCAST_ASIDS = 16,
	EVIDENCE_BCAST_ALL = EVIDENCE_BCAST_ASIDS,
};

/*
 * A page flush is logged as one word, address * 8 + stamp, which x86 computes in
 * one instruction. The reader subtracts address * 8 of the page that it looks
 * for. If the word is a flush of that page, what is left is the stamp. If it is a
 * flush of another page, what is left is off by 2^15 for each page between the
 * two. mm/oracle_log.c tells one case from the other.
 */
enum { EVIDENCE_VA_SHIFT = 3, EVIDENCE_STAMP_BITS = PAGE_SHIFT + EVIDENCE_VA_SHIFT };

static inline u64 evidence_word(vaddr_t va, u64 stamp)
{
	return (va << EVIDENCE_VA_SHIFT) + stamp;
}

/*
 * Two kinds of words are not flushes. No address gives a word with their top bits.
 * EVIDENCE_MARK: the flushes before it belong to the slot in its low bits; those
 * behind it to another. EVIDENCE_RANGE: its low bits say how many pages the flush
 * just before it covers.
 */
#define EVIDENCE_MARK (2UL << 62)
#define EVIDENCE_RANGE (EVIDENCE_MARK | 1UL << 61)
/* A bit of evidence_log.slot: the flushes are broadcasts, and the low bits are their ASID. */
#define EVIDENCE_ISSUED (1U << 31)
#define EVIDENCE_TABLES (1U << 30) /* with EVIDENCE_ISSUED: walk caches were flushed, too */
/* What each such word adds to the log's sum: odd and large, so that a few of them do not look like flushes. */
#define EVIDENCE_MARK_SUM 0x9e3779b97f4a7c15UL

/*
 * The latest page flushes of one CPU, oldest first, and the sum of all words ever
 * logged. Whoever frees many pages can compute what their flushes must have added
 * to the sum, and compares the two instead of reading every word (mm/oracle_many.c).
 *
 * Only its CPU writes it; every CPU reads it. Flushes of this CPU's own TLB are
 * logged with interrupts off, so their stamps ascend. Broadcasts are logged with
 * interrupts on. That is safe because on ports with broadcast an interrupt
 * handler logs nothing, as long as nobody flushes while the transport changes.
 */
struct evidence_log {
	union { /* one word: a reader gets the end of the log and the slot of its newest flush together */
		u64 place;
		struct {
			u32 at; /* bytes written so far, and in the low 16 bits where the next go */
			u32 slot; /* of the newest; or EVIDENCE_ISSUED and the ASID of a broadcast */
		};
	};
	u64 sum;
	u64 word[EVIDENCE_LOG_WORDS]; /* 0: never written */
};
_Static_assert(sizeof(u64) * EVIDENCE_LOG_WORDS == 1 << 16, "u16 wraps where the log does");

/* Broadcast of all of an ASID. It is complete once its CPU's bcast_done has reached `stamp`. */
struct evidence_bcast {
	u64 asid;
	u64 stamp; /* clock of the prepare before it; 0 while the record is being written */
	u64 lost; /* stamp of the flush that was overwritten here last */
};

struct tlb_evidence {
	u64 bcast_stamp; /* of the last tlb_bcast_prepare(); 0 = none since the last completion */
	u64 bcast_done; /* the last one that this CPU has waited for: the stamp of its prepare */
	struct {
		paddr_t root; /* whose entries may be here; 0 = nobody's */
		u64 flushed; /* clock of the last flush of everything of this slot */
		u64 released; /* `flushed` must reach this before the slot is loaded again: frames were released */
		u64 asid; /* tag of the entries: the slot itself where ASIDs are per CPU */
	} slot[EVIDENCE_SLOTS];
	unsigned
		loaded; /* the slot in use, none while it changes; the others cannot be used before a switch */
	u64 loaded_asid; /* its tag, on ports with one table of slots for many ASIDs */
	u64 kernel_flushed; /* clock of the last flush that included global entries */

	struct evidence_bcast bcast[EVIDENCE_BCAST_ALL + 1];
	struct evidence_log log; /* page flushes of this CPU */
};

extern u64 evidence_clock; /* never 0 */
extern unsigned evidence_slots; /* slots that this machine uses, at most EVIDENCE_SLOTS */
extern bool evidence_enabled; /* check=off turns it off at boot */
extern PERCPU_DECLARE(struct tlb_evidence, tlb_evidence);

static inline bool evidence_on(void)
{
	return ORACLE_BUILT && likely(evidence_enabled);
}

/*
 * Advance the clock: after an unmap, before the flush that is to cover it. Returns the stamp of
 * that flush. Full barrier.
 */
static inline u64 evidence_tick(void)
{
	return atomic_fetch_add(&evidence_clock, 1) + 1;
}

/* Advance the clock for a shootdown, before its first flush on any CPU. */
static inline void evidence_step(void)
{
	if (ORACLE_BUILT)
		evidence_tick();
}

/*
 * The stamp of a page flush. Call it before the flush instruction, which must not
 * begin before this load is complete.
 */
static inline u64 evidence_now(void)
{
	return ORACLE_BUILT ? load_relaxed(&evidence_clock) : 0;
}

/* The stamp of a flush that advances the clock itself. 0: evidence is off, and nothing is recorded. */
static inline u64 evidence_begin(void)
{
	return evidence_on() ? evidence_tick() : 0;
}

/* Append a word to this CPU's log and add `sum` to the log's sum. */
static inline void evidence_log_add(struct evidence_log *log, u64 word, u64 sum)
{
	u32 at = log->at;

	store_relaxed((u64 *)((u64)log->word + (u16)at), word);
	store_relaxed(&log->sum, log->sum + sum);
	/* Release: pairs with the acquire of who reads the log, mm/oracle_log.c. */
	store_release(&log->at, at + (u32)sizeof(u64));
}

/*
 * From here on the log is about another slot. End and slot change in one store, so that no reader
 * takes an older flush for one of the new slot. Release: pairs with the acquire in oracle_walk_start().
 */
static inline void evidence_log_turn(struct evidence_log *log, u32 slot)
{
	u32 at = log->at;

	if (likely(log->slot == slot))
		return;
	store_relaxed(&log->word[(u16)at / sizeof(u64)], EVIDENCE_MARK | log->slot);
	store_relaxed(&log->sum, log->sum + EVIDENCE_MARK_SUM);
	store_release(&log->place, (u64)slot << 32 | (u32)(at + sizeof(u64)));
}

/* One page of a slot was flushed on this CPU by the instruction just executed. */
static inline void evidence_page(u64 stamp, vaddr_t va, u32 slot)
{
	struct evidence_log *log = &this_cpu_ptr(tlb_evidence)->log;
	u64 word = evidence_word(va, stamp);

	evidence_log_turn(log, slot);
	evidence_log_add(log, word, word);
}

/*
 * The page flush just logged was not part of a shootdown. Whoever compares sums does not expect it,
 * so take it out of the sum. It stays in the log and counts as evidence like any other.
 */
static inline void evidence_page_alone(void)
{
	struct evidence_log *log = &this_cpu_ptr(tlb_evidence)->log;

	if (ORACLE_BUILT)
		store_relaxed(&log->sum,
			      log->sum - log->word[(u16)(log->at - sizeof(u64)) / sizeof(u64)]);
}

/* Every non-global entry of a slot was flushed on this CPU. Release: pairs with evidence_slot_covers(). */
static inline void evidence_slot(u64 stamp, unsigned slot)
{
	if (stamp)
		store_release(&this_cpu_ptr(tlb_evidence)->slot[slot].flushed, stamp);
}

/* Every non-global entry of all slots. */
static inline void evidence_nonglobal(u64 stamp)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	for (unsigned i = 0; stamp && i < EVIDENCE_SLOTS; i++)
		store_release(&ev->slot[i].flushed, stamp);
}

/* Everything, global entries included. */
static inline void evidence_all(u64 stamp)
{
	evidence_nonglobal(stamp);
	if (stamp)
		store_release(&this_cpu_ptr(tlb_evidence)->kernel_flushed, stamp);
}

/*
 * A load of a root is recorded in two steps, with interrupts off. This is the step
 * before the load: from now on the slot may hold entries of the root. Until the
 * second step no slot counts as in use. Otherwise the oracle could report a stale
 * entry before the flush that comes with the load has left its stamp.
 */
static inline void evidence_root(unsigned slot, paddr_t root)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	if (!ORACLE_BUILT)
		return;
	store_relaxed(&ev->loaded, EVIDENCE_SLOTS);
	store_relaxed(&ev->slot[slot].asid, slot);
	store_release(&ev->slot[slot].root, root);
}

/*
 * The second step, after the load and its flush: this slot is in use. Release: the stamp of the flush
 * is written before; pairs with the acquire in blame(), mm/oracle.c.
 */
static inline void evidence_loaded(unsigned slot, u64 asid)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	store_relaxed(&ev->loaded_asid, asid);
	store_release(&ev->loaded, slot);
}

/* The same on ports where a slot is an ASID. Page flushes then need not say which slot they are of. */
static inline void evidence_loaded_slot(unsigned slot)
{
	if (!ORACLE_BUILT)
		return;
	evidence_log_turn(&this_cpu_ptr(tlb_evidence)->log, slot);
	evidence_loaded(slot, slot);
}

/*
 * ---- broadcast ----
 *
 * A broadcast gets the clock of the tlb_bcast_prepare() before it, not the clock
 * when it is issued. The barrier of the prepare is what makes a new entry visible
 * to walkers; an entry written after it may still be walked in its old form. So a
 * missing prepare shows as a missing flush.
 */

/* Call in tlb_bcast_prepare(), before its barrier. */
static inline void evidence_bcast_begin(void)
{
	/* Relaxed: whoever unmapped before this has read an older value; the barrier is the caller's. */
	if (evidence_on())
		store_relaxed(&this_cpu_ptr(tlb_evidence)->bcast_stamp,
			      atomic_fetch_add_relaxed(&evidence_clock, 1) + 1);
}

/*
 * Write one record. Readers on other CPUs read ASID, stamp, ASID again and lost, in
 * that order (evidence_bcast_stamp(), whose acquires pair with the releases here).
 * They see the old record, or the new one, or none and the old stamp in `lost`.
 */
static inline void evidence_bcast_note(unsigned i, u64 asid)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	struct evidence_bcast *b = &ev->bcast[i];
	u64 stamp = ORACLE_BUILT ? ev->bcast_stamp : 0;

	if (unlikely(!stamp))
		return;
	store_relaxed(&b->lost, b->stamp);
	store_release(&b->stamp, 0);
	store_release(&b->asid, asid);
	store_release(&b->stamp, stamp);
}

/* Where the record of an ASID is in tlb_evidence.bcast[]. Several ASIDs share a place. */
static inline unsigned evidence_asid_place(u64 asid)
{
	return asid % EVIDENCE_BCAST_ASIDS;
}

/*
 * A page was broadcast. This and the next ones are called after the instruction: an interrupt
 * between the two can then only make the evidence weaker than the truth.
 */
static inline void evidence_bcast_page(vaddr_t va, u64 asid)
{
	u64 stamp = ORACLE_BUILT ? this_cpu_ptr(tlb_evidence)->bcast_stamp : 0;

	if (likely(stamp))
		evidence_page(stamp, va, EVIDENCE_ISSUED | (u32)asid);
}

/*
 * A page was broadcast, by an instruction that also drops walk caches. It is logged twice: once for
 * questions about the page, once for questions about its table. (Flushes of the own TLB drop both.)
 */
static inline void evidence_bcast_tables(vaddr_t va, u64 asid)
{
	evidence_bcast_page(va, EVIDENCE_TABLES | asid);
	evidence_bcast_page(va, asid);
}

/* So many pages from va on were broadcast. */
static inline void evidence_bcast_range(vaddr_t va, u64 pages, u64 asid)
{
	struct evidence_log *log = &this_cpu_ptr(tlb_evidence)->log;

	if (!ORACLE_BUILT || unlikely(!this_cpu_ptr(tlb_evidence)->bcast_stamp))
		return;
	evidence_bcast_page(va, asid);
	evidence_log_add(log, EVIDENCE_RANGE | pages, EVIDENCE_MARK_SUM);
}

/* Everything of an ASID was broadcast. */
static inline void evidence_bcast_asid(u64 asid)
{
	evidence_bcast_note(evidence_asid_place(asid), asid);
}

/* Everything of every ASID was broadcast, global entries included. */
static inline void evidence_bcast_all(void)
{
	evidence_bcast_note(EVIDENCE_BCAST_ALL, 0);
}

/*
 * The completing barrier has returned on this CPU. What is issued from now on without a new prepare
 * leaves no evidence. Release: pairs with the acquire loads of bcast_done in <mm/evidence_read.h>.
 */
static inline void evidence_bcast_complete(void)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	u64 stamp = ORACLE_BUILT ? ev->bcast_stamp : 0;

	if (!stamp)
		return;
	store_release(&ev->bcast_done, stamp);
	store_relaxed(&ev->bcast_stamp, 0);
}
