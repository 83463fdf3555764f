/*
 * Reclaim of anonymous pages, which go to swap. Each node has a hand that goes round its frames: anonymous
 * pages are found by where they are, and through their mappings, which alone keep them. As pages of files they get off once
 * if somebody has accessed them, and leave in batches of the knob reclaim_batch:
 *
 *   isolate and lock each, its object held; its entries become migration entries
 *   one flush for all of them
 *   freeze the references, write the page, put references to it into the slots, empty the entries
 *
 * In this order. An access meets the migration entry, and waits until the page is back or its slot says where it is;
 * so does whoever unmaps, protects or duplicates the space (I4, I6). Nothing is written to the store while a CPU could
 * write the page (I2): not before the flush, and not with a pin or another reference, which freezing finds
 * (I10). The frame is free after the flush (I1). Until then the spaces are owed to (I9). A page that stays, because
 * somebody uses it or the store fails, is mapped again where it was, with the rights that it had.
 *
 * Where a page is in no store yet, somebody's entry is all that keeps it. So entries are emptied last; the slot says
 * where the page is before its entry says that it is gone, and whoever reads both looks at the entry first, or has its PTL.
 *
 * The slot is that of the object which the area shows: see mm/swap_slot.c. Where that is the page's own object, however many
 * areas and spaces show it, there is one slot, and one reference: it is busy from the freezing on, so that who faults where
 * nothing is mapped waits, too.
 *
 * A 2 MiB page that nobody has accessed is split first, for which its space's lock is tried and a table must be at hand;
 * its parts go as small pages.
 *
 * No space's lock is taken, and of objects only what is free: see mm/reclaim.c for why. A held object keeps its areas,
 * and so their spaces and tables, until the batch is over.
 */
#include <mm/aspace.h>
#include <mm/migrate_batch.h>
#include <mm/migrate_wait.h>
#include <mm/page_lock.h>
#include <mm/pay.h>
#include <mm/pmm.h>
#include <mm/reclaim.h>
#include <mm/reclaim_part.h>
#include <mm/rmap.h>
#include <mm/split.h>
#include <mm/stats.h>
#include <mm/swap.h>
#include <mm/takedown.h>
#include <kernel/panic.h>
#include <kernel/smp.h>

enum {
	OBJECTS = 8, /* held by one batch: what fits well on a stack */
	WINDOW =
		16, /* frames taken at a time for each page that is wanted: a batch ends with them, so there are many */
};

static struct spinlock hands_lock; /* below */
static u64 hands[MAX_NODES]; /* number of the frame that it looks at next */

struct sweep {
	u32 node;
	u64 want, gone; /* pages */
	u64 left; /* frames that are still to be looked at before it gives up */
	struct page *frame, *end; /* that are ours to look at */
	struct rmap_edit edit;
	struct object *held[OBJECTS]; /* read sides of their locks */
	unsigned held_count;
	struct page *batch; /* linked by leaves_after */
	unsigned count;
};

/* ---- objects ------------------------------------------------------------------------------- */

/* Until the batch is over. A page of it is isolated by us, so it is there; from now on by a reference of our own. */
static bool hold(struct sweep *s, struct object *obj)
{
	obj = object_guard(obj);
	for (unsigned i = 0; i < s->held_count; i++)
		if (s->held[i] == obj)
			return true;
	if (s->held_count == OBJECTS || !read_trylock(&obj->lock))
		return false;
	atomic_fetch_add_relaxed(&obj->refs, 1);
	s->held[s->held_count++] = obj;
	return true;
}

static void release_objects(struct sweep *s)
{
	while (s->held_count) {
		struct object *obj = s->held[--s->held_count];

		read_unlock(&obj->lock);
		object_release(obj);
	}
}

/* ---- who is to go --------------------------------------------------------------------------- */

static slot_t *slot_of(const struct area *area, vaddr_t va)
{
	u64 index = area->offset + ((va - area->start) >> PAGE_SHIFT);

	return object_slot(area->object, index, false);
}

/* Of a page whose object is held: do shadows show it, each by a slot of its own? */
static bool is_in_shadows(const struct page *page)
{
	return page->object->shadows;
}

/* There must be a place for the reference, as there is no memory to be had for it later. */
static bool has_slot(struct area *area, vaddr_t va, void *arg __unused)
{
	return slot_of(area, va);
}

/* False, as the page stays though nobody has accessed it. */
static bool skip(void)
{
	count(reclaim_skipped);
	return false;
}

/* It is isolated by us, with a reference. */
static void let_stay(struct page *page)
{
	page_end_isolation(page);
	page_put(page, PAGE_REF);
}

/*
 * The page is isolated by us, with our reference. If it is mapped it is in its slot, so its object is there; that
 * is stable for who has isolated it.
 */
static bool may_go(struct sweep *s, const struct page *page)
{
	u32 mappings = load_relaxed(&page->mapcount);
	const struct object *obj = load_relaxed(&page->object);

	if (!mappings || !obj || !obj->ops->swaps)
		return false;
	/* Others' references are looked for again after the flush. This only saves work. */
	if (page_refs(page) != mappings + page_is_held(page) + 1 || !hold(s, page->object))
		return skip();
	if (reclaim_was_accessed(page))
		return false;
	/* Its areas cannot change while it is held; who adds one has marked it before. */
	if (load_relaxed(&obj->shared) && is_in_shadows(page))
		return skip();
	return rmap_walk(page, has_slot, NULL) || skip();
}

/* ---- 2 MiB pages ------------------------------------------------------------------------------ */

struct shown {
	struct area *area;
	vaddr_t va;
};

/* No other area shows a page of an object of 2 MiB pages. */
static bool note_shown(struct area *area, vaddr_t va, void *arg)
{
	*(struct shown *)arg = (struct shown){area, va};
	return false;
}

/*
 * The page, which is isolated by us with a reference, becomes 512 small ones. Neither is left. True: it did. The lock
 * of its space is only tried, as whoever allocates may have it. The object is held, and with it the area and the space.
 */
static bool split(struct page *page)
{
	struct shown at = {NULL, 0};

	rmap_walk(page, note_shown, &at);
	struct aspace *as = at.area ? at.area->aspace : NULL;

	if (!as || !read_trylock(&as->lock)) {
		let_stay(page);
		return skip();
	}
	pte_t *table = pt_table_alloc_in_reclaim(page->node, 0);
	bool done = table && !page_split_isolated(as, at.va, page, table);

	read_unlock(&as->lock);
	if (!table) {
		count(split_no_memory);
		let_stay(page);
	}
	return done || skip();
}

static void take_at(struct rmap_edit *e, const struct rmap_place *at, void *taken)
{
	/* Whoever took it and has not flushed still has the reference of the mapping. */
	if (!at->names)
		return;
	entry_take((struct takedown){.as = at->as,
				     .page = at->page,
				     .va = at->va,
				     .ptep = at->ptep,
				     .old = at->old,
				     .become = become_migration,
				     .cached = aspace_may_be_cached(at->as, at->old),
				     .alone = load_relaxed(&at->page->mapcount) == 1,
				     .site = ORACLE_SITE(ORACLE_RMAP),
				     .gather = &e->gather});
	++*(u32 *)taken;
}

/* ---- a page that leaves ------------------------------------------------------------------------ */

struct leaving {
	const struct page *page;
	u64 ref; /* ours, until all slots have theirs: the first one may be given back before the last one is there */
	bool in_shadows; /* each has a reference of its own; else its own slot has it */
};

/* A slot of the page, or of a shadow that shows it. */
static void refer(slot_t *slot, slot_t was, u64 ref)
{
	slot_t seen = was;

	/* A write fault may have begun to copy the page, and is about to find its entry changed: cow_unmap_below(). */
	while (!slot_replace(slot, &seen, slot_of_ref(ref))) {
		cpu_relax();
		seen = was;
	}
}

static bool leave_at(struct area *area, vaddr_t va, void *arg)
{
	struct leaving *l = arg;
	struct pt_pos pos = pgwalk_find(area->aspace->root, va, 0);
	pte_t pte = pte_load(pos.ptep);

	/* Nobody but us changes an entry that names the page: they wait. */
	if (pos.level || !pte_is_migration(pte) || pte_pa(pte, 0) != page_to_phys(l->page))
		return true;
	if (l->in_shadows) {
		swap_get(l->ref);
		refer(slot_of(area, va),
		      area->object == l->page->object ? slot_of_page(l->page) : slot_none(),
		      l->ref);
	}
	store_relaxed(&area->object->stored, true);
	store_relaxed(&area->aspace->stored, true);
	spin_lock(pt_lock_of(pos.ptep));
	pt_note(pos.ptep, pte_none());
	spin_unlock(pt_lock_of(pos.ptep));
	return true;
}

/* Its contents are in the store: all entries go, and slots say where it is. It is frozen. */
static void leave(struct page *page, u64 ref)
{
	struct leaving l = {.page = page, .ref = ref, .in_shadows = is_in_shadows(page)};
	struct object *obj = page->object;
	slot_t *slot = object_slot(obj, page->index, false);

	if (!l.in_shadows)
		slot_settle(slot, slot_of_ref(ref));
	rmap_walk(page, leave_at, &l);
	if (l.in_shadows) {
		swap_put(ref);
		if (slot_load(slot).v == slot_of_page(page).v) /* shadows have shown it */
			slot_store(slot, slot_none());
	}
	store_relaxed(&page->mapcount, 0U);
	page->object = NULL;
	object_release(obj); /* not the last: it has areas, or shadows that have */
}

/* Who waits registered under a PTL that we have held since, or found the entry changed. */
static void wake(struct page *page)
{
	if (!(load_relaxed(&page->flags) & PG_WAITERS))
		return;
	atomic_fetch_and_relaxed(&page->flags, ~(u32)PG_WAITERS);
	migration_wake(page);
}

/*
 * Flushed. If nobody but its mappings has a reference, nobody gets one from now on: full barrier after the exchange
 * of the entries, as in migration (I10). True: the page is gone.
 */
static bool let_go(struct page *page)
{
	u64 refs = (page->taken + page_is_held(page) + 1) * PAGE_REF, expected = refs, ref;
	slot_t *slot = object_slot(page->object, page->index, false);
	bool frozen = atomic_cmpxchg(&page->refs, &expected, 0UL);
	bool busy = frozen && !is_in_shadows(page);

	if (busy)
		slot_store(slot, slot_busy(cpu_id()));
	bool gone = frozen && !swap_out(page, &ref);

	if (gone) {
		leave(page, ref);
	} else {
		reclaim_begin_look(page);
		if (frozen) /* release: what it holds and where it is; pairs with page_get() */
			store_release(&page->refs, refs);
		if (busy)
			slot_settle(slot, slot_of_page(page));
		migration_map_shared(page, page, 0);
	}
	wake(page);
	page_end_isolation(page);
	page_unlock(page);
	if (gone)
		pmm_free(page);
	else
		page_put(page, PAGE_REF);
	reclaim_end_look();
	return gone;
}

/* ---- a batch ----------------------------------------------------------------------------------- */

/* The page, isolated by us with a reference, leaves with the batch; or it stays, and neither is left. */
static void take_down(struct sweep *s, struct page *page)
{
	u32 taken = 0;

	if (!page_trylock(page)) {
		let_stay(page);
		skip();
		return;
	}
	pay(PAY_TRUNCATE, pay_page(page)); /* no debt of it is made while it is isolated */
	int err = rmap_edit_page(&s->edit, page, take_at, &taken);

	page->taken = taken;
	if (!err && taken) {
		page->leaves_after = s->batch;
		s->batch = page;
		if (!s->count++)
			reclaim_batch_begins();
		reclaim_taken(&s->edit);
		return;
	}
	/* Somebody refuses, or it is mapped no more. */
	if (taken) {
		rmap_edit_end(&s->edit);
		migration_map_shared(page, page, 0);
	}
	wake(page);
	page_end_isolation(page);
	page_unlock(page);
	page_put(page, PAGE_REF);
	skip();
}

/* A page that nobody has accessed goes. True: it was of 2 MiB, and is small now: look at it again. Neither isolation nor reference is left to us. */
static bool take_if_cold(struct sweep *s, struct page *page)
{
	if (!may_go(s, page))
		let_stay(page);
	else if (page->order)
		return split(page);
	else
		take_down(s, page);
	return false;
}

/* True: look at it again. */
static bool look_at(struct sweep *s, struct page *page)
{
	bool again = false;

	/* Of most frames this is all. They may be anybody's. */
	if (load_guess(&page->state) != PAGE_USED || load_guess(&page->node) != s->node ||
	    !load_guess(&page->mapcount))
		return false;
	reclaim_begin_look(page);
	if (page_get(page, PAGE_REF)) {
		/* What a page is that has mappings: page_isolate() is a full barrier, for the release in replace_in_object(). */
		if (load_relaxed(&page->mapcount) && page_isolate(page))
			again = take_if_cold(s, page);
		else
			page_put(page, PAGE_REF);
	}
	reclaim_end_look();
	return again;
}

/* Flush the batch; then its pages go. */
static void end_batch(struct sweep *s)
{
	struct page *next;

	reclaim_flush(&s->edit, s->count);
	for (struct page *page = s->batch; page; page = next) {
		next = page->leaves_after;
		if (let_go(page)) {
			s->gone++;
			count(reclaimed);
		} else {
			skip();
		}
	}
	release_objects(s);
	if (s->count)
		reclaim_batch_ended();
}

static void one_batch(struct sweep *s)
{
	const struct page *first = s->frame;

	s->batch = NULL;
	s->count = 0;
	rmap_edit_begin(&s->edit, CHANGE_DROP);
	for (; s->frame < s->end && s->count < knobs.reclaim_batch; s->frame++)
		while (look_at(s, s->frame))
			;
	s->left -= MIN(s->left, (u64)(s->frame - first));
	end_batch(s);
}

/* ---- the hand -------------------------------------------------------------------------------------- */

/* The frames that come next are ours to look at. False: the hand has been round. */
static bool take_window(struct sweep *s)
{
	u64 count = WINDOW * s->want;

	if (!s->left)
		return false;
	spin_lock(&hands_lock);
	s->frame = pmm_frames_from(s->node, &hands[s->node], &count);
	if (!s->frame) { /* once more, from the beginning */
		hands[s->node] = 0;
		count = WINDOW * s->want;
		s->frame = pmm_frames_from(s->node, &hands[s->node], &count);
	}
	hands[s->node] += s->frame ? count : 0;
	spin_unlock(&hands_lock);
	s->end = s->frame + count;
	return s->frame;
}

/* What was not looked at is for the next one, unless the hand has gone on. */
static void give_back(struct sweep *s)
{
	spin_lock(&hands_lock);
	if (hands[s->node] == (u64)(s->end - page_array))
		hands[s->node] = (u64)(s->frame - page_array);
	spin_unlock(&hands_lock);
}

u64 reclaim_anonymous(u32 node, u64 want)
{
	struct pmm_node_stats stats;
	struct sweep s = {.node = node, .want = MAX(want, knobs.reclaim_batch)};

	if (!swap_has_room())
		return 0;
	/* Relaxed: each look has a full barrier, see reclaim_begin_look(). */
	atomic_fetch_add_relaxed(&reclaim_looks, RECLAIM_LOOK);
	pmm_node_stats(node, &stats);
	s.left = RECLAIM_ROUNDS * stats.total;
	while (s.gone < s.want && swap_has_room() && take_window(&s)) {
		while (s.frame < s.end && s.gone < s.want && swap_has_room())
			one_batch(&s);
		give_back(&s);
	}
	atomic_fetch_add_relaxed(&reclaim_looks, -1UL); /* of those that look */
	return s.gone;
}
