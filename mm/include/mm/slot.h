/*
 * What an object keeps for an index, in one word, read without a lock:
 *
 *   nothing        0
 *   a page         its address: 64-byte aligned, so the low bits are 0
 *   a reference    of the store's, which says where the contents are: bit 0 set
 *   busy           bit 1 set: somebody fills or empties it; others wait for that
 */
#pragma once

#include <mm/page.h>

/* A pointer, so that what is read through it comes after it was loaded. */
typedef struct {
	void *v;
} slot_t;

enum { SLOT_SHIFT = 2 };
#define SLOT_STORED 1UL
#define SLOT_BUSY 2UL

static inline slot_t slot_none(void)
{
	return (slot_t){NULL};
}

static inline slot_t slot_of_page(const struct page *page)
{
	return (slot_t){(void *)page};
}

static inline slot_t slot_of_ref(u64 ref)
{
	return (slot_t){(void *)(ref << SLOT_SHIFT | SLOT_STORED)};
}

static inline slot_t slot_busy(void)
{
	return (slot_t){(void *)SLOT_BUSY};
}

static inline bool slot_is_none(slot_t slot)
{
	return !slot.v;
}

static inline bool slot_is_page(slot_t slot)
{
	return slot.v && !((u64)slot.v & (SLOT_STORED | SLOT_BUSY));
}

static inline bool slot_is_ref(slot_t slot)
{
	return (u64)slot.v & SLOT_STORED;
}

static inline bool slot_is_busy(slot_t slot)
{
	return (u64)slot.v & SLOT_BUSY;
}

/* Of one that is a page. */
static inline struct page *slot_page(slot_t slot)
{
	return slot.v;
}

/* Of one that is a reference: what slot_of_ref() was given. */
static inline u64 slot_ref(slot_t slot)
{
	return (u64)slot.v >> SLOT_SHIFT;
}

/* Relaxed: slot_page_get() orders what is read of the page. */
static inline slot_t slot_load(const slot_t *slot)
{
	return (slot_t){load_relaxed(&slot->v)};
}

/* Release: the page's fields before the slot names it; pairs with slot_page_get(). */
static inline void slot_store(slot_t *slot, slot_t now)
{
	store_release(&slot->v, now.v);
}

/* True: *slot was *seen and is now `now`; else *seen is what it is. Full barrier. */
static inline bool slot_replace(slot_t *slot, slot_t *seen, slot_t now)
{
	return atomic_cmpxchg(&slot->v, &seen->v, now.v);
}

/*
 * The page of a slot that held `seen`, with a reference for a mapping; NULL: it is
 * being replaced, freed, emptied or moved, so look again. Full barrier.
 */
struct page *slot_page_get(const slot_t *slot, slot_t seen);
