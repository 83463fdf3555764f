/*
 * Beginning and end of every change, and who is told of it.
 *
 * A subscriber comes and goes while others change the space. Both take the write
 * side of aspace.lock, which keeps out all changes that need this lock. Changes that
 * came through the reverse map hold the read side of an object that the space maps, or that one of its shadows is over.
 * wait_for_others() takes the write side of each such object once; then all of these
 * changes have ended that had begun before.
 *
 * Coming: a change that began before the subscriber was in the table has ended when
 * change_subscribe() returns, so nobody is told the end of a change whose beginning
 * he was not told.
 *
 * Going: first the subscriber is marked as leaving, and changes are waited for, so
 * each beginning that it was told has had its end. Then its place is cleared. A
 * change that began in between may have found it there, and may still report entries
 * to it, so changes are waited for once more.
 *
 * Reading: a subscriber's fields are read through the pointer from the table, so
 * they depend on its load; the store of the pointer is a release.
 */
#include <mm/change.h>
#include <mm/knob.h>
#include <kernel/error.h>
#include <kernel/panic.h>

u32 change_subscriptions;

/* ---- subscribers ------------------------------------------------------------------- */

/* Write side of aspace.lock held. Whatever others began in this space before is over. */
static void wait_for_others(struct aspace *as)
{
	struct area *area;

	list_for_each_entry (area, &as->areas, link) {
		write_lock(&object_guard(area->object)->lock);
		write_unlock(&object_guard(area->object)->lock);
	}
}

/* Where the subscriber is in the space's table; CHANGE_SUBSCRIBERS: nowhere. NULL finds a free place. */
static unsigned place_of(const struct aspace *as, const struct change_subscriber *s)
{
	unsigned i = 0;

	while (i < CHANGE_SUBSCRIBERS && as->subscriber[i] != s)
		i++;
	return i;
}

int change_subscribe(struct aspace *as, struct change_subscriber *s)
{
	write_lock(&as->lock);
	ASSERT(place_of(as, s) == CHANGE_SUBSCRIBERS);
	unsigned i = place_of(as, NULL);

	if (i < CHANGE_SUBSCRIBERS) {
		s->leaving = false;
		store_release(&as->subscriber[i], s);
		store_relaxed(&as->subscribed, true);
		/* Relaxed: the locks of wait_for_others() order it before the look of who holds an object. */
		atomic_fetch_add_relaxed(&change_subscriptions, 1);
		wait_for_others(as);
	}
	write_unlock(&as->lock);
	return i < CHANGE_SUBSCRIBERS ? 0 : -EBUSY;
}

void change_unsubscribe(struct aspace *as, struct change_subscriber *s)
{
	write_lock(&as->lock);
	unsigned i = place_of(as, s);

	ASSERT(i < CHANGE_SUBSCRIBERS);
	/* The locks order it: who begins after wait_for_others() sees it. */
	store_relaxed(&s->leaving, true);
	wait_for_others(as);
	store_relaxed(&as->subscriber[i], NULL);
	bool others = false;

	for (i = 0; i < CHANGE_SUBSCRIBERS; i++)
		others |= as->subscriber[i] != NULL;
	store_relaxed(&as->subscribed, others);
	atomic_fetch_add_relaxed(&change_subscriptions, -1U);
	/* Whoever found it in the meantime to report an entry. */
	wait_for_others(as);
	write_unlock(&as->lock);
}

/* To all who were told of the beginning. */
static void tell_end(const struct change *c)
{
	for (unsigned i = 0; i < CHANGE_SUBSCRIBERS; i++)
		if (c->told >> i & 1) {
			struct change_subscriber *s = load_relaxed(&c->as->subscriber[i]);

			ASSERT(s); /* who was told of the beginning is waited for before he goes */
			s->end(s, c);
		}
}

/* The end of a change that was told or counted. */
void change_tell_end(const struct change *c)
{
	/*
	 * Relaxed. The change's flush comes before it, and is a full barrier. A migrator that finds
	 * it counted off took the entries of this space before it looked, under their locks: as the
	 * change left them, or the change would have to wait for him.
	 */
	if (c->told & CHANGE_COUNTED)
		atomic_fetch_add_relaxed(&c->as->changing, -1U);
	tell_end(c);
}

static int tell_late(struct change_subscriber *s, const struct change *c, vaddr_t from, vaddr_t to,
		     struct tlb_gather *gather)
{
	return s->begin_nonblock ? s->begin_nonblock(s, c, from, to, gather) : -EAGAIN;
}

/*
 * All of them or none: who has agreed before another one refuses hears of the end at once. gather: NULL where
 * whoever is told may wait; else the entries up to `to` are about to change.
 */
static int tell_begin(struct change *c, vaddr_t to, struct tlb_gather *gather)
{
	u32 counted = c->told;

	for (unsigned i = 0; i < CHANGE_SUBSCRIBERS; i++) {
		struct change_subscriber *s = load_relaxed(&c->as->subscriber[i]);
		int err = 1;

		if (s && !load_relaxed(&s->leaving))
			err = gather ? tell_late(s, c, c->start, to, gather) : s->begin(s, c);
		if (err < 0) {
			tell_end(c);
			c->told = counted;
			return err;
		}
		if (!err)
			c->told |= 1U << i;
	}
	return 0;
}

int change_tell_begin(struct change *c)
{
	if (c->why == CHANGE_HINT && change_is_told_late(c->as))
		return 0;
	c->gathers = c->why == CHANGE_HINT && knobs.notify == NOTIFY_PROTECT;
	return tell_begin(c, 0, NULL);
}

/* ---- the beginning of a scan, told late ---------------------------------------------- */

bool change_is_told_late(const struct aspace *as)
{
	/* Subscribers come and go with the write side held, so that this holds until the scan ends. */
	return load_relaxed(&as->subscribed) && knobs.notify == NOTIFY_LATE;
}

int change_begin_late(struct change *c, vaddr_t from, vaddr_t to, struct tlb_gather *gather)
{
	c->start = from;
	c->gathers = true;
	return tell_begin(c, to, gather);
}

int change_go_on_late(const struct change *c, vaddr_t from, vaddr_t to, struct tlb_gather *gather)
{
	int err = 0;

	for (unsigned i = 0; i < CHANGE_SUBSCRIBERS && !err; i++)
		if (c->told >> i & 1)
			err = tell_late(load_relaxed(&c->as->subscriber[i]), c, from, to, gather);
	return err;
}

/* ---- payments, and entries ------------------------------------------------------------- */

/*
 * From here to the end no debt may be made in the range: what was read-only may
 * be written, and what was mapped be gone. Migrations of this space are kept out
 * by aspace.lock. Those that come through the reverse map note what they owe,
 * then look at `changing`; we count, then pay. They note under a lock that the
 * payment takes, too (deferral.entry_taken). So they have it before us, and we pay
 * what they noted, or after us, see us, and let nothing wait. The additions can be
 * relaxed, as that lock orders them.
 */
void change_pay(struct change *change, struct aspace *as, enum change_reason why, vaddr_t start,
		vaddr_t end)
{
	change->as = as;
	change->told |= CHANGE_COUNTED;
	atomic_fetch_add_relaxed(&as->changing, 1);
	pay_now(change_events[why], pay_range(&as->ctx, start, end));
}

void change_taken_tell(struct aspace *as, vaddr_t va, unsigned level, pte_t old,
		       struct tlb_gather *gather)
{
	for (unsigned i = 0; i < CHANGE_SUBSCRIBERS; i++) {
		struct change_subscriber *s = load_relaxed(&as->subscriber[i]);

		if (s && s->taken)
			s->taken(s, va, level, old, gather);
	}
}
