/*
 * Duplicating a space. First everything that can fail: areas, shadows, tables and copies of the
 * duplicate, which nobody uses yet, while the space is as it was. Then what cannot: the areas show
 * shadows instead of their pages, all entries lose write access, one flush, and the duplicate's
 * entries are installed.
 *
 * Why it is safe. From the flush on nobody can write a page that both spaces map (I2): the write side
 * of aspace.lock keeps faults out, and whoever brings entries back, like a migration, brings back
 * what they lost. The next write fault copies the page, or finds that it is the only one left (see
 * cow_must_copy()). A page has a mapping in each space from the beginning, so it stays until the last of
 * them goes; where there is none, there is no page below, and a new page is zero.
 *
 * A page that is in swap has no entry: each slot that must show it gets a reference of its own. Reclaim may take a page
 * at any time. But it takes no entry where there is none, and no fault brings a page in, as
 * we have the write side: so where an entry is gone, its slot tells what is there (mm/swap_slot.c). That holds for
 * a page that was copied because it was pinned, too: the pin may be gone by the time the space is divided.
 */
#include <mm/cow.h>
#include <mm/change.h>
#include <mm/dup.h>
#include <mm/migrate_wait.h>
#include <mm/numa.h>
#include <mm/pay.h>
#include <mm/pmm.h>
#include <mm/range.h>
#include <mm/swap.h>
#include <arch/cpu.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>

/* What becomes of an area. */
enum dup_how {
	DUP_SHARE, /* the duplicate shows the same object */
	DUP_COPIES, /* it gets a shadow of the same file; pages of the area's own shadow are copied */
	DUP_ALL, /* all pages are copied */
	DUP_LOWER, /* both get a shadow of the area's object */
};

struct dup {
	struct aspace *from, *to;
	struct object **shadow; /* of the areas of `from`, in their order; NULL: not DUP_LOWER */
	unsigned areas;
};

static enum dup_how how(const struct area *area)
{
	const struct object *obj = area->object;

	if (obj->is_shadow)
		return obj->ops->zeroes ? DUP_ALL : DUP_COPIES;
	if (obj->tracked || load_relaxed(&obj->shared))
		return DUP_SHARE;
	return area->huge ? DUP_ALL : DUP_LOWER;
}

/* ---- what can fail ----------------------------------------------------------------- */

/* The page of an entry with a reference, NULL: there is none. Waits until it does not move. *pte: the entry. */
static struct page *page_at(struct aspace *as, vaddr_t va, struct pt_pos *pos, pte_t *pte)
{
	for (;;) {
		*pos = pgwalk_find(as->root, va, 0);
		struct spinlock *ptl = pt_lock_of(pos->ptep);

		spin_lock(ptl);
		*pte = pte_load(pos->ptep);
		struct page *page = phys_to_page(pte_pa(*pte, pos->level));

		if (pte_is_migration(*pte)) {
			migration_wait(page, ptl);
			continue;
		}
		/* An entry holds a reference. A table stays, as we have the write side. */
		bool leaf = pte_is_hint(*pte) || pte_is_leaf(*pte, pos->level);
		bool got = leaf && page_get(page, PAGE_REF);

		spin_unlock(ptl);
		if (!leaf || got)
			return got ? page : NULL;
		cpu_relax(); /* it is frozen: about to move, and its entry to change */
	}
}

/* Where the next entry may be, or the next slot that has a page in swap: then there may be no table. */
static vaddr_t next_va(const struct area *area, vaddr_t va, struct pt_pos pos, pte_t pte)
{
	bool skip = pte_is_none(pte) && !load_relaxed(&area->aspace->stored);
	u64 size = skip ? PT_LEVEL_SIZE(pos.level) : PAGE_SIZE;

	return ALIGN_DOWN(va, size) + size;
}

static u64 index_of(const struct area *area, vaddr_t va)
{
	return area->offset + ((va - area->start) >> PAGE_SHIFT);
}

static void install(struct pt_pos pos, struct page *page, prot_t prot)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);

	spin_lock(ptl);
	atomic_fetch_add_relaxed(&page->mapcount, 1);
	pt_install(pos.ptep, pte_mk_leaf(page_to_phys(page), prot, 0));
	spin_unlock(ptl);
}

/* The duplicate gets a copy of what is there. */
static int copy_at(struct area *area, vaddr_t va, const void *from)
{
	u64 index = index_of(area, va);
	u32 node = numa_resolve(area->node);
	struct pt_pos pos = pgwalk_create(&pt_stage1, area->aspace->root, va, 0, node);
	slot_t *slot = object_slot(area->object, index, true), empty = slot_none();
	struct page *copy = pos.ptep && slot ? area_alloc_page(area, index, 0, PMM_FALLBACK) : NULL;

	if (!copy)
		return -ENOMEM;
	copy_page(page_to_virt(copy), from);
	bool entered = object_enter(area->object, index, slot, &empty, copy);

	ASSERT(entered); /* nobody else has this object or this space */
	if (area->prot & PROT_EXEC)
		code_sync(page_to_virt(copy), PAGE_SIZE);
	install(pos, copy, area->prot);
	return 0;
}

/* Is this page of the area copied now? */
static bool copies(enum dup_how how, const struct area *from, const struct page *page)
{
	return how == DUP_ALL || (how == DUP_COPIES && page->object == from->object) ||
	       (how == DUP_LOWER && page_pins(page));
}

/* Both shadows have a slot there, if it may be needed: what is mapped now may be in swap before we are done. */
static bool has_slots(const struct area *from, const struct area *area, struct object *shadow,
		      vaddr_t va)
{
	return object_slot(shadow, (va - from->start) >> PAGE_SHIFT, true) &&
	       object_slot(area->object, index_of(area, va), true);
}

/* The same, and a table for the duplicate's entry. Of a page that is copied, too: the page itself may leave. */
static bool has_room(const struct area *from, const struct area *area, struct object *shadow,
		     vaddr_t va)
{
	u32 node = numa_resolve(area->node);

	return has_slots(from, area, shadow, va) &&
	       pgwalk_create(&pt_stage1, area->aspace->root, va, 0, node).ptep;
}

/* Nothing maps a page that was read in a moment ago. Map it, so that it is one like others. */
static int map_kept(const struct area *from, vaddr_t va, struct page *page)
{
	struct aspace *as = from->aspace;
	struct pt_pos pos = pgwalk_create(&pt_stage1, as->root, va, 0, numa_resolve(from->node));

	if (!pos.ptep)
		return -ENOMEM;
	if (from->prot & PROT_EXEC)
		code_sync(page_to_virt(page), PAGE_SIZE);
	pay(PAY_MAP,
	    (struct pay_scope){.ctx = &as->ctx, .start = va, .end = va + PAGE_SIZE, .write = true});
	page_get(page, PAGE_REF);
	install(pos, page, from->prot);
	swap_unkeep(page);
	return 0;
}

/* Nothing is mapped at va, but the area may have a page there all the same, that was written out. */
static int prepare_stored(const struct area *from, struct area *area, struct object *shadow,
			  vaddr_t va)
{
	slot_t *slot = object_slot(from->object, index_of(from, va), false), seen, *to;
	struct page *page = slot ? swap_slot_page(from->object, slot, &seen) : NULL;
	int err = 0;

	if (page) {
		bool kept = load_relaxed(&page->flags) & PG_KEPT;

		err = kept ? map_kept(from, va, page) : 0;
		page_put(page, PAGE_REF);
		return kept && !err ? -EAGAIN : err;
	}
	if (!slot || !slot_is_ref(seen))
		return 0;
	if (shadow)
		return has_slots(from, area, shadow, va) ? 0 : -ENOMEM;
	to = object_slot(area->object, index_of(area, va), true);
	if (!to)
		return -ENOMEM;
	swap_share(area, to, seen);
	return 0;
}

/* Copy pages, or have tables and slots where the others' entries will be. shadow: of `from`, if it gets one. */
static int prepare_entries(const struct area *from, struct area *area, enum dup_how how,
			   struct object *shadow)
{
	struct pt_pos pos;
	int err = 0;
	pte_t pte;

	for (vaddr_t va = area->start; va < area->end && !err; va = next_va(from, va, pos, pte)) {
		struct page *page;

		do {
			err = 0;
			page = page_at(from->aspace, va, &pos, &pte);
			if (!page && unlikely(load_relaxed(&from->aspace->stored)))
				err = prepare_stored(from, area, shadow, va);
		} while (err == -EAGAIN);
		if (!page)
			continue;
		u64 into = va & (PT_LEVEL_SIZE(pos.level) - 1);

		if (copies(how, from, page))
			err = copy_at(area, va, (char *)page_to_virt(page) + into);
		if (!err && shadow && !has_room(from, area, shadow, va))
			err = -ENOMEM;
		page_put(page, PAGE_REF);
	}
	return err;
}

/* The object of the duplicate's area, with a user for it. NULL: no memory. *offset: where the area begins there. */
static struct object *object_for(const struct area *from, enum dup_how how, u64 *offset)
{
	struct object *obj = from->object;
	u64 pages = (from->end - from->start) >> PAGE_SHIFT;

	*offset = how == DUP_SHARE ? from->offset : 0;
	switch (how) {
	case DUP_SHARE:
		object_get(obj);
		return obj;
	case DUP_COPIES:
		return shadow_create(obj->lower, obj->lower_at + from->offset, pages);
	case DUP_LOWER:
		return shadow_create(obj, from->offset, pages);
	default:
		return object_create(pages);
	}
}

static int prepare_area(struct dup *d, const struct area *from, struct object **shadow)
{
	enum dup_how way = how(from);
	u64 offset;
	struct object *obj = object_for(from, way, &offset);
	struct area *area =
		obj ? area_create(d->to, obj, from->start, from->end - from->start) : NULL;

	if (obj)
		object_put(obj); /* the area is its user, if there is one */
	if (!area)
		return -ENOMEM;
	area->offset = offset;
	area->prot = from->prot;
	area->placement = from->placement;
	area->node = from->node;
	area->nodes = from->nodes;
	d->to->files |= area->object->tracked;
	area_insert(d->to, area);
	if (way == DUP_LOWER) {
		*shadow = object_for(from, way, &offset);
		if (!*shadow)
			return -ENOMEM;
	}
	return way == DUP_SHARE ? 0 : prepare_entries(from, area, way, *shadow);
}

/* Write side held. Nobody else uses the duplicate, so its own lock is not needed. */
static int prepare(struct dup *d)
{
	struct area *area;
	unsigned i = 0;
	int err = 0;

	list_for_each_entry (area, &d->from->areas, link)
		d->areas++;
	d->shadow = kmem.alloc(MAX(d->areas, 1U) * sizeof(*d->shadow), BOOT_NODE_NONE);
	if (!d->shadow)
		return -ENOMEM;
	list_for_each_entry (area, &d->from->areas, link) {
		err = err ? err : prepare_area(d, area, &d->shadow[i]);
		i++;
	}
	return err;
}

/* ---- what cannot ------------------------------------------------------------------- */

/* From now on new pages and copies of the area go into the shadow. */
static void show_shadow(struct area *area, struct object *shadow)
{
	struct object *obj = area->object;

	area_replace_object(area, shadow);
	area->aspace->files = true; /* its entries become writable by faults alone */
	object_put(obj);
}

/*
 * Nothing is mapped at va in `from`, which has its shadow. What its page was before it went to swap, both have, unless
 * the duplicate has a copy. The slots were there before: see has_slots().
 */
static void share_stored(struct area *from, struct area *area, vaddr_t va)
{
	u64 at = index_of(from, va);
	struct object *obj = from->object;
	slot_t *own = object_slot(obj, at, false), *to = object_slot(area->object, at, false);
	slot_t *below = object_slot(obj->lower, obj->lower_at + at, false);

	if (!own || !to)
		return;
	slot_t seen = slot_load(own);

	if (slot_is_none(seen) && below && slot_is_ref(slot_load(below))) {
		seen = slot_load(below);
		swap_share(from, own, seen);
		slot_store(below, slot_none());
		swap_put(slot_ref(seen));
	}
	if (slot_is_ref(seen) && slot_is_none(slot_load(to)))
		swap_share(area, to, seen);
}

/* Has the duplicate a page of its own there, in memory or in swap? */
static bool has_copy(const struct area *area, vaddr_t va)
{
	slot_t *slot = object_slot(area->object, index_of(area, va), false);

	return slot && !slot_is_none(slot_load(slot));
}

/* Each page that is mapped in `from`, and not copied, is mapped in the duplicate, too. */
static void map_entries(struct area *from, struct aspace *to)
{
	prot_t prot = from->prot & ~(prot_t)PROT_WRITE;
	struct area *area = aspace_find(to, from->start);
	struct pt_pos pos;
	pte_t pte;

	for (vaddr_t va = from->start; va < from->end; va = next_va(from, va, pos, pte)) {
		struct page *page = page_at(from->aspace, va, &pos, &pte);

		if (!page) {
			if (unlikely(load_relaxed(&from->aspace->stored)))
				share_stored(from, area, va);
			continue;
		}
		if (!has_copy(area, va)) {
			/* With our reference. */
			install(pgwalk_find(to->root, va, 0), page, prot);
		} else {
			/* A copy: the page itself stays with whoever has pinned it, and is not copied again. */
			atomic_fetch_or_relaxed(&page->flags, (u32)PG_EXCLUSIVE);
			page_put(page, PAGE_REF);
		}
	}
}

/* The same, inside a change of all of `from`. */
static void divide(struct dup *d)
{
	struct tlb_gather gather;
	struct area *area;
	unsigned i = 0;

	range_lower_begin(d->from, &gather);
	list_for_each_entry (area, &d->from->areas, link) {
		if (d->shadow[i]) {
			show_shadow(area, d->shadow[i]);
			range_lower(d->from, &gather, area->start, area->end,
				    area->prot & ~(prot_t)PROT_WRITE);
		}
		i++;
	}
	range_lower_end(d->from, &gather);
	i = 0;
	list_for_each_entry (area, &d->from->areas, link)
		if (d->shadow[i++])
			map_entries(area, d->to);
}

/* The shadows go that no area shows. */
static void forget(struct dup *d, bool used)
{
	for (unsigned i = 0; i < d->areas && d->shadow && !used; i++)
		if (d->shadow[i])
			object_put(d->shadow[i]);
	if (d->shadow)
		kmem.free(d->shadow, MAX(d->areas, 1U) * sizeof(*d->shadow));
}

struct aspace *aspace_dup(struct aspace *as, const char *name, u32 node, int *err)
{
	struct dup d = {.from = as, .to = aspace_create(name, node)};
	struct change change;

	*err = -ENOMEM;
	if (!d.to)
		return NULL;
	write_lock(&as->lock);
	*err = prepare(&d);
	if (!*err)
		*err = change_begin(&change, as, CHANGE_DUPLICATE, 0, PT_VA_LOW_END);
	if (!*err) {
		divide(&d);
		change_end(&change);
	}
	write_unlock(&as->lock);
	forget(&d, !*err);
	if (*err)
		aspace_destroy(d.to);
	return *err ? NULL : d.to;
}
