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
	PAGE_CACHED, /* in a per-CPU cache */
	PAGE_USED, /* allocated: anonymous memory, kernel memory */
	PAGE_TABLE, /* a page table */
	PAGE_QUARANTINE, /* nobody maps it, its flush debt is unpaid */
};

enum page_flag {
	PG_ISOLATED = 1 << 0, /* one migrator owns it; only one can win the bit */
	PG_WAITERS =
		1
		<< 1, /* somebody waits for its migration; set under the PTL of a migration entry */
	PG_OWES =
		1
		<< 3, /* free, and its flush is unpaid: pmm_free_owing(). Written by its owner only */
	PG_ALIASED = 1 << 2, /* the oracle has records of other mappings of it: mm/oracle_alias.c */
};

/* refs: low half counts references (each mapping, isolator, pin holds one), high half counts pins. */
#define PAGE_REF 1UL
#define PAGE_PIN ((1UL << 32) | PAGE_REF)

struct page {
	u32 flags; /* atomic */
	u8 state; /* written by the owner of the frame, or under the node's lock, where buddies look at it */
	u8 order;
	u8 node;
	u8 table_level; /* PAGE_TABLE */
	u64 refs; /* atomic; 0 = free, or frozen by a migration that is replacing it */
	struct object
		*object; /* reverse map; stable while a mapping or the isolator holds the page */
	u32 index; /* in the object, in 4 KiB pages */
	u32 mapcount; /* entries (migration entries included) that name it; atomic */
	union {
		struct { /* allocator, or a scheme's quarantine */
			struct page *next, *prev;
		};
		struct { /* in use; isolated: its place in the batch that moves it */
			struct migration *migration;
			u32 slot;
			u32 last; /* in use: who touched it last, for mm/hint.c; 0 = nobody yet */
		};
		struct { /* PAGE_TABLE */
			struct spinlock ptl; /* guards every entry of this table */
			u32 table_used; /* entries in use, under ptl; for tables of tables */
		};
	};
	/* The oracle's record of the entry that was taken down last, see mm/oracle.h. */
	u64 unmap; /* context's tag + evidence clock after that; 0 = none since it was allocated */
	u64 unmap_word; /* the same clock, the address and the statement: see mm/oracle.h */
};

_Static_assert(sizeof(struct page) == 64, "one cache line, and cheap arithmetic");

#define page_array ((struct page *)VMEMMAP_BASE)

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

/* Of a direct-map address. */
static inline struct page *virt_to_page(const void *p)
{
	return phys_to_page(virt_to_phys(p));
}

static inline u32 page_refs(const struct page *page)
{
	return (u32)load_relaxed(&page->refs);
}

static inline u32 page_pins(const struct page *page)
{
	return (u32)(load_relaxed(&page->refs) >> 32);
}

/* A reference, unless the page is free or frozen. Full barrier when true (I10: then re-read the entry). */
static inline bool page_get(struct page *page, u64 what)
{
	u64 old = load_relaxed(&page->refs);

	while (old)
		if (atomic_cmpxchg(&page->refs, &old, old + what))
			return true;
	return false;
}

/* Drop what page_get() or a mapping took; the last one frees the frame (after the oracle agreed). */
void page_put(struct page *page, u64 what);

/* True for the one caller that wins the page. Full barrier: pairs with page_get() in a fault on an alias. */
static inline bool page_isolate(struct page *page)
{
	return !(atomic_fetch_or(&page->flags, PG_ISOLATED) & PG_ISOLATED);
}

static inline void page_end_isolation(struct page *page)
{
	atomic_fetch_and(&page->flags, ~(u32)PG_ISOLATED);
}
