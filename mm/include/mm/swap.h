/*
 * Swap: where anonymous pages are while they are not in memory. Reclaim writes a page to a
 * store, and the slot of each object that showed it gets a *reference* to that instead; the next access
 * reads it in again, and gives the reference back.
 *
 * Off until somebody gives it a store: then no anonymous page leaves memory.
 */
#pragma once

#include <mm/object.h>
#include <mm/store.h>

struct area;
struct aspace;

/*
 * From now on anonymous pages may go to this store, of fewer than 2^31 pages, which belongs to swap until
 * swap_off(). 0, -EBUSY (it has one already), or -ENOMEM. Task context.
 */
int swap_on(struct store *store);
/* Close the store. 0, or -EBUSY: there are references; -ENOENT: there is none. Task context. */
int swap_off(void);
/* Is it on, and is there room for a page? A guess: no lock. */
bool swap_has_room(void);
/* References that there are. A guess while others use it. */
u64 swap_references(void);

/*
 * Write a page, which nobody changes meanwhile, to the store. 0: *ref stands for what it holds; there is one of it.
 * -ENOMEM: it is off, or full; or the store's error. Waits for the store; the rules of store_write().
 */
int swap_out(const struct page *page, u64 *ref);
/* Read what a reference stands for, which remains. 0, or the store's error. The rules of store_read(). */
int swap_in(u64 ref, struct page *page);
/* One more of a reference, or one less: with the last one, the store's page is free for others. Any context. */
void swap_get(u64 ref);
void swap_put(u64 ref);

/* ---- mm/swap_slot.c: slots of objects whose pages may be written there ---- */

/* object_ops.fill of such objects, where a slot held a reference, which is given back. */
int swap_fill(struct object *obj, u64 index, slot_t was, struct page *page);

/*
 * A page that was read in is all there is of it, so its object keeps it (PG_KEPT, and a reference)
 * until it is mapped. Somebody has mapped it, or gives it up: it is kept no longer, nor held (PG_HELD). The caller has a reference.
 */
void swap_unkeep(struct page *page);
/*
 * The slot is empty from now on: what it refers to, or a page that is read in at this moment, goes; but a page that
 * somebody has pinned stays. Nothing is mapped there, and nobody can begin a fault there. May wait.
 */
void swap_slot_drop(struct object *obj, slot_t *slot);
/*
 * The contents of [va, end) of a space are given up. Its entries are gone.
 * Objects that several areas may show keep theirs until they are closed. Write side of aspace.lock held.
 */
void swap_drop(struct aspace *as, vaddr_t va, vaddr_t end);

/*
 * The page that a slot has though nothing is mapped there, with a reference: it was read in and is kept, or
 * somebody has a pin or is about to look at it again. Or NULL, and *seen: nothing, or a reference. Write side of aspace.lock held. May
 * wait.
 */
struct page *swap_slot_page(struct object *obj, slot_t *slot, slot_t *seen);
/* One more slot has what a slot refers to. The same. */
void swap_share(struct area *area, slot_t *slot, slot_t ref);
