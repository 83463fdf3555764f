/*
 * The oracle's check of frames that are freed together, as checking each would
 * cost too much. The allocator adds up their records (pmm_free_bulk()). For each
 * slot we ask, the cheapest question first:
 *
 *   1. Was the slot flushed as a whole after the newest of the unmaps?
 *   2. Has the sum of the CPU's log grown by just what the flushes of these pages
 *      add to it? See sums_agree(). Or was just their range broadcast last? See range_agrees().
 *   3. Is there a flush of each single page in the log?
 */
#include <mm/oracle.h>
#include <mm/evidence_read.h>
#include <kernel/panic.h>

/* The record on the frame itself: of the entry that was taken down last. */
static inline struct oracle_unmap last_unmap(const struct page *page)
{
	return (struct oracle_unmap){page, page->unmap, page->unmap_word};
}

/* Frames of several contexts: one by one. */
static __noinline void check_mixed(struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct oracle_unmap u = last_unmap(pages[i]);

		oracle_demand(&u);
	}
}

enum {
	SUM_MIN = 16, /* 2 to 15 frames are looked at one by one: the sums save too little */
	SUM_ROUNDS = 256, /* every 256th batch is looked at one by one, even if its sums agree */
};

/* Of this CPU: the sum of each CPU's log when we looked at it last, and the batches that we have checked. */
static PERCPU(
	struct {
		u64 sum[MAX_CPUS];
		unsigned batches;
	},
	oracle_seen);

/* Is each frame of this batch to be looked for in the logs, whatever the sums say? */
static inline bool look_closely(unsigned n)
{
	return n > 1 && (n < SUM_MIN || ++this_cpu_ptr(oracle_seen)->batches % SUM_ROUNDS == 0);
}

/* Go on with a walk until it meets the flush that this record asks for. */
static inline enum oracle_verdict walk_to(struct oracle_walk *w, u32 slot,
					  const struct oracle_unmap *u)
{
	return oracle_walk(w, slot, oracle_va(u->unmap, u->unmap_word), oracle_stamp(u->unmap));
}

/*
 * Frames are mostly freed in the order in which they were flushed. So one walk
 * backwards through the log meets them all. A frame that it does not meet is asked
 * about by itself, and the walk starts again.
 */
static __noinline void check_one_by_one(const struct tlb_evidence *ev, unsigned cpu, unsigned slot,
					struct page **pages, unsigned n)
{
	struct oracle_walk w;

	oracle_walk_start(&w, &ev->log);
	while (n--) {
		struct oracle_unmap u = last_unmap(pages[n]);

		if (!u.unmap) /* it was not unmapped since it was allocated */
			continue;
		if (likely(walk_to(&w, slot, &u) == ORACLE_CLEAN))
			continue;
		oracle_demand_slot(&u, cpu, slot);
		oracle_walk_start(&w, &ev->log);
	}
}

/*
 * What the flushes of n pages of one context add to the sum of a log. words: sum of
 * their unmap_word, which is address * 8 + clock at the unmap + tag + site. A page
 * flush of the shootdown comes one tick later and adds address * 8 + clock + 1, which
 * is unmap_word - tag - site + 1. The site is the same for all pages of a batch.
 */
static inline u64 sum_of_flushes(const struct page *page, unsigned n, u64 tag, u64 words)
{
	return words + n * (1 - tag - oracle_site(page->unmap, page->unmap_word));
}

/*
 * Has the log's sum grown, since this CPU looked last, by just `flushes`, which is
 * what the flushes of the pages add to it?
 *
 * Equal sums are not proof, since two mistakes can cancel out: two wrong addresses
 * with the right sum, or one stamp a tick too early and another a tick too late.
 * That is why one batch in SUM_ROUNDS is looked at one by one; its caller passes
 * `flushes` that no sum agrees with.
 */
static bool sums_agree(const struct evidence_log *log, unsigned cpu, u32 slot, u64 flushes)
{
	/*
	 * Acquire: the slot before the sum; pairs with evidence_log_turn(). A turn to
	 * another slot adds to the sum, so equal sums mean that all flushes are of this slot.
	 */
	u32 newest = (u32)(load_acquire(&log->place) >> 32);
	u64 sum = load_acquire(&log->sum), grown = sum - this_cpu_ptr(oracle_seen)->sum[cpu];

	this_cpu_ptr(oracle_seen)->sum[cpu] = sum;
	return grown == flushes && newest == slot;
}

/*
 * Is the newest word of this CPU's log a broadcast of a range, whose n pages add up to `flushes`? Each is a page above
 * the one before. Sums are no proof here either: see sums_agree().
 */
static bool range_agrees(const struct evidence_log *log, u32 slot, unsigned n, u64 flushes)
{
	u64 place = load_relaxed(&log->place), pairs = (u64)n * (n - 1) / 2;
	u32 newest = (u16)place / sizeof(u64) + EVIDENCE_LOG_WORDS - 1;
	u64 mark = load_relaxed(&log->word[newest % EVIDENCE_LOG_WORDS]);
	u64 first = load_relaxed(&log->word[(newest - 1) % EVIDENCE_LOG_WORDS]);

	return mark == (EVIDENCE_RANGE | n) && place >> 32 == slot &&
	       n * first + (pairs << EVIDENCE_STAMP_BITS) == flushes;
}

/* Questions 2 and 3 at the top of the file. */
static void check_pages(const struct tlb_evidence *ev, unsigned cpu, unsigned slot,
			struct page **pages, unsigned n, u64 flushes)
{
	if (unlikely(!sums_agree(&ev->log, cpu, slot, flushes)))
		check_one_by_one(ev, cpu, slot, pages, n);
}

/* When the last of these frames was unmapped. */
static __noinline u64 newest_of(struct page **pages, unsigned n)
{
	u64 newest = 0;

	for (unsigned i = 0; i < n; i++)
		newest = MAX(newest, oracle_stamp(pages[i]->unmap));
	return newest;
}

/*
 * Question 1. `newest` is the OR of the pages' stamps: equal to the latest stamp, or
 * larger if the stamps differ. If it is larger, a flush that covers all pages may
 * seem too old. Where the first page is covered, the latest stamp is worked out.
 */
static inline bool flushed_since(const struct tlb_evidence *ev, unsigned slot, struct page **pages,
				 unsigned n, u64 newest)
{
	if (likely(evidence_slot_covers(ev, slot, newest)))
		return true;
	return n > 1 && evidence_slot_covers(ev, slot, oracle_stamp(pages[0]->unmap)) &&
	       evidence_slot_covers(ev, slot, newest_of(pages, n));
}

/* All slots of one CPU, for pages of one context; none was unmapped after `newest`. */
static inline void check_cpu(unsigned cpu, paddr_t root, struct page **pages, unsigned n,
			     u64 newest, u64 flushes)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	unsigned i = 0;

	do {
		if (load_acquire(&ev->slot[i].root) == root &&
		    !flushed_since(ev, i, pages, n, newest))
			check_pages(ev, cpu, i, pages, n, flushes);
	} while (++i < evidence_slots);
}

/* Do all slots with this root have it under the same ASID? *asid is that one, or ~0 if there is no such slot. */
static inline bool one_asid(paddr_t root, u64 *asid)
{
	*asid = ~0UL;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		for (unsigned i = 0; i < evidence_slots; i++) {
			if (load_acquire(&ev->slot[i].root) != root)
				continue;
			u64 here = load_relaxed(&ev->slot[i].asid);

			if (unlikely(*asid != here && *asid != ~0UL))
				return false;
			*asid = here;
		}
	}
	return true;
}

/*
 * Pages that broadcasts should have flushed. The usual case is checked by sums: this CPU has
 * broadcast them and waited, and all CPUs have the root under one ASID.
 */
static void check_broadcast(paddr_t root, struct page **pages, unsigned n, u64 newest, u64 flushes)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	struct oracle_walk w;
	u64 asid;

	/* Tables one by one: a sum does not show whether walk caches were flushed, too. */
	if (unlikely(!one_asid(root, &asid) ||
		     oracle_is_table(pages[0]->unmap, pages[0]->unmap_word))) {
		check_mixed(pages, n);
		return;
	}
	u32 issued = EVIDENCE_ISSUED | (u32)asid;

	if (evidence_bcast_asid_covers(asid, newest))
		return;
	/* bcast_stamp 0: nothing was prepared since the last wait, so every broadcast in the log is complete. */
	if (likely((sums_agree(&ev->log, cpu_id(), issued, flushes) ||
		    range_agrees(&ev->log, issued, n, flushes)) &&
		   !ev->bcast_stamp))
		return;
	/* transport=ipi: nothing was broadcast since the last of them was unmapped, and each CPU has flushed by itself. */
	if (load_acquire(&ev->bcast_done) <= oracle_stamp(pages[n - 1]->unmap)) {
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			check_cpu(cpu, root, pages, n, newest, flushes);
		return;
	}
	oracle_walk_start_issued(&w, ev);
	while (n--) {
		struct oracle_unmap u = last_unmap(pages[n]);

		if (!u.unmap || walk_to(&w, issued, &u) == ORACLE_CLEAN)
			continue;
		oracle_demand(&u);
		oracle_walk_start_issued(&w, ev);
	}
}

/* Frames whose records all name the same context. */
static void check_context(struct page **pages, unsigned n, u64 all, u64 words)
{
	paddr_t root = oracle_root(all);
	u64 newest = all & ORACLE_STAMP_MASK; /* the latest stamp, or more: see flushed_since() */
	u64 flushes = sum_of_flushes(pages[0], n, all - newest, words);

	if (unlikely(!root))
		return;
	if (unlikely(look_closely(n)))
		flushes = ~flushes;
	if (tlb_has_bcast()) {
		check_broadcast(root, pages, n, newest, flushes);
		return;
	}
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		check_cpu(cpu, root, pages, n, newest, flushes);
}

/* Records of further mappings that the frames had. */
static __noinline void check_aliases(struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (load_relaxed(&pages[i]->flags) & PG_ALIASED)
			oracle_alias_release(pages[i]);
}

/*
 * `unmap` is an OR. Each record has its context's id and the complement of the id, so the two halves
 * of the OR are complements of each other only if all records name one context.
 */
void oracle_release(struct page **pages, unsigned n, u64 unmap, u64 words)
{
	u64 tag = unmap >> ORACLE_STAMP_BITS;

	count_add(oracle_checked, n);
	if (unlikely(load_relaxed(&evidence_clock) > ORACLE_STAMP_MASK))
		panic("oracle: more than 2^%u flushes: boot again", ORACLE_STAMP_BITS);
	if (unlikely(load_relaxed(&oracle_any_alias)))
		check_aliases(pages, n);
	if (!unmap)
		return;
	if (unlikely(((tag >> ORACLE_ID_BITS ^ tag) & ORACLE_ID_MASK) != ORACLE_ID_MASK))
		check_mixed(pages, n);
	else
		check_context(pages, n, unmap, words);
}
