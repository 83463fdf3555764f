/*
 * The changes that a batch makes: one for each run of pages in each space that
 * maps them, from before the first entry goes until all are mapped again.
 * Spaces are found through the reverse map; objects are held, so they stay.
 *
 * Only while somebody is subscribed to some space, or the deferral in force hears
 * of moves: a batch has no other use for it.
 */
#include <mm/migrate_batch.h>
#include <mm/rmap.h>

struct noted {
	struct migration *m;
	u64 size; /* of a page */
};

/* This page of the space belongs to the batch. False: no room for another run. */
static bool note_at(struct area *area, vaddr_t va, void *arg)
{
	const struct noted *n = arg;
	struct migration *m = n->m;
	struct change *c = m->change;

	for (; c < m->change + m->changes; c++)
		if (c->as == area->aspace && c->start <= va && va <= c->end) {
			c->end = MAX(c->end, va + n->size);
			return true;
		}
	if (m->changes == MIGRATE_CHANGES)
		return false;
	*c = (struct change){.as = area->aspace, .start = va, .end = va + n->size};
	m->changes++;
	return true;
}

/*
 * Runs of the pages [first, last), as far as there is room. Returns how far. A
 * page that more spaces map than there is room for at all stays where it is.
 */
static unsigned note_pages(struct migration *m, unsigned first, unsigned last)
{
	struct noted n = {m, PAGE_SIZE << m->order};

	for (unsigned i = first; i < last; i++) {
		unsigned before = m->changes;

		if (m->state[i] & PAIR_DONE)
			continue;
		if (!migration_hold_object(m, m->src[i]->object))
			return i;
		if (rmap_walk(m->src[i], note_at, &n))
			continue;
		m->changes = before; /* runs that this page has only made longer stay so */
		if (before)
			return i;
		migration_drop(m, i, MIGRATE_REFUSED);
	}
	return last;
}

/* False: this mapping of the page lies in the change that was refused. */
static bool outside(struct area *area, vaddr_t va, void *arg)
{
	const struct change *refused = arg;

	return area->aspace != refused->as || va < refused->start || va >= refused->end;
}

/* Pages of a change that somebody refused stay where they are. */
static void drop_pages_of(struct migration *m, struct change *refused, unsigned first,
			  unsigned last)
{
	for (unsigned i = first; i < last; i++)
		if (!(m->state[i] & PAIR_DONE) && !rmap_walk(m->src[i], outside, refused))
			migration_drop(m, i, MIGRATE_REFUSED);
}

unsigned migration_begin_changes(struct migration *m, unsigned first, unsigned last)
{
	unsigned begun = 0;

	m->changes = 0;
	last = note_pages(m, first, last);
	for (unsigned i = 0; i < m->changes; i++) {
		struct change run = m->change[i];

		if (!change_begin(&m->change[begun], run.as, CHANGE_MIGRATE, run.start, run.end))
			begun++;
		else
			drop_pages_of(m, &run, first, last);
	}
	m->changes = begun;
	return last;
}

void migration_end_changes(struct migration *m)
{
	for (unsigned i = 0; i < m->changes; i++)
		change_end(&m->change[i]);
	m->changes = 0;
}
