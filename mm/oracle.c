/*
 * The oracle. Before a frame gets new contents or a new owner, it demands:
 *
 *   The frame was unmapped at time u, at address V of context X. On every CPU,
 *   every TLB slot that was loaded with X's root was flushed after u, either as a
 *   whole or at V.
 *
 * If that is not so for a slot that is in use, the run ends. A slot that is not in
 * use cannot be reached before the CPU switches to it. There the oracle only notes
 * what the slot still needs, and oracle_check_keep() checks it at the switch.
 *
 * Many frames are checked at once, as checking each would cost too much. The
 * allocator adds up their records (pmm_free_bulk()). For each slot we ask, the
 * cheapest question first:
 *
 *   1. Was the slot flushed as a whole after the newest of the unmaps?
 *   2. Has the sum of the CPU's log grown by just what the flushes of these pages
 *      add to it? See sums_agree().
 *   3. Is there a flush of each single page in the log?
 */
#include <mm/oracle.h>
#include <mm/evidence_read.h>
#include <mm/deferral.h>
#include <mm/stats.h>
#include <kernel/panic.h>
#include <kernel/string.h>

u64 evidence_clock = 1;
bool evidence_enabled = true;
bool oracle_on = true;
unsigned evidence_slots = EVIDENCE_SLOTS;
PERCPU(struct tlb_evidence, tlb_evidence);

/* ---- telling ---------------------------------------------------------------------- */

static const char *const oracle_files[ORACLE_FILES] = {
	[ORACLE_OTHER] = "elsewhere",
	[ORACLE_MIGRATE] = "mm/migrate.c",
	[ORACLE_RANGE] = "mm/range.c",
	[ORACLE_TABLE] = "mm/range.c",
	[ORACLE_SCAN] = "mm/scan.c",
	[ORACLE_SPLIT] = "mm/split.c",
	[ORACLE_SHARED] = "mm/migrate_shared.c",
	[ORACLE_RMAP] = "mm/rmap_edit.c",
};

/* Who frees the frame: the nearest caller that is neither the allocator nor the oracle. */
static const char *freed_by(char *name, size_t size)
{
	enum { CALLERS = 16 };
	u64 ip[CALLERS];
	unsigned n = backtrace_take(ip, CALLERS), i = 0, above = 0;

	for (; i < n; i++) {
		symbol_of(ip[i], name, size);
		if (!strncmp(name, "oracle_", 7) || !strncmp(name, "pmm_", 4) ||
		    !strncmp(name, "page_put", 8))
			above = i + 1;
	}
	return above < n ? symbol_of(ip[above], name, size) : "?";
}

static void stale(const struct oracle_unmap *u, unsigned cpu) __noreturn;

/* The verdict, with all that is needed to find the mistake. */
static void stale(const struct oracle_unmap *u, unsigned cpu)
{
	u64 site = oracle_site(u->unmap, u->unmap_word);
	char name[80];

	panic("oracle: frame %#lx freed by %s while CPU %u may still hold it: context %lu, "
	      "va %#lx, unmapped by %s:%lu at %lu, debts %lu frames, scheme %s",
	      page_to_phys(u->page), freed_by(name, sizeof(name)), cpu,
	      u->unmap >> ORACLE_STAMP_BITS & ORACLE_ID_MASK, oracle_va(u->unmap, u->unmap_word),
	      oracle_files[site >> ORACLE_LINE_BITS], site % (1U << ORACLE_LINE_BITS),
	      oracle_stamp(u->unmap), deferral->held(), deferral->name);
}

/* ---- one entry, one slot ----------------------------------------------------------- */

/* Acquire: the flush comes before its stamp; pairs with the releases in evidence_slot() and evidence_nonglobal(). */
static inline bool flushed_whole(const struct tlb_evidence *ev, unsigned slot, u64 stamp)
{
	return load_acquire(&ev->slot[slot].flushed) > stamp;
}

/* Was the page at va flushed in this slot after `stamp`, by itself or with all the rest? */
static enum oracle_verdict ask_slot(const struct tlb_evidence *ev, unsigned slot, vaddr_t va,
				    u64 stamp)
{
	struct oracle_walk w;

	if (flushed_whole(ev, slot, stamp))
		return ORACLE_CLEAN;
	oracle_walk_start(&w, &ev->log);
	return oracle_walk(&w, slot, va, stamp);
}

/* The next switch that loads the slot and keeps its entries must find it flushed at `wanted` or later. */
static void tell_switch(struct tlb_evidence *ev, unsigned slot, u64 wanted)
{
	u64 told = load_relaxed(&ev->slot[slot].released);

	while (told < wanted && !atomic_cmpxchg(&ev->slot[slot].released, &told, wanted))
		;
	/* `released` before the look at `loaded`; a switch does the reverse: pairs with oracle_check_keep(). */
	smp_mb();
}

/*
 * No flush was found. If the slot is in use, that is a violation; else the next
 * switch is told. We ask once more, as a switch may have come and flushed since.
 */
static void blame(const struct oracle_unmap *u, unsigned cpu, unsigned slot)
{
	struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

	tell_switch(ev, slot, oracle_stamp(u->unmap) + 1);
	/* Acquire: pairs with evidence_loaded(), which comes after the stamp of what a switch flushes. */
	if (load_acquire(&ev->loaded) == slot &&
	    ask_slot(ev, slot, oracle_va(u->unmap, u->unmap_word), oracle_stamp(u->unmap)) ==
		    ORACLE_STALE)
		stale(u, cpu);
}

/*
 * Root of the context of a record. The context may be destroyed at any moment, so only its root is
 * read, by id. 0: it is gone; every CPU has left it, and flushes the slot before it uses it again.
 */
static paddr_t root_of(u64 unmap)
{
	return tlb_root_by_id((u16)(unmap >> ORACLE_STAMP_BITS & ORACLE_ID_MASK));
}

/* The slot under which the log has the broadcasts that this record asks for. */
static inline u32 issued_slot(const struct oracle_unmap *u, asid_t asid)
{
	u32 tables = oracle_is_table(u->unmap, u->unmap_word) ? EVIDENCE_TABLES : 0;

	return EVIDENCE_ISSUED | tables | asid;
}

/* Broadcasts by one CPU: pages and ranges from its log, whole ASIDs from its records. Only complete ones count. */
static enum oracle_verdict ask_broadcasts_of(unsigned cpu, const struct oracle_unmap *u,
					     asid_t asid)
{
	u64 stamp = oracle_stamp(u->unmap);
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	struct oracle_walk w;
	u64 lost = 0;

	if (load_acquire(&ev->bcast_done) <= stamp) /* all that it ever completed is older */
		return ORACLE_STALE;
	if (evidence_bcast_by(cpu, asid, stamp, &lost))
		return ORACLE_CLEAN;
	oracle_walk_start_issued(&w, ev);
	enum oracle_verdict v =
		oracle_walk(&w, issued_slot(u, asid), oracle_va(u->unmap, u->unmap_word), stamp);

	return v == ORACLE_STALE && lost > stamp ? ORACLE_UNKNOWN : v;
}

/* A complete broadcast reaches every CPU, whoever issued it. Mostly that was this CPU, so it is asked first. */
static enum oracle_verdict ask_broadcasts(const struct oracle_unmap *u, asid_t asid)
{
	unsigned self = cpu_id();
	enum oracle_verdict best = ask_broadcasts_of(self, u, asid);

	for (unsigned cpu = 0; best != ORACLE_CLEAN && cpu < cpu_count; cpu++)
		if (cpu != self)
			best = MIN(best, ask_broadcasts_of(cpu, u, asid));
	return best;
}

/* The last answer about broadcasts. Slots often share an ASID, and asking takes long. */
struct issued {
	u64 asid;
	enum oracle_verdict verdict;
};
#define NOT_ASKED                                                                                  \
	{                                                                                          \
		~0UL, ORACLE_STALE                                                                 \
	}

/*
 * The verdict on one slot. demand: act on it, else only return it. A broadcast drops only what is
 * held under the ASID that it names. So the ASID that counts is the one that the slot was loaded
 * with, which need not be the one that the context has now.
 */
static enum oracle_verdict judge(const struct oracle_unmap *u, unsigned cpu, unsigned slot,
				 struct issued *issued, bool demand)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	u64 asid = load_relaxed(&ev->slot[slot].asid);

	if (tlb_has_bcast() && issued->asid != asid)
		*issued = (struct issued){asid, ask_broadcasts(u, (asid_t)asid)};
	enum oracle_verdict v = issued->verdict;

	if (v ==
	    ORACLE_STALE) /* no broadcast; a flush on that CPU itself (transport=ipi) will do, too */
		v = ask_slot(ev, slot, oracle_va(u->unmap, u->unmap_word), oracle_stamp(u->unmap));
	if (demand && v == ORACLE_STALE)
		blame(u, cpu, slot);
	else if (demand && v == ORACLE_UNKNOWN)
		count(oracle_unknown);
	return v;
}

/* The worst verdict on all slots of all CPUs that were loaded with the record's root. */
static enum oracle_verdict ask(const struct oracle_unmap *u, bool demand)
{
	paddr_t root = root_of(u->unmap);
	struct issued issued = NOT_ASKED;
	enum oracle_verdict worst = ORACLE_CLEAN;

	if (!oracle_stamp(u->unmap) || !root)
		return ORACLE_CLEAN;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		for (unsigned i = 0; i < evidence_slots; i++)
			if (load_acquire(&cpu_ptr(cpu, tlb_evidence)->slot[i].root) == root)
				worst = MAX(worst, judge(u, cpu, i, &issued, demand));
	return worst;
}

enum oracle_verdict oracle_ask(const struct oracle_unmap *u)
{
	return ask(u, false);
}

void oracle_demand(const struct oracle_unmap *u)
{
	ask(u, true);
}

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

/* ---- many frames ---------------------------------------------------------------------- */

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
		judge(&u, cpu, slot, &(struct issued)NOT_ASKED, true);
		oracle_walk_start(&w, &ev->log);
	}
}

/*
 * Has the log's sum grown, since this CPU looked last, by just what the flushes of
 * these n pages add to it?
 *
 * What they add: page.unmap_word = address * 8 + clock at the unmap + site. A page
 * flush of the shootdown comes one tick later and adds address * 8 + clock + 1,
 * which is unmap_word - site + 1. The site is the same for all pages of a batch.
 * So the sum must have grown by the sum of unmap_word, minus n * site, plus n.
 *
 * Equal sums are not proof, since two mistakes can cancel out: two wrong addresses
 * with the right sum, or one stamp a tick too early and another a tick too late.
 * That is why one batch in SUM_ROUNDS is looked at one by one; its caller passes
 * `words` that no sum agrees with.
 */
static bool sums_agree(const struct evidence_log *log, unsigned cpu, u32 slot, struct page **pages,
		       unsigned n, u64 words)
{
	u64 site = oracle_site(pages[0]->unmap, pages[0]->unmap_word);
	/*
	 * Acquire: the slot before the sum; pairs with evidence_log_turn(). A turn to
	 * another slot adds to the sum, so equal sums mean that all flushes are of this slot.
	 */
	u32 newest = (u32)(load_acquire(&log->place) >> 32);
	u64 sum = load_acquire(&log->sum), grown = sum - this_cpu_ptr(oracle_seen)->sum[cpu];

	this_cpu_ptr(oracle_seen)->sum[cpu] = sum;
	return grown == words + n * (1 - site) && newest == slot;
}

/* Questions 2 and 3 at the top of the file. */
static void check_pages(const struct tlb_evidence *ev, unsigned cpu, unsigned slot,
			struct page **pages, unsigned n, u64 words)
{
	if (unlikely(!sums_agree(&ev->log, cpu, slot, pages, n, words)))
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
	if (likely(flushed_whole(ev, slot, newest)))
		return true;
	return n > 1 && flushed_whole(ev, slot, oracle_stamp(pages[0]->unmap)) &&
	       flushed_whole(ev, slot, newest_of(pages, n));
}

/* All slots of one CPU, for pages of one context; none was unmapped after `newest`. */
static inline void check_cpu(unsigned cpu, paddr_t root, struct page **pages, unsigned n,
			     u64 newest, u64 words)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	unsigned i = 0;

	do {
		if (load_acquire(&ev->slot[i].root) == root &&
		    !flushed_since(ev, i, pages, n, newest))
			check_pages(ev, cpu, i, pages, n, words);
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
static void check_broadcast(paddr_t root, struct page **pages, unsigned n, u64 newest, u64 words)
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
	if (likely(sums_agree(&ev->log, cpu_id(), issued, pages, n, words) && !ev->bcast_stamp))
		return;
	/* transport=ipi: nothing was broadcast since the last of them was unmapped, and each CPU has flushed by itself. */
	if (load_acquire(&ev->bcast_done) <= oracle_stamp(pages[n - 1]->unmap)) {
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			check_cpu(cpu, root, pages, n, newest, words);
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
	paddr_t root = root_of(all);
	u64 newest = all & ORACLE_STAMP_MASK; /* the latest stamp, or more: see flushed_since() */

	if (unlikely(!root))
		return;
	if (unlikely(look_closely(n)))
		words = ~words;
	if (tlb_has_bcast()) {
		check_broadcast(root, pages, n, newest, words);
		return;
	}
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		check_cpu(cpu, root, pages, n, newest, words);
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

/*
 * A slot that was loaded with the root must be flushed before it is used again. If the slot is in
 * use now, walks still go through the tables: that ends the run.
 */
static void demand_left(unsigned cpu, unsigned slot, paddr_t root)
{
	struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

	tell_switch(ev, slot, load_relaxed(&evidence_clock) + 1);
	/* Acquire: pairs with evidence_loaded(), as in blame(). */
	if (load_acquire(&ev->loaded) == slot)
		panic("oracle: tables of root %#lx freed while CPU %u has it loaded", root, cpu);
}

void oracle_release_root(paddr_t root)
{
	if (!oracle_checks())
		return;
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		for (unsigned i = 0; i < evidence_slots; i++)
			if (load_acquire(&cpu_ptr(cpu, tlb_evidence)->slot[i].root) == root)
				demand_left(cpu, i, root);
}

/* The other half of tell_switch(): what was released while the slot was not in use. */
void oracle_check_keep(const struct tlb_context *ctx, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	if (!oracle_checks())
		return;
	smp_mb(); /* `loaded` was written before `released` is read: pairs with tell_switch() */
	for (unsigned i = 0; i < evidence_slots; i++)
		if (ev->slot[i].root == ctx->root && ev->slot[i].asid == asid &&
		    ev->slot[i].flushed < ev->slot[i].released)
			panic("oracle: CPU %u keeps its entries of context %u, last flushed at "
			      "%lu, but frames unmapped at %lu were released",
			      cpu_id(), ctx->id, ev->slot[i].flushed, ev->slot[i].released);
}
