/*
 * Address spaces, areas and the objects behind them.
 *
 * An object is an array of pages (by index); an area maps a piece of an object
 * at an address. One page may be mapped by several areas. The reverse map of a
 * page is its object and index: every area of the object that covers the index.
 *
 * Locks: aspace.lock, read side: faults, migration, pins; write side: anything
 * that changes areas or lowers permissions. object.lock: list of areas.
 */
#pragma once

#include <mm/page.h>
#include <mm/pgwalk.h>
#include <mm/tlb.h>
#include <kernel/list.h>

/* Where new pages of an area come from. */
enum placement {
	PLACE_PREFERRED, /* area.node (BOOT_NODE_NONE: local, the faulting CPU's); others if it is short */
	PLACE_INTERLEAVE, /* the nodes of area.nodes in turn, by the page's index; others if short */
	PLACE_BIND, /* the nearest of area.nodes that has one, or the fault fails */
};

struct area {
	struct list link; /* aspace.areas, by address; aspace.lock */
	struct list object_link; /* object.areas; object.lock */
	struct aspace *aspace;
	struct object *object;
	vaddr_t start, end;
	u64 offset; /* of start in the object, in pages */
	prot_t prot;
	bool huge; /* use 2 MiB pages where one fits */
	enum placement placement;
	u32 node; /* PLACE_PREFERRED */
	u64 nodes; /* bit per node: the other two */
};

struct object {
	struct spinlock lock; /* areas, area_count, sole */
	u32 refs; /* areas + creators; atomic */
	struct list areas;
	unsigned area_count;
	struct area *sole; /* the area while there is exactly one: spares the list walk */
	u64 page_count;
	bool huge; /* of an area of 2 MiB pages: no other area shows the same pages */
	struct page **
		*chunks; /* [index / 512] -> 512 page pointers; filled on demand, never moved */
};

/* What hint faults found out about a space; atomic, relaxed: the scanner's period follows them. */
struct hint_tally {
	u64 local, remote; /* the page was on the node that touched it, or not */
	u64 own, shared; /* the same CPU touched it last, or another one */
	u64 failed; /* it should have moved and did not */
};

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
	struct hint_tally hints;
	u64 scan_period; /* ns for a pass, as the scan last adapted it; 0 = no pass has ended */
	struct list link; /* all spaces, under the list's lock */
};

enum change_reason {
	CHANGE_UNMAP,
	CHANGE_PROTECT,
	CHANGE_DROP,
	CHANGE_MIGRATE,
	CHANGE_HINT,
	CHANGE_SPLIT, /* same frames, same rights */
};

/* NULL: no memory. */
struct aspace *aspace_create(const char *name, u32 node);
/* No CPU may run in it any more. Unmaps everything. */
void aspace_destroy(struct aspace *as);
/* "2" or a name -> space, or NULL. */
struct aspace *aspace_lookup(const char *id_or_name);
void aspace_for_each(void (*fn)(struct aspace *as, void *arg), void *arg);

struct object *object_create(u64 page_count); /* refs = 1 */
void object_put(struct object *obj);

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
/* On return no CPU can reach the range through this space (I7). */
int aspace_unmap(struct aspace *as, vaddr_t va, u64 len);
/* On return no CPU has more access than prot (I7). */
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

struct area *aspace_find(struct aspace *as, vaddr_t va); /* either side of as->lock held */

/* Where the entry of va lives, for observers that only look; NULL if there is no table yet. */
const pte_t *aspace_entry(struct aspace *as, vaddr_t va);
/* Is the page of this entry being moved right now? */
static inline bool aspace_entry_moving(const pte_t *ptep)
{
	return pte_is_migration(pte_load(ptep));
}

/* Make this context's address space the one loaded on this CPU; NULL: lazy. */
void aspace_load(struct aspace *as);

/* ---- object slots ---- */
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

/* ---- every change to a range runs between these; subscribers come with secondary MMUs ---- */
void change_begin(struct aspace *as, enum change_reason why, vaddr_t start, vaddr_t end);
void change_end(struct aspace *as, enum change_reason why, vaddr_t start, vaddr_t end);

/*
 * The accessibility test: may a CPU still hold what this entry, just taken down
 * or seen under its PTL, allowed? Not if it was a hint entry, unless a scan's
 * flush is still to come. Relaxed: whoever reuses the frame passes a full barrier
 * first (freeze(), page_put()), and whoever lowers rights has the write side, so
 * that no scan is under way. The scanner increments
 * before it changes the entry under the PTL that we hold, so we cannot miss it.
 */
static inline bool aspace_may_be_cached(const struct aspace *as, pte_t taken)
{
	return likely(pte_is_present(taken)) || load_relaxed(&as->flush_pending);
}

/* ---- faults ---- */
struct fault {
	struct aspace *as;
	vaddr_t va;
	bool write, exec;
	bool strict; /* new pages from the area's node or not at all */
	unsigned attempt; /* 0 first */
	pte_t seen; /* the entry that decided */
	u64 start; /* cycles_now() at entry */
};
enum fault_result { FAULT_DONE, FAULT_RETRY, FAULT_ERROR };
/* Handle until done: waits, retries. False: no area, or access not allowed. Interrupts on. */
bool fault_handle(struct aspace *as, vaddr_t va, bool write, bool exec);

/* Wait for pages to come back from migration; longest and total, per CPU, reset by workloads. */
struct fault_wait {
	u64 longest, total, count; /* cycles from fault entry to resume, of faults that waited */
};
extern PERCPU_DECLARE(struct fault_wait, fault_wait);
