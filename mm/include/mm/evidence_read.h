/*
 * Reading the evidence that the ports record; <arch/evidence.h> says what it means.
 * For the oracle and its tests. Code that decides about flushing must not read it.
 */
#pragma once

#include <arch/evidence.h>
#include <kernel/smp.h>

/* EVIDENCE_MARK or EVIDENCE_RANGE: a word that is not a flush. */
static inline bool evidence_is_mark(u64 word)
{
	return word >> 62 == EVIDENCE_MARK >> 62;
}

static inline bool evidence_is_range(u64 word)
{
	return word >> 61 == EVIDENCE_RANGE >> 61;
}

/*
 * Was everything of the slot flushed after `stamp`? Acquire: the flush comes before its stamp; pairs with
 * the releases in evidence_slot() and evidence_nonglobal().
 */
static inline bool evidence_slot_covers(const struct tlb_evidence *ev, unsigned slot, u64 stamp)
{
	return load_acquire(&ev->slot[slot].flushed) > stamp;
}

/*
 * The stamp of record i if it is a complete broadcast of this ASID, else 0. *lost is raised to the
 * stamp of the complete broadcast that the record replaced.
 */
static inline u64 evidence_bcast_stamp(const struct tlb_evidence *ev, unsigned i, u64 asid,
				       u64 *lost)
{
	const struct evidence_bcast *b = &ev->bcast[i];
	u64 stamp = 0, done = load_acquire(&ev->bcast_done), over;

	if (load_acquire(&b->asid) == asid) {
		stamp = load_acquire(&b->stamp);
		if (stamp > done)
			stamp = 0;
		smp_rmb(); /* the record is read before the second look; pairs with the releases above */
		if (load_relaxed(&b->asid) != asid)
			stamp = 0;
	}
	over = load_relaxed(&b->lost);
	if (over <= done)
		*lost = MAX(*lost, over);
	return stamp;
}

/*
 * Has a broadcast of this CPU that began after `since`, and is complete, dropped everything of this
 * ASID on every CPU? If not, *lost is raised to the stamp of the latest one whose record is
 * overwritten: that one may have.
 */
static inline bool evidence_bcast_by(unsigned cpu, u64 asid, u64 since, u64 *lost)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

	if (load_acquire(&ev->bcast_done) <= since) /* all that it ever completed is older */
		return false;
	return evidence_bcast_stamp(ev, evidence_asid_place(asid), asid, lost) > since ||
	       evidence_bcast_stamp(ev, EVIDENCE_BCAST_ALL, 0, lost) > since;
}

/* The same question about all CPUs. Overwritten records count as "no". */
static inline bool evidence_bcast_asid_covers(u64 asid, u64 since)
{
	u64 lost = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (evidence_bcast_by(cpu, asid, since, &lost))
			return true;
	return false; /* the caller then asks about each page, and counts what was overwritten */
}
