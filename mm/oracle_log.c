/*
 * Reading a CPU's log of page flushes, from its end backwards.
 *
 * A word of it, less an address, is the stamp if the flush was of that address.
 * As the clock at the end is known, and stamps do not ascend backwards, the low
 * bits tell for every word how late its flush can have been at most: who looks for
 * something newer stops there.
 */
#include <mm/oracle.h>

/* Words that the CPU may write while its oldest ones are read. */
enum { MARGIN = 64 };

void oracle_walk_start(struct oracle_walk *w, const struct evidence_log *log)
{
	u64 place = load_acquire(&log->place); /* what is before it was written before */

	*w = (struct oracle_walk){.log = log,
				  .start = (u16)place,
				  .at = (u16)place,
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
	return (u16)(load_relaxed(&w->log->at) - w->start) <= MARGIN * sizeof(u64);
}

enum oracle_verdict oracle_walk(struct oracle_walk *w, u32 slot, vaddr_t va, u64 stamp)
{
	u64 next = evidence_word(va, stamp + 1), span = w->now > stamp ? w->now - stamp : 0;

	while (w->left && w->latest > stamp) {
		u16 at = (u16)(w->at - sizeof(u64));
		u64 word = load_relaxed(&w->log->word[at / sizeof(u64)]);

		if (!word)
			return ORACLE_STALE; /* as old as the machine */
		w->at = at;
		w->left--;
		if (evidence_is_mark(word)) {
			w->slot = (u32)word;
			continue;
		}
		if (word - next < span && w->slot == slot)
			return ORACLE_CLEAN;
		w->latest -= (w->latest - word) & ((1UL << EVIDENCE_STAMP_BITS) - 1);
	}
	return w->latest <= stamp && is_intact(w) ? ORACLE_STALE : ORACLE_UNKNOWN;
}
