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
#include <mm/scheme.h>
#include <mm/stats.h>
#include <kernel/panic.h>

u64 evidence_clock = 1;
bool evidence_enabled = true;
bool oracle_on = true;
PERCPU(struct tlb_evidence, tlb_evidence);

enum verdict { CLEAN, UNKNOWN, STALE };

/* Acquire loads pair with the release stores in evidence_*(): the stamp is later than the flush. */
static enum verdict page_evidence(const struct tlb_evidence *ev, u64 vpn, unsigned slot, u64 stamp)
{
	unsigned i = vpn % EVIDENCE_PAGES;

	if (load_relaxed(&ev->page[i].key) == (vpn << 16 | slot) &&
	    load_acquire(&ev->page[i].stamp) > stamp)
		return CLEAN;
	return load_relaxed(&ev->page_lost[i]) > stamp ? UNKNOWN : STALE;
}

static enum verdict cpu_evidence(unsigned cpu, const struct page *page, struct tlb_context *ctx)
{
	const struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);
	u64 stamp = page->unmap_stamp;
	enum verdict worst = CLEAN;

	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++) {
		if (load_acquire(&ev->slot[i].root) != ctx->root ||
		    load_acquire(&ev->slot[i].flushed) > stamp)
			continue;
		if (load_relaxed(&ev->loaded) != i) {
			store_relaxed(&ctx->oracle_released, MAX(ctx->oracle_released, stamp));
			continue;
		}
		enum verdict v = page_evidence(ev, page->unmap_key >> 16, i, stamp);

		worst = MAX(worst, v);
	}
	return worst;
}

void oracle_check_slow(struct page *page, const char *where)
{
	struct tlb_context *ctx = tlb_context_by_id((u16)page->unmap_key);
	bool unknown = false;

	count(oracle_checked);
	/* A context that is gone was flushed everywhere when it was destroyed. */
	for (unsigned cpu = 0; ctx && cpu < cpu_count; cpu++) {
		enum verdict v = cpu_evidence(cpu, page, ctx);

		if (v == STALE)
			panic("oracle: %s of frame %#lx while CPU %u may still hold it: context "
			      "%u, "
			      "va %#lx, unmapped at %lu, scheme %s",
			      where, page_to_phys(page), cpu, ctx->id,
			      page->unmap_key >> 16 << PAGE_SHIFT, page->unmap_stamp, scheme->name);
		unknown |= v == UNKNOWN;
	}
	if (unknown)
		count(oracle_unknown);
	page->unmap_stamp = 0;
}

void oracle_check_keep(const struct tlb_context *ctx, unsigned slot)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	if (oracle_on && ev->slot[slot].flushed <= load_relaxed(&ctx->oracle_released))
		panic("oracle: CPU %u keeps slot %u of context %u, last flushed at %lu, but frames "
		      "unmapped at %lu were released",
		      cpu_id(), slot, ctx->id, ev->slot[slot].flushed, ctx->oracle_released);
}
