/*
 * How many pages of a file are dirty, and what happens above the knob `dirty_pages`:
 * whoever makes one more page dirty writes some back before it goes on. A fault installs its
 * entry, lets go of its space, writes back and is then retried: what it finds may be
 * anything by now, and is looked at as by a first fault.
 */
#pragma once

#include <mm/knob.h>
#include <mm/object.h>

/* A page of the file has just become dirty: its PG_DIRTY was set, by us. Any context. */
static inline void dirty_begins(struct object *file)
{
	atomic_fetch_add_relaxed(&file->dirty, 1);
}

/* And is no longer: PG_DIRTY was cleared, by us. */
static inline void dirty_ends(struct object *file)
{
	atomic_fetch_add_relaxed(&file->dirty, -1U);
}

/* Are more pages of the file dirty than may be? Relaxed: the budget is no promise to the last page. */
static inline bool dirty_over(const struct object *file)
{
	return unlikely(knobs.dirty_pages) && load_relaxed(&file->dirty) > knobs.dirty_pages;
}

/*
 * Write back until the file is within its budget, and some pages below, so that not every writer has
 * to. Gives up when each page was tried, as stores may fail and pages be pinned. The
 * caller is a user. Task context, no locks; waits for the store.
 */
void dirty_throttle(struct object *file);
