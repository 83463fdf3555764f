/*
 * Reading a CPU's log of page flushes, from its newest word backwards.
 *
 * A word is address * 8 + stamp. Addresses are multiples of 4096, so the low 15
 * bits of the word are the low 15 bits of the stamp. The upper bits of the stamp
 * have to be worked out:
 *
 *   - Stamps in the log never descend, so a word's stamp is at most that of the
 *     next newer word. For the newest word the bound is the clock itself.
 *   - We take the largest number that ends in the 15 known bits and is within
 *     that bound.
 *
 * This is right unless the CPU logged nothing for 2^15 ticks or more between the
 * two words. In that case the real stamp is smaller by a multiple of 2^15.
 *
 * The word minus the stamp gives the address. A smaller stamp means a higher
 * address: 2^15 less in the stamp is one page more in the address. If the page
 * that is asked for fits only such a smaller stamp, the answer is "unknown".
 *
 * The search ends at the first word whose stamp is not newer than the unmap.
 */
#include <mm/oracle.h>
#include <mm/evidence_read.h>

/* Words that the CPU may write while we read: the oldest ones, which it would overwrite, are left out. */
enum { MARGIN = 64 };

#define STAMP_MASK ((1UL << EVIDENCE_STAMP_BITS) - 1)

/* Acquire: every word before `place` was written before; pairs with evidence_log_add() and evidence_log_turn(). */
void oracle_walk_start(struct oracle_walk *w, const struct evidence_log *log)
{
	u64 place = load_acquire(&log->place);

	*w = (struct oracle_walk){.log = log,
				  .start = (u32)place,
				  .at = (u32)place,
				  .slot = (u32)(place >> 32),
				  .left = EVIDENCE_LOG_WORDS - MARGIN,
				  .pages = 1,
				  .now = load_relaxed(&evidence_clock)};
	w->latest = w->now;
}

/* Acquire: a broadcast that is complete was logged before; pairs with evidence_bcast_complete(). */
void oracle_walk_start_issued(struct oracle_walk *w, const struct tlb_evidence *ev)
{
	u64 done = load_acquire(&ev->bcast_done);

	oracle_walk_start(w, &ev->log);
	w->now = done;
}

/* The CPU has not overwritten what we read meanwhile. */
static bool is_intact(const struct oracle_walk *w)
{
	smp_rmb(); /* the words before the end of the log; pairs with the release in evidence_log_add() */
	return load_relaxed(&w->log->at) - w->start <= MARGIN * sizeof(u64);
}

/* Go back over one word, which is the one before `at`. False: it is a mark or a range, not a flush. */
static bool step_back(struct oracle_walk *w, u64 word)
{
	w->at -= (u32)sizeof(u64);
	w->left--;
	if (!evidence_is_mark(word)) {
		w->latest -= (w->latest - word) & STAMP_MASK;
		return true;
	}
	if (evidence_is_range(word))
		w->pages = word & ~EVIDENCE_RANGE;
	else
		w->slot = (u32)word;
	return false;
}

/*
 * Is this word a flush of va? w->latest is the largest stamp that it can have. If
 * the CPU had paused, the stamp may be smaller by n * 2^15, and the address then
 * is n pages higher. n is limited, as the stamp must still be newer than `stamp`.
 */
static enum oracle_verdict match(const struct oracle_walk *w, u64 word, vaddr_t va, u64 stamp)
{
	u64 above = (evidence_word(va, w->latest) - word) >>
		    EVIDENCE_STAMP_BITS; /* pages from its first one to va */
	u64 pauses = (w->latest - stamp - 1) >> EVIDENCE_STAMP_BITS; /* the largest n */

	if (above < w->pages && w->latest <= w->now)
		return ORACLE_CLEAN;
	return pauses && above < w->pages + pauses ? ORACLE_UNKNOWN : ORACLE_STALE;
}

/* STALE is certain only if nothing was ambiguous and nothing that we read was overwritten. */
enum oracle_verdict oracle_walk(struct oracle_walk *w, u32 slot, vaddr_t va, u64 stamp)
{
	bool unsure = false;

	while (w->left && w->latest > stamp) {
		u16 at = (u16)(w->at - sizeof(u64));
		u64 word = load_relaxed(&w->log->word[at / sizeof(u64)]);

		if (!word) /* never written: the log begins here */
			return unsure ? ORACLE_UNKNOWN : ORACLE_STALE;
		if (!step_back(w, word))
			continue;
		if (w->slot == slot && w->latest > stamp) {
			enum oracle_verdict v = match(w, word, va, stamp);

			if (v == ORACLE_CLEAN) {
				if (w->pages >
				    1) /* a range may cover the next page that is asked about, too */
					w->at += (u32)sizeof(u64), w->left++;
				return v;
			}
			unsure |= v == ORACLE_UNKNOWN;
		}
		w->pages = 1;
	}
	return !unsure && w->latest <= stamp && is_intact(w) ? ORACLE_STALE : ORACLE_UNKNOWN;
}
