/*
 * Slots: what an object keeps for an index, in one word that is read without a lock:
 *
 *   nothing        0
 *   a page         its address, which is a multiple of 64, so the low bits are 0
 *   a reference    bit 0 set: the store's word for where the contents are
 *   busy           bit 1 set: a CPU, which it names, is filling or emptying it, and others wait
 */
#pragma once

#include <mm/page.h>

/* A pointer, not a number: loads through it depend on the load of the slot, so they come after it. */
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

/* Busy with what CPU cpu does. */
static inline slot_t slot_busy(unsigned cpu)
{
	return (slot_t){(void *)((u64)cpu << SLOT_SHIFT | SLOT_BUSY)};
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

/* The CPU that made a slot busy. */
static inline unsigned slot_busy_cpu(slot_t slot)
{
	return (unsigned)((u64)slot.v >> SLOT_SHIFT);
}

/* The page of a slot that holds one. */
static inline struct page *slot_page(slot_t slot)
{
	return slot.v;
}

/* The reference of a slot that holds one, as slot_of_ref() was given it. */
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

/* If *slot is *seen, make it `now` and return true. Else set *seen to what it is. Full barrier when true. */
static inline bool slot_replace(slot_t *slot, slot_t *seen, slot_t now)
{
	void *was =
		seen->v; /* the compiler keeps it in a register, which it does not do with a slot_t */
	bool done = atomic_cmpxchg(&slot->v, &was, now.v);

	seen->v = was;
	return done;
}

/*
 * Get the page of a slot that held `seen`, with a reference for the caller. NULL:
 * the page is being replaced, freed, emptied or moved; look at the slot again. Any
 * context. Full barrier when it succeeds.
 */
struct page *slot_page_get(const slot_t *slot, slot_t seen);
