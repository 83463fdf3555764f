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
 * Here is the check of one frame; mm/oracle_many.c has that of many at once.
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
	      "va %#lx, unmapped by %s:%lu at %lu, debts %lu frames, deferral %s",
	      page_to_phys(u->page), freed_by(name, sizeof(name)), cpu,
	      u->unmap >> ORACLE_STAMP_BITS & ORACLE_ID_MASK, oracle_va(u->unmap, u->unmap_word),
	      oracle_files[site >> ORACLE_LINE_BITS], site % (1U << ORACLE_LINE_BITS),
	      oracle_stamp(u->unmap), deferral->held(), deferral->name);
}

/* ---- one entry, one slot ----------------------------------------------------------- */

/* Was the page at va flushed in this slot after `stamp`, by itself or with all the rest? */
static enum oracle_verdict ask_slot(const struct tlb_evidence *ev, unsigned slot, vaddr_t va,
				    u64 stamp)
{
	struct oracle_walk w;

	if (evidence_slot_covers(ev, slot, stamp))
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
	paddr_t root = oracle_root(u->unmap);
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

void oracle_demand_slot(const struct oracle_unmap *u, unsigned cpu, unsigned slot)
{
	struct issued issued = NOT_ASKED;

	judge(u, cpu, slot, &issued, true);
}

/* ---- roots, and slots that are loaded again -------------------------------------- */

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
