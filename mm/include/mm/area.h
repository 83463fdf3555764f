/* Areas: a piece of an object, mapped at an address of a space. */
#pragma once

#include <mm/object.h>
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
