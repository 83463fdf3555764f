/*
 * Reading the evidence that the ports have stamped (<arch/evidence.h>, which says what it means).
 * For the oracle and its tests; nothing that decides about flushing looks at it.
 */
#pragma once

#include <arch/evidence.h>
#include <kernel/smp.h>

static inline bool evidence_is_mark(u64 word)
{
	return word >> 62 == EVIDENCE_MARK >> 62;
}

static inline bool evidence_is_range(u64 word)
{
	return word >> 61 == EVIDENCE_RANGE >> 61;
}

/* Stamp of the record if it is a complete flush of this ASID, else 0; *lost is raised. */
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
 * Has one broadcast by this CPU, begun after `since`, and now complete, dropped everything of this ASID
 * (ASID_KERNEL: and all else) on every CPU? If not, *lost is raised to the stamp of a forgotten one that may have.
 */
static inline bool evidence_bcast_by(unsigned cpu, u64 asid, u64 since, u64 *lost)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

	if (load_acquire(&ev->bcast_done) <= since) /* all that it ever completed is older */
		return false;
	return evidence_bcast_stamp(ev, evidence_asid_place(asid), asid, lost) > since ||
	       evidence_bcast_stamp(ev, EVIDENCE_BCAST_ALL, 0, lost) > since;
}

/* The same by any CPU. */
static inline bool evidence_bcast_asid_covers(u64 asid, u64 since)
{
	u64 lost = 0;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (evidence_bcast_by(cpu, asid, since, &lost))
			return true;
	return false; /* what is forgotten is left to the question for each page, which counts it */
}
