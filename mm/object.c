/*
 * Objects: the pages behind areas, by index. Slots are read and replaced without
 * a lock.
 *
 * Whoever fills or empties a slot has it marked busy meanwhile; a fault that
 * meets that lets go of its space and waits. The wait ends by one pair:
 *   waiter (slot_wait)    says which slot;  full barrier in wait_turn();  looks at the slot
 *   ender  (slot_settle)  writes the slot;  full barrier;  looks who waits for it
 * so one of the two sees the other.
 */
#include <mm/aspace.h>
#include <mm/pmm.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

static PERCPU(slot_t *, waits_for_slot); /* that this CPU waits for; NULL = none */

/* ---- coming and going ------------------------------------------------------------ */

/* Chunks that the whole object needs. */
static u64 chunk_count(const struct object *obj)
{
	return (obj->page_count + OBJECT_CHUNK - 1) / OBJECT_CHUNK;
}

/* Small objects have one short chunk. */
static u64 chunk_slots(const struct object *obj)
{
	return MIN(obj->page_count, OBJECT_CHUNK);
}

struct object *object_create_of(const struct object_ops *ops, void *store, u64 page_count)
{
	struct object *obj = kmem.alloc(sizeof(*obj), BOOT_NODE_NONE);

	ASSERT(page_count && (ops->zeroes || ops->fill));
	if (!obj)
		return NULL;
	obj->ops = ops;
	obj->store = store;
	obj->page_refs = (u8)ops->page_refs;
	obj->tracked = ops->tracked;
	obj->page_count = obj->size = page_count;
	obj->users = obj->refs = 1;
	list_init(&obj->areas);
	obj->chunks = &obj->only_chunk;
	if (chunk_count(obj) > 1)
		obj->chunks = kmem.alloc(chunk_count(obj) * sizeof(*obj->chunks), BOOT_NODE_NONE);
	if (!obj->chunks) {
		kmem.free(obj, sizeof(*obj));
		return NULL;
	}
	return obj;
}

/* Drop some of obj->refs. Full barrier. */
static void release(struct object *obj, u32 refs)
{
	if (atomic_fetch_add(&obj->refs, -refs) != refs)
		return;
	u64 chunks = chunk_count(obj);

	ASSERT(!load_relaxed(&obj->users));
	if (unlikely(obj->is_shadow))
		release(obj->lower, 1); /* it guarded our areas; see object_guard() */
	for (u64 i = 0; i < chunks; i++)
		if (obj->chunks[i])
			kmem.free(obj->chunks[i], chunk_slots(obj) * sizeof(slot_t));
	if (chunks > 1)
		kmem.free(obj->chunks, chunks * sizeof(*obj->chunks));
	kmem.free(obj, sizeof(*obj));
}

void object_release(struct object *obj)
{
	release(obj, 1);
}

/* Nobody maps, fills or empties anything of it; a pin's owner may let go of a page at any moment. */
static void close_slot(struct object *obj, slot_t *slot)
{
	slot_t seen = slot_load(slot);

	ASSERT(!slot_is_busy(seen));
	if (obj->ops->swaps)
		obj->ops->swaps(obj, slot);
	else if (slot_is_ref(seen) && obj->ops->forget)
		obj->ops->forget(obj, slot_ref(seen));
	/* Without references of our own it may be gone by now. With them it stays until here. */
	if (slot_is_page(seen) && obj->page_refs)
		page_put(slot_page(seen), obj->page_refs * PAGE_REF);
}

/* Breaks the circle: pages hold their object, which lets go of its pages. */
static void object_close(struct object *obj)
{
	bool slots = obj->page_refs || load_relaxed(&obj->stored);

	ASSERT(!obj->area_count);
	if (obj->ops->closes)
		obj->ops->closes(obj);
	for (u64 c = 0; slots && c < chunk_count(obj); c++)
		for (u64 i = 0; obj->chunks[c] && i < chunk_slots(obj); i++)
			close_slot(obj, &obj->chunks[c][i]);
	if (obj->ops->close)
		obj->ops->close(obj);
	object_release(obj);
}

void object_get(struct object *obj)
{
	ASSERT(load_relaxed(&obj->users));
	atomic_fetch_add_relaxed(&obj->users, 1);
}

void object_put(struct object *obj)
{
	/* Full barrier: what other users did comes before the close. */
	if (atomic_fetch_add(&obj->users, -1U) == 1)
		object_close(obj);
}

slot_t *object_chunk_create(struct object *obj, u64 chunk)
{
	ASSERT(chunk < chunk_count(obj));
	slot_t *fresh = kmem.alloc(chunk_slots(obj) * sizeof(slot_t), BOOT_NODE_NONE), *old = NULL;

	/* Full barrier: the zeroes before the pointer; pairs with the load in object_slot(). */
	if (fresh && !atomic_cmpxchg(&obj->chunks[chunk], &old, fresh)) {
		kmem.free(fresh, chunk_slots(obj) * sizeof(slot_t));
		return old;
	}
	return fresh;
}

/* ---- references of pages: the last one to go frees the frame ---------------------- */

/*
 * The frame has no references left, so nobody can find it through its object
 * any more (page_get() fails): take it out of the slot. Its reference to the object
 * is the caller's to release. That is a full barrier, before the frame is free: so nobody
 * finds it here once it is somebody else's.
 */
static inline struct object *detach(struct page *page)
{
	struct object *obj = page->object;
	slot_t *slot = &obj->chunks[page->index / OBJECT_CHUNK][page->index % OBJECT_CHUNK];

	ASSERT(slot_load(slot).v == slot_of_page(page).v && !load_relaxed(&page->mapcount));
	store_relaxed(&slot->v, slot_none().v);
	page->object = NULL;
	return obj;
}

/* True: that was the last one. */
static inline bool put(struct page *page, u64 what)
{
	u64 refs = atomic_fetch_add(&page->refs, -what);

	if (likely(refs == what))
		return true;
	ASSERT((u32)refs > (u32)what && refs >> 32 >= what >> 32);
	return false;
}

void page_put(struct page *page, u64 what)
{
	if (!put(page, what))
		return;
	if (page->object)
		object_release(detach(page));
	pmm_free(page);
}

void page_put_all(struct page **pages, unsigned n)
{
	struct page **const end = pages + n, **gone = pages, **from = pages;
	struct object *obj = NULL; /* that pages from `from` on let go of */

	if (n == 1) {
		page_put(pages[0], PAGE_REF);
		return;
	}
	for (struct page **at = pages; at < end; at++) {
		struct page *page = *at;

		if (!put(page, PAGE_REF))
			continue;
		if (unlikely(page->object != obj)) {
			if (obj && gone > from)
				release(obj, (u32)(gone - from));
			from = gone;
			obj = page->object;
		}
		if (likely(obj)) /* not one that has left its file meanwhile */
			detach(page);
		*gone++ = page;
	}
	if (obj && gone > from)
		release(obj, (u32)(gone - from));
	pmm_free_bulk(pages, (unsigned)(gone - pages));
}

struct page *slot_page_get(const slot_t *slot, slot_t seen)
{
	struct page *page = slot_page(seen);

	if (!page_get(page, PAGE_REF))
		return NULL;
	/*
	 * page_get() is a full barrier: if the slot still names the page it was not
	 * freed before, and either we see PG_ISOLATED or the migrator, which sets it
	 * (full barrier) and then compares the references, sees ours.
	 */
	if (slot_load(slot).v == seen.v && !(load_relaxed(&page->flags) & PG_ISOLATED))
		return page;
	page_put(page, PAGE_REF);
	return NULL;
}

/* ---- busy slots ------------------------------------------------------------------- */

static void slot_blame(void *arg)
{
	slot_t seen = slot_load(arg);

	if (slot_is_busy(seen))
		printk("slot %p: busy, by cpu %u\n", arg, slot_busy_cpu(seen));
}

/* Wait until nobody fills or empties the slot any more. No locks held. */
static void slot_wait(slot_t *slot)
{
	slot_t **mine = this_cpu_ptr(waits_for_slot);

	store_relaxed(mine, slot);
	/* Relaxed: the caller starts over. */
	wait_until_blame(!slot_is_busy(slot_load(slot)), "a page on its way to or from its store",
			 slot_blame, slot);
	store_relaxed(mine, NULL);
}

void slot_settle(slot_t *slot, slot_t now)
{
	ASSERT(slot_is_busy(slot_load(slot)) && !slot_is_busy(now));
	slot_store(slot, now);
	smp_mb(); /* partner: the one in wait_turn() */
	for_each_online_cpu (cpu)
		if (load_relaxed(cpu_ptr(cpu, waits_for_slot)) == slot)
			cpu_wake(cpu);
}

void object_wait_begin(struct object_fill *fill, struct object *obj, slot_t *slot)
{
	object_get(obj); /* the slot stays while we look at it */
	*fill = (struct object_fill){.obj = obj, .slot = slot};
}

bool object_fill_begin(struct object_fill *fill, struct object *obj, u64 index, slot_t *slot,
		       slot_t seen, struct page *page)
{
	slot_t was = seen;

	ASSERT(!slot_is_page(seen) && !slot_is_busy(seen) && !page->order);
	if (!slot_replace(slot, &was, slot_busy(cpu_id()))) {
		page_put(page, PAGE_REF);
		return false;
	}
	object_get(obj);
	*fill = (struct object_fill){obj, slot, seen, index, page};
	return true;
}

/* We have marked the slot busy: set it back to what it was. */
static void unclaim(const struct object_fill *fill)
{
	slot_settle(fill->slot, fill->was);
	page_put(fill->page, PAGE_REF);
}

void object_fill_cancel(struct object_fill *fill)
{
	unclaim(fill);
	object_put(fill->obj);
}

/* We have marked the slot busy: fill it. */
static int fill_slot(const struct object_fill *fill)
{
	struct object *obj = fill->obj;
	struct page *page = fill->page;
	int err = obj->ops->fill(obj, fill->index, fill->was, page);

	if (err) {
		unclaim(fill);
		return err;
	}
	page->object = obj;
	page->index = (u32)fill->index;
	page->last = 0;
	atomic_fetch_add_relaxed(&obj->refs, 1); /* each page in a slot holds its object */
	/* Added, not stored: as in migration, somebody may find the frame by what the slot once held. */
	if (obj->page_refs)
		atomic_fetch_add_relaxed(&page->refs, obj->page_refs * PAGE_REF);
	if (obj->ops->swaps && slot_is_ref(fill->was)) {
		u32 keeps = load_relaxed(&obj->shared) ? PG_HELD : PG_KEPT;

		atomic_fetch_or_relaxed(&page->flags, keeps);
		atomic_fetch_add_relaxed(&page->refs, PAGE_REF);
	}
	slot_settle(fill->slot, slot_of_page(page));
	return 0;
}

int object_fill_end(struct object_fill *fill)
{
	int err = 0;

	if (fill->page)
		err = fill_slot(fill);
	else
		slot_wait(fill->slot);
	object_put(fill->obj);
	return err;
}

/* ---- emptying ---------------------------------------------------------------------- */

/* The page is frozen and isolated: it is ours alone. `ours`: its references if it stays. */
static int empty_slot(struct object *obj, u64 index, slot_t *slot, struct page *page, u64 ours)
{
	u64 ref = 0;

	slot_store(slot, slot_busy(cpu_id()));
	int err = obj->ops->write(obj, index, page, &ref);

	if (err) {
		store_release(&page->refs, ours);
		slot_settle(slot, slot_of_page(page));
		page_end_isolation(page);
		page_put(page, PAGE_REF);
		return err;
	}
	page->object = NULL;
	store_relaxed(&obj->stored, true);
	slot_settle(slot, slot_of_ref(ref));
	object_release(obj);
	pmm_free(page);
	return 0;
}

int object_empty(struct object *obj, u64 index)
{
	slot_t *slot = object_slot(obj, index, false);
	slot_t seen = slot ? slot_load(slot) : slot_none();

	ASSERT(index < obj->page_count);
	if (!obj->ops->write)
		return -EINVAL;
	if (!slot_is_page(seen))
		return slot_is_busy(seen) ? -EBUSY : -ENOENT;
	struct page *page = slot_page_get(slot, seen);

	if (!page)
		return -EBUSY;
	if (!page_isolate(page)) {
		page_put(page, PAGE_REF);
		return -EBUSY;
	}
	/* No references but ours and the object's: as in migration, a pin or a mapping makes it fail (I10). */
	u64 ours = page_expected_refs(page, 0) + PAGE_REF, refs = ours;

	if (!atomic_cmpxchg(&page->refs, &refs, 0UL)) {
		page_end_isolation(page);
		page_put(page, PAGE_REF);
		return -EBUSY;
	}
	return empty_slot(obj, index, slot, page, ours);
}
