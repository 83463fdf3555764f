/*
 * The oracle. What must be true when frame F, unmapped at clock u from context
 * X at page V, gets new contents: for every CPU, and every slot of it whose
 * root is X's, that slot was flushed at u or later, or V was flushed in it at u
 * or later.
 *
 * Slots that hold another root than the loaded one cannot be used before a
 * switch, so they are let pass here and noted; oracle_check_keep() holds the
 * switch to them.
 *
 * Frames are looked at together, in two steps: their records are joined as they
 * are freed (pmm_free_bulk()); then each slot is asked once whether it was
 * flushed as a whole since the newest of them, and only if not, for each page.
 */
#include <mm/oracle.h>
#include <mm/asid.h>
#include <mm/scheme.h>
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
	[ORACLE_OTHER] = "elsewhere",  [ORACLE_MIGRATE] = "mm/migrate.c",
	[ORACLE_RANGE] = "mm/range.c", [ORACLE_SCAN] = "mm/scan.c",
	[ORACLE_SPLIT] = "mm/split.c",
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
	unsigned site = u->unmap_va & ~PAGE_MASK;
	char name[80];

	panic("oracle: frame %#lx freed by %s while CPU %u may still hold it: context %lu, "
	      "va %#lx, unmapped by %s:%u at %lu, debts %lu frames, scheme %s",
	      page_to_phys(u->page), freed_by(name, sizeof(name)), cpu,
	      u->unmap >> ORACLE_STAMP_BITS & ORACLE_ID_MASK, u->unmap_va & PAGE_MASK,
	      oracle_files[site >> ORACLE_LINE_BITS], site % (1U << ORACLE_LINE_BITS),
	      u->unmap & ORACLE_STAMP_MASK, scheme->held(), scheme->name);
}

/* ---- one entry, one slot ----------------------------------------------------------- */

/*
 * Acquire: pairs with the release stores in evidence_*(), the stamp is later
 * than the flush. Stamps are compared in their low bits: half the range is
 * 2^24 flushes, and a frame is checked right after its own.
 */
static enum oracle_verdict ask_slot(const struct tlb_evidence *ev, unsigned slot, u64 vpn,
				    u64 stamp)
{
	if (load_acquire(&ev->slot[slot].flushed) >= stamp)
		return ORACLE_CLEAN;
	u64 seen = load_acquire(&ev->page[vpn % EVIDENCE_PAGES]);

	/* Key and stamp were added up: what is left of this page's own is how much later it was. */
	if (seen - evidence_page_key(vpn, slot) - stamp <= EVIDENCE_STAMP_MASK / 2)
		return ORACLE_CLEAN;
	return ((seen - stamp) & EVIDENCE_STAMP_MASK) > EVIDENCE_STAMP_MASK / 2 ? ORACLE_STALE
										: ORACLE_UNKNOWN;
}

/* A violation, if the slot can be used before its next switch; else the switch is told. */
static void blame(const struct oracle_unmap *u, unsigned cpu, unsigned slot)
{
	struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	u64 stamp = u->unmap & ORACLE_STAMP_MASK;

	if (load_relaxed(&ev->loaded) == slot)
		stale(u, cpu);
	store_relaxed(&ev->slot[slot].released, MAX(ev->slot[slot].released, stamp));
}

static enum oracle_verdict judge(const struct oracle_unmap *u, unsigned cpu, unsigned slot,
				 bool demand)
{
	enum oracle_verdict v = ask_slot(cpu_ptr(cpu, tlb_evidence), slot,
					 u->unmap_va >> PAGE_SHIFT, u->unmap & ORACLE_STAMP_MASK);

	if (demand && v == ORACLE_STALE)
		blame(u, cpu, slot);
	else if (demand && v == ORACLE_UNKNOWN)
		count(oracle_unknown);
	return v;
}

static const struct tlb_context *context_of(u64 unmap)
{
	/* NULL: gone; it was flushed everywhere when it was destroyed. */
	return tlb_context_by_id((u16)(unmap >> ORACLE_STAMP_BITS & ORACLE_ID_MASK));
}

/*
 * Every slot of every CPU. Ports with broadcast: one that came after the unmap
 * and is complete settles it for all CPUs; what none settles is asked of each
 * CPU, as transport=ipi flushes there, too.
 */
static enum oracle_verdict ask(const struct oracle_unmap *u, bool demand)
{
	const struct tlb_context *ctx = context_of(u->unmap);
	u64 stamp = u->unmap & ORACLE_STAMP_MASK, lost = 0;
	enum oracle_verdict worst = ORACLE_CLEAN;

	if (!stamp || !ctx)
		return ORACLE_CLEAN;
	if (tlb_has_bcast() &&
	    evidence_bcast_covers(u->unmap_va & PAGE_MASK, asid_of(ctx, 0), stamp, &lost))
		return ORACLE_CLEAN;
	if (lost >= stamp) {
		if (demand)
			count(oracle_unknown);
		return ORACLE_UNKNOWN;
	}
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		for (unsigned i = 0; i < evidence_slots; i++)
			if (load_acquire(&cpu_ptr(cpu, tlb_evidence)->slot[i].root) == ctx->root)
				worst = MAX(worst, judge(u, cpu, i, demand));
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
	return (struct oracle_unmap){page, page->unmap, page->unmap_va};
}

/* ---- many frames ---------------------------------------------------------------------- */

static __noinline void judge_page(const struct page *page, unsigned cpu, unsigned slot)
{
	struct oracle_unmap u = last_unmap(page);

	if (u.unmap) /* else it was not unmapped since it was allocated */
		judge(&u, cpu, slot, true);
}

/*
 * A slot that was not flushed as a whole since: one load and one comparison for
 * each page. What is in its place, less what would be there if it had been
 * flushed at the moment it was unmapped, is how much later that was; anything
 * else takes the long way.
 */
static void check_pages(const struct tlb_evidence *ev, unsigned cpu, unsigned slot, u64 tag,
			struct page **pages, unsigned n)
{
	u64 bias = evidence_slot_key(slot) - tag;

	for (unsigned i = 0; i < n; i++) {
		const struct page *page = pages[i];
		u64 vpn = page->unmap_va >> PAGE_SHIFT;
		u64 seen = load_acquire(&ev->page[vpn % EVIDENCE_PAGES]);

		if (unlikely(seen - (vpn << EVIDENCE_VPN_SHIFT) - page->unmap - bias >
			     EVIDENCE_STAMP_MASK / 2))
			judge_page(page, cpu, slot);
	}
}

/* When the last of these was unmapped. */
static __noinline u64 newest_of(struct page **pages, unsigned n)
{
	u64 newest = 0;

	for (unsigned i = 0; i < n; i++)
		newest = MAX(newest, pages[i]->unmap & ORACLE_STAMP_MASK);
	return newest;
}

/*
 * An OR of different stamps is later than all of them, and may be later than the
 * flush that covers them: worth a closer look where the first page was covered.
 */
static inline bool flushed_since(const struct tlb_evidence *ev, unsigned slot, struct page **pages,
				 unsigned n, u64 newest)
{
	u64 flushed = load_acquire(&ev->slot[slot].flushed);

	if (likely(flushed >= newest))
		return true;
	return n > 1 && flushed >= (pages[0]->unmap & ORACLE_STAMP_MASK) &&
	       flushed >= newest_of(pages, n);
}

/* Pages of one context on one CPU; none was unmapped after `newest`. */
static inline void check_cpu(unsigned cpu, const struct tlb_context *ctx, struct page **pages,
			     unsigned n, u64 newest)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	unsigned i = 0;

	do {
		if (load_acquire(&ev->slot[i].root) == ctx->root &&
		    !flushed_since(ev, i, pages, n, newest))
			check_pages(ev, cpu, i, ctx->tag, pages, n);
	} while (++i < evidence_slots);
}

static void check_broadcast(const struct tlb_context *ctx, struct page **pages, unsigned n,
			    u64 newest)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	u64 asid = asid_of(ctx, 0), done = ev->bcast_done;

	if (evidence_bcast_asid_covers(asid, newest))
		return;
	for (unsigned i = 0; i < n; i++) {
		const struct page *page = pages[i];
		u64 vpn = page->unmap_va >> PAGE_SHIFT;
		const struct evidence_bcast *b = &ev->bcast[evidence_page_place(vpn)];

		/* Mostly this CPU has broadcast the page itself, and nothing else at its place since. */
		if (likely(b->key == (vpn << 16 | asid) && b->stamp <= done &&
			   b->stamp + ctx->tag >= page->unmap))
			continue;
		struct oracle_unmap u = last_unmap(page);

		oracle_demand(&u);
	}
}

/* All were last mapped in the same context. */
static void check_context(struct page **pages, unsigned n, u64 all)
{
	const struct tlb_context *ctx = context_of(all);
	u64 newest = all & ORACLE_STAMP_MASK; /* or a little later, if stamps differ */

	if (unlikely(!ctx))
		return;
	if (tlb_has_bcast()) {
		check_broadcast(ctx, pages, n, newest);
		return;
	}
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		check_cpu(cpu, ctx, pages, n, newest);
}

static __noinline void check_mixed(struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct oracle_unmap u = last_unmap(pages[i]);

		oracle_demand(&u);
	}
}

static __noinline void check_aliases(struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (load_relaxed(&pages[i]->flags) & PG_ALIASED)
			oracle_alias_release(pages[i]);
}

void oracle_release(struct page **pages, unsigned n, u64 unmap, u32 flags)
{
	u64 tag = unmap >> ORACLE_STAMP_BITS;

	count_add(oracle_checked, n);
	if (unlikely(load_relaxed(&evidence_clock) > ORACLE_STAMP_MASK))
		panic("oracle: more than 2^%u flushes: boot again", ORACLE_STAMP_BITS);
	if (unlikely(flags & PG_ALIASED))
		check_aliases(pages, n);
	if (!unmap)
		return;
	if (unlikely(((tag >> ORACLE_ID_BITS ^ tag) & ORACLE_ID_MASK) != ORACLE_ID_MASK))
		check_mixed(pages, n);
	else
		check_context(pages, n, unmap);
}

void oracle_check_keep(const struct tlb_context *ctx, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	for (unsigned i = 0; oracle_checks() && i < evidence_slots; i++)
		if (ev->slot[i].root == ctx->root && ev->slot[i].asid == asid &&
		    ev->slot[i].flushed < ev->slot[i].released)
			panic("oracle: CPU %u keeps its entries of context %u, last flushed at "
			      "%lu, but frames unmapped at %lu were released",
			      cpu_id(), ctx->id, ev->slot[i].flushed, ev->slot[i].released);
}
