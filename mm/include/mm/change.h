/*
 * Changes: whoever takes entries of a space down, or takes rights from them, does
 * it between change_begin() and change_end() for that space and for the pages
 * concerned. This also holds for migration that reaches the space through the
 * reverse map. In between, change_taken() reports each entry; entry_take() calls it.
 *
 * The beginning pays the debts of the range (I7, I9). Subscribers, such as a second
 * MMU that keeps translations of its own, are told of all three.
 */
#pragma once

#include <mm/aspace.h>
#include <mm/pay.h>

enum change_reason {
	CHANGE_UNMAP,
	CHANGE_PROTECT,
	CHANGE_DROP,
	CHANGE_RECLAIM, /* pages leave their file, to make room */
	CHANGE_MIGRATE,
	CHANGE_HINT,
	CHANGE_SPLIT, /* same frames, same rights */
	CHANGE_COPY, /* a page makes way for a copy of it */
	CHANGE_DUPLICATE, /* entries lose write access, as a duplicate of the space is about to map their pages */
};

struct change {
	struct aspace *as;
	enum change_reason why;
	vaddr_t start, end;
	/*
	 * What subscribers zap goes into the change's own gather, which is flushed before end(). After begin()
	 * nothing need be zapped but what taken() tells (knob notify=protect); after begin_nonblock() what that named was.
	 */
	bool gathers;
	u32 told; /* a bit per subscriber of the space that was told of the beginning, and CHANGE_COUNTED */
};
#define CHANGE_COUNTED                                                                             \
	(1U << 31) /* bit of change.told: this change is counted in aspace.changing */

struct change_subscriber {
	/*
	 * The range is about to change. 0: agreed. A negative error code: refused, and
	 * nothing changes; unmap, protect and drop return the code, while pages that
	 * were to move or to be scanned are left alone. May wait, but not for a lock of
	 * a space or an object, nor for anybody who waits for one: aspace.lock and read
	 * sides of objects are held.
	 */
	int (*begin)(struct change_subscriber *s, const struct change *change);
	/*
	 * With a PTL held (knob notify=late): entries of [from, to), all of them, are about to change. Must not wait, and
	 * adds what it zaps to the gather. The call in which from is change->start begins the change; others of
	 * the same change come behind it, each further up in the change's range. Refused: this entry and those behind it
	 * are left alone. Where another subscriber refuses the beginning after this one has agreed, end() comes with
	 * the PTL held, too. NULL: refuses.
	 */
	int (*begin_nonblock)(struct change_subscriber *s, const struct change *change,
			      vaddr_t from, vaddr_t to, struct tlb_gather *gather);
	/*
	 * An entry of this level was taken down and was `old` before; or it lost rights
	 * and is `old` now. The entry may also lead to a table. PTL held, so this must
	 * not wait. It may add one context to the gather, which is flushed before the change
	 * ends; only in changes that gather, as that of others may be full.
	 * While it subscribes or leaves, a subscriber may also hear of entries of changes
	 * whose beginning it was not told. May be NULL.
	 */
	void (*taken)(struct change_subscriber *s, vaddr_t va, unsigned level, pte_t old,
		      struct tlb_gather *gather);
	/* The change is over and flushed. Exactly one call for each begin() that returned 0, with the same change. */
	void (*end)(struct change_subscriber *s, const struct change *change);
	bool leaving; /* is told of no new beginnings: change_unsubscribe() is under way */
};

/*
 * Subscribe to the changes of a space. On return, every change is told. -EBUSY:
 * the space has CHANGE_SUBSCRIBERS already. Task context, no locks held; waits for
 * changes that are under way. The method is that of Linux's MMU notifiers, but a
 * beginning may be refused.
 */
int change_subscribe(struct aspace *as, struct change_subscriber *s);
/* End the subscription. On return s is not called any more, and each begin() has had its end(). Same rules. */
void change_unsubscribe(struct aspace *as, struct change_subscriber *s);

/*
 * Subscriptions in all spaces. 0: migration need not look for subscribers of the spaces whose
 * entries it takes. Atomic.
 */
extern u32 change_subscriptions;

/* The event of each reason at which debts are paid. */
static const enum pay_event change_events[] = {
	[CHANGE_UNMAP] = PAY_UNMAP,	    [CHANGE_PROTECT] = PAY_PROTECT,
	[CHANGE_DROP] = PAY_DROP,	    [CHANGE_MIGRATE] = PAY_MIGRATE,
	[CHANGE_HINT] = PAY_HINT,	    [CHANGE_SPLIT] = PAY_SPLIT,
	[CHANGE_RECLAIM] = PAY_RECLAIM,	    [CHANGE_COPY] = PAY_COPY,
	[CHANGE_DUPLICATE] = PAY_DUPLICATE,
};

/* ---- the slow paths of change_begin() and change_end() ---- */

/* Tell every subscriber of the beginning, or none: the first refusal is returned. A scan may put it off. */
int change_tell_begin(struct change *change);
/* Pay the debts of the range, and count the change in aspace.changing until it ends. */
void change_pay(struct change *change, struct aspace *as, enum change_reason why, vaddr_t start,
		vaddr_t end);
/* Tell those who were told of the beginning that the change is over. */
void change_tell_end(const struct change *change);

/*
 * Begin a change of [start, end), and fill in *change. 0, or a subscriber's error:
 * then nothing has begun, and change_end() must not be called. Task context, no
 * spinlock held; may wait. The caller holds aspace.lock, or the read side of an
 * object that the space maps, which keeps the space.
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
	if (unlikely(pay_is_heard(change_events[why])) && !err)
		change_pay(change, as, why, start, end);
	return err;
}

/* Knob notify=late: do those who subscribe to the space hear of a scan only when its first entry is about to change? */
bool change_is_told_late(const struct aspace *as);
/*
 * Such a scan begins for them with the entries of [from, to), of which none has changed yet. 0, or a subscriber's refusal:
 * no entry may change. PTL of these entries held.
 */
int change_begin_late(struct change *change, vaddr_t from, vaddr_t to, struct tlb_gather *gather);
/* It has begun, and goes on with those of [from, to). The same. */
int change_go_on_late(const struct change *change, vaddr_t from, vaddr_t to,
		      struct tlb_gather *gather);

/* The change is over: its gather is flushed, and entries are what they will be. The same locks. */
static __always_inline void change_end(const struct change *change)
{
	if (unlikely(change->told))
		change_tell_end(change);
}

/* change_taken() in a space with subscribers. */
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
 * May a CPU still hold this entry, which was just taken down or seen under its PTL?
 * A hint entry is held by nobody, unless the flush of the scan that made it is
 * still to come.
 *
 * Relaxed. The scanner raises flush_pending before it changes the entry, under the
 * PTL that we hold, so we cannot miss that. If we see the count lowered, the flush
 * is complete, and its effects are ordered later: whoever reuses the frame passes a
 * full barrier first (freeze(), page_put()), and whoever lowers rights has the
 * write side of aspace.lock, so no scan is under way.
 */
static inline bool aspace_may_be_cached(const struct aspace *as, pte_t taken)
{
	return likely(pte_is_present(taken)) || load_relaxed(&as->flush_pending);
}

/*
 * Whoever takes entries of a space down, or takes rights from them, and flushes later, owes
 * from before the first entry until after the flush: unmap and protect, which have
 * the write side of aspace.lock, cleaning and dropping pages, which come through the
 * reverse map. Each of them may find an entry that another one has lowered and not
 * flushed yet. What a CPU may still do does not show in the entry then, so the flush
 * must not be left out (I9). Migrations and scans leave entries that show it: see
 * aspace_may_be_cached().
 */
static inline void owing_begins(struct aspace *as)
{
	/* The write of the first entry comes after, under its PTL; partner: aspace_owes(). */
	atomic_fetch_add_relaxed(&as->owing, 1);
}

static inline void owing_ends(struct aspace *as)
{
	/*
	 * Relaxed. Where others were asked, or a broadcast waited for, the flush ends with a full
	 * barrier. What this CPU did itself by the old entry came before it released the PTL.
	 */
	atomic_fetch_add_relaxed(&as->owing, -1U);
}

/*
 * Somebody else may owe the flush of an entry that was read under its PTL since our
 * owing_begins(). If not, that flush is complete. Another one of ours in the same space counts
 * as somebody else. Relaxed: what stands on that flush comes after the caller's release of
 * aspace.lock, or of the object's read side, and each of them is a full barrier.
 */
static inline bool aspace_owes(const struct aspace *as)
{
	return unlikely(load_relaxed(&as->owing) > 1);
}
