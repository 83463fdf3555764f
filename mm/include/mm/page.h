/*
 * One struct page per 4 KiB frame of RAM. A 2 MiB page keeps its state in the
 * head; nothing loops over its 512 frames when it moves.
 */
#pragma once

#include <kernel/atomic.h>
#include <kernel/spinlock.h>
#include <arch/platform.h>

struct object;
struct migration;

enum page_state {
	PAGE_RESERVED, /* not ours, or in use since before the allocator */
	PAGE_FREE, /* in a buddy list (head of its block) */
	PAGE_CACHED, /* free, in a per-CPU cache */
	PAGE_USED, /* allocated: a page of an object, or kernel memory */
	PAGE_TABLE, /* a page table */
	PAGE_QUARANTINE, /* held back: nobody maps it, but its flush is unpaid */
};

enum page_flag {
	PG_ISOLATED = 1 << 0, /* one migrator, split or emptying works on it: whoever set the bit */
	PG_WAITERS =
		1
		<< 1, /* somebody waits for its migration; set under the PTL of a migration entry */
	PG_OWES =
		1
		<< 3, /* free, and its flush is unpaid: pmm_free_owing(). Written by its owner only */
	PG_COPIED =
		1
		<< 6, /* a deferral's: CPUs may still read an older copy. Set before the page is mapped */
	PG_ALIASED = 1 << 2, /* the oracle has records of other mappings of it: mm/oracle_alias.c */
	PG_DIRTY = 1 << 4, /* of an object that tracks it: its store has older contents */
	/*
	 * One space alone maps it, below a shadow, and that stays so: others map a copy, as it was pinned when the
	 * space was duplicated, or map it no more. So it is written in place, whoever has a pin.
	 */
	PG_EXCLUSIVE = 1 << 7,
	/* Read in, and not mapped since: its object has a reference, as it is all there is of it. See <mm/swap.h> */
	PG_KEPT = 1 << 8,
	/*
	 * Read in, of an object that several areas may show: the object has a reference until it is closed, as an area where
	 * nothing is mapped may want the page, too. See <mm/swap.h>
	 */
	PG_HELD = 1 << 9,
	PG_LOCKED = 1 << 5, /* its contents or its place are somebody's alone: mm/page_lock.c */
};

/* refs: low half counts references (each mapping, isolator, pin holds one), high half counts pins. */
#define PAGE_REF 1UL
#define PAGE_PIN ((1UL << 32) | PAGE_REF)

struct page {
	u32 flags; /* atomic */
	union {
		struct {
			u8 state; /* written by the owner of the frame, or under the node's lock, where buddies look at it */
			u8 order;
			u8 node;
			u8 table_level; /* PAGE_TABLE */
		};
		u32 kind; /* the four as one word, for who compares many frames */
	};
	u64 refs; /* atomic; 0 = free, or frozen by a migration that is replacing it */
	union {
		struct object *
			object; /* reverse map; stable while a mapping or the isolator holds the page */
		u64 debt; /* free, and PG_OWES: what its deferral noted, in each frame of a block */
	};
	union {
		u32 index; /* in the object, in 4 KiB pages */
		u32 owes; /* head of a free block: the node's payment that will cover all of it; 0 = nothing owes */
	};
	u32 mapcount; /* entries (migration entries included) that name it; atomic */
	union {
		struct { /* allocator, or a deferral's quarantine */
			struct page *next, *prev;
		};
		struct
		{ /* in use; isolated: its place in the batch that moves it, or leaves with it */
			union {
				struct migration *migration;
				struct page *leaves_after; /* another one of the batch */
			};
			union {
				u32 slot;
				u32 taken; /* its entries that were taken down as it leaves */
			};
			u32 last; /* in use: who touched it last, for mm/hint.c; 0 = nobody yet */
		};
		struct { /* PAGE_TABLE */
			struct spinlock ptl; /* guards every entry of this table */
			u32 table_used; /* entries in use, under ptl; for tables of tables */
		};
	};
	/* The oracle's record of the entry that was taken down last: see mm/oracle.h. */
	u64 unmap; /* the context's tag + the evidence clock then; 0 = none since the frame was allocated */
	u64 unmap_word; /* address, the same clock, and the statement */
};

_Static_assert(sizeof(struct page) == 64, "one cache line, and cheap arithmetic");

#define page_array ((struct page *)VMEMMAP_BASE)

/* pa: of RAM; elsewhere the page array is not mapped. */
static inline struct page *phys_to_page(paddr_t pa)
{
	return page_array + (pa >> PAGE_SHIFT);
}

static inline paddr_t page_to_phys(const struct page *page)
{
	return (u64)(page - page_array) << PAGE_SHIFT;
}

static inline void *page_to_virt(const struct page *page)
{
	return phys_to_virt(page_to_phys(page));
}

/* p: an address in the direct map. */
static inline struct page *virt_to_page(const void *p)
{
	return phys_to_page(virt_to_phys(p));
}

/* References, pins included. A pin counts once. */
static inline u32 page_refs(const struct page *page)
{
	return (u32)load_relaxed(&page->refs);
}

/* Has its object a reference to it since it was read in? Stable for who has isolated it. */
static inline bool page_is_held(const struct page *page)
{
	return load_relaxed(&page->flags) & PG_HELD;
}

/* Pins alone. */
static inline u32 page_pins(const struct page *page)
{
	return (u32)(load_relaxed(&page->refs) >> 32);
}

/*
 * Take a reference or a pin (what: PAGE_REF or PAGE_PIN), unless the page is free or frozen. Any
 * context. Full barrier when true: the caller then reads the entry or slot again that led here (I10).
 */
static inline bool page_get(struct page *page, u64 what)
{
	u64 old = load_relaxed(&page->refs);

	while (old)
		if (atomic_cmpxchg(&page->refs, &old, old + what))
			return true;
	return false;
}

/*
 * Drop references or pins that page_get(), an allocation or a mapping took. The last one frees the
 * frame, which the oracle checks. Task context. Full barrier.
 */
void page_put(struct page *page, u64 what);
/*
 * Drop a PAGE_REF of each of n pages of objects. Those whose last it was are freed together, which is
 * cheaper than one by one; the array is used up. The same rules.
 */
void page_put_all(struct page **pages, unsigned n);

/*
 * Isolate a page: true for the one caller who sets the bit. The caller has a reference, or the PTL of
 * an entry that names the page. Full barrier: pairs with page_get() in slot_page_get().
 */
static inline bool page_isolate(struct page *page)
{
	return !(atomic_fetch_or(&page->flags, PG_ISOLATED) & PG_ISOLATED);
}

/* For the caller who isolated the page. Full barrier. */
static inline void page_end_isolation(struct page *page)
{
	atomic_fetch_and(&page->flags, ~(u32)PG_ISOLATED);
}
