/*
 * Migration of pages that several areas map, or whose area is in another space:
 * through the reverse map, with the object's read side held.
 *
 * The areas of the object stay until the batch is over, and so their spaces,
 * tables and contexts do. Nothing else keeps them: an entry may be mapped again
 * long before the flush.
 */
#include <mm/migrate_batch.h>
#include <mm/rmap.h>

/*
 * For the first object of a batch we wait; for more we only try, as others hold
 * and want them in another order. False: what was taken down must be finished
 * first.
 */
bool migration_hold_object(struct migration *m, struct object *obj)
{
	obj = object_guard(obj);
	for (unsigned i = 0; i < m->held_count; i++)
		if (m->held[i] == obj)
			return true;
	if (!m->held_count)
		read_lock(&obj->lock);
	else if (m->held_count == MIGRATE_OBJECTS || !read_trylock(&obj->lock))
		return false;
	m->held[m->held_count++] = obj;
	return true;
}

void migration_release_objects(struct migration *m)
{
	while (m->held_count)
		read_unlock(&m->held[--m->held_count]->lock);
}

/* Before an entry of this space is added: a flush waits, and nobody waits with a PTL held. */
static void make_room(struct migration *m, struct aspace *as)
{
	tlb_keep_near(&as->ctx);
	if (!tlb_gather_is_full(&m->gather, &as->ctx))
		return;
	phase_end(m, PHASE_UNMAP);
	tlb_gather_flush(&m->gather);
	phase_end(m, PHASE_FLUSH);
}

/* ---- down ---------------------------------------------------------------------------- */

struct walk {
	struct migration *m;
	struct page *src;
	u32 taken; /* entries that are migration entries now */
	u32 shown; /* of them, to the deferral, which may let their flushes wait */
	bool may_wait; /* the deferral has not objected yet */
	bool scanned;
};

/* Take one mapping of the page down, if there is one. */
static bool unmap_at(struct area *area, vaddr_t va, void *arg)
{
	struct walk *w = arg;
	struct migration *m = w->m;
	struct aspace *as = area->aspace;
	struct pt_pos pos = pgwalk_find(as->root, va, m->level);

	if (pos.level != m->level)
		return true;
	make_room(m, as);
	spin_lock(pt_lock_of(pos.ptep));
	/* Most pages of a list are mapped once. The frame has room for the record of one entry, and a flush may come late. */
	bool alone = load_relaxed(&w->src->mapcount) == 1;
	enum migrate_reason reason = migration_take(m, w->src, as, pos.ptep, va, alone,
						    &w->may_wait, ORACLE_SITE(ORACLE_SHARED));
	spin_unlock(pt_lock_of(pos.ptep));
	if (reason == MIGRATE_SCANNED)
		w->scanned = true;
	w->taken += reason == MIGRATE_OK || reason == FLUSH_MAY_WAIT;
	w->shown += reason == FLUSH_MAY_WAIT;
	return true;
}

/* The page cannot wait after all: what was noted of it is flushed. */
static bool gather_at(struct area *area, vaddr_t va, void *arg)
{
	struct walk *w = arg;
	struct migration *m = w->m;
	struct pt_pos pos = pgwalk_find(area->aspace->root, va, m->level);

	/* It may be the entry of another page, a private copy of this one. That flush is one too many, and does no harm. */
	if (pos.level != m->level || !pte_is_migration(pte_load(pos.ptep)))
		return true;
	make_room(m, area->aspace);
	tlb_gather_add(&m->gather, &area->aspace->ctx, va, m->level);
	return true;
}

/* No change in this space has paid and is not over. */
static bool is_quiet(struct area *area, vaddr_t va __unused, void *arg __unused)
{
	return !load_relaxed(&area->aspace->changing);
}

/* Every entry was noted. But a space that is being changed has paid already: see change_pay(), also for the order. */
static bool may_wait(const struct walk *w)
{
	return w->may_wait && rmap_walk(w->src, is_quiet, NULL) &&
	       deferral->may_defer(w->src, w->m->dst[w->src->slot]);
}

enum migrate_reason migration_unmap_shared(struct migration *m, struct page *src)
{
	struct walk w = {.m = m, .src = src, .may_wait = true};

	/*
	 * Somebody subscribed since the batch began, to a space that only the object's lock keeps:
	 * see mm/change.c.
	 */
	if (unlikely(!m->watched && load_relaxed(&change_subscriptions))) {
		m->entry[src->slot] = NULL;
		return MIGRATE_RACED;
	}

	m->entry[src->slot] = NULL;
	rmap_walk(src, unmap_at, &w);
	m->taken[src->slot] = w.taken;
	bool whole = w.taken && w.taken == load_relaxed(&src->mapcount);

	if (unlikely(w.shown)) {
		if (whole && may_wait(&w))
			m->state[src->slot] = PAIR_DEFERRED;
		else
			rmap_walk(src, gather_at, &w);
	}
	if (whole)
		return MIGRATE_OK;
	/* Some mapping is still live, so the page stays: an entry came or went meanwhile. */
	if (w.scanned)
		return MIGRATE_SCANNED;
	return w.taken ? MIGRATE_RACED : MIGRATE_GONE;
}

/* ---- up ------------------------------------------------------------------------------ */

struct back {
	const struct page *src;
	struct page *to;
	unsigned level;
};

/*
 * Only entries that name src: once the destination is in its slot, a fault may
 * map it elsewhere and another migrator take that down, whose entries are not ours.
 */
static bool map_at(struct area *area, vaddr_t va, void *arg)
{
	const struct back *b = arg;
	struct pt_pos pos = pgwalk_find(area->aspace->root, va, b->level);
	pte_t pte = pte_load(pos.ptep);

	if (pos.level == b->level && pte_is_migration(pte) &&
	    pte_pa(pte, b->level) == page_to_phys(b->src))
		migration_map_entry(pos.ptep, b->to, b->level);
	return true;
}

/* Walks the areas of `to`, as the source may have left its object already. */
void migration_map_shared(const struct page *src, struct page *to, unsigned level)
{
	struct back b = {src, to, level};

	rmap_walk(to, map_at, &b);
}
