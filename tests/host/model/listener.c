/* A subscriber to the changes of a space that checks what it hears. */
#include "model.h"

#include <kernel/atomic.h>

static struct listener *called(struct change_subscriber *s)
{
	struct listener *l = container_of(s, struct listener, subscriber);

	fake_point(46);
	if (load_relaxed(&l->gone))
		fake_fail("a subscriber is called that is gone");
	return l;
}

int listener_begin(struct change_subscriber *s, const struct change *change __unused)
{
	atomic_fetch_add_relaxed(&called(s)->open, 1);
	return 0;
}

void listener_taken(struct change_subscriber *s, vaddr_t va, unsigned level __unused,
		    pte_t old __unused, struct tlb_gather *gather __unused)
{
	struct listener *l = called(s);

	if (load_relaxed(&l->hears) && !load_relaxed(&l->open))
		fake_fail("the entry at %#lx goes in a change that did not begin", va);
}

void listener_end(struct change_subscriber *s, const struct change *change __unused)
{
	if (!atomic_fetch_add_relaxed(&called(s)->open, -1U))
		fake_fail("a change ends that did not begin");
}

void listener_comes(struct listener *l, struct aspace *as)
{
	l->subscriber.begin = listener_begin;
	l->subscriber.taken = listener_taken;
	l->subscriber.end = listener_end;
	if (change_subscribe(as, &l->subscriber))
		fake_fail("scenario: no room for a subscriber");
}

void listener_visits(struct listener *l, struct aspace *as, vaddr_t va, unsigned cpu)
{
	listener_comes(l, as);
	store_relaxed(&l->hears, 1U);
	work_read(va, cpu, 0);
	store_relaxed(&l->hears, 0U);
	change_unsubscribe(as, &l->subscriber);
	store_relaxed(&l->gone, 1U);
	if (load_relaxed(&l->open))
		fake_fail("a change that was heard is not over");
}
