/*
 * Migration: take down every entry of a batch, flush once, then copy and map
 * pair by pair.
 *
 * Why it is safe. No copy starts before the flush is complete (I2), so stale
 * writable entries write into the source before it is copied. Dirty and
 * accessed bits come from the exchanged entry (I3). A fault waits on the
 * migration entry and maps nothing itself (I4, I6). Pins: the entry is
 * exchanged (full barrier), then the references are compared and frozen by one
 * compare-and-swap; a pinner references first and looks at the entry after
 * (I10). Whatever fails is mapped again where it was; the flush still happens,
 * or is not needed, where it was deferred.
 * The source is freed only after the flush, and the oracle checks it (I1).
 *
 * Mappings keep their reference while their entry is a migration entry: the
 * source is frozen when its references equal the entries taken down, and the
 * destination inherits that count.
 */
#include <mm/knob.h>
#include <mm/migrate_batch.h>
#include <mm/migrate_wait.h>
#include <mm/numa.h>
#include <mm/oracle.h>
#include <mm/pmm.h>
#include <mm/rmap.h>
#include <mm/debt.h>
#include <mm/deferral.h>
#include <mm/stats.h>
#include <kernel/clock.h>
#include <kernel/panic.h>
#include <kernel/string.h>

static PERCPU(struct migration, migration);

/* ---- destinations ---------------------------------------------------------------- */

/* Nobody may write the page through the area that maps it, which is the only one. */
static bool only_read(const struct page *src)
{
	const struct area *area = load_relaxed(&src->object->sole);

	return area && !(area->prot & PROT_WRITE);
}

/* A destination for each page that was isolated. Pages that get none are dropped. */
static __noinline void allocate(struct migration *m)
{
	for (unsigned i = 0; i < m->count; i++) {
		m->dst[i] = NULL;
		if (unlikely(deferral->lends) && !m->list && only_read(m->src[i]))
			m->dst[i] = deferral->frame_wanted(m->req->to_node, m->order);
		if (!m->dst[i])
			m->dst[i] =
				pmm_alloc(m->req->to_node, m->order, PMM_STRICT | PMM_NO_RECLAIM);
		if (unlikely(!m->dst[i]))
			migration_drop(m, i, MIGRATE_NO_MEMORY);
	}
}

/* ---- unmap ------------------------------------------------------------------------ */

static void map_pair(struct migration *m, unsigned i, struct page *to);

/* Through the reverse map. A page that stays is mapped again at once, where it was. */
static __noinline enum migrate_reason unmap_elsewhere(struct migration *m, struct page *src)
{
	if (!migration_hold_object(m, src->object))
		return BATCH_ENDS;
	enum migrate_reason reason = migration_unmap_shared(m, src);

	if (reason != MIGRATE_OK)
		map_pair(m, src->slot, src);
	return reason;
}

/* The usual case: of one area, so mapped once, in the space whose lock we hold. */
static __always_inline enum migrate_reason unmap_page(struct migration *m, struct page *src)
{
	struct area *area = load_relaxed(&src->object->sole);
	struct aspace *as = m->req->as;

	/* Of a list: nobody keeps the area before its object is held. */
	if (unlikely(!as || !area || area->aspace != as))
		return unmap_elsewhere(m, src);
	vaddr_t va = rmap_va(area, src->index);
	bool may_wait = true;
	pte_t *ptep = m->level ? pgwalk_find(as->root, va, m->level).ptep
			       : pgwalk_cached(as->root, va, &m->cache);
	struct spinlock *ptl = pt_lock_of(ptep);

	m->entry[src->slot] = ptep;
	tlb_keep_near(&as->ctx);
	spin_lock(ptl);
	enum migrate_reason reason =
		migration_take(m, src, as, ptep, va, true, &may_wait, ORACLE_SITE(ORACLE_MIGRATE));
	spin_unlock(ptl);
	if (likely(reason != FLUSH_MAY_WAIT))
		return reason;
	if (deferral->may_defer(src, m->dst[src->slot]))
		m->state[src->slot] = PAIR_DEFERRED;
	else
		tlb_gather_add(&m->gather, &as->ctx, va, m->level);
	return MIGRATE_OK;
}

/* Returns where the batch ends: at `last`, or before a page of an object that cannot be held now. */
static __always_inline unsigned unmap(struct migration *m, unsigned i, unsigned last)
{
	do {
		if (unlikely(m->state[i] & PAIR_DONE))
			continue;
		enum migrate_reason reason = unmap_page(m, m->src[i]);

		if (likely(reason == MIGRATE_OK))
			continue;
		if (reason == BATCH_ENDS)
			return i;
		migration_drop(m, i, reason);
	} while (++i < last);
	return last;
}

/*
 * The same as Linux does on x86-64: an entry of a space that no other CPU has
 * loaded is flushed at once, since waiting would save no interrupt; the flush of
 * the others drops everything. docs/linux.md
 */
static __noinline unsigned unmap_as_linux(struct migration *m, unsigned i, unsigned last)
{
	for (; i < last && unmap(m, i, i + 1) > i; i++) {
		if (knobs.batch_alone || !tlb_gather_is_ours(&m->gather))
			continue;
		phase_end(m, PHASE_UNMAP);
		tlb_gather_flush(&m->gather);
		phase_end(m, PHASE_FLUSH);
	}
	if (knobs.batch_flush == BATCH_FLUSH_ALL)
		tlb_gather_widen(&m->gather);
	return i;
}

/* ---- copy and map ------------------------------------------------------------------- */

/* Entries of src now name `to`, which is the destination, or src itself to undo. */
static void map_pair(struct migration *m, unsigned i, struct page *to)
{
	if (likely(m->entry[i]))
		migration_map_entry(m->entry[i], to, m->level);
	else
		migration_map_shared(m->src[i], to, m->level);
	/* Waiters registered under the PTL that we just held, or will find the page mapped. */
	if (unlikely(load_relaxed(&m->src[i]->flags) & PG_WAITERS)) {
		atomic_fetch_and_relaxed(&m->src[i]->flags, ~(u32)PG_WAITERS);
		migration_wake(m->src[i]);
	}
}

/* The source is frozen and its flush complete, so nobody writes it (I2). */
static void copy_pair(struct migration *m, unsigned i)
{
	char *to = page_to_virt(m->dst[i]);
	const char *from = page_to_virt(m->src[i]);

	for (u64 left = 1UL << m->order; left--; to += PAGE_SIZE, from += PAGE_SIZE)
		copy_page(to, from);
}

/* The destination takes the source's place in the object. The source is frozen: nobody else looks at it. */
static inline void replace_in_object(struct page *src, struct page *dst, u32 mappings)
{
	dst->object = src->object;
	dst->index = src->index;
	dst->last = src->last;
	/* Release: what it is; partner: look_at() of mm/reclaim_anon.c, by its full barrier. */
	store_release(&dst->mapcount, mappings);
	u32 keep = load_relaxed(&src->flags) & (PG_DIRTY | PG_EXCLUSIVE | PG_HELD);

	if (unlikely(keep)) /* nobody marks it any more: it is frozen */
		atomic_fetch_or_relaxed(&dst->flags, keep);
	src->mapcount = 0;
	src->object = NULL;
	slot_store(object_slot(dst->object, dst->index, false), slot_of_page(dst));
}

/* Somebody has a reference: map the source again where it was. */
static void undo_pair(struct migration *m, unsigned i)
{
	struct page *src = m->src[i];

	bool locked = load_relaxed(&src->flags) & PG_LOCKED;

	map_pair(m, i, src);
	migration_drop(m, i,
		       page_pins(src) ? MIGRATE_PINNED
		       : locked	      ? MIGRATE_WRITEBACK
				      : MIGRATE_RACED);
}

/* Entries of pair i that are migration entries now. */
static inline u32 mappings_taken(const struct migration *m, unsigned i)
{
	return likely(m->entry[i]) ? 1 : m->taken[i];
}

/*
 * No references but the object's own and those of the entries that were taken down: nobody maps the
 * page through another entry, and nobody has it pinned. The compare-and-swap is
 * a full barrier after the exchange of the entries, so it sees every reference
 * taken before (I10). Before the copy, as a pin's owner may write until then.
 */
static inline bool freeze(const struct migration *m, struct page *src, struct page *dst, u64 refs)
{
	/* A page of a list has its caller's reference, too, which goes with the source. */
	u64 expected = refs + (m->list ? PAGE_REF : 0);

	if (unlikely(!atomic_cmpxchg(&src->refs, &expected, 0UL)))
		return false;
	/*
	 * The destination has them now. Added to the allocation's one, not stored: the
	 * frame may have been this slot's page before, and a fault that read the slot
	 * then may get its reference only now.
	 */
	if (unlikely(refs != PAGE_REF))
		atomic_fetch_add_relaxed(&dst->refs, refs - PAGE_REF);
	return true;
}

/* It has been in swap, and its object has a reference, which the destination gets, too. Out of line, as few have. */
static __noinline bool freeze_held(const struct migration *m, unsigned i)
{
	struct page *src = m->src[i];
	u64 refs = page_expected_refs(src, mappings_taken(m, i)) + PAGE_REF;

	return page_is_held(src) && freeze(m, src, m->dst[i], refs);
}

/* Ends in the middle of PHASE_MAP. */
static inline void move_pair(struct migration *m, unsigned i)
{
	struct page *src = m->src[i], *dst = m->dst[i];

	m->state[i] |= PAIR_DONE;
	if (unlikely(!freeze(m, src, dst, page_expected_refs(src, mappings_taken(m, i)))) &&
	    !freeze_held(m, i)) {
		undo_pair(m, i);
		return;
	}
	copy_pair(m, i);
	phase_end(m, PHASE_COPY);
	replace_in_object(src, dst, mappings_taken(m, i));
	m->moved++;
	if (unlikely(m->tells))
		migration_note_moved(m, m->va[i]);
	map_pair(m, i, dst);
}

/* Move what somebody waits for first: the longest wait is then the unmap phase and a page or two. */
static __noinline void move_wanted(struct migration *m)
{
	/* Cleared before the bits are read: a want that comes meanwhile sets it again. */
	atomic_xchg(&m->wanted_any, 0U);
	for (unsigned w = 0; w * 64 < m->count; w++) {
		/* Only pages of this batch can be wanted: others are mapped, or done. */
		u64 bits = load_relaxed(&m->wanted[w]) ? atomic_xchg(&m->wanted[w], 0UL) : 0;

		for (; bits; bits &= bits - 1) {
			unsigned i = w * 64 + (unsigned)__builtin_ctzl(bits);

			if (m->state[i] & PAIR_DONE)
				continue;
			count(pages_wanted);
			move_pair(m, i);
			phase_end(m, PHASE_MAP);
		}
	}
}

/* Copy and map the pairs [i, last), those that somebody waits for first. */
static __always_inline void move(struct migration *m, unsigned i, unsigned last)
{
	for (;;) {
		if (likely(!(m->state[i] & PAIR_DONE)))
			move_pair(m, i);
		if (++i == last)
			break;
		if (unlikely(load_relaxed(&m->wanted_any)))
			move_wanted(m);
		phase_end(m, PHASE_MAP);
	}
	phase_end(m, PHASE_MAP);
}

/* ---- sources ------------------------------------------------------------------------- */

/* The flush of this page waits: its old frame goes to the deferral. */
static void hold_source(struct page *src)
{
	ASSERT(!load_relaxed(&src->refs)); /* frozen by the move */
	store_relaxed(&src->state, (u8)PAGE_QUARANTINE);
	deferral->frame_held(src);
}

/* Old frames of all pages that have moved go to the allocator, or to the deferral. */
static __noinline void free_sources(struct migration *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->count; i++) {
		struct page *src = m->src[i];

		if (unlikely(!src)) /* it stayed */
			continue;
		if (unlikely(m->state[i] & PAIR_DEFERRED))
			hold_source(src);
		else
			m->src[n++] = src;
	}
	if (unlikely(m->defers)) {
		debts_note_held();
		deferral_sources_held();
	}
	/* One of them may have been lent: older entries of other addresses may still lead to it (I1). */
	if (unlikely(deferral->lends) && n)
		pay(PAY_FREE, pay_all());
	pmm_free_bulk(m->src, n);
}

/* Bookkeeping of a heavier kernel, on request (knob `pad`). */
static __noinline void pad(struct migration *m, u64 pages)
{
	u64 until = cycles_now() + ns_to_cycles(knobs.pad * pages);

	while (cycles_now() < until)
		cpu_relax();
	phase_end(m, PHASE_OTHER);
}

static __noinline unsigned begin_changes(struct migration *m, unsigned first, unsigned last)
{
	last = migration_begin_changes(m, first, last);
	phase_end(m, PHASE_OTHER);
	return last;
}

/* Changes were begun with their objects held. */
static __noinline void finish_shared(struct migration *m)
{
	migration_end_changes(m);
	migration_release_objects(m);
	phase_end(m, PHASE_OTHER);
}

/* Returns where the next one begins, at most `last`. */
static __always_inline unsigned migrate_batch(struct migration *m, unsigned first, unsigned last)
{
	if (unlikely(m->watched))
		last = begin_changes(m, first, last);
	last = likely(!m->as_linux) ? unmap(m, first, last) : unmap_as_linux(m, first, last);
	phase_end(m, PHASE_UNMAP);
	tlb_gather_flush(&m->gather);
	phase_end(m, PHASE_FLUSH);
	move(m, first, last);
	if (unlikely(m->held_count))
		finish_shared(m);
	if (unlikely(knobs.pad))
		pad(m, (u64)(last - first) << m->order);
	return last;
}

/* What collect_pages() isolated, in batches of the size the knobs say. */
static void migrate_collected(struct migration *m)
{
	unsigned step = m->order ? knobs.batch_2m : knobs.batch;

	m->moved = 0;
	m->as_linux = step > 1 && (!knobs.batch_alone || knobs.batch_flush);
	m->cache = PT_CACHE_EMPTY;
	m->defers = deferral->defers;
	m->watched = load_relaxed(&change_subscriptions) || pay_is_heard(PAY_MIGRATE);
	tlb_gather_init(&m->gather, m->req->as ? &m->req->as->ctx : NULL, m->level);
	/* Nobody can want a page yet; a bit that is left from an earlier batch names a pair that is done. */
	m->wanted_any = 0;
	memset(m->wanted, 0, sizeof(m->wanted));
	allocate(m);
	phase_end(m, PHASE_OTHER);
	for (unsigned first = 0, count = m->count; first < count; m->stats.batches++)
		first = migrate_batch(m, first, MIN(first + step, count));
	free_sources(m);
	m->stats.moved += (u64)m->moved << m->order;
	m->stats.moved_huge += m->order ? m->moved : 0;
}

/* Start with this CPU's migration state. Task context: nothing else on this CPU uses it meanwhile. */
static struct migration *begin(const struct migrate_request *req)
{
	struct migration *m = this_cpu_ptr(migration);

	m->req = req;
	m->cpu = cpu_id();
	m->list = NULL;
	m->tells = req->result;
	m->stats = (struct migrate_stats){0};
	m->stamp = cycles_now();
	return m;
}

/* Add what was done to the caller's statistics. */
static void end_with(struct migration *m, struct migrate_stats *stats)
{
	count_add(pages_migrated, m->stats.moved);
	phase_end(m, PHASE_OTHER);
	migrate_stats_add(stats, &m->stats);
}

/* 4 KiB pages that could not be moved. */
static u64 failures(const struct migration *m)
{
	u64 failed = 0;

	for (unsigned i = 0; i < MIGRATE_REASONS; i++)
		failed += m->stats.failed[i];
	return failed;
}

enum migrate_reason migrate_isolated(const struct migrate_request *req, struct page *page)
{
	struct migration *m = begin(req);

	m->count = 0;
	m->order = page->order;
	m->level = page->order ? 1 : 0;
	migration_add(m, page, req->start);
	migrate_collected(m);
	end_with(m, req->stats);
	return m->moved ? MIGRATE_OK : m->failure;
}

u64 migrate_range(const struct migrate_request *req)
{
	struct migration *m = begin(req);
	vaddr_t end = req->start + req->len;

	ASSERT(!((req->start | end) & (PAGE_SIZE - 1)) && req->to_node < numa_node_count());
	for (vaddr_t va = req->start; va < end;) {
		/*
		 * The read side from isolation to the last mapping: the areas, objects and
		 * tables that we walk cannot go away. Let go after MIGRATE_MAX pages, so
		 * that a writer waits no longer than that.
		 */
		read_lock(&req->as->lock);
		va = collect_pages(m, va, end);
		migrate_collected(m);
		read_unlock(&req->as->lock);
	}
	end_with(m, req->stats);
	return failures(m);
}

u64 migrate_pages(struct page **list, unsigned n, const struct migrate_request *req)
{
	struct migrate_request from_list = *req;
	struct migration *m = begin(&from_list);

	ASSERT(req->to_node < numa_node_count());
	/* What a range would be: the list's places. */
	from_list.as = NULL;
	from_list.start = 0;
	from_list.len = (u64)n << PAGE_SHIFT;
	m->list = list;
	m->tells = true;
	for (unsigned at = 0; at < n;) {
		at = collect_listed(m, at, n);
		migrate_collected(m);
	}
	end_with(m, req->stats);
	return failures(m);
}
