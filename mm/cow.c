/*
 * Copy on write. A copy is the fill of a shadow's slot: mark the slot busy, take down the
 * entry of the page below, flush, copy, and only then let the slot name the copy.
 *
 * Where nothing is mapped and the page below is in memory, there is less to do: the copy is made,
 * put into the slot and mapped under the PTL. Until then nobody maps the page below here, so no reader
 * sees it go back in time. And its own slot names it, so whoever took an entry of it from here has flushed.
 *
 * Why it is safe. Whoever finds the slot busy waits, so nothing is mapped before the flush
 * is complete (I6, and arm64's break-before-make). A fault that has found the page below
 * looks at the shadow's slot again under the PTL. The slot is marked before the entry is
 * looked at under the same PTL, so either that fault sees the mark, or its entry is taken
 * down. So no CPU reads the page below once the copy may be written, and what is written
 * is never lost: the page below is not written through this area at all.
 *
 * An entry that is gone already was flushed before the copy is made: unmap and drop have the
 * write side of aspace.lock, and whoever takes the page below out of its file keeps its slot
 * busy until then. That one in turn finds by aspace_owes() that our flush is still to come.
 *
 * A page below that is under migration is waited for with the slot as it was. Debts are
 * paid before the entry is taken down (PAY_COPY): a CPU might still read an older frame
 * of the page, at an address where the copy will be written (I5).
 *
 * The page below is read with a reference, so it does not move meanwhile. Others may write it
 * through mappings of the file: each word of the copy is then an old one or a new one.
 */
#include <mm/cow.h>
#include <mm/file.h>
#include <mm/file_fault.h>
#include <mm/pay.h>
#include <mm/pmm.h>
#include <mm/rmap_edit.h>
#include <mm/swap.h>
#include <arch/cpu.h>
#include <kernel/panic.h>

/* ---- shadows --------------------------------------------------------------------- */

static int shadow_fill(struct object *obj, u64 index, slot_t was, struct page *page)
{
	struct page *below;

	if (slot_is_ref(was))
		return swap_fill(obj, index, was, page);
	int err = file_get_page(obj->lower, obj->lower_at + index, &below);

	if (err)
		return err;
	copy_page(page_to_virt(page), page_to_virt(below));
	page_put(below, PAGE_REF);
	return 0;
}

/* Its areas are gone, so nobody looks for entries of the pages below through it. */
static void shadow_closed(struct object *obj)
{
	struct object *lower = obj->lower, **at = &lower->shadows;

	write_lock(&lower->lock);
	while (*at != obj)
		at = &(*at)->shadows;
	*at = obj->shadows;
	object_update_sole(lower);
	write_unlock(&lower->lock);
	object_put(lower);
}

static const struct object_ops shadow_ops = {
	.name = "private",
	.tracked = true,
	.swaps = swap_slot_drop,
	.fill = shadow_fill,
	.close = shadow_closed,
};

/* The copy was made before the entry was taken down: cow_unmap_below(). */
static int duplicate_fill(struct object *obj, u64 index, slot_t was, struct page *page)
{
	return slot_is_ref(was) ? swap_fill(obj, index, was, page) : 0;
}

/* Of anonymous memory. A page below is mapped, or there is none: so what is absent is zero. */
static const struct object_ops duplicate_ops = {.name = "duplicate",
						.zeroes = true,
						.tracked = true,
						.swaps = swap_slot_drop,
						.fill = duplicate_fill,
						.close = shadow_closed};

struct object *shadow_create(struct object *lower, u64 lower_at, u64 page_count)
{
	struct object *obj = object_create_of(lower->ops->zeroes ? &duplicate_ops : &shadow_ops,
					      NULL, page_count);

	if (!obj)
		return NULL;
	object_get(lower);
	atomic_fetch_add_relaxed(&lower->refs, 1);
	obj->is_shadow = true;
	obj->lower = lower;
	obj->lower_at = lower_at;
	write_lock(&lower->lock);
	obj->shadows = lower->shadows;
	lower->shadows = obj;
	object_update_sole(lower);
	write_unlock(&lower->lock);
	return obj;
}

vaddr_t aspace_map_private(struct aspace *as, struct object *file, u64 offset, vaddr_t va, u64 len,
			   prot_t prot, u32 node, int *err)
{
	u64 pages = len >> PAGE_SHIFT;

	*err = -EINVAL;
	if (!pages || file->ops != &object_file_ops || offset + pages > file->page_count ||
	    offset + pages < offset)
		return 0;
	struct object *shadow = shadow_create(file, offset, pages);

	if (!shadow) {
		*err = -ENOMEM;
		return 0;
	}
	va = aspace_map(as, shadow, 0, va, len, prot, false, node, err);
	object_put(shadow); /* the area is its user now */
	return va;
}

/* ---- faults ------------------------------------------------------------------------ */

/*
 * Does only our entry lead to this page of anonymous memory? Then it need not be copied. No other reference than
 * ours: so whoever had a mapping has flushed it before he let go of the page, with a full barrier. No further one
 * comes, as duplicating our own space copies the page. Once known, it is marked: a pin is a reference, too, and must
 * not make us copy what it keeps.
 */
static bool is_ours_alone(const struct page *page, u32 ours)
{
	/* Relaxed: what depends on it is stores, which wait for the branch. */
	return page_refs(page) == ours || load_relaxed(&page->flags) & PG_EXCLUSIVE;
}

/*
 * The slot decides: if it names a copy, nothing but that is mapped here. The entry that was seen may be
 * older, but it is compared again under the PTL, and copies do not go while we hold the space's lock.
 */
bool cow_must_copy(struct fault *f, struct area *area, struct place *at)
{
	const struct page *page = phys_to_page(pte_pa(f->seen, 0));

	at->obj = area->object;
	at->index = area->offset + ((f->va - area->start) >> PAGE_SHIFT);
	at->slot = object_slot(at->obj, at->index, true);
	at->seen = at->slot ? slot_load(at->slot) : slot_none();
	f->refs = 1;
	f->dirties = at->slot && slot_is_none(at->seen) && at->obj->ops->zeroes &&
		     is_ours_alone(page, f->refs);
	f->reused = at;
	return !slot_is_page(at->seen) && !f->dirties;
}

enum fault_result cow_reuse(struct fault *f)
{
	struct page *page = phys_to_page(pte_pa(f->seen, 0));
	struct place *at = f->reused;

	f->dirties = false;
	/* Somebody has decided to copy, and is about to read the page. The PTL orders it: see copy_below(). */
	if (!slot_is_none(slot_load(at->slot))) {
		object_wait_begin(&f->fill, at->obj, at->slot);
		return FAULT_WAIT;
	}
	/*
	 * Again: its entry keeps the page here now. When we looked before, it may have been elsewhere, and this frame
	 * somebody else's, or about to get it back, with the references of other mappings still to come.
	 */
	if (!is_ours_alone(page, f->refs))
		return FAULT_RETRY;
	atomic_fetch_or_relaxed(&page->flags, (u32)PG_EXCLUSIVE);
	return FAULT_DONE;
}

/*
 * Of anonymous memory, the copy is made while our entry still keeps the page, and nobody can write it: it has
 * another mapping, and if we are the last one by now, who wants to reuse it sees the slot that we have marked. Or
 * he was faster, and we see his entry.
 *
 * The page is isolated until our entry is gone, which may be the last one: others who isolate pages rely
 * on their mappings. Returns the page, with a reference. NULL: somebody has changed the entry, or is about to.
 */
static struct page *copy_below(const struct fault *f, struct pt_pos pos)
{
	struct page *page = phys_to_page(pte_pa(f->seen, 0));
	struct spinlock *ptl = pt_lock_of(pos.ptep);

	spin_lock(ptl);
	bool ours = pte_load(pos.ptep).v == f->seen.v && page_isolate(page);
	bool got = ours && page_get(page, PAGE_REF);

	spin_unlock(ptl);
	ASSERT(got || !ours); /* who freezes a page has isolated it */
	if (!ours)
		return NULL;
	copy_page(page_to_virt(f->fill.page), page_to_virt(page));
	return page;
}

/* The copy is not made: the slot is as before. */
static enum fault_result give_up(struct fault *f, enum fault_result result)
{
	object_fill_cancel(&f->fill);
	cpu_relax();
	return result;
}

/* The copy's entry. Nobody has mapped it, so there is no debt of it. PTL held. */
static void map_copy(struct pt_pos pos, struct page *copy, prot_t prot)
{
	atomic_fetch_add_relaxed(&copy->mapcount, 1);
	if (unlikely(prot & PROT_EXEC))
		code_sync(page_to_virt(copy), PAGE_SIZE);
	pt_install(pos.ptep, pte_mk_leaf(page_to_phys(copy), prot, 0));
}

/*
 * Of anonymous memory, the copy is all there is of the page here. So it is mapped before we let go of the space's
 * lock: later this fault may not be allowed any more, and nothing would keep it.
 */
static enum fault_result finish_copy(struct fault *f, const struct area *area, struct pt_pos pos)
{
	struct page *copy = f->fill.page;
	struct spinlock *ptl = pt_lock_of(pos.ptep);
	int err = object_fill_end(&f->fill);

	ASSERT(!err); /* it is filled already */
	spin_lock(ptl);
	bool absent = pte_is_none(pte_load(pos.ptep));

	if (absent)
		map_copy(pos, copy, area->prot);
	spin_unlock(ptl);
	if (!absent) /* by another fault, which found it in its slot */
		page_put(copy, PAGE_REF);
	return FAULT_DONE;
}

enum fault_result cow_unmap_below(struct fault *f, const struct area *area, struct pt_pos pos)
{
	bool anonymous = f->fill.obj->ops->zeroes;
	struct page *below = anonymous ? copy_below(f, pos) : NULL;

	if (anonymous && !below)
		return give_up(f, FAULT_RETRY);
	/* The slot was marked by a full barrier: before the entry is looked at; partner: cow_fault_map(). */
	int err = rmap_take_entry(f->as, ALIGN_DOWN(f->va, PAGE_SIZE), pos.ptep, CHANGE_COPY);

	if (below) {
		page_end_isolation(below);
		page_put(below, PAGE_REF);
	}
	if (err)
		return give_up(f, err == -EAGAIN ? FAULT_RETRY : FAULT_ERROR);
	return anonymous ? finish_copy(f, area, pos) : FAULT_WAIT;
}

bool cow_fault_map(struct fault *f, const struct area *area, struct page *page, const slot_t *slot,
		   prot_t *prot)
{
	if (load_relaxed(&page->object) == area->object)
		return true;
	/* A copy has come meanwhile, or is about to. The PTL orders it: see cow_unmap_below(). */
	if (!slot_is_none(slot_load(slot))) {
		atomic_fetch_add(&page->mapcount, -1U);
		return false;
	}
	ASSERT(!f->write); /* so it is mapped read-only */
	return file_fault_map(f, page, object_slot(area->object->lower, page->index, false), prot);
}

/* The fault's PTL orders all this: see above. */
static bool copy_and_map(const struct fault *f, const struct area *area, struct pt_pos pos,
			 const struct place *at, const struct place *below, struct page *copy)
{
	const struct page *page = slot_page(below->seen);
	struct spinlock *ptl = pt_lock_of(pos.ptep);
	slot_t empty = slot_none();

	/*
	 * What was mapped here before may have a debt (I6): an older copy of the page below, as something else was taken
	 * down by who pays. Our reference keeps the page from leaving once more. Nobody has mapped the copy.
	 */
	pay(PAY_MAP, (struct pay_scope){.page = slot_page(below->seen),
					.ctx = &f->as->ctx,
					.start = f->va,
					.end = f->va + 1,
					.write = true});
	spin_lock(ptl);
	bool copied = pte_is_none(pte_load(pos.ptep)) && file_fault_shows(page, below->slot);

	if (likely(copied)) {
		copy_page(page_to_virt(copy), page_to_virt(page));
		copied = object_enter(at->obj, at->index, at->slot, &empty, copy);
	}
	if (likely(copied))
		map_copy(pos, copy, area->prot);
	spin_unlock(ptl);
	return copied;
}

bool cow_write_absent(const struct fault *f, const struct area *area, struct pt_pos pos)
{
	if (area->object->ops->zeroes)
		return false;
	struct place at = {.obj = area->object,
			   .index = area->offset + ((f->va - area->start) >> PAGE_SHIFT)};

	at.slot = object_slot(at.obj, at.index, true);
	if (!at.slot || !slot_is_none(slot_load(at.slot)))
		return false;
	struct place below = at;

	if (!cow_look_below(&below) || !slot_is_page(below.seen) ||
	    !slot_page_get(below.slot, below.seen))
		return false;
	struct page *copy = area_alloc_page(area, at.index, 0, PMM_FALLBACK);

	if (likely(copy) && unlikely(!copy_and_map(f, area, pos, &at, &below, copy)))
		page_put(copy, PAGE_REF); /* somebody was faster: the access decides again */
	page_put(slot_page(below.seen), PAGE_REF);
	return copy;
}
