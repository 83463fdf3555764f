/*
 * Evidence: what each CPU's TLB has really been told. The ports leave it here
 * where the flush instruction and the load of a root execute; this header is how.
 * mm/evidence_read.h is how it is read, mm/oracle.c what it is for.
 *
 * There is one clock for all CPUs. Who takes an entry down reads the clock
 * afterwards. A flush reads it just before its instruction: that is its stamp.
 * If the stamp is later than what the unmapper read, somebody advanced the clock
 * in between. Then the entry was gone before the flush began, and the flush
 * covers it.
 *
 * It does not matter who advanced the clock, or whether he was right to: if a
 * step is missing or comes too early, the two readings are equal, and the oracle
 * raises an alarm. It never misses anything for that reason.
 *
 * Flushes of a page only read the clock, because they are on the path of every
 * page that moves; the shootdown core advances it once per shootdown. All other
 * flushes are rare and advance it themselves.
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

	/* Broadcasts of all of an ASID, remembered by the CPU that issued them, each in the one place it can be in. */
	EVIDENCE_BCAST_ASIDS = 16,
	EVIDENCE_BCAST_ALL = EVIDENCE_BCAST_ASIDS,
};

/*
 * A page flush is logged as one word, address * 8 + stamp: x86 computes that in
 * one instruction. To ask whether a word is a flush of some page, subtract that
 * page's address * 8. If it is, the difference is the stamp. If not, the
 * difference is wrong by 2^15 for each page between the two, so it is taken for
 * a stamp only if stamps may differ that much (mm/oracle_log.c).
 */
enum { EVIDENCE_VA_SHIFT = 3, EVIDENCE_STAMP_BITS = PAGE_SHIFT + EVIDENCE_VA_SHIFT };

static inline u64 evidence_word(vaddr_t va, u64 stamp)
{
	return (va << EVIDENCE_VA_SHIFT) + stamp;
}

/*
 * Two kinds of words are no flushes; no address gives such words. EVIDENCE_MARK:
 * the flushes before it are of the slot in the low bits, not of the log's present
 * one. EVIDENCE_RANGE: the flush before it is of as many pages as the low bits say.
 */
#define EVIDENCE_MARK (2UL << 62)
#define EVIDENCE_RANGE (EVIDENCE_MARK | 1UL << 61)
#define EVIDENCE_ISSUED (1U << 31)
#define EVIDENCE_TABLES (1U << 30) /* with EVIDENCE_ISSUED: walk caches were flushed, too */
/* What each of them adds to the log's sum: odd, and so large that a few of them do not look like flushes. */
#define EVIDENCE_MARK_SUM 0x9e3779b97f4a7c15UL

/*
 * The latest page flushes of one CPU, in their order, and the sum of all words
 * that were ever logged. Who freed many pages knows what their flushes must have
 * added to the sum, and compares that instead of reading them all (mm/oracle.c).
 *
 * Everybody reads it; only its CPU writes. Flushes of the own CPU are logged
 * with interrupts off, so their stamps ascend. Broadcasts are logged with
 * interrupts on, but on ports with broadcast an interrupt logs nothing, as long
 * as nobody flushes while the transport changes.
 */
struct evidence_log {
	union { /* one word, so that who reads where the log ends also knows which slot that is of */
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

/* A broadcast is complete if its stamp is not newer than the CPU's bcast_done. */
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
		u64 released; /* what `flushed` must be before it is loaded: frames were released whose entries it had */
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

/* Advance the clock, after an unmap and before the flush that is to cover it. The stamp of the latter. */
static inline u64 evidence_tick(void)
{
	return atomic_fetch_add(&evidence_clock, 1) + 1;
}

/* The same, once per shootdown: its page flushes, here and elsewhere, come after it. */
static inline void evidence_step(void)
{
	if (ORACLE_BUILT)
		evidence_tick();
}

/* The stamp of a page flush: call before its instruction, and have the latter complete earlier loads. */
static inline u64 evidence_now(void)
{
	return ORACLE_BUILT ? load_relaxed(&evidence_clock) : 0;
}

/* The same, or 0 if nothing is to be stamped. */
static inline u64 evidence_begin(void)
{
	return evidence_on() ? evidence_tick() : 0;
}

static inline void evidence_log_add(struct evidence_log *log, u64 word, u64 sum)
{
	u32 at = log->at;

	store_relaxed((u64 *)((u64)log->word + (u16)at), word);
	store_relaxed(&log->sum, log->sum + sum);
	/* Release: pairs with the acquire of who reads the log, mm/oracle_log.c. */
	store_release(&log->at, at + (u32)sizeof(u64));
}

/* What follows in the log is of another slot: one store, so that nobody takes what is before for its. */
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
 * The page flush just logged was no part of a shootdown, so nobody who compares sums counts on it:
 * take it out of the sum. It stays in the log, as it is evidence like any other.
 */
static inline void evidence_page_aside(void)
{
	struct evidence_log *log = &this_cpu_ptr(tlb_evidence)->log;

	if (ORACLE_BUILT)
		store_relaxed(&log->sum,
			      log->sum - log->word[(u16)(log->at - sizeof(u64)) / sizeof(u64)]);
}

/* Every non-global entry of a slot was flushed on this CPU. */
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
 * A load of a root is stamped in two parts, interrupts off. This is the part
 * before the load: from now on there may be entries of the root in its slot. No
 * slot is in use meanwhile, so that nobody is accused before the flush that may
 * come with the load has left its stamp.
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
 * The part behind the load and its flush: this slot is in use. Release: the flush's stamp is there
 * before; pairs with the acquire in blame(), mm/oracle.c.
 */
static inline void evidence_loaded(unsigned slot, u64 asid)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	store_relaxed(&ev->loaded_asid, asid);
	store_release(&ev->loaded, slot);
}

/* The same on ports where a slot is an ASID; page flushes may then leave out whose they are. */
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
 * A flush is stamped with the clock of the prepare before it, not of the issue:
 * only entries taken down before the prepare are sure to be gone for walkers
 * that run after the flush. So a missing prepare is missed evidence, too.
 */

/* Call before the barrier of tlb_bcast_prepare(). */
static inline void evidence_bcast_begin(void)
{
	/* Relaxed: what unmapped before has read a former value; the barrier is the caller's. */
	if (evidence_on())
		store_relaxed(&this_cpu_ptr(tlb_evidence)->bcast_stamp,
			      atomic_fetch_add_relaxed(&evidence_clock, 1) + 1);
}

/*
 * One record. Readers on other CPUs look at ASID, stamp, ASID again, lost, in
 * that order; each store here is ordered so that they see either the old
 * record, or none and the old stamp in `lost`, or the new record.
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

static inline unsigned evidence_asid_place(u64 asid)
{
	return asid % EVIDENCE_BCAST_ASIDS;
}

/* Call these after the instruction: an interrupt between the two may then only count too little. */
static inline void evidence_bcast_page(vaddr_t va, u64 asid)
{
	u64 stamp = ORACLE_BUILT ? this_cpu_ptr(tlb_evidence)->bcast_stamp : 0;

	if (likely(stamp))
		evidence_page(stamp, va, EVIDENCE_ISSUED | (u32)asid);
}

/*
 * The same of one that reaches walk caches, too. It is logged twice, as who asks about a page asks for a flush
 * of the page, and who asks about a table for one of walk caches. (Flushes of the own CPU reach both.)
 */
static inline void evidence_bcast_tables(vaddr_t va, u64 asid)
{
	evidence_bcast_page(va, EVIDENCE_TABLES | asid);
	evidence_bcast_page(va, asid);
}

static inline void evidence_bcast_range(vaddr_t va, u64 pages, u64 asid)
{
	struct evidence_log *log = &this_cpu_ptr(tlb_evidence)->log;

	if (!ORACLE_BUILT || unlikely(!this_cpu_ptr(tlb_evidence)->bcast_stamp))
		return;
	evidence_bcast_page(va, asid);
	evidence_log_add(log, EVIDENCE_RANGE | pages, EVIDENCE_MARK_SUM);
}

static inline void evidence_bcast_asid(u64 asid)
{
	evidence_bcast_note(evidence_asid_place(asid), asid);
}

static inline void evidence_bcast_all(void)
{
	evidence_bcast_note(EVIDENCE_BCAST_ALL, 0);
}

/* The completing barrier has returned on this CPU: what is issued without a new prepare is no evidence. */
static inline void evidence_bcast_complete(void)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	u64 stamp = ORACLE_BUILT ? ev->bcast_stamp : 0;

	if (!stamp)
		return;
	store_release(&ev->bcast_done, stamp);
	store_relaxed(&ev->bcast_stamp, 0);
}
