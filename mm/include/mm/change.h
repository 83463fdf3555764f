/*
 * Every change that takes entries of a space down, or takes rights from them,
 * runs between change_begin() and change_end(): of that space, whoever makes it
 * and wherever he came from, for the pages that are touched. In between, each
 * entry is reported as it goes (change_taken(), called by entry_take()). Debts
 * are paid at the beginning (I7, I9); subscribers, such as a second MMU that
 * keeps translations of its own, hear all three.
 */
#pragma once

#include <mm/aspace.h>
#include <mm/pay.h>

enum change_reason {
	CHANGE_UNMAP,
	CHANGE_PROTECT,
	CHANGE_DROP,
	CHANGE_MIGRATE,
	CHANGE_HINT,
	CHANGE_SPLIT, /* same frames, same rights */
};

struct change {
	struct aspace *as;
	enum change_reason why;
	vaddr_t start, end;
	u32 told; /* bit per subscriber of the space that heard the beginning, and CHANGE_COUNTED */
};
#define CHANGE_COUNTED (1U << 31) /* in aspace.changing */

struct change_subscriber {
	/*
	 * The range is about to change. Not 0: it cannot now, and nothing changes:
	 * a negative code, which unmap, protect and drop return; pages that were to
	 * move or be scanned are left alone. May wait, but for no lock of a space or
	 * an object, nor for who waits for one: aspace.lock is held, and the read
	 * sides of objects.
	 */
	int (*begin)(struct change_subscriber *s, const struct change *change);
	/*
	 * An entry of this level was taken down, and was `old`; or it lost rights,
	 * and is `old` now. Also one that leads to a table. PTL held: nothing that waits. The gather is flushed
	 * before the change ends. While the subscriber comes or goes, also of changes
	 * that it does not hear begin. May be NULL.
	 */
	void (*taken)(struct change_subscriber *s, vaddr_t va, unsigned level, pte_t old,
		      struct tlb_gather *gather);
	/* Over, flushed: exactly once for each beginning that returned 0, with the same change. */
	void (*end)(struct change_subscriber *s, const struct change *change);
	bool leaving; /* hears no beginnings any more; change_unsubscribe() */
};

/*
 * From the return on, every change of the space is told. -EBUSY: there are
 * CHANGE_SUBSCRIBERS already. Task context, no locks held; waits for changes
 * under way.
 */
int change_subscribe(struct aspace *as, struct change_subscriber *s);
/* From the return on it is not called any more, and each beginning has had its end. The same rules. */
void change_unsubscribe(struct aspace *as, struct change_subscriber *s);

/* Subscriptions of all spaces: while there are none, migration need not look whose entries it takes. */
extern u32 change_subscriptions;

/* The event of each reason at which debts are paid. */
static const enum pay_event change_events[] = {
	[CHANGE_UNMAP] = PAY_UNMAP,	[CHANGE_PROTECT] = PAY_PROTECT, [CHANGE_DROP] = PAY_DROP,
	[CHANGE_MIGRATE] = PAY_MIGRATE, [CHANGE_HINT] = PAY_HINT,	[CHANGE_SPLIT] = PAY_SPLIT,
};

int change_tell_begin(struct change *change);
void change_pay(struct change *change, struct aspace *as, enum change_reason why, vaddr_t start,
		vaddr_t end);
void change_tell_end(const struct change *change);

/*
 * Fills in *change. 0, or what a subscriber said: then nothing has begun, and
 * change_end() is not called. Task context, no spinlock held. Of a space that
 * is not ours by its lock, the read side of an object keeps it.
 */
static __always_inline int change_begin(struct change *change, struct aspace *as,
					enum change_reason why, vaddr_t start, vaddr_t end)
{
	int err = 0;

	change->told = 0;
	if (unlikely(load_relaxed(&as->subscribed))) {
		*change = (struct change){.as = as, .why = why, .start = start, .end = end};
		err = change_tell_begin(change);
	}
	if (unlikely(pay_heard & PAY_BIT(change_events[why])) && !err)
		change_pay(change, as, why, start, end);
	return err;
}

static __always_inline void change_end(const struct change *change)
{
	if (unlikely(change->told))
		change_tell_end(change);
}

void change_taken_tell(struct aspace *as, vaddr_t va, unsigned level, pte_t old,
		       struct tlb_gather *gather);

/* Inside a change: an entry was taken down or lost rights. PTL held. */
static __always_inline void change_taken(struct aspace *as, vaddr_t va, unsigned level, pte_t old,
					 struct tlb_gather *gather)
{
	/* Relaxed: subscribers are told of a change from its beginning on, which comes before. */
	if (unlikely(load_relaxed(&as->subscribed)))
		change_taken_tell(as, va, level, old, gather);
}

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
