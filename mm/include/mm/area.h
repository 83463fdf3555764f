/* Areas: a piece of an object, mapped at an address of a space. */
#pragma once

#include <mm/object.h>
#include <kernel/error.h>
#include <arch/pgtable.h>

struct aspace;

/* What an area may ask for: global entries would outlive its space, and its pages are memory. */
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
 * A page for an index of the area's object, where the area wants it: 2^order
 * frames, flags of enum pmm_flags. NULL: no memory there. The space's lock held.
 */
struct page *area_alloc_page(const struct area *area, u64 index, unsigned order, unsigned flags);

/* ---- mm/area.c: for who changes which areas a space has, with its lock's write side ---- */

/* Below this no area is put: small integers used as pointers fault. */
#define AREA_VA_MIN (1UL << 32)

/* 0, or -EINVAL: empty, not aligned (a power of two, bytes), wrapped around, or beyond what a space can map. */
static inline int area_check_range(vaddr_t va, u64 len, u64 align)
{
	if (!len || (va | len) & (align - 1) || va + len < va || va + len > PT_VA_LOW_END)
		return -EINVAL;
	return 0;
}
/* The first gap that fits, aligned to 2 MiB so that small areas never share a leaf table. */
vaddr_t area_choose_va(struct aspace *as, u64 len);
bool area_range_is_free(struct aspace *as, vaddr_t start, vaddr_t end);
/* Not in the space yet. obj NULL: a new anonymous object; else the area is one more user of it. NULL: no memory. */
struct area *area_create(struct aspace *as, struct object *obj, vaddr_t va, u64 len);
/* Waits for migrations that hold the object's read side. */
void area_insert(struct aspace *as, struct area *area);
/* And frees it. */
void area_remove(struct aspace *as, struct area *area);
/* Cut the area at va, if one lies across it; the upper part becomes an area of its own. -ENOMEM. */
int area_split(struct aspace *as, vaddr_t va);
