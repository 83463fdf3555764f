/*
 * Order of locks, in every execution of every scenario.
 *
 * A lock's kind is the set of places that take locks of it: two places that
 * took the same lock are of one kind. Page-table locks are one kind, wherever
 * their struct page is. A place that wants a lock comes after the places at which
 * its CPU took what it holds. Kinds that come after each other, or after
 * themselves, can deadlock, though perhaps no execution did.
 *
 * What was seen is kept in memory that the explorer's processes share; it only
 * ever grows, by stores of 1.
 */
#include <fake/machine.h>
#include <fake/start.h>
#include <kernel/smp.h>
#include <kernel/spinlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 160, KNOWN = 256, HELD = 8 };

struct fake_locks {
	u8 same[PLACES][PLACES]; /* took the same lock */
	u8 after[PLACES][PLACES]; /* wanted while [] was held */
};

/* Heap: outlives executions. */
static struct locks {
	struct fake_locks *seen;
	u64 run;
	struct known {
		const void *lock;
		u64 run;
		const struct fake_place *place;
	} known[KNOWN]; /* by address, of this execution */
} * locks;

/* Of this execution. */
static struct holder {
	const struct fake_place *wants; /* is taking a lock there */
	unsigned count;
	struct {
		const void *lock;
		const struct fake_place *place;
		bool spins;
	} held[HELD];
} holders[FAKE_CPUS];

extern const struct fake_place __start_fake_places[], __stop_fake_places[];

size_t fake_locks_size(void)
{
	return sizeof(struct fake_locks);
}

void fake_locks_init(void *shared)
{
	if (!locks)
		locks = calloc(1, sizeof(*locks));
	if (shared || !locks->seen)
		locks->seen = shared ? shared : calloc(1, sizeof(*locks->seen));
	if (__stop_fake_places - __start_fake_places > PLACES)
		fake_fail("model: more than %d places take locks", PLACES);
}

void fake_locks_begin(void)
{
	locks->run++;
}

static unsigned number(const struct fake_place *place)
{
	return (unsigned)(place - __start_fake_places);
}

static bool is_page_table_lock(const void *lock)
{
	return (u64)lock >= VMEMMAP_BASE &&
	       (u64)lock < VMEMMAP_BASE + fake_last_frame() * FAKE_PAGE_STRUCT;
}

/* The place that took this lock first, in this execution. */
static const struct fake_place *first_place(const void *lock, const struct fake_place *here)
{
	u64 i = is_page_table_lock(lock) ? 0 : 1 + ((u64)lock >> 3) % (KNOWN - 1);

	if (!i)
		lock = NULL;
	for (unsigned looked = 0; locks->known[i].run == locks->run && locks->known[i].lock != lock;
	     looked++) {
		if (looked == KNOWN) {
			fake_fail("model: more than %d locks in an execution", KNOWN - 1);
			return here;
		}
		i = i == KNOWN - 1 ? 1 : i + 1;
	}
	if (locks->known[i].run != locks->run)
		locks->known[i] = (struct known){lock, locks->run, here};
	return locks->known[i].place;
}

/* Its memory may hold another lock next. */
void fake_locks_forget(const void *start, u64 bytes)
{
	for (unsigned i = 1; locks && i < KNOWN; i++)
		if ((u64)locks->known[i].lock - (u64)start < bytes)
			locks->known[i].lock = (const void *)~0UL;
}

static void note_wanted(struct holder *me, const void *lock, const struct fake_place *place,
			bool spins)
{
	locks->seen->same[number(place)][number(first_place(lock, place))] = 1;
	if (me->count == HELD) {
		fake_fail("model: more than %d locks held", HELD);
		return;
	}
	me->held[me->count].lock = lock;
	me->held[me->count].place = place;
	me->held[me->count].spins = spins;
	me->wants = place;
}

void fake_lock_wanted(const void *lock, const struct fake_place *place, bool spins)
{
	struct holder *me = &holders[fake_self->id];

	for (unsigned i = 0; fake_live && i < me->count; i++) {
		locks->seen->after[number(me->held[i].place)][number(place)] = 1;
		if (!spins && me->held[i].spins)
			fake_fail("%s:%u may wait with the spinlock of %s:%u held", place->file,
				  place->line, me->held[i].place->file, me->held[i].place->line);
	}
	if (fake_live)
		note_wanted(me, lock, place, spins);
}

void fake_lock_tried(const void *lock, const struct fake_place *place)
{
	if (fake_live)
		note_wanted(&holders[fake_self->id], lock, place, false);
	fake_lock_taken();
}

void fake_lock_taken(void)
{
	struct holder *me = &holders[fake_self->id];

	if (me->wants)
		me->count++;
	me->wants = NULL;
}

void fake_lock_left(const void *lock)
{
	struct holder *me = &holders[fake_self->id];
	unsigned i = me->count;

	/* Release orders the next holder, but not its walks: pt_install() has published what it wrote. */
	if (fake_installed_under_way())
		fake_fail("CPU %u leaves a lock, and an entry that it installed is still a fault: "
			  "walkers need not see it",
			  fake_self->id);
	while (i > 0 && me->held[i - 1].lock != lock)
		i--;
	if (!i)
		return; /* taken before the execution began */
	memmove(&me->held[i - 1], &me->held[i], (me->count - i) * sizeof(me->held[0]));
	me->count--;
}

void fake_may_wait(const struct fake_place *place)
{
	const struct holder *me = fake_self ? &holders[fake_self->id] : NULL;

	for (unsigned i = 0; me && i < me->count; i++)
		if (me->held[i].spins)
			fake_fail("%s:%u may wait with the spinlock of %s:%u held", place->file,
				  place->line, me->held[i].place->file, me->held[i].place->line);
	if (me && fake_irq_masked())
		fake_fail("%s:%u may wait with interrupts off", place->file, place->line);
}

/* This CPU waits for something that is no lock. */
void fake_locks_wait(void)
{
	const struct holder *me = &holders[fake_self->id];

	for (unsigned i = 0; !me->wants && i < me->count; i++)
		if (me->held[i].spins)
			fake_fail("CPU %u waits with the spinlock of %s:%u held", fake_self->id,
				  me->held[i].place->file, me->held[i].place->line);
}

/* ---- what follows from all of it ------------------------------------------------------- */

static u8 kind[PLACES];
static u8 reaches[PLACES][PLACES]; /* kinds */

static void find_kinds(const struct fake_locks *seen, unsigned n)
{
	bool again = true;

	for (unsigned i = 0; i < n; i++)
		kind[i] = (u8)i;
	while (again) {
		again = false;
		for (unsigned i = 0; i < n; i++)
			for (unsigned j = 0; j < n; j++)
				if (seen->same[i][j] && kind[i] != kind[j]) {
					kind[i] = kind[j] = MIN(kind[i], kind[j]);
					again = true;
				}
	}
}

static void find_orders(const struct fake_locks *seen, unsigned n)
{
	memset(reaches, 0, sizeof(reaches));
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++)
			reaches[kind[i]][kind[j]] |= seen->after[i][j];
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < n; i++)
			for (unsigned j = 0; reaches[i][k] && j < n; j++)
				reaches[i][j] |= reaches[k][j];
}

static int say(char *text, size_t size, unsigned i, unsigned j)
{
	const struct fake_place *places = __start_fake_places;

	return snprintf(text, size, "%s:%u takes a lock with that of %s:%u held", places[j].file,
			places[j].line, places[i].file, places[i].line);
}

unsigned fake_locks_check(char *text, size_t size, unsigned *orders)
{
	unsigned n = (unsigned)(__stop_fake_places - __start_fake_places), used = 0;
	const struct fake_locks *seen = locks->seen;

	find_kinds(seen, n);
	find_orders(seen, n);
	*orders = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		used += kind[i] == i && seen->same[i][i];
		for (unsigned j = 0; j < n; j++) {
			*orders += seen->after[i][j];
			if (text[0] || !seen->after[i][j] || !reaches[kind[j]][kind[i]])
				continue;
			int at = say(text, size, i, j);

			/* The other way round, if it is one step. */
			for (unsigned k = 0; k < n * n; k++)
				if (seen->after[k / n][k % n] && kind[k / n] == kind[j] &&
				    kind[k % n] == kind[i] && k != i * n + j) {
					at += snprintf(text + at, size - (size_t)at, "; ");
					say(text + at, size - (size_t)at, k / n, k % n);
					break;
				}
		}
	}
	return used;
}
