/*
 * Objects: arrays of pages, by index, that areas map. A page's reverse map is
 * its object and its index: every area of the object that covers the index.
 *
 * Where an absent page comes from and what becomes of one that leaves is the
 * object's affair: struct object_ops. Anonymous memory is one kind, whose pages
 * begin as zeroes and are kept by their mappings alone.
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
	/* A slot that holds nothing stands for zeroes: no fill() then, and the fault does not wait. */
	bool zeroes;
	/* References that the object itself holds on each page in a slot: until it is emptied or closed. */
	u32 page_refs;
	/*
	 * Contents of an absent page: of the store's reference that its slot held, or
	 * of its index if it held nothing. May wait. Not 0: the error; the slot is as before.
	 */
	int (*fill)(struct object *obj, u64 index, slot_t was, struct page *page);
	/*
	 * Where a page goes whose contents must not be lost: *ref = what fill() will be
	 * given (less than 2^62). Nobody else uses the page meanwhile. May wait. Not 0:
	 * the error; the page stays. NULL: nowhere, so that pages go only with the object.
	 */
	int (*write)(struct object *obj, u64 index, struct page *page, u64 *ref);
	/* The object is closed and this reference of the store's is not needed any more. May be NULL. */
	void (*forget)(struct object *obj, u64 ref);
	/* Nobody will ask for a page again; pinned ones may still be around. May be NULL. */
	void (*close)(struct object *obj);
};

extern const struct object_ops object_anon_ops;

struct object {
	/*
	 * areas, area_count, sole. The read side may be held across a wait: it is what
	 * keeps other spaces' areas, and so their contexts and tables, while a page's
	 * entries are down.
	 */
	struct rwlock lock;
	u32 users; /* areas, creators, who fills or empties a slot; the last one closes it; atomic */
	u32 refs; /* pages that name it, and one for all users: the memory; atomic */
	u32 page_refs; /* of its ops: beside the rest, for the path of a move */
	const struct object_ops *ops;
	void *store; /* of its ops */
	struct list areas;
	unsigned area_count;
	struct area *sole; /* the area while there is exactly one: spares the list walk */
	u64 page_count;
	bool huge; /* of an area of 2 MiB pages: no other area shows the same pages */
	slot_t **chunks; /* [index / 512] -> 512 slots; filled on demand, never moved */
	slot_t *only_chunk; /* what `chunks` points to where one is enough */
};

/* A new object of so many 4 KiB pages, with the caller as its user. NULL: no memory. */
struct object *object_create_of(const struct object_ops *ops, void *store, u64 page_count);
/* The same for anonymous memory. */
struct object *object_create(u64 page_count);
/* A further user; the caller is one, or holds what is (an area, with its space's lock). */
void object_get(struct object *obj);
/*
 * A user goes. With the last one the object is closed: it drops its own
 * references, so its pages go, but for those that are pinned. No lock held.
 */
void object_put(struct object *obj);
/* A page that names it is gone; the last one frees the object's memory, if it is closed. */
void object_release(struct object *obj);

/*
 * The page of an index goes to the store, which keeps its contents; the next
 * access fills a new one. The caller is a user; interrupts on, no lock held, as
 * it waits for the store. 0, -ENOENT: no page there, -EBUSY: somebody maps it or
 * has it pinned, or it is on its way elsewhere, -EINVAL: this kind has no store,
 * or the store's error. Only 0 changes anything.
 */
int object_empty(struct object *obj, u64 index);

/* An absent page on its way in: begun under the space's lock, finished without. */
struct object_fill {
	struct object *obj;
	slot_t *slot, was;
	u64 index;
	struct page *page; /* NULL: somebody else fills or empties the slot; wait for that */
};

/*
 * Claim the slot, whose value was `seen`, for `page`, which is the caller's. The
 * caller keeps the object's area until it returns. False: the slot has changed,
 * and the page is gone.
 */
bool object_fill_begin(struct object_fill *fill, struct object *obj, u64 index, slot_t *slot,
		       slot_t seen, struct page *page);
/* The same to wait only. */
void object_wait_begin(struct object_fill *fill, struct object *obj, slot_t *slot);
/*
 * No lock held, interrupts on. 0: look at the slot again; a page that was filled
 * is in it, and the caller still has its reference. Else the store's error, and
 * the page is gone.
 */
int object_fill_end(struct object_fill *fill);

/* References of a page in use that so many mappings account for, if nobody else has any. */
static inline u64 page_expected_refs(const struct page *page, u64 mappings)
{
	return mappings + page->object->page_refs;
}

#define OBJECT_CHUNK (PAGE_SIZE / sizeof(slot_t)) /* slots per chunk */
slot_t *object_chunk_create(struct object *obj, u64 chunk); /* NULL: no memory */

/* The slot of an index; NULL: nothing was ever there, or no memory. Takes no lock. */
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
