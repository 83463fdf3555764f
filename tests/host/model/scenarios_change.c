/* Scenarios of subscribers that come and go while others change the space. */
#include "model.h"

#include <mm/change.h>
#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a, *b;

#define VA MODEL_VA

static struct listener comes, stays; /* to a, of b */

static void setup(void)
{
	a = work_space("a", VA, 1, RW);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, MODEL_FAR, 1, RW);
	aspace_populate(b, MODEL_FAR, PAGE_SIZE, 0);
	work_load(a, 1);
	listener_comes(&stays, b); /* so that moves look who is subscribed */
}

/* Through the reverse map: nothing but the object that is held keeps a. */
static void move_in_b(unsigned cpu __unused)
{
	work_migrate(b, MODEL_FAR, 1, 1);
	work_migrate(b, MODEL_FAR, 1, 0);
}

static void come_and_go(unsigned cpu)
{
	listener_visits(&comes, a, VA, cpu);
}

static void expect_balance(void)
{
	if (stays.open)
		fake_fail("a change that was heard is not over");
	change_unsubscribe(b, &stays.subscriber);
	if (change_subscriptions)
		fake_fail("%u subscriptions are left", change_subscriptions);
}

const struct scenario change_subscribers = {
	.name = "change-subscribe",
	.summary = "a subscriber comes to a space and goes while its page moves through another",
	.cpus = 2,
	.setup = setup,
	.program = {move_in_b, come_and_go},
	.end = expect_balance,
};

/* Two spaces show a page through shadows, and the lock of the object below keeps both. */
static void setup_duplicate(void)
{
	a = work_space("a", VA, 1, RW);
	b = work_dup(a);
	work_load(a, 1);
	listener_comes(&stays, b);
}

static void move_duplicate(unsigned cpu __unused)
{
	work_migrate(b, VA, 1, 1);
	work_migrate(b, VA, 1, 0);
}

const struct scenario change_duplicates = {
	.name = "change-duplicate",
	.summary =
		"a subscriber comes to a space and goes while its page moves through a duplicate",
	.cpus = 2,
	.setup = setup_duplicate,
	.program = {move_duplicate, come_and_go},
	.end = expect_balance,
};

/* ---- what a subscriber hears of the entries of its space ------------------------------------ */

enum { PAGES = 2 };
#define VA2 (VA + PAGE_SIZE)

/* Of each page, since the last beginning of a change that concerns it. Under their table's lock. */
static struct {
	pte_t seen;
	bool told; /* that the entry was taken down, or lost rights */
} entries[PAGES];

static void for_each_entry(const struct change *c, void (*fn)(unsigned page, pte_t now))
{
	pte_t *ptep = pgwalk_find(a->root, VA, 0).ptep;

	spin_lock(pt_lock_of(ptep));
	for (unsigned page = 0; page < PAGES; page++)
		if (VA + page * PAGE_SIZE >= c->start && VA + page * PAGE_SIZE < c->end)
			fn(page, pte_load(&ptep[page]));
	spin_unlock(pt_lock_of(ptep));
}

static void remember(unsigned page, pte_t now)
{
	entries[page].seen = now;
	entries[page].told = false;
}

static void compare(unsigned page, pte_t now)
{
	pte_t seen = entries[page].seen;

	if (!pte_is_present(seen) || entries[page].told)
		return;
	if (!pte_is_present(now) || pte_pa(now, 0) != pte_pa(seen, 0) ||
	    pte_is_writable(now) < pte_is_writable(seen))
		fake_fail("the entry of page %u went in a change that did not tell so", page);
}

static int watch_begin(struct change_subscriber *s, const struct change *change)
{
	for_each_entry(change, remember);
	return listener_begin(s, change);
}

static void watch_taken(struct change_subscriber *s, vaddr_t va, unsigned level, pte_t old,
			struct tlb_gather *gather)
{
	entries[(va - VA) >> PAGE_SHIFT].told = true;
	listener_taken(s, va, level, old, gather);
}

static void watch_end(struct change_subscriber *s, const struct change *change)
{
	for_each_entry(change, compare);
	listener_end(s, change);
}

static void setup_watched(void)
{
	a = work_space("a", VA, PAGES, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	knobs.hint = HINT_EARLY;
	stays.subscriber.begin = watch_begin;
	stays.subscriber.taken = watch_taken;
	stays.subscriber.end = watch_end;
	if (change_subscribe(a, &stays.subscriber))
		fake_fail("scenario: no room for a subscriber");
}

static void move_and_scan(unsigned cpu)
{
	work_migrate(a, VA, PAGES, 1);
	hint_mark(a, VA, VA + PAGES * PAGE_SIZE);
	work_read(VA, cpu, 1);
}

static void protect_drop_unmap(unsigned cpu)
{
	work_write(VA2, cpu);
	aspace_protect(a, VA2, PAGE_SIZE, PROT_READ);
	work_read(VA, cpu, cpu);
	aspace_drop(a, VA2, PAGE_SIZE);
	aspace_unmap(a, VA, PAGE_SIZE);
}

static void expect_heard(void)
{
	if (stays.open)
		fake_fail("a change that was heard is not over");
	change_unsubscribe(a, &stays.subscriber);
}

const struct scenario change_heard = {
	.name = "change-heard",
	.summary = "a subscriber of a space hears of each entry that goes, by whatever change",
	.cpus = 2,
	.setup = setup_watched,
	.program = {move_and_scan, protect_drop_unmap},
	.end = expect_heard,
};
