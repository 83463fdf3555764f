/* Page faults of workloads. */
#pragma once

#include <mm/aspace.h>

struct place;

struct fault {
	struct aspace *as;
	vaddr_t va;
	bool write, exec;
	bool strict; /* new pages come from the area's node or not at all */
	bool dirties; /* the change under way makes an entry of a tracked page writable */
	bool throttled; /* it has written back, which it does once: a later attempt goes on whatever the budget */
	unsigned attempt; /* how often it started over */
	pte_t seen; /* the entry as it was read once; all decisions follow from this value */
	/* With `dirties`: where a shadow shows a page that is not copied, as nobody else has it. NULL: a file's page. */
	struct place *reused;
	u32 refs; /* with `reused`: references to the page that are ours, the one of its mapping included */
	u64 start; /* cycles_now() at entry */
	struct object_fill fill; /* what FAULT_WAIT waits for; obj NULL: for the lock of `page` */
	struct object *
		throttle; /* a file over its budget, of which FAULT_WAIT makes it a user; else NULL */
	struct page *
		filled; /* a page that was waited for: our reference keeps it until the fault has mapped it */
};

enum fault_result {
	FAULT_DONE, /* the access may be tried again */
	FAULT_ERROR, /* not allowed, or no memory */
	FAULT_RETRY, /* something changed meanwhile: start over */
	FAULT_WAIT, /* release the space's lock, wait for f->fill or write f->throttle back, start over */
};
/*
 * Handle a page fault at va, however long it waits. True: the access may be tried
 * again. False: no area, access not allowed, or no memory. Task context,
 * interrupts on, no locks.
 */
bool fault_handle(struct aspace *as, vaddr_t va, bool write, bool exec);

/* All but what is there only with others: seen, and what to wait for. Field by field, as that is the shorter path. */
static inline void fault_begin(struct fault *f, struct aspace *as, vaddr_t va)
{
	f->as = as;
	f->va = va;
	f->write = f->exec = f->strict = false;
	f->attempt = 0;
	f->fill.obj = NULL;
	f->dirties = f->throttled = false;
	f->throttle = NULL;
	f->filled = NULL;
}

/* Drop what the fault held while it waited. */
static inline void fault_end(struct fault *f)
{
	if (unlikely(f->filled))
		page_put(f->filled, PAGE_REF);
}

/* ---- what mm/fault*.c share. Read side of aspace.lock held, unless they say something else ---- */

/* What FAULT_WAIT asked for, without any lock. A page from the store stays until the fault ends, so that it finds it. */
enum fault_result fault_wait_for_page(struct fault *f);
/*
 * Where the entry is, and what it says: f->seen, by one look, as the entry of a
 * 2 MiB page may become a table at any moment. Makes the tables that are missing. ptep NULL: no memory.
 */
struct pt_pos fault_position(struct fault *f, const struct area *area);
/* Nothing is mapped at pos. */
enum fault_result fault_absent(struct fault *f, struct area *area, struct pt_pos pos);
/* The entry f->seen at pos is present, but does not allow the access, or no longer refuses it. */
enum fault_result fault_present(struct fault *f, struct area *area, struct pt_pos pos);
/* A write to a page that a shadow shows: what is mapped here makes way before the copy is made. */
enum fault_result fault_copy(struct fault *f, const struct area *area, struct pt_pos pos,
			     const struct place *at);

/* Of this CPU's faults that waited for a page under migration; workloads reset it. */
struct fault_wait {
	u64 longest, total; /* cycles from the start of the fault to its end */
	u64 count;
};
extern PERCPU_DECLARE(struct fault_wait, fault_wait);
