/*
 * The oracle's evidence: what each CPU's TLB has really been told, stamped by
 * the ports where the flush instruction and the root switch execute.
 *
 * Stamps come from one global clock. A flush takes a new tick before its
 * instruction; an unmapper reads the clock after it took the entry down. So a
 * flush whose stamp is greater than an unmap's stamp began after the unmap
 * and covers it. mm/oracle.c draws the conclusions; nothing else reads this.
 */
#pragma once

#include <kernel/atomic.h>
#include <kernel/cpumask.h>
#include <kernel/percpu.h>

enum {
	EVIDENCE_SLOTS = 6, /* address spaces whose entries one CPU may keep at once */
	EVIDENCE_PAGES = 1024, /* single-page flushes remembered per CPU, power of two */

	/* Broadcasts remembered by the CPU that issued them, each in the one place it can be in. */
	EVIDENCE_BCAST_PAGES = 512, /* a batch of migration */
	EVIDENCE_BCAST_CHUNKS = 32, /* what a range flush does to one 2 MiB chunk */
	EVIDENCE_BCAST_ASIDS = 16,
	EVIDENCE_BCAST_ALL = EVIDENCE_BCAST_PAGES + EVIDENCE_BCAST_CHUNKS + EVIDENCE_BCAST_ASIDS,
};

/*
 * A page flush as one word, so that it is one store: page number and slot in
 * the upper part, the low bits of its stamp below. Another page at the same
 * place overwrites it; whoever asks then finds a newer stamp of a stranger, and
 * knows that it does not know.
 */
enum {
	EVIDENCE_SLOT_BITS = 3, /* the kernel's pages count as slot 7 */
	EVIDENCE_STAMP_BITS = 25, /* leaves 36 bits of page number: 48-bit addresses */
};
#define EVIDENCE_STAMP_MASK ((1UL << EVIDENCE_STAMP_BITS) - 1)

static inline u64 evidence_page_key(u64 vpn, unsigned slot)
{
	return vpn << EVIDENCE_SLOT_BITS | (slot & ((1U << EVIDENCE_SLOT_BITS) - 1));
}

struct evidence_bcast {
	u64 key; /* what was flushed << 16 | ASID */
	u64 pages; /* of a range flush: first page in the chunk << 16 | count */
	u64 stamp; /* clock of the prepare before it; 0 while the record is being written */
	u64 sync; /* complete once the issuing CPU has waited for this many completions */
	u64 lost; /* newest stamp of another flush that was overwritten here */
};

struct tlb_evidence {
	struct {
		paddr_t root; /* whose entries may be here; 0 = nobody's */
		u64 flushed; /* clock of the last flush of everything of this slot */
		u64 released; /* newest unmap of a frame released while this slot, not loaded, had stale entries */
		u64 asid; /* tag of the entries: the slot itself where ASIDs are per CPU */
	} slot[EVIDENCE_SLOTS];
	unsigned loaded; /* the slot in use; the others cannot be used before a switch */
	u64 kernel_flushed; /* clock of the last flush that included global entries */
	u64 page[EVIDENCE_PAGES]; /* single-page flushes: key << EVIDENCE_STAMP_BITS | stamp */

	u64 bcast_stamp; /* of the last tlb_bcast_prepare() */
	u64 bcast_syncs; /* completions this CPU has waited for */
	struct evidence_bcast bcast[EVIDENCE_BCAST_ALL + 1];
};

extern u64 evidence_clock; /* never 0 */
extern unsigned evidence_slots; /* slots that this machine uses, at most EVIDENCE_SLOTS */
extern bool evidence_enabled; /* check=off turns it off at boot */
extern PERCPU_DECLARE(struct tlb_evidence, tlb_evidence);

/* A tick that no unmapper has seen yet: call before the flush instruction. */
static inline u64 evidence_begin(void)
{
	return evidence_enabled ? atomic_fetch_add(&evidence_clock, 1) + 1 : 0;
}

/* One page of a slot was flushed on this CPU by the instruction just executed. */
static inline void evidence_page(u64 stamp, vaddr_t va, unsigned slot)
{
	u64 vpn = va >> PAGE_SHIFT;

	if (stamp)
		store_release(&this_cpu_ptr(tlb_evidence)->page[vpn % EVIDENCE_PAGES],
			      evidence_page_key(vpn, slot) << EVIDENCE_STAMP_BITS |
				      (stamp & EVIDENCE_STAMP_MASK));
}

/* Every non-global entry of a slot was flushed on this CPU. */
static inline void evidence_slot(u64 stamp, unsigned slot)
{
	if (stamp)
		store_release(&this_cpu_ptr(tlb_evidence)->slot[slot].flushed, stamp);
}

/* Everything, global entries included. */
static inline void evidence_all(u64 stamp)
{
	if (!stamp)
		return;
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		store_release(&ev->slot[i].flushed, stamp);
	store_release(&ev->kernel_flushed, stamp);
}

/* The root of a slot is about to change to `root`: call before the load. */
static inline void evidence_root(unsigned slot, paddr_t root)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	store_relaxed(&ev->slot[slot].asid, slot);
	store_release(&ev->slot[slot].root, root);
	store_relaxed(&ev->loaded, slot);
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
	store_relaxed(&this_cpu_ptr(tlb_evidence)->bcast_stamp, evidence_begin());
}

/*
 * One record. Readers on other CPUs look at key, stamp, sync, key again, lost,
 * in that order; each store here is ordered so that they see either the old
 * record, or none and the old stamp in `lost`, or the new record.
 */
static inline void evidence_bcast_note(unsigned i, u64 what, u64 asid, u64 pages)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	struct evidence_bcast *b = &ev->bcast[i];
	u64 key = what << 16 | asid;

	if (!ev->bcast_stamp)
		return;
	if (b->key != key || b->pages != pages || b->sync <= ev->bcast_syncs)
		store_relaxed(&b->lost, b->stamp);
	store_release(&b->stamp, 0);
	store_release(&b->key, key);
	store_relaxed(&b->pages, pages);
	store_relaxed(&b->sync, ev->bcast_syncs + 1);
	store_release(&b->stamp, ev->bcast_stamp);
}

static inline unsigned evidence_page_place(u64 vpn)
{
	return vpn % EVIDENCE_BCAST_PAGES;
}

static inline unsigned evidence_chunk_place(u64 vpn)
{
	return EVIDENCE_BCAST_PAGES + (vpn >> HUGE_ORDER) % EVIDENCE_BCAST_CHUNKS;
}

static inline unsigned evidence_asid_place(u64 asid)
{
	return EVIDENCE_BCAST_PAGES + EVIDENCE_BCAST_CHUNKS + asid % EVIDENCE_BCAST_ASIDS;
}

/* Call these after the instruction: an interrupt between the two may then only count too little. */
static inline void evidence_bcast_page(vaddr_t va, u64 asid)
{
	u64 vpn = va >> PAGE_SHIFT;

	evidence_bcast_note(evidence_page_place(vpn), vpn, asid, 0);
}

static inline void evidence_bcast_range(vaddr_t va, u64 pages, u64 asid)
{
	u64 vpn = va >> PAGE_SHIFT, end = vpn + pages;

	while (vpn < end) {
		u64 n = MIN(end - vpn, HUGE_PAGES - vpn % HUGE_PAGES);

		evidence_bcast_note(evidence_chunk_place(vpn), vpn >> HUGE_ORDER, asid,
				    (vpn % HUGE_PAGES) << 16 | n);
		vpn += n;
	}
}

static inline void evidence_bcast_asid(u64 asid)
{
	evidence_bcast_note(evidence_asid_place(asid), 0, asid, 0);
}

static inline void evidence_bcast_all(void)
{
	evidence_bcast_note(EVIDENCE_BCAST_ALL, 0, 0, 0);
}

/* The completing barrier has returned on this CPU. */
static inline void evidence_bcast_complete(void)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	store_release(&ev->bcast_syncs, ev->bcast_syncs + 1);
}

/* Stamp of the record if it is a complete flush of this key, else 0; *lost is raised. */
static inline u64 evidence_bcast_stamp(const struct tlb_evidence *ev, unsigned i, u64 what,
				       u64 asid, u64 *pages, u64 *lost)
{
	const struct evidence_bcast *b = &ev->bcast[i];
	u64 key = what << 16 | asid, stamp = 0;

	if (load_acquire(&b->key) == key) {
		stamp = load_acquire(&b->stamp);
		*pages = load_relaxed(&b->pages);
		if (load_relaxed(&b->sync) > load_acquire(&ev->bcast_syncs))
			stamp = 0;
		smp_rmb(); /* the record is read before the second look; pairs with the releases above */
		if (load_relaxed(&b->key) != key)
			stamp = 0;
	}
	*lost = MAX(*lost, load_relaxed(&b->lost));
	return stamp;
}

static inline bool evidence_bcast_by(unsigned cpu, vaddr_t va, u64 asid, u64 since, u64 *lost)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	u64 vpn = va >> PAGE_SHIFT, first = vpn % HUGE_PAGES, pages = 0;

	if (load_relaxed(&ev->bcast_stamp) <= since) /* all that it ever broadcast is older */
		return false;
	if (evidence_bcast_stamp(ev, evidence_page_place(vpn), vpn, asid, &pages, lost) > since ||
	    evidence_bcast_stamp(ev, evidence_asid_place(asid), 0, asid, &pages, lost) > since ||
	    evidence_bcast_stamp(ev, EVIDENCE_BCAST_ALL, 0, 0, &pages, lost) > since)
		return true;
	return evidence_bcast_stamp(ev, evidence_chunk_place(vpn), vpn >> HUGE_ORDER, asid, &pages,
				    lost) > since &&
	       first >= pages >> 16 && first < (pages >> 16) + (u16)pages;
}

/* Has anybody broadcast anything after `since`? If not, there is nothing to look up. */
static inline bool evidence_bcast_since(u64 since)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (load_relaxed(&cpu_ptr(cpu, tlb_evidence)->bcast_stamp) > since)
			return true;
	return false;
}

/*
 * Has a broadcast begun after `since`, and now complete, dropped va under this
 * ASID (ASID_KERNEL: global entries) on every CPU? If not, *lost is the newest
 * stamp of a forgotten flush that may have done it; start with 0.
 */
static inline bool evidence_bcast_covers(vaddr_t va, u64 asid, u64 since, u64 *lost)
{
	unsigned self = cpu_id();

	/* Mostly whoever asks has flushed. */
	if (evidence_bcast_by(self, va, asid, since, lost))
		return true;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (cpu != self && evidence_bcast_by(cpu, va, asid, since, lost))
			return true;
	return false;
}

/* The same for everything of an ASID: has one broadcast dropped all of it? */
static inline bool evidence_bcast_asid_covers(u64 asid, u64 since)
{
	u64 pages, lost = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		if (load_relaxed(&ev->bcast_stamp) <= since)
			continue;
		if (evidence_bcast_stamp(ev, evidence_asid_place(asid), 0, asid, &pages, &lost) >
			    since ||
		    evidence_bcast_stamp(ev, EVIDENCE_BCAST_ALL, 0, 0, &pages, &lost) > since)
			return true;
	}
	return false; /* what is forgotten is left to the question for each page, which counts it */
}
