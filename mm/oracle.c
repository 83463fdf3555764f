/*
 * The oracle. What must be true when frame F, unmapped at clock u from context
 * X at page V, gets new contents: for every CPU, and every slot of it whose
 * root is X's, that slot was flushed after u, or V was flushed in it after u.
 *
 * Slots that hold another root than the loaded one cannot be used before a
 * switch, so they are let pass here and noted; oracle_check_keep() holds the
 * switch to them.
 *
 * Frames that are freed together are looked at together. The allocator adds up
 * their records (pmm_free_bulk()), and each slot is asked up to three questions:
 * Was it flushed as a whole since the newest of the records? If not, has its log
 * grown by just the flushes of these pages? That is a comparison of two sums. If
 * not, was each single page flushed?
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
};

/* Who frees or gives away: the first caller above the allocator and us. */
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

/* Acquire: pairs with the release stores in evidence_*(), the stamp is later than the flush. */
static inline bool flushed_whole(const struct tlb_evidence *ev, unsigned slot, u64 stamp)
{
	return load_acquire(&ev->slot[slot].flushed) > stamp;
}

static enum oracle_verdict ask_slot(const struct tlb_evidence *ev, unsigned slot, vaddr_t va,
				    u64 stamp)
{
	struct oracle_walk w;

	if (flushed_whole(ev, slot, stamp))
		return ORACLE_CLEAN;
	oracle_walk_start(&w, &ev->log);
	return oracle_walk(&w, slot, va, stamp);
}

/* The switch that loads the slot next must find that it was flushed by then, or flush it. */
static void tell_switch(struct tlb_evidence *ev, unsigned slot, u64 wanted)
{
	u64 told = load_relaxed(&ev->slot[slot].released);

	while (told < wanted && !atomic_cmpxchg(&ev->slot[slot].released, &told, wanted))
		;
	/* Told before we look, and a switch looks after it has loaded: pairs with oracle_check_keep(). */
	smp_mb();
}

/*
 * A violation, if the slot can be used before its next switch; else the switch
 * is told. If that came in the meantime, it may have flushed.
 */
static void blame(const struct oracle_unmap *u, unsigned cpu, unsigned slot)
{
	struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

	tell_switch(ev, slot, oracle_stamp(u->unmap) + 1);
	/* Acquire: pairs with evidence_loaded(), behind the stamp of what a switch flushes. */
	if (load_acquire(&ev->loaded) == slot &&
	    ask_slot(ev, slot, oracle_va(u->unmap, u->unmap_word), oracle_stamp(u->unmap)) ==
		    ORACLE_STALE)
		stale(u, cpu);
}

/* The context itself may be destroyed at any moment: nothing but its root is asked for. */
static paddr_t root_of(u64 unmap)
{
	/* 0: gone; every CPU left it, and what they may hold must be flushed before its next use. */
	return tlb_root_by_id((u16)(unmap >> ORACLE_STAMP_BITS & ORACLE_ID_MASK));
}

/* What the log must say of a broadcast that settles this record. */
static inline u32 issued_slot(const struct oracle_unmap *u, asid_t asid)
{
	u32 tables = oracle_is_table(u->unmap, u->unmap_word) ? EVIDENCE_TABLES : 0;

	return EVIDENCE_ISSUED | tables | asid;
}

/* By this CPU: pages and ranges in its log, whole ASIDs in its records. Only what is complete counts. */
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

/* One that is complete drops it on every CPU, whoever issued it: mostly who asks. */
static enum oracle_verdict ask_broadcasts(const struct oracle_unmap *u, asid_t asid)
{
	unsigned self = cpu_id();
	enum oracle_verdict best = ask_broadcasts_of(self, u, asid);

	for (unsigned cpu = 0; best != ORACLE_CLEAN && cpu < cpu_count; cpu++)
		if (cpu != self)
			best = MIN(best, ask_broadcasts_of(cpu, u, asid));
	return best;
}

/* What broadcasts have done about the entry under one ASID: slots often share that, and it takes long. */
struct issued {
	u64 asid;
	enum oracle_verdict verdict;
};
#define NOT_ASKED                                                                                  \
	{                                                                                          \
		~0UL, ORACLE_STALE                                                                 \
	}

/*
 * One slot. A broadcast reaches this CPU, whoever sent it, but only what is held under the ASID
 * that it named: the one that this slot was loaded with, not the one that the context has now.
 */
static enum oracle_verdict judge(const struct oracle_unmap *u, unsigned cpu, unsigned slot,
				 struct issued *issued, bool demand)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	u64 asid = load_relaxed(&ev->slot[slot].asid);

	if (tlb_has_bcast() && issued->asid != asid)
		*issued = (struct issued){asid, ask_broadcasts(u, (asid_t)asid)};
	enum oracle_verdict v = issued->verdict;

	if (v == ORACLE_STALE) /* no broadcast did it; transport=ipi flushes on the CPU itself */
		v = ask_slot(ev, slot, oracle_va(u->unmap, u->unmap_word), oracle_stamp(u->unmap));
	if (demand && v == ORACLE_STALE)
		blame(u, cpu, slot);
	else if (demand && v == ORACLE_UNKNOWN)
		count(oracle_unknown);
	return v;
}

/* Every slot of every CPU that was loaded with the root. */
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

static inline struct oracle_unmap last_unmap(const struct page *page)
{
	return (struct oracle_unmap){page, page->unmap, page->unmap_word};
}

static __noinline void check_mixed(struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct oracle_unmap u = last_unmap(pages[i]);

		oracle_demand(&u);
	}
}

/* ---- many frames ---------------------------------------------------------------------- */

enum {
	SUM_MIN = 16, /* fewer frames, but for one, are looked at one by one */
	SUM_ROUNDS = 256, /* and so is one batch of so many that the sums would do for */
};

/* What this CPU remembers: the sum of each CPU's log when it looked last, and how many batches it looked for. */
static PERCPU(
	struct {
		u64 sum[MAX_CPUS];
		unsigned batches;
	},
	oracle_seen);

/* Is every frame to be looked for in every log, whatever the sums say? */
static inline bool look_closely(unsigned n)
{
	return n > 1 && (n < SUM_MIN || ++this_cpu_ptr(oracle_seen)->batches % SUM_ROUNDS == 0);
}

static inline enum oracle_verdict walk_to(struct oracle_walk *w, u32 slot,
					  const struct oracle_unmap *u)
{
	return oracle_walk(w, slot, oracle_va(u->unmap, u->unmap_word), oracle_stamp(u->unmap));
}

/*
 * Frames are freed in the order in which they were flushed, mostly: one walk for
 * all, backwards. What it does not meet is asked for by itself.
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
 * Has the log's sum grown since this CPU looked last by just what the flushes of
 * these pages add to it? Each page's record holds the word that a flush at the
 * clock of its unmap would leave (and its site). A flush at the next tick leaves
 * one more. So n pages add the sum of their words, less n sites, plus n.
 *
 * Two mistakes may cancel out: two pages of which each was flushed in the
 * other's stead, or one flush a tick too early and another a tick too late.
 * That is why one batch of SUM_ROUNDS is looked at closely all the same; its
 * caller passes `words` that agree with no sum.
 */
static bool sums_agree(const struct evidence_log *log, unsigned cpu, u32 slot, struct page **pages,
		       unsigned n, u64 words)
{
	u64 site = oracle_site(pages[0]->unmap, pages[0]->unmap_word);
	/* Acquire: slot before sum. A turn to another slot is in the sum, so all of it is of this one. */
	u32 newest = (u32)(load_acquire(&log->place) >> 32);
	u64 sum = load_acquire(&log->sum), grown = sum - this_cpu_ptr(oracle_seen)->sum[cpu];

	this_cpu_ptr(oracle_seen)->sum[cpu] = sum;
	return grown == words + n * (1 - site) && newest == slot;
}

static void check_pages(const struct tlb_evidence *ev, unsigned cpu, unsigned slot,
			struct page **pages, unsigned n, u64 words)
{
	if (unlikely(!sums_agree(&ev->log, cpu, slot, pages, n, words)))
		check_one_by_one(ev, cpu, slot, pages, n);
}

/* When the last of these was unmapped. */
static __noinline u64 newest_of(struct page **pages, unsigned n)
{
	u64 newest = 0;

	for (unsigned i = 0; i < n; i++)
		newest = MAX(newest, oracle_stamp(pages[i]->unmap));
	return newest;
}

/*
 * `newest` is the OR of the pages' stamps. That is at least the latest of them,
 * but may be later if they differ, and then later than a flush that covers them
 * all. If the first page is covered, it is worth looking for the latest stamp.
 */
static inline bool flushed_since(const struct tlb_evidence *ev, unsigned slot, struct page **pages,
				 unsigned n, u64 newest)
{
	if (likely(flushed_whole(ev, slot, newest)))
		return true;
	return n > 1 && flushed_whole(ev, slot, oracle_stamp(pages[0]->unmap)) &&
	       flushed_whole(ev, slot, newest_of(pages, n));
}

/* Pages of one context on one CPU; none was unmapped after `newest`. */
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

/* Do all CPUs have the root under one ASID? That is *asid; ~0 if no CPU has it. */
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

/* Mostly this CPU has broadcast the pages itself, and waited for it, and all have the root under one ASID. */
static void check_broadcast(paddr_t root, struct page **pages, unsigned n, u64 newest, u64 words)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	struct oracle_walk w;
	u64 asid;

	/* Of a sum it is not known whether walk caches were flushed, too. */
	if (unlikely(!one_asid(root, &asid) ||
		     oracle_is_table(pages[0]->unmap, pages[0]->unmap_word))) {
		check_mixed(pages, n);
		return;
	}
	u32 issued = EVIDENCE_ISSUED | (u32)asid;

	if (evidence_bcast_asid_covers(asid, newest))
		return;
	/* No stamp: nothing was prepared since it has waited last, so all of the log is complete. */
	if (likely(sums_agree(&ev->log, cpu_id(), issued, pages, n, words) && !ev->bcast_stamp))
		return;
	oracle_walk_start_issued(&w, ev);
	while (n--) {
		struct oracle_unmap u = last_unmap(pages[n]);

		if (!u.unmap || walk_to(&w, issued, &u) == ORACLE_CLEAN)
			continue;
		oracle_demand(&u);
		oracle_walk_start_issued(&w, ev);
	}
}

/* All were last mapped in the same context. */
static void check_context(struct page **pages, unsigned n, u64 all, u64 words)
{
	paddr_t root = root_of(all);
	u64 newest = all & ORACLE_STAMP_MASK; /* or a little later, if stamps differ */

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

static __noinline void check_aliases(struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (load_relaxed(&pages[i]->flags) & PG_ALIASED)
			oracle_alias_release(pages[i]);
}

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
 * A slot that was loaded with the root must be flushed before it is used again; one that is loaded
 * now still leads walks through the tables.
 */
static void demand_left(unsigned cpu, unsigned slot, paddr_t root)
{
	struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

	tell_switch(ev, slot, load_relaxed(&evidence_clock) + 1);
	/* Acquire: as in blame(). */
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

void oracle_check_keep(const struct tlb_context *ctx, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	if (!oracle_checks())
		return;
	smp_mb(); /* `loaded` before `released`: pairs with blame() */
	for (unsigned i = 0; i < evidence_slots; i++)
		if (ev->slot[i].root == ctx->root && ev->slot[i].asid == asid &&
		    ev->slot[i].flushed < ev->slot[i].released)
			panic("oracle: CPU %u keeps its entries of context %u, last flushed at "
			      "%lu, but frames unmapped at %lu were released",
			      cpu_id(), ctx->id, ev->slot[i].flushed, ev->slot[i].released);
}
