/* Areas: a range of addresses of a space that shows a range of an object's pages. */
#pragma once

#include <mm/object.h>
#include <kernel/error.h>
#include <arch/pgtable.h>

struct aspace;

/*
 * The rights that an area may have. Not PROT_GLOBAL (entries would outlive the space), not
 * PROT_DEVICE (pages are memory).
 */
#define PROT_AREA (PROT_READ | PROT_CHANGES | PROT_USER)

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

/*
 * Allocate a page of 2^order frames for an index of the area's object, on the node
 * that the area's placement names. flags: enum pmm_flags. NULL: no memory there.
 * Either side of aspace.lock held; may wait, as pmm_alloc().
 */
struct page *area_alloc_page(const struct area *area, u64 index, unsigned order, unsigned flags);

/* ---- mm/area.c: for who changes which areas a space has, with its lock's write side ---- */

/* Below this no area is put: small integers used as pointers fault. */
#define AREA_VA_MIN (1UL << 32)

/*
 * Is this a range that a space can map? len in bytes, align a power of two in bytes. 0, or -EINVAL:
 * empty, not aligned, wrapped around, or beyond PT_VA_LOW_END.
 */
static inline int area_check_range(vaddr_t va, u64 len, u64 align)
{
	if (!len || (va | len) & (align - 1) || va + len < va || va + len > PT_VA_LOW_END)
		return -EINVAL;
	return 0;
}
/*
 * Start of the first gap of len bytes, aligned to 2 MiB so that areas do not share a leaf table.
 * May lie beyond PT_VA_LOW_END.
 */
vaddr_t area_choose_va(struct aspace *as, u64 len);
/* True: no area has a page in [start, end). */
bool area_range_is_free(struct aspace *as, vaddr_t start, vaddr_t end);
/*
 * A new area that is not in the space yet. obj NULL: it shows a new anonymous object; else it becomes
 * a further user of obj. NULL: no memory. aspace.lock is not needed for this one.
 */
struct area *area_create(struct aspace *as, struct object *obj, vaddr_t va, u64 len);
/*
 * Show the same pages of `obj`, its shadow from the area's first page on, which has no area yet; the
 * area takes over a user of it, and the caller that of the object before. Write side of aspace.lock held.
 */
void area_replace_object(struct area *area, struct object *obj);
/* Find object.sole anew: areas or shadows have come or gone. object.lock held for writing. */
void object_update_sole(struct object *obj);
/* Put the area into the space and its object's list. Waits for migrations that hold the object's read side. */
void area_insert(struct aspace *as, struct area *area);
/* Take the area out of both and free it; its entries are gone already. Waits as area_insert(). */
void area_remove(struct aspace *as, struct area *area);
/*
 * If an area lies across va, cut it there; the upper part becomes an area of its own. va: a multiple
 * of 4 KiB. 0 or -ENOMEM: nothing has changed.
 */
int area_split(struct aspace *as, vaddr_t va);
