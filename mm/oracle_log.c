/*
 * Reading a CPU's log of page flushes, from its end backwards.
 *
 * A word of the log is address * 8 + stamp, and only its low 15 bits are sure to
 * be the stamp's. The rest of the stamp is worked out on the way back: stamps in
 * the log only ascend, and the clock at the end is known. So each word's stamp is
 * the latest number that ends in these 15 bits and is not later than the word
 * behind it. That is when the flush was, unless the CPU logged nothing for 2^15
 * ticks in between: then it was earlier than that.
 *
 * With the stamp known, what is left of the word is the address, and both must
 * fit what is asked for. Who looks for something newer than a stamp can stop at
 * the first word that cannot be newer. Where a pause makes two readings possible,
 * the answer is "unknown".
 */
#include <mm/oracle.h>
#include <mm/evidence_read.h>

/* Words that the CPU may write while its oldest ones are read. */
enum { MARGIN = 64 };

#define STAMP_MASK ((1UL << EVIDENCE_STAMP_BITS) - 1)

void oracle_walk_start(struct oracle_walk *w, const struct evidence_log *log)
{
	u64 place = load_acquire(&log->place); /* what is before it was written before */

	*w = (struct oracle_walk){.log = log,
				  .start = (u32)place,
				  .at = (u32)place,
				  .slot = (u32)(place >> 32),
				  .left = EVIDENCE_LOG_WORDS - MARGIN,
				  .pages = 1,
				  .now = load_relaxed(&evidence_clock)};
	w->latest = w->now;
}

void oracle_walk_start_issued(struct oracle_walk *w, const struct tlb_evidence *ev)
{
	u64 done = load_acquire(&ev->bcast_done); /* what is complete was logged before */

	oracle_walk_start(w, &ev->log);
	w->now = done;
}

/* What was read has not been overwritten meanwhile. */
static bool is_intact(const struct oracle_walk *w)
{
	smp_rmb(); /* pairs with the release of each word */
	return load_relaxed(&w->log->at) - w->start <= MARGIN * sizeof(u64);
}

/* The word before `at`, which is now behind it. False: it was no flush. */
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
 * The last word read, as a flush at w->latest. If the log paused before it was
 * overtaken, the flush may have been n * 2^15 ticks earlier; its address is then
 * n pages higher, as the word is the same.
 */
static enum oracle_verdict match(const struct oracle_walk *w, u64 word, vaddr_t va, u64 stamp)
{
	u64 above =
		(evidence_word(va, w->latest) - word) >> EVIDENCE_STAMP_BITS; /* its first page */
	u64 pauses = (w->latest - stamp - 1) >> EVIDENCE_STAMP_BITS;

	if (above < w->pages && w->latest <= w->now)
		return ORACLE_CLEAN;
	return pauses && above < w->pages + pauses ? ORACLE_UNKNOWN : ORACLE_STALE;
}

enum oracle_verdict oracle_walk(struct oracle_walk *w, u32 slot, vaddr_t va, u64 stamp)
{
	bool unsure = false;

	while (w->left && w->latest > stamp) {
		u16 at = (u16)(w->at - sizeof(u64));
		u64 word = load_relaxed(&w->log->word[at / sizeof(u64)]);

		if (!word) /* as old as the machine */
			return unsure ? ORACLE_UNKNOWN : ORACLE_STALE;
		if (!step_back(w, word))
			continue;
		if (w->slot == slot && w->latest > stamp) {
			enum oracle_verdict v = match(w, word, va, stamp);

			if (v == ORACLE_CLEAN) {
				if (w->pages > 1) /* may be of the next that is asked about, too */
					w->at += (u32)sizeof(u64), w->left++;
				return v;
			}
			unsure |= v == ORACLE_UNKNOWN;
		}
		w->pages = 1;
	}
	return !unsure && w->latest <= stamp && is_intact(w) ? ORACLE_STALE : ORACLE_UNKNOWN;
}
