/*
 * Private mappings: writes copy the page first, and nobody else sees them.
 *
 * Such an area has a *shadow*, an object whose slots hold the copies. Where they hold
 * nothing, the area shows the page of the object below it, read-only.
 */
#pragma once

#include <mm/fault.h>

/*
 * Map len bytes of a file, from page `offset` on, privately at va (0: choose one). Pages are the
 * file's until they are written; then they are copies in anonymous memory, which later changes
 * of the file, and its truncation, do not reach. aspace_drop() gives copies up, so that the file
 * is seen again. A pin for reading may be one of the file's page. node: where copies come from, BOOT_NODE_NONE: the CPU's
 * that faults. Returns the address, or 0 and *err as aspace_map() does. The caller is a user of the file. Task
 * context, no locks.
 */
vaddr_t aspace_map_private(struct aspace *as, struct object *file, u64 offset, vaddr_t va, u64 len,
			   prot_t prot, u32 node, int *err);

/* ---- for mm/dup.c ---- */

/*
 * A shadow of so many pages of a file or of anonymous memory, from lower_at on; the caller is its user. NULL: no
 * memory. Of anonymous memory it shows what is mapped when it is made, and no page that comes later.
 */
struct object *shadow_create(struct object *lower, u64 lower_at, u64 page_count);

/* ---- for mm/fault.c: faults in an area of a shadow. Read side of aspace.lock held ---- */

/* A place in an object. */
struct place {
	struct object *obj;
	u64 index;
	slot_t *slot, seen;
};

/*
 * The shadow's slot is empty, and the fault only reads: *at becomes the place below it. False: no memory.
 */
static inline bool cow_look_below(struct place *at)
{
	at->index += at->obj->lower_at;
	at->obj = at->obj->lower;
	at->slot = object_slot(at->obj, at->index, true);
	at->seen = at->slot ? slot_load(at->slot) : slot_none();
	return at->slot;
}
/*
 * A write where nothing is mapped. True: it is mapped, or somebody else was faster, and the access may be tried
 * again. False: that takes more, as there is a copy, or the page below is not in memory, or no memory for a copy.
 */
bool cow_write_absent(const struct fault *f, const struct area *area, struct pt_pos pos);
/*
 * Must a write fault on an entry that is there copy the page first? *at: its place in the shadow. If not, and
 * f->dirties is set, cow_reuse() has to agree.
 */
bool cow_must_copy(struct fault *f, struct area *area, struct place *at);
/*
 * The entry that f->seen is, of a page that nobody else maps, is about to become writable. FAULT_DONE: it may.
 * FAULT_WAIT, FAULT_RETRY: the fault is over with that. PTL held.
 */
enum fault_result cow_reuse(struct fault *f);
/*
 * The shadow's slot is marked busy by us, to be filled by f->fill: take down what is mapped there. FAULT_WAIT: the
 * copy can be made. FAULT_DONE: it is made and mapped. Anything else: the slot is as before.
 */
enum fault_result cow_unmap_below(struct fault *f, const struct area *area, struct pt_pos pos);
/* The same as file_fault_map() for a page that a shadow shows or has; slot: the shadow's. PTL held. */
bool cow_fault_map(struct fault *f, const struct area *area, struct page *page, const slot_t *slot,
		   prot_t *prot);
