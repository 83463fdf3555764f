/*
 * Objects: arrays of pages, which areas map. A page knows its object and its index
 * there. That is its reverse map: it may be mapped by every area of the object that
 * covers the index.
 *
 * The kind of an object, struct object_ops, says where an absent page comes from
 * and what becomes of one that leaves. Anonymous memory is one kind: its pages begin
 * as zeroes, and only their mappings keep them.
 */
#pragma once

#include <mm/slot.h>
#include <kernel/list.h>
#include <kernel/spinlock.h>

struct area;
struct object;

/* A kind of objects. Calls that may wait come with interrupts on and no lock held. */
struct object_ops {
	const char *name;
	/* A slot that holds nothing stands for zeroes: fill() is not called for it, and the fault does not wait. */
	bool zeroes;
	/*
	 * References that the object itself holds on each page in a slot, until the slot is emptied
	 * or the object closed.
	 */
	u32 page_refs;
	/*
	 * Entries of its areas become writable by write faults alone. They copy a page that a
	 * shadow shows (<mm/cow.h>), and mark one of a file dirty (<mm/clean.h>). Files' pages
	 * leave by file_invalidate() and file_truncate(), not by object_empty().
	 */
	bool tracked;
	/*
	 * Reclaim may write its pages to swap, and their slots get references (<mm/swap.h>), which
	 * this gives back: swap_slot_drop(). NULL: it may not.
	 */
	void (*swaps)(struct object *obj, slot_t *slot);
	/*
	 * Read the contents of an absent page. was: what its slot held, the store's
	 * reference or nothing. May wait. 0, or an error: the slot is as before then.
	 */
	int (*fill)(struct object *obj, u64 index, slot_t was, struct page *page);
	/*
	 * Write a page to the store. *ref: what fill() will be given for it, less than
	 * 2^62. Nobody else uses the page meanwhile. May wait. 0, or an error: the page
	 * stays then. NULL: there is no store, and pages go only with the object.
	 */
	int (*write)(struct object *obj, u64 index, struct page *page, u64 *ref);
	/* The object is closed; the store may forget what it has under this reference. May be NULL. */
	void (*forget)(struct object *obj, u64 ref);
	/* The object is about to be closed: on return nobody is at its slots but for it. May be NULL. */
	void (*closes)(struct object *obj);
	/*
	 * The object is closed: no page will be asked for again. Pages that are pinned may still
	 * exist. May be NULL.
	 */
	void (*close)(struct object *obj);
};

extern const struct object_ops object_anon_ops;

struct object {
	/*
	 * Guards areas, area_count, sole, shadows. The read side may be held across a wait.
	 * It keeps the areas of all spaces that map the object or a shadow of it, and so their
	 * contexts and tables, while a page's entries are down.
	 */
	struct rwlock lock;
	u32 users; /* areas, the creator, whoever fills or empties a slot. The last one closes it. Atomic */
	u32 refs; /* pages that name it, and one for all users together. The last one frees it. Atomic */
	u8 page_refs; /* ops->page_refs: a copy here, as each move of a page needs it */
	bool stored; /* a slot of it had a reference, or may have one. Never cleared; atomic */
	const struct object_ops *ops;
	union {
		struct { /* of an object with a store */
			void *store; /* for ops */
			u32 dirty; /* pages that are; atomic: see <mm/dirty.h> */
			u32 writeback; /* index, modulo page_count, at which writeback goes on; atomic */
		};
		struct { /* of a shadow; set when it is made */
			struct object *lower; /* shown where its own slots hold nothing */
			u64 lower_at; /* the page there where it begins */
		};
	};
	struct list areas;
	unsigned area_count;
	bool tracked; /* ops->tracked: the same, for faults */
	bool huge; /* it has 2 MiB pages; then only one area maps it */
	bool shared; /* it was given to aspace_map(): several areas may show a page. Atomic; never cleared */
	bool is_shadow; /* it has a lower object, and no shadows */
	struct area *sole; /* the area, while there is exactly one and no shadow: no list to walk */
	struct object *shadows; /* the first one; of a shadow: the next one of the same object */
	u64 page_count; /* slots: the size in 4 KiB pages when it was made */
	u64 size; /* in pages, at most page_count: nothing beyond it is filled or mapped. Atomic; only shrinks */
	slot_t **chunks; /* [index / 512] -> 512 slots; allocated on demand, never moved */
	slot_t *only_chunk; /* what `chunks` points to where one chunk is enough */
};

_Static_assert(sizeof(struct object) <= 128,
	       "of two cache lines: it is zeroed with each anonymous mapping");

/*
 * The object whose lock guards the areas of this one: that of a shadow is the one below it, as whoever walks that one's
 * areas also walks those of its shadows. It stays as long as this one does.
 */
static inline struct object *object_guard(struct object *obj)
{
	return unlikely(obj->is_shadow) ? obj->lower : obj;
}

/* A new object of page_count (at least 1) 4 KiB pages; the caller is its user. NULL: no memory. Task context. */
struct object *object_create_of(const struct object_ops *ops, void *store, u64 page_count);
/* The same for anonymous memory. */
struct object *object_create(u64 page_count);
/* Add a user. The caller is one, or keeps one: an area, by its space's lock. Any context. */
void object_get(struct object *obj);
/*
 * A user goes. With the last one the object is closed: it drops its references, so
 * all pages are freed except those that are pinned. Task context, no object.lock.
 */
void object_put(struct object *obj);
/* Drop one of object.refs: a page that named it is gone. The last one frees the object's memory. */
void object_release(struct object *obj);

/*
 * Write the page of an index to the store and free it; the next access fills a new
 * page. 0, or with nothing changed: -ENOENT (no page there), -EBUSY (mapped, pinned,
 * or being moved, filled or emptied), -EINVAL (this kind has no store), or the
 * store's error. index: below page_count. The caller is a user. Task context, no
 * locks held; waits for the store.
 */
int object_empty(struct object *obj, u64 index);

/* For who has marked a slot busy: what it is from now on. Wakes who waits for it. Full barrier. */
void slot_settle(slot_t *slot, slot_t now);

/* An absent page on its way in. Begun under the space's lock, finished without it. */
struct object_fill {
	struct object *obj;
	slot_t *slot, was;
	u64 index;
	struct page *page; /* NULL: somebody else fills or empties the slot; wait for that */
};

/*
 * Claim a slot that held `seen` (nothing, or a reference), to be filled into `page`,
 * a small page that the caller has allocated. True: object_fill_end() must follow.
 * False: the slot has changed, and the page is freed. The lock of a space with an
 * area of the object is held.
 */
bool object_fill_begin(struct object_fill *fill, struct object *obj, u64 index, slot_t *slot,
		       slot_t seen, struct page *page);
/* The same for a slot that somebody else fills or empties: object_fill_end() will only wait for that. */
void object_wait_begin(struct object_fill *fill, struct object *obj, slot_t *slot);
/*
 * Fill the page, or wait for whoever does. 0: look at the slot again. If fill->page
 * was set, it is in the slot now, and the caller still has a reference to it. Else
 * the store's error, and the page is freed. Task context, interrupts on, no locks.
 */
int object_fill_end(struct object_fill *fill);
/* Instead: give up a slot that was claimed. It is as before, and the page is freed. Any lock of a space may be held. */
void object_fill_cancel(struct object_fill *fill);

/*
 * Put a page that is the caller's alone, with what it holds, into a slot that held *seen. False: *seen is what it
 * holds now, and the page is as before. Full barrier when true: the page's fields and contents before the
 * pointer; pairs with slot_page_get().
 */
static inline bool object_enter(struct object *obj, u64 index, slot_t *slot, slot_t *seen,
				struct page *page)
{
	page->object = obj;
	page->index = (u32)index;
	page->last = 0;
	atomic_fetch_add_relaxed(&obj->refs, 1); /* each page in a slot holds its object */
	if (likely(slot_replace(slot, seen, slot_of_page(page))))
		return true;
	page->object = NULL;
	object_release(obj);
	return false;
}

/* What page.refs is if there are so many mappings of the page and nobody else has a reference. */
static inline u64 page_expected_refs(const struct page *page, u64 mappings)
{
	return mappings + page->object->page_refs;
}

#define OBJECT_CHUNK (PAGE_SIZE / sizeof(slot_t)) /* slots per chunk */
/* Allocate chunk number `chunk` of slots, unless somebody else was faster. NULL: no memory. Task context. */
slot_t *object_chunk_create(struct object *obj, u64 chunk);

/*
 * The slot of an index, which is below page_count. NULL: create is false and nothing was ever there, or
 * no memory. Takes no lock; with create, task context.
 */
static inline slot_t *object_slot(struct object *obj, u64 index, bool create)
{
	/* Relaxed: what is read through the pointer comes after it; pairs with object_chunk_create(). */
	slot_t *chunk = load_relaxed(&obj->chunks[index / OBJECT_CHUNK]);

	if (unlikely(!chunk)) {
		if (!create)
			return NULL;
		chunk = object_chunk_create(obj, index / OBJECT_CHUNK);
		if (!chunk)
			return NULL;
	}
	return &chunk[index % OBJECT_CHUNK];
}
