/*
 * The software MMU: a second MMU that needs no hardware for it. A guest whose memory is
 * a range of a space reaches it through a table of its own, the shadow, and each
 * CPU keeps what it has looked up there in a small TLB of its own. The shadow is filled
 * by faults, which resolve through the space; it subscribes to the space's changes.
 *
 * What a guest on a CPU holds is a second stage of the shootdown core (<mm/tlb.h>).
 */
#pragma once

#include <mm/change.h>

struct softmmu;

/*
 * Tables that hardware walks, and that say what the shadow says (mm/nested.c). A page's number and its size (2 MiB: the
 * first of its 512) name the entry. The softmmu's lock is held; shadow and tables change together.
 */
struct softmmu_follower {
	const struct tlb_stage2_ops *stage2; /* how CPUs drop what they hold of those tables */
	/* The entry was valid, and is not any more. */
	void (*zapped)(struct softmmu *s, u64 page, bool large);
	/* It is valid now; again: it was before, perhaps with fewer rights. */
	void (*installed)(struct softmmu *s, u64 page, bool large, paddr_t pa, bool writable,
			  bool again);
};

struct softmmu {
	struct tlb_context ctx; /* a second stage; guest-physical addresses begin at 0 */
	const struct softmmu_follower *follower; /* NULL: CPUs walk the shadow itself */
	struct change_subscriber subscriber;
	struct aspace *as;
	vaddr_t base; /* of the guest's memory, a multiple of 2 MiB */
	u64 pages; /* of 4 KiB */
	struct spinlock lock;
	/* Under lock. */
	u32 changing; /* changes of the guest's memory that have begun and not ended, ... */
	u64 from, to; /* ... which lie within these pages */
	u32 owing; /* who has zapped, or may, and has not flushed yet */
	u64 ended; /* changes that have ended: written under lock, read without. Atomic */
	u64 *small, *large; /* entries per page, and per 2 MiB; walked without the lock. Atomic */
};

/*
 * A second MMU of `pages` pages from base on, which is a multiple of 2 MiB. Its tables come from this node.
 * 0, -ENOMEM, or -EBUSY: the space has subscribers enough. Task context, no locks.
 */
int softmmu_create(struct softmmu *s, struct aspace *as, vaddr_t base, u64 pages, u32 node);
/* The same for a follower, whose tables are at root. */
int softmmu_create_followed(struct softmmu *s, struct aspace *as, vaddr_t base, u64 pages, u32 node,
			    const struct softmmu_follower *follower, paddr_t root);
/* No CPU has it entered, nor will. Task context, no locks; waits for changes that are under way. */
void softmmu_destroy(struct softmmu *s);

/*
 * The guest runs on this CPU. Interrupts are off, and may be on only between two of its accesses: a shootdown
 * comes there. No other second stage is entered.
 */
void softmmu_enter(struct softmmu *s);
/* It has stopped, and all its accesses are complete. Interrupts off. */
void softmmu_leave(struct softmmu *s);
/*
 * Where a page of the guest is, for one access, until interrupts are on again. NULL: the second stage does not
 * allow it, so leave and call softmmu_fault(). page: below s->pages. Entered, interrupts off.
 */
void *softmmu_translate(struct softmmu *s, u64 page, bool write);
/*
 * The guest could not access this page: find it in the space, by a fault there if need be, and let the second
 * stage have it. False: the space does not allow the access. Not entered. Task context, no locks; may wait and migrate.
 */
bool softmmu_fault(struct softmmu *s, u64 page, bool write);

/* ---- for mm/softmmu.c, and for tests that look ---- */

/* An entry: the frame's address, and these bits below it. */
#define SOFT_FRAME (~(u64)(PAGE_SIZE - 1))
enum {
	SOFT_VALID = 1 << 0,
	SOFT_WRITE = 1 << 1,
	SOFT_ZAPPED = 1 << 2, /* not valid: the frame that was there, to tell useless zaps */
	SOFT_BROKEN = 1 << 3, /* of 2 MiB, alone: was valid, and since then parts of it were */
	SOFT_TLB_SLOTS = 64, /* pages; a 2 MiB entry is held page by page */
};

/* What a CPU holds. Its own alone, interrupts off. */
struct soft_tlb {
	const struct softmmu
		*running; /* the guest whose accesses a shootdown interrupts; NULL: none */
	struct {
		const struct softmmu *of; /* NULL: empty */
		u64 page, entry;
	} slot[SOFT_TLB_SLOTS];
};
extern PERCPU_DECLARE(struct soft_tlb, soft_tlb);
