/*
 * The oracle. What must be true when frame F, unmapped at clock u from context
 * X at page V, gets new contents: for every CPU, and every slot of it whose
 * root is X's, that slot was flushed after u, or V was flushed in it after u.
 *
 * Slots that hold another root than the loaded one cannot be used before a
 * switch, so they are let pass here and noted; oracle_check_keep() holds the
 * switch to them.
 */
#include <mm/oracle.h>
#include <mm/asid.h>
#include <mm/scheme.h>
#include <mm/stats.h>
#include <kernel/panic.h>

u64 evidence_clock = 1;
bool evidence_enabled = true;
bool oracle_on = true;
unsigned evidence_slots = EVIDENCE_SLOTS;
PERCPU(struct tlb_evidence, tlb_evidence);

enum verdict { CLEAN, UNKNOWN, STALE };

/*
 * Acquire: pairs with the release stores in evidence_*(), the stamp is later
 * than the flush. Stamps are compared in their low bits: half the range is
 * 2^24 flushes, and a frame is checked right after its own.
 */
static inline enum verdict page_evidence(const struct tlb_evidence *ev, u64 vpn, unsigned slot,
					 u64 stamp)
{
	u64 seen = load_acquire(&ev->page[vpn % EVIDENCE_PAGES]);
	bool newer = ((seen - stamp - 1) & EVIDENCE_STAMP_MASK) < EVIDENCE_STAMP_MASK / 2;

	if (unlikely(!newer))
		return STALE;
	return likely(seen >> EVIDENCE_STAMP_BITS == evidence_page_key(vpn, slot)) ? CLEAN
										   : UNKNOWN;
}

static void stale(const struct page *page, unsigned cpu, const char *where) __noreturn;

static void stale(const struct page *page, unsigned cpu, const char *where)
{
	panic("oracle: %s of frame %#lx while CPU %u may still hold it: context %u, va %#lx, "
	      "unmapped at %lu, scheme %s",
	      where, page_to_phys(page), cpu, page_unmap_ctx(page), page_unmap_va(page),
	      page->unmap_stamp, scheme->name);
}

/* A slot was not flushed as a whole since: ask for each page. */
static void check_pages(struct tlb_evidence *ev, unsigned cpu, unsigned slot, struct page **pages,
			unsigned n, const char *where)
{
	/* A stamp of 0 is older than anything: that frame was not unmapped since it was checked. */
	u64 flushed = MAX(ev->slot[slot].flushed, 1UL);

	for (unsigned i = 0; i < n; i++) {
		const struct page *page = pages[i];
		enum verdict v = CLEAN;

		if (page->unmap_stamp >= flushed)
			v = page_evidence(ev, page->unmap_key >> PAGE_SHIFT, slot,
					  page->unmap_stamp);
		if (likely(v == CLEAN))
			continue;
		if (v == UNKNOWN)
			count(oracle_unknown);
		else if (load_relaxed(&ev->loaded) == slot)
			stale(page, cpu, where);
		else /* cannot be used before a switch, which oracle_check_keep() will see */
			store_relaxed(&ev->slot[slot].released,
				      MAX(ev->slot[slot].released, page->unmap_stamp));
	}
}

/* Pages of one context on one CPU; newest = their greatest stamp. */
static inline void check_cpu(unsigned cpu, const struct tlb_context *ctx, struct page **pages,
			     unsigned n, u64 newest, const char *where)
{
	struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	unsigned i = 0;

	do {
		if (load_acquire(&ev->slot[i].root) == ctx->root &&
		    load_acquire(&ev->slot[i].flushed) <= newest)
			check_pages(ev, cpu, i, pages, n, where);
	} while (++i < evidence_slots);
}

/*
 * Ports with broadcast: one that came after the unmap and is complete settles a
 * page for all CPUs. What none settles is asked of each CPU, as transport=ipi
 * flushes there, too.
 */
static void check_broadcast(const struct tlb_context *ctx, struct page **pages, unsigned n,
			    u64 newest, const char *where)
{
	asid_t asid = asid_of(ctx, 0);

	if (evidence_bcast_since(newest) && evidence_bcast_asid_covers(asid, newest))
		return;
	for (unsigned i = 0; i < n; i++) {
		u64 stamp = pages[i]->unmap_stamp, lost = 0;

		if (!stamp || evidence_bcast_covers(page_unmap_va(pages[i]), asid, stamp, &lost))
			continue;
		if (lost > stamp)
			count(oracle_unknown);
		for (unsigned cpu = 0; lost <= stamp && cpu < cpu_count; cpu++)
			check_cpu(cpu, ctx, &pages[i], 1, stamp, where);
	}
}

/* All pages were last mapped in the same context. */
static void check_context(u16 id, struct page **pages, unsigned n, u64 newest, const char *where)
{
	const struct tlb_context *ctx = tlb_context_by_id(id);

	if (unlikely(!ctx)) /* gone: it was flushed everywhere when it was destroyed */
		return;
	if (tlb_has_bcast()) {
		check_broadcast(ctx, pages, n, newest, where);
		return;
	}
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		check_cpu(cpu, ctx, pages, n, newest, where);
}

static __noinline void check_mixed(struct page **pages, unsigned n, const char *where)
{
	for (unsigned i = 0; i < n; i++)
		if (pages[i]->unmap_stamp)
			check_context(page_unmap_ctx(pages[i]), &pages[i], 1, pages[i]->unmap_stamp,
				      where);
}

void oracle_release(struct page **pages, unsigned n, const struct oracle_sum *sum,
		    const char *where)
{
	count_add(oracle_checked, n);
	if (unlikely(sum->mixed & ~PAGE_MASK))
		check_mixed(pages, n, where);
	else if (sum->newest)
		check_context(page_unmap_ctx(pages[0]), pages, n, sum->newest, where);
}

void oracle_check_keep(const struct tlb_context *ctx, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	for (unsigned i = 0; oracle_on && i < evidence_slots; i++)
		if (ev->slot[i].root == ctx->root && ev->slot[i].asid == asid &&
		    ev->slot[i].released && ev->slot[i].flushed <= ev->slot[i].released)
			panic("oracle: CPU %u keeps its entries of context %u, last flushed at "
			      "%lu, "
			      "but frames unmapped at %lu were released",
			      cpu_id(), ctx->id, ev->slot[i].flushed, ev->slot[i].released);
}
