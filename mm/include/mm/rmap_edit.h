/*
 * Changing every entry of a page, in all spaces that map it: for whoever cleans pages
 * or takes them out of their object. Several pages may share the flush.
 *
 *	rmap_edit_begin(&e, CHANGE_PROTECT);
 *	err = rmap_edit_page(&e, page, fn, arg);	for each page, its object's read side held
 *	rmap_edit_end(&e);				flushed; now let go of the objects
 */
#pragma once

#include <mm/change.h>

/* Between two flushes: spaces, or changes that subscribers hear of. What fits well on a stack. */
enum { RMAP_EDIT_CHANGES = 8 };

struct rmap_edit {
	enum change_reason why;
	struct tlb_gather gather;
	struct change change[RMAP_EDIT_CHANGES]; /* begun and not ended */
	struct aspace *as[RMAP_EDIT_CHANGES]; /* of each, and owing */
	unsigned changes;
	bool waits; /* set by the caller for a clean page: its flush is noted with the deferral, and not gathered */
	bool noted; /* something was, since the caller cleared it: a page whose entries nobody can hold owes nothing */
	bool pays; /* but it cannot wait: rmap_edit_end() pays first */
};

/* A place where the page may be mapped. */
struct rmap_place {
	struct aspace *as;
	struct page *page;
	vaddr_t va;
	pte_t *ptep;
	pte_t old; /* what is there; hardware may set bits of it */
	bool names; /* the page, as a leaf or a hint entry */
	bool moves; /* it is a migration entry of the page, or of its older frame */
};

/* Change an entry, and add its flush to the gather. The entry's PTL is held. */
typedef void rmap_edit_fn(struct rmap_edit *e, const struct rmap_place *at, void *arg);

void rmap_edit_begin(struct rmap_edit *e, enum change_reason why);
/*
 * fn for each place that has a page table, inside a change of its space; for CHANGE_PROTECT
 * without those that never let anybody write it: rmap_walk_writers(). 0, or the
 * error of a subscriber who refused: further places were left as they were. The page is
 * a small one, with what rmap_walk() asks for. Task context, no spinlock; may flush and wait.
 */
int rmap_edit_page(struct rmap_edit *e, struct page *page, rmap_edit_fn *fn, void *arg);
/* Flush what is gathered, pay what was noted and cannot wait, and end the changes. */
void rmap_edit_end(struct rmap_edit *e);

/*
 * Take down the entries of a page that the caller has isolated, so that it does not begin to
 * move; waits for a move that is about to end. *taken: how many there were. Their references and their count in page.mapcount
 * remain; rmap_put_taken() drops both, which must come after the flush. Errors and rules
 * as above.
 */
int rmap_edit_unmap(struct rmap_edit *e, struct page *page, u32 *taken);
void rmap_put_taken(struct page *page, u32 taken);

/*
 * Take down what is at one place, in a change of its own, and flush it; nothing may be mapped there
 * until this returns. 0: nothing is there, and no CPU holds what was. -EAGAIN: a page under
 * migration, which is to be waited for; or a subscriber's refusal. Its table stays: either side of aspace.lock is
 * held. Task context, no spinlock; waits for the flush.
 */
int rmap_take_entry(struct aspace *as, vaddr_t va, pte_t *ptep, enum change_reason why);
