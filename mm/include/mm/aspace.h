/*
 * Address spaces: areas by address, a root table, a translation context.
 *
 * Locks: aspace.lock, read side: faults, migration, pins; write side: anything
 * that changes areas or lowers permissions. object.lock: list of areas.
 */
#pragma once

#include <mm/area.h>
#include <mm/pgwalk.h>
#include <mm/tlb.h>
#include <kernel/list.h>

/* What hint faults found out about a space; atomic, relaxed: the scanner's period follows them. */
struct hint_tally {
	u64 local, remote; /* the page was on the node that touched it, or not */
	u64 own, shared; /* the same CPU touched it last, or another one */
	u64 failed; /* it should have moved and did not */
};

enum { CHANGE_SUBSCRIBERS = 4 }; /* of a space, at most */
struct change_subscriber;

struct aspace {
	struct tlb_context ctx;
	struct rwlock lock;
	struct list areas; /* under lock */
	struct area *recent; /* last area found; a hint, checked on use */
	pte_t *root;
	bool huge; /* under lock: some area had 2 MiB pages */
	u32 id;
	const char *name;
	u32 flush_pending; /* scanners between their first entry change and the end of their flush */
	u32 changing; /* changes that have paid their debts and are not over; atomic; see mm/change.c */
	bool subscribed; /* some subscriber is not NULL */
	struct change_subscriber *subscriber[CHANGE_SUBSCRIBERS]; /* see mm/change.c */
	struct hint_tally hints;
	u64 scan_period; /* ns for a pass, as the scan last adapted it; 0 = no pass has ended */
	struct list link; /* all spaces, under the list's lock */
};

/* NULL: no memory. */
struct aspace *aspace_create(const char *name, u32 node);
/* No CPU may run in it any more, and nobody may be subscribed. Unmaps everything. */
void aspace_destroy(struct aspace *as);
/* "2" or a name -> space, or NULL. */
struct aspace *aspace_lookup(const char *id_or_name);
void aspace_for_each(void (*fn)(struct aspace *as, void *arg), void *arg);

/*
 * Map pages [offset, offset + len) of an object at va (0 = choose). Object
 * NULL: a new anonymous one. Populated on demand. huge: 2 MiB pages, in an object
 * that nobody else maps. Returns the address, or 0: *err says why (-EINVAL
 * misaligned, out of range or such an object, -EEXIST overlap, -ENOMEM).
 */
vaddr_t aspace_map(struct aspace *as, struct object *obj, u64 offset, vaddr_t va, u64 len,
		   prot_t prot, bool huge, u32 node, int *err);
/*
 * A 2 MiB page across an end of the range of one of these is split: -ENOMEM if
 * that takes a page table and there is none, -EBUSY if it is pinned. Rights and
 * contents have not changed then; the page at the other end may be split.
 */
/*
 * What a subscriber to the space's changes says is returned, too: see <mm/change.h>.
 * On return no CPU can reach the range through this space (I7).
 */
int aspace_unmap(struct aspace *as, vaddr_t va, u64 len);
/*
 * The range may be read, and written and executed as prot says; on return no
 * CPU has more access than that (I7), and what it holds is what will be executed.
 * -EINVAL: not readable, or other rights than PROT_CHANGES, which stay.
 */
int aspace_protect(struct aspace *as, vaddr_t va, u64 len, prot_t prot);
/*
 * New pages of the range are placed so from now on; those that are there stay.
 * PLACE_PREFERRED takes the one node of `nodes`, or 0 = local. -EINVAL: no such
 * node or no memory there; -ENOMEM, -EBUSY.
 */
int aspace_place(struct aspace *as, vaddr_t va, u64 len, enum placement placement, u64 nodes);
/* Free the pages, keep the area: the next access reads zero (madvise DONTNEED). */
int aspace_drop(struct aspace *as, vaddr_t va, u64 len);
/* Fault every page in, on `node` if it is not BOOT_NODE_NONE (strict). Returns pages present or -ENOMEM. */
long aspace_populate(struct aspace *as, vaddr_t va, u64 len, u32 node);

/* Adds the 4 KiB pages of the range to pages[MAX_NODES], by node. Either side of as->lock held. */
void aspace_count_nodes(struct aspace *as, vaddr_t va, u64 len, u64 pages[]);

/*
 * Pin the page at va: it cannot migrate until page_put(page, PAGE_PIN).
 * Faults it in. 0, -EFAULT, -EAGAIN never: waits for migrations.
 */
int aspace_pin(struct aspace *as, vaddr_t va, bool write, struct page **page);

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

/* Where the entry of va lives, for observers that only look; NULL if there is no table yet. */
const pte_t *aspace_entry(struct aspace *as, vaddr_t va);
/* Is the page of this entry being moved right now? */
static inline bool aspace_entry_moving(const pte_t *ptep)
{
	return pte_is_migration(pte_load(ptep));
}

/* Make this context's address space the one loaded on this CPU; NULL: lazy. */
void aspace_load(struct aspace *as);
