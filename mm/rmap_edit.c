/* Changing every entry of a page: see rmap_edit.h. */
#include <mm/rmap.h>
#include <mm/rmap_edit.h>
#include <mm/takedown.h>
#include <kernel/panic.h>

void rmap_edit_begin(struct rmap_edit *e, enum change_reason why)
{
	e->why = why;
	e->changes = 0;
	tlb_gather_init(&e->gather, NULL, 0);
}

void rmap_edit_end(struct rmap_edit *e)
{
	tlb_gather_flush(&e->gather);
	while (e->changes) {
		owing_ends(e->as[--e->changes]);
		change_end(&e->change[e->changes]);
	}
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

static bool edit_at(struct area *area, vaddr_t va, void *arg)
{
	struct walk *w = arg;
	struct rmap_edit *e = w->e;
	struct aspace *as = area->aspace;

	if (e->changes == RMAP_EDIT_CHANGES || tlb_gather_is_full(&e->gather, &as->ctx))
		rmap_edit_end(e);
	w->err = change_begin(&e->change[e->changes], as, e->why, va, va + PAGE_SIZE);
	if (w->err)
		return false;
	owing_begins(as);
	e->as[e->changes++] = as;
	struct pt_pos pos = pgwalk_find(as->root, va, 0);

	if (pos.level) /* no table: nothing was ever mapped here */
		return true;
	struct rmap_place at = {.as = as, .page = w->page, .va = va, .ptep = pos.ptep};

	spin_lock(pt_lock_of(pos.ptep));
	at.old = pte_load(pos.ptep);
	at.names = names(at.old, w->page);
	w->fn(e, &at, w->arg);
	spin_unlock(pt_lock_of(pos.ptep));
	return true;
}

int rmap_edit_page(struct rmap_edit *e, struct page *page, rmap_edit_fn *fn, void *arg)
{
	struct walk w = {.e = e, .page = page, .fn = fn, .arg = arg};

	ASSERT(!page->order);
	rmap_walk(page, edit_at, &w);
	return w.err;
}

/* ---- taking down ------------------------------------------------------------------ */

struct taking {
	u32 taken;
	bool again; /* somebody is about to map it */
};

static void take_at(struct rmap_edit *e, const struct rmap_place *at, void *arg)
{
	struct taking *t = arg;

	/* It moved here a moment ago, and this entry still names the frame that it left. */
	t->again |= pte_is_migration(at->old);
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
				     .cached = aspace_may_be_cached(at->as, at->old),
				     .alone = load_relaxed(&at->page->mapcount) == 1,
				     .site = ORACLE_SITE(ORACLE_RMAP),
				     .gather = &e->gather});
	t->taken++;
}

int rmap_edit_unmap(struct rmap_edit *e, struct page *page, u32 *taken)
{
	struct taking t = {0};
	int err = rmap_edit_page(e, page, take_at, &t);

	while (!err && t.again) {
		rmap_edit_end(e);
		cpu_relax();
		t.again = false;
		err = rmap_edit_page(e, page, take_at, &t);
	}
	*taken = t.taken;
	return err;
}

void rmap_put_taken(struct page *page, u32 taken)
{
	if (!taken)
		return;
	atomic_fetch_add(&page->mapcount, -taken);
	page_put(page, taken * PAGE_REF);
}
