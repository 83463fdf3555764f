/*
 * Address spaces: areas by address, a root table, a translation context.
 *
 * aspace.lock guards which areas there are. Read side: faults, migration, pins and
 * scans. Write side: whoever changes areas, removes entries or lowers rights.
 */
#pragma once

#include <mm/area.h>
#include <mm/pgwalk.h>
#include <mm/tlb.h>
#include <kernel/list.h>

/* Hint faults of a space by what they found. Atomic, relaxed. The scan adapts its period to them. */
struct hint_tally {
	u64 local, remote; /* the page was on the node that touched it, or not */
	u64 own, shared; /* the same CPU touched it last, or another one */
	u64 failed; /* it should have moved and did not */
};

/* Of a space, at most: a gather has room for a context of each, beside the space's own. */
enum { CHANGE_SUBSCRIBERS = TLB_GATHER_CONTEXTS - 1 };
struct change_subscriber;

struct aspace {
	struct tlb_context ctx;
	struct rwlock lock;
	struct list areas; /* under lock */
	struct area *recent; /* the area found last: only a guess, checked before use */
	pte_t *root;
	bool huge; /* under lock: some area had 2 MiB pages */
	bool files; /* under lock: some area had tracked pages */
	bool stored; /* pages of it went to swap: slots may have references. Atomic; never cleared. See <mm/swap.h> */
	u32 id;
	const char *name;
	u32 flush_pending; /* scan windows between their first entry change and the end of their flush; atomic */
	u32 owing; /* who has lowered entries and not flushed yet: see aspace_owes(); atomic */
	u32 changing; /* changes that have paid the space's debts and have not ended; atomic; see mm/change.c */
	u32 subscribed; /* bool: some subscriber is not NULL. A word, which is one instruction less for each entry on arm64 */
	struct change_subscriber *subscriber[CHANGE_SUBSCRIBERS]; /* see mm/change.c */
	struct hint_tally hints;
	u64 scan_period; /* ns for a pass, as the scan last adapted it; 0 = no pass has ended */
	struct list link; /* all spaces, under spaces_lock in mm/aspace.c */
};

/* A new space without areas; name is kept, not copied. node: of the root table. NULL: no memory. Task context. */
struct aspace *aspace_create(const char *name, u32 node);
/*
 * Unmap everything and free the space. No context runs in it any more, and nobody is subscribed.
 * Task context, no locks.
 */
void aspace_destroy(struct aspace *as);
/* The space with this id ("2") or name, NULL: there is none. Nothing keeps the space from going. */
struct aspace *aspace_lookup(const char *id_or_name);
/* fn for each space, oldest first, under a spinlock: fn must not wait. */
void aspace_for_each(void (*fn)(struct aspace *as, void *arg), void *arg);

/*
 * Map len bytes of an object, from page `offset` on, at va (0: choose one). obj
 * NULL: a new anonymous object. Pages come on first access. huge: use 2 MiB pages;
 * only with obj NULL. node: where new pages come from, BOOT_NODE_NONE: the CPU's
 * that faults. Returns the address, or 0 and *err: -EINVAL (misaligned, out of
 * range, rights outside PROT_AREA, or an object with 2 MiB pages), -EEXIST
 * (overlap), -ENOMEM. Task context, no locks.
 */
vaddr_t aspace_map(struct aspace *as, struct object *obj, u64 offset, vaddr_t va, u64 len,
		   prot_t prot, bool huge, u32 node, int *err);
/*
 * Of the next four functions: va and len are in bytes, multiples of 4 KiB, else
 * -EINVAL. A 2 MiB page that lies across an end of the range is split first.
 * -ENOMEM: no memory for its page table, or for an area; -EBUSY: the page is
 * pinned. A subscriber's refusal is returned, too (<mm/change.h>). With an error,
 * rights and contents are as before, but areas and pages may have been cut at the
 * ends of the range. Task context, no locks; each waits for flushes.
 */
/* Remove the range's areas and entries. On return no CPU can reach it through this space (I7). */
int aspace_unmap(struct aspace *as, vaddr_t va, u64 len);
/*
 * Set which of PROT_CHANGES (write, execute) the range has; prot must contain
 * PROT_READ and nothing else, or it is -EINVAL. On return no CPU has more access
 * than that (I7). Where execution is allowed, CPUs fetch what the frames hold now.
 */
int aspace_protect(struct aspace *as, vaddr_t va, u64 len, prot_t prot);
/*
 * Choose where new pages of the range come from; pages that exist stay where they
 * are. nodes: a bit per node; PLACE_PREFERRED takes one node, or 0: the CPU's that
 * faults. -EINVAL also: no such node, or no memory there.
 */
int aspace_place(struct aspace *as, vaddr_t va, u64 len, enum placement placement, u64 nodes);
/* Free the pages and keep the areas: the next access to anonymous memory reads zero (madvise MADV_DONTNEED). */
int aspace_drop(struct aspace *as, vaddr_t va, u64 len);
/*
 * Fault every page of the range in. node: all from this one, or BOOT_NODE_NONE: as the areas say.
 * Returns how many 4 KiB pages are present, or -ENOMEM: some are. Task context, no locks.
 */
long aspace_populate(struct aspace *as, vaddr_t va, u64 len, u32 node);

/* Adds the 4 KiB pages of the range to pages[MAX_NODES], by node. Either side of as->lock held. */
void aspace_count_nodes(struct aspace *as, vaddr_t va, u64 len, u64 pages[]);

/*
 * Pin the page at va, which is faulted in if it is absent: it cannot migrate until
 * page_put(page, PAGE_PIN). write: the pin's owner may write it. 0, or -EFAULT: no
 * area there, or not writable. Waits while the page migrates. Task context, no locks.
 */
int aspace_pin(struct aspace *as, vaddr_t va, bool write, struct page **page);

/* aspace_find() without the guess: walks the list. */
struct area *area_find_slowly(struct aspace *as, vaddr_t va);

/* The area that va lies in; NULL: none. Either side of as->lock held. */
static inline struct area *aspace_find(struct aspace *as, vaddr_t va)
{
	struct area *recent = load_relaxed(&as->recent);

	/* Areas go away only under the write side, which also clears the hint. */
	if (recent && va >= recent->start && va < recent->end)
		return recent;
	return area_find_slowly(as, va);
}

/*
 * Where the entry of va lives (4 KiB or 2 MiB), NULL: there is no table yet. For code that only looks:
 * without aspace.lock the entry may change, and its table go, at any time.
 */
const pte_t *aspace_entry(struct aspace *as, vaddr_t va);
/* Is the page of this entry being moved right now? */
static inline bool aspace_entry_moving(const pte_t *ptep)
{
	return pte_is_migration(pte_load(ptep));
}

/*
 * Load this space on this CPU, for the kernel context that runs there. NULL: no space is needed; the
 * old one may stay loaded (lazy), but no access goes through it. Task context.
 */
void aspace_load(struct aspace *as);
