/*
 * Objects: arrays of pages, by index, that areas map. A page's reverse map is
 * its object and its index: every area of the object that covers the index.
 */
#pragma once

#include <mm/page.h>
#include <kernel/list.h>
#include <kernel/spinlock.h>

struct area;

struct object {
	/*
	 * areas, area_count, sole. The read side keeps the areas that map the
	 * object, and so their spaces, tables and contexts: it may be held across
	 * a wait, even for acknowledgements. A migration does so from the first
	 * entry that it takes down until it has mapped the page again.
	 */
	struct rwlock lock;
	u32 refs; /* areas + creators; atomic */
	struct list areas;
	unsigned area_count;
	struct area *sole; /* the area while there is exactly one: spares the list walk */
	u64 page_count;
	bool huge; /* of an area of 2 MiB pages: no other area shows the same pages */
	struct page **
		*chunks; /* [index / 512] -> 512 page pointers; filled on demand, never moved */
};

struct object *object_create(u64 page_count); /* refs = 1 */
void object_put(struct object *obj);

#define OBJECT_CHUNK (PAGE_SIZE / sizeof(struct page *)) /* slots per chunk */
struct page **object_chunk_create(struct object *obj, u64 chunk); /* NULL: no memory */

/* Where the object keeps the page of an index; NULL: absent, or no memory. Takes no lock. */
static inline struct page **object_slot(struct object *obj, u64 index, bool create)
{
	/* Relaxed: what is read through the pointer comes after it; pairs with object_chunk_create(). */
	struct page **chunk = load_relaxed(&obj->chunks[index / OBJECT_CHUNK]);

	if (unlikely(!chunk)) {
		if (!create)
			return NULL;
		chunk = object_chunk_create(obj, index / OBJECT_CHUNK);
		if (!chunk)
			return NULL;
	}
	return &chunk[index % OBJECT_CHUNK];
}
