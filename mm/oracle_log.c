/*
 * Reading a CPU's log of page flushes, from its end backwards.
 *
 * A word of it, less an address, is the stamp if the flush was of that address.
 * As the clock at the end is known, and stamps do not ascend backwards, the low
 * bits tell for every word how late its flush can have been at most, which is when
 * it was, if the log never paused for 2^15 ticks: who looks for something newer
 * stops there, and only where both agree the flush was of that address.
 */
#include <mm/oracle.h>

/* Words that the CPU may write while its oldest ones are read. */
enum { MARGIN = 64 };

void oracle_walk_start(struct oracle_walk *w, const struct evidence_log *log)
{
	u64 place = load_acquire(&log->place); /* what is before it was written before */

	*w = (struct oracle_walk){.log = log,
				  .start = (u32)place,
				  .at = (u32)place,
				  .slot = (u32)(place >> 32),
				  .left = EVIDENCE_LOG_WORDS - MARGIN,
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

enum oracle_verdict oracle_walk(struct oracle_walk *w, u32 slot, vaddr_t va, u64 stamp)
{
	bool unsure = false;

	while (w->left && w->latest > stamp) {
		u32 at = w->at - (u32)sizeof(u64);
		u64 word = load_relaxed(&w->log->word[(u16)at / sizeof(u64)]);

		if (!word) /* as old as the machine */
			return unsure ? ORACLE_UNKNOWN : ORACLE_STALE;
		w->at = at;
		w->left--;
		if (evidence_is_mark(word)) {
			w->slot = (u32)word;
			continue;
		}
		w->latest -= (w->latest - word) & ((1UL << EVIDENCE_STAMP_BITS) - 1);
		/* When that was, if it was of this page. */
		u64 then = word - evidence_word(va, 0);

		if (w->slot != slot || then <= stamp || then > w->now)
			continue;
		if (then == w->latest)
			return ORACLE_CLEAN;
		/* Another page's; or of this one, and then nothing for so long that low bits do not tell. */
		unsure |= then < w->latest;
	}
	return !unsure && w->latest <= stamp && is_intact(w) ? ORACLE_STALE : ORACLE_UNKNOWN;
}
