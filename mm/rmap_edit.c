/* Changing every entry of a page: see rmap_edit.h. */
#include <mm/deferral.h>
#include <mm/rmap.h>
#include <mm/rmap_edit.h>
#include <mm/store.h>
#include <mm/takedown.h>
#include <kernel/error.h>
#include <kernel/panic.h>

void rmap_edit_begin(struct rmap_edit *e, enum change_reason why)
{
	e->why = why;
	e->changes = 0;
	e->waits = e->noted = e->pays = false;
	tlb_gather_init(&e->gather, NULL, 0);
}

void rmap_edit_end(struct rmap_edit *e)
{
	if (unlikely(e->pays))
		pay(PAY_STAY, pay_all());
	e->pays = false;
	tlb_gather_flush(&e->gather);
	while (e->changes) {
		owing_ends(e->as[--e->changes]);
		change_end(&e->change[e->changes]);
	}
}

/*
 * Is one like it under way already in the same space, of another page? Then that one's end is enough
 * for both, unless subscribers are to hear of each.
 */
static bool is_covered(const struct rmap_edit *e, const struct aspace *as, const struct change *c)
{
	for (unsigned i = 0; i < e->changes; i++)
		if (e->as[i] == as && e->change[i].told == c->told)
			return !(c->told & ~CHANGE_COUNTED);
	return false;
}

/* The change of one page in a space. 0, or a subscriber's refusal. */
static int begin_change(struct rmap_edit *e, struct aspace *as, vaddr_t va)
{
	struct change *c = &e->change[e->changes];
	int err = change_begin(c, as, e->why, va, va + PAGE_SIZE);

	if (err)
		return err;
	if (is_covered(e, as, c)) {
		change_end(c);
		return 0;
	}
	owing_begins(as);
	e->as[e->changes++] = as;
	return 0;
}

struct walk {
	struct rmap_edit *e;
	struct page *page;
	rmap_edit_fn *fn;
	void *arg;
	int err;
};

static bool names(pte_t pte, const struct page *page)
{
	return (pte_is_present(pte) || pte_is_hint(pte)) && pte_pa(pte, 0) == page_to_phys(page);
}

/* As the page, but not a copy of it in a shadow. PTL held. */
static bool may_be_moving(pte_t pte, const struct page *page)
{
	if (!pte_is_migration(pte))
		return false;
	/* The frame that the page has left has no object any more. Only compared: it may change just now. */
	const struct object *of = load_guess(&phys_to_page(pte_pa(pte, 0))->object);

	return !of || of == page->object;
}

static bool edit_at(struct area *area, vaddr_t va, void *arg)
{
	struct walk *w = arg;
	struct rmap_edit *e = w->e;
	struct aspace *as = area->aspace;

	if (e->changes == RMAP_EDIT_CHANGES || tlb_gather_is_full(&e->gather, &as->ctx))
		rmap_edit_end(e);
	w->err = begin_change(e, as, va);
	if (w->err)
		return false;
	tlb_keep_near(&as->ctx);
	struct pt_pos pos = pgwalk_find(as->root, va, 0);

	if (pos.level) /* no table: nothing was ever mapped here */
		return true;
	struct rmap_place at = {.as = as, .page = w->page, .va = va, .ptep = pos.ptep};

	spin_lock(pt_lock_of(pos.ptep));
	at.old = pte_load(pos.ptep);
	at.names = names(at.old, w->page);
	at.moves = may_be_moving(at.old, w->page);
	w->fn(e, &at, w->arg);
	spin_unlock(pt_lock_of(pos.ptep));
	return true;
}

int rmap_edit_page(struct rmap_edit *e, struct page *page, rmap_edit_fn *fn, void *arg)
{
	struct walk w = {.e = e, .page = page, .fn = fn, .arg = arg};

	ASSERT(!page->order);
	if (e->why == CHANGE_PROTECT)
		rmap_walk_writers(page, edit_at, &w);
	else
		rmap_walk(page, edit_at, &w);
	return w.err;
}

/* ---- taking down ------------------------------------------------------------------ */

struct taking {
	u32 taken;
	const pte_t *
		moving; /* an entry that somebody is about to change to name the page; NULL: none */
};

/*
 * This entry's flush waits. A change of its space that is under way has paid already, and may have gone by
 * before we took the entry: then it is paid for before we end to owe, which that one sees. One
 * that begins later counts itself and then pays, under the lock that the note was taken under: see change_pay().
 * So does a store that begins to change.
 */
static void note(struct rmap_edit *e, const struct rmap_place *at)
{
	const struct store *store = at->page->object->store;

	/* Of a clean page, which stays clean as it is locked. */
	ASSERT(!pte_is_writable(pte_is_hint(at->old) ? pte_from_hint(at->old) : at->old));
	deferral->entry_left(&at->as->ctx);
	e->noted = true;
	e->pays |= load_relaxed(&at->as->changing) || load_relaxed(&store->changes);
}

static void take_at(struct rmap_edit *e, const struct rmap_place *at, void *arg)
{
	struct taking *t = arg;
	bool cached = aspace_may_be_cached(at->as, at->old), waits = e->waits && cached;

	/* It moved here a moment ago, and this entry still names the frame that it left. */
	if (at->moves)
		t->moving = at->ptep;
	if (!at->names) {
		if (aspace_owes(at->as)) /* it may have been mapped here, and not be flushed yet */
			tlb_gather_add(&e->gather, &at->as->ctx, at->va, 0);
		return;
	}
	entry_take((struct takedown){.as = at->as,
				     .page = at->page,
				     .va = at->va,
				     .ptep = at->ptep,
				     .old = at->old,
				     .become = become_none,
				     .cached = cached,
				     .alone = load_relaxed(&at->page->mapcount) == 1,
				     .later = waits,
				     .site = ORACLE_SITE(ORACLE_RMAP),
				     .gather = &e->gather});
	if (waits)
		note(e, at);
	t->taken++;
}

int rmap_edit_unmap(struct rmap_edit *e, struct page *page, u32 *taken)
{
	struct taking t = {0};
	int err = rmap_edit_page(e, page, take_at, &t);

	while (!err && t.moving) {
		rmap_edit_end(e);
		/* Without its PTL, which who changes it waits for. The object is held, so its tables stay. */
		while (may_be_moving(pte_load(t.moving), page))
			cpu_relax();
		t.moving = NULL;
		err = rmap_edit_page(e, page, take_at, &t);
	}
	*taken = t.taken;
	return err;
}

/* PTL held. The page that the entry named, NULL: none. */
static struct page *take_one(struct aspace *as, vaddr_t va, pte_t *ptep, pte_t old,
			     struct tlb_gather *gather)
{
	if (pte_is_none(old))
		return NULL;
	struct page *page = phys_to_page(pte_pa(old, 0));

	entry_take((struct takedown){.as = as,
				     .page = page,
				     .va = va,
				     .ptep = ptep,
				     .old = old,
				     .become = become_none,
				     .cached = aspace_may_be_cached(as, old),
				     .alone = load_relaxed(&page->mapcount) == 1,
				     .site = ORACLE_SITE(ORACLE_RMAP),
				     .gather = gather});
	return page;
}

int rmap_take_entry(struct aspace *as, vaddr_t va, pte_t *ptep, enum change_reason why)
{
	struct spinlock *ptl = pt_lock_of(ptep);
	struct page *page = NULL;
	struct tlb_gather gather;
	struct change change;
	int err = change_begin(&change, as, why, va, va + PAGE_SIZE);

	if (err)
		return err;
	tlb_gather_init(&gather, &as->ctx, 0);
	owing_begins(as);
	spin_lock(ptl);
	pte_t old = pte_load(ptep);

	if (pte_is_migration(old))
		err = -EAGAIN;
	else
		page = take_one(as, va, ptep, old, &gather);
	spin_unlock(ptl);
	tlb_gather_flush(&gather);
	owing_ends(as);
	change_end(&change);
	if (page)
		rmap_put_taken(page, 1);
	return err;
}

void rmap_put_taken(struct page *page, u32 taken)
{
	if (!taken)
		return;
	atomic_fetch_add(&page->mapcount, -taken);
	page_put(page, taken * PAGE_REF);
}
