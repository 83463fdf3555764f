/*
 * The bracket around changes: whoever subscribes to a space hears of every
 * change of it, balanced, with each entry that goes inside one that is open.
 */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/change.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/scheme.h>
#include <mm/split.h>
#include <kernel/error.h>

#define RW (PROT_READ | PROT_WRITE)

enum { OPEN_MAX = 64 };

/* Counts, and holds each report to what is open. */
struct counting {
	struct change_subscriber subscriber;
	struct aspace *as;
	struct open {
		enum change_reason why;
		vaddr_t start, end;
	} open[OPEN_MAX];
	unsigned opened; /* now */
	unsigned begun[CHANGE_COPY + 1], taken, wrong, refused;
	int refuse; /* what begin() returns */
	vaddr_t refuse_at; /* if the range holds it; 0: any */
};

static int begin(struct change_subscriber *s, const struct change *change)
{
	struct counting *c = container_of(s, struct counting, subscriber);
	bool meant = !c->refuse_at || (change->start <= c->refuse_at && c->refuse_at < change->end);

	c->wrong += change->as != c->as || change->start >= change->end;
	if (c->refuse && meant) {
		c->refused++;
		return c->refuse;
	}
	if (c->opened == OPEN_MAX)
		c->wrong++;
	else
		c->open[c->opened++] = (struct open){change->why, change->start, change->end};
	c->begun[change->why]++;
	return 0;
}

static void taken(struct change_subscriber *s, vaddr_t va, unsigned level, pte_t old,
		  struct tlb_gather *gather)
{
	struct counting *c = container_of(s, struct counting, subscriber);
	unsigned i = 0;

	while (i < c->opened &&
	       (va < c->open[i].start || va + PT_LEVEL_SIZE(level) > c->open[i].end))
		i++;
	c->wrong += i == c->opened || pte_is_none(old) || !gather;
	c->wrong += !spin_is_locked(pt_lock_of(pgwalk_find(c->as->root, va, level).ptep));
	c->taken++;
}

static void end(struct change_subscriber *s, const struct change *change)
{
	struct counting *c = container_of(s, struct counting, subscriber);
	unsigned i = 0;

	while (i < c->opened &&
	       (c->open[i].why != change->why || c->open[i].start != change->start ||
		c->open[i].end != change->end))
		i++;
	if (i == c->opened)
		c->wrong++;
	else
		c->open[i] = c->open[--c->opened];
}

static void count_changes(struct counting *c, struct aspace *as)
{
	*c = (struct counting){.subscriber = {.begin = begin, .taken = taken, .end = end},
			       .as = as};
	CHECK_EQ(change_subscribe(as, &c->subscriber), 0);
}

/* So many of this kind and entries since the last time; all balanced. */
static bool heard(struct counting *c, enum change_reason why, unsigned begun, unsigned entries)
{
	bool right = c->begun[why] == begun && c->taken == entries && !c->wrong && !c->opened;

	if (!right)
		printf("# begun %u, taken %u, wrong %u, open %u\n", c->begun[why], c->taken,
		       c->wrong, c->opened);
	memset(c->begun, 0, sizeof(c->begun));
	c->taken = 0;
	return right;
}

static struct aspace *filled(u64 pages, vaddr_t *va)
{
	struct aspace *as = host_space(pages, RW, false, 0, va);

	for (u64 i = 0; as && i < pages; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = i;
	return as;
}

TEST(change_is_told_by_whoever_makes_it)
{
	struct migrate_stats stats;
	struct counting c;
	char err[160];
	vaddr_t va;
	struct aspace *as = filled(8, &va);
	struct hint_scan scan = {.as = as};

	CHECK_EQ(scheme_apply("batch", err, sizeof(err)), 0);
	count_changes(&c, as);
	CHECK_EQ(host_migrate(as, va, 8, 1, &stats, NULL), 0);
	CHECK(heard(&c, CHANGE_MIGRATE, 1, 8));
	CHECK_EQ(host_migrate(as, va, 8, 1, &stats, NULL), 0);
	CHECK(heard(&c, CHANGE_MIGRATE, 0, 0)); /* nothing is touched: nothing is told */
	CHECK_EQ(hint_mark(as, va, va + 2 * PAGE_SIZE), 2);
	CHECK(heard(&c, CHANGE_HINT, 1, 2));
	CHECK(hint_scan(&scan));
	CHECK(heard(&c, CHANGE_HINT, 1, 6));
	CHECK_EQ(aspace_protect(as, va, 4 * PAGE_SIZE, PROT_READ), 0);
	CHECK(heard(&c, CHANGE_PROTECT, 1, 0)); /* hint entries: nobody holds them */
	CHECK_EQ(aspace_drop(as, va, 2 * PAGE_SIZE), 0);
	CHECK(heard(&c, CHANGE_DROP, 1, 2));
	CHECK_EQ(aspace_unmap(as, va, 8 * PAGE_SIZE), 0);
	CHECK(heard(&c, CHANGE_UNMAP, 1, 6));
	change_unsubscribe(as, &c.subscriber);
	scheme_restore();
	aspace_destroy(as);
}

/* Page by page, and pages apart from each other: a run each. */
TEST(change_is_told_for_the_pages_that_move)
{
	struct migrate_stats stats;
	struct page *page[2];
	struct counting c;
	char err[160];
	vaddr_t va;
	struct aspace *as = filled(8, &va);

	CHECK_EQ(aspace_pin(as, va + 2 * PAGE_SIZE, true, &page[0]), 0);
	CHECK_EQ(aspace_pin(as, va + 5 * PAGE_SIZE, true, &page[1]), 0);
	count_changes(&c, as);
	CHECK_EQ(host_migrate(as, va, 8, 1, &stats, NULL), 2);
	CHECK(heard(&c, CHANGE_MIGRATE, 6, 6));
	CHECK_EQ(scheme_apply("batch", err, sizeof(err)), 0);
	CHECK_EQ(host_migrate(as, va, 8, 0, &stats, NULL), 0);
	CHECK(heard(&c, CHANGE_MIGRATE, 3, 6));
	change_unsubscribe(as, &c.subscriber);
	scheme_restore();
	page_put(page[0], PAGE_PIN);
	page_put(page[1], PAGE_PIN);
	aspace_destroy(as);
}

/* More runs than a batch has room for: as many batches as it takes. */
TEST(change_of_many_runs_is_told_batch_by_batch)
{
	enum { PAGES = 200 };
	static struct page *page[PAGES];
	struct migrate_stats stats;
	struct counting c;
	char err[160];
	vaddr_t va;
	struct aspace *as = filled(PAGES, &va);

	CHECK_EQ(scheme_apply("batch", err, sizeof(err)), 0);
	for (u64 i = 0; i < PAGES; i += 2)
		CHECK_EQ(aspace_pin(as, va + i * PAGE_SIZE, true, &page[i]), 0);
	count_changes(&c, as);
	CHECK_EQ(host_migrate(as, va, PAGES, 1, &stats, NULL), PAGES / 2);
	CHECK_EQ(stats.moved, PAGES / 2);
	CHECK(heard(&c, CHANGE_MIGRATE, PAGES / 2, PAGES / 2));
	change_unsubscribe(as, &c.subscriber);
	for (u64 i = 0; i < PAGES; i += 2)
		page_put(page[i], PAGE_PIN);
	scheme_restore();
	aspace_destroy(as);
}

TEST(change_is_told_to_every_space_that_maps_the_page)
{
	struct migrate_stats stats;
	struct counting here, there;
	vaddr_t a, b, x, y;
	struct aspace *as = filled(1, &a), *other = filled(1, &b);
	struct object *obj = host_shared(as, other, &x, &y);

	CHECK(host_word(as, x, true) && host_word(other, y, true));
	count_changes(&there, other);
	CHECK_EQ(host_migrate(as, x, 1, 1, &stats, NULL), 0);
	CHECK(heard(&there, CHANGE_MIGRATE, 1, 1));
	count_changes(&here, as);
	CHECK_EQ(host_migrate(as, x, 1, 0, &stats, NULL), 0);
	CHECK(heard(&there, CHANGE_MIGRATE, 1, 1));
	CHECK(heard(&here, CHANGE_MIGRATE, 1, 1));
	/* A page that stays: the same, entries are mapped again inside. */
	atomic_fetch_add(&host_page(as, x)->mapcount, 1);
	CHECK_EQ(host_migrate(as, x, 1, 1, &stats, NULL), 1);
	atomic_fetch_add(&host_page(as, x)->mapcount, -1U);
	CHECK(heard(&there, CHANGE_MIGRATE, 1, 1));
	CHECK(heard(&here, CHANGE_MIGRATE, 1, 1));
	/* One of them refuses: nothing of it is touched, and what had begun ends. */
	there.refuse = -EAGAIN;
	CHECK_EQ(host_migrate(as, x, 1, 1, &stats, NULL), 1);
	CHECK_EQ(stats.failed[MIGRATE_REFUSED], 1);
	CHECK(heard(&there, CHANGE_MIGRATE, 0, 0));
	CHECK_EQ(here.taken, 0);
	CHECK_EQ(here.opened, 0);
	CHECK_EQ(host_page(other, y)->node, 0);
	change_unsubscribe(as, &here.subscriber);
	change_unsubscribe(other, &there.subscriber);
	CHECK_EQ(host_migrate(as, x, 1, 1, &stats, NULL), 0);
	object_put(obj);
	aspace_destroy(as);
	aspace_destroy(other);
}

TEST(change_that_is_refused_does_not_happen)
{
	struct migrate_stats stats;
	struct counting first, second;
	char err[160];
	vaddr_t va;
	struct aspace *as = filled(4, &va);

	CHECK_EQ(scheme_apply("batch", err, sizeof(err)), 0);
	count_changes(&first, as);
	count_changes(&second, as);
	second.refuse = -EAGAIN;
	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), -EAGAIN);
	CHECK(heard(&first, CHANGE_UNMAP, 1, 0)); /* it had begun, and ends */
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), -EAGAIN);
	CHECK(heard(&first, CHANGE_PROTECT, 1, 0));
	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), -EAGAIN);
	CHECK(heard(&first, CHANGE_DROP, 1, 0));
	CHECK_EQ(hint_mark(as, va, va + 4 * PAGE_SIZE), 0);
	CHECK(heard(&first, CHANGE_HINT, 1, 0));
	CHECK_EQ(host_migrate(as, va, 4, 1, &stats, NULL), 4);
	CHECK(heard(&first, CHANGE_MIGRATE, 1, 0));
	for (u64 i = 0; i < 4; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, true), i);
	CHECK_EQ(second.refused, 5);
	CHECK(heard(&second, CHANGE_UNMAP, 0, 0));
	/* Only of the page that was refused: the rest moves. */
	scheme_restore();
	second.refuse_at = va + PAGE_SIZE;
	CHECK_EQ(host_migrate(as, va, 4, 1, &stats, NULL), 1);
	CHECK_EQ(stats.failed[MIGRATE_REFUSED], 1);
	CHECK(heard(&first, CHANGE_MIGRATE, 4, 3));
	CHECK(heard(&second, CHANGE_MIGRATE, 3, 3));
	change_unsubscribe(as, &second.subscriber);
	change_unsubscribe(as, &first.subscriber);
	aspace_destroy(as);
}

/* Hint faults that move a page, and splits of a large one: by a range that cuts it, and by the fault itself. */
TEST(change_of_a_large_page_is_told)
{
	struct migrate_stats stats;
	struct counting c;
	vaddr_t va;
	struct aspace *as = host_space(2 * HUGE_PAGES, RW, true, 0, &va);

	CHECK(host_word(as, va, true) && host_word(as, va + HUGE_SIZE, true));
	count_changes(&c, as);
	CHECK_EQ(host_migrate(as, va + PAGE_SIZE, 1, 1, &stats, NULL), 0);
	CHECK(heard(&c, CHANGE_MIGRATE, 1, 1)); /* the whole of it, which moves */
	CHECK_EQ(hint_mark(as, va + PAGE_SIZE, va + 2 * PAGE_SIZE), 1);
	CHECK(heard(&c, CHANGE_HINT, 1, 1));
	CHECK(host_word(as, va, true));
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(c.begun[CHANGE_SPLIT], 1);
	CHECK(heard(&c, CHANGE_PROTECT, 1, 2)); /* the large entry, and the part that is lowered */

	/* As a hint fault does. */
	pte_t *ptep = pgwalk_find(as->root, va + HUGE_SIZE, 1).ptep;
	pte_t hint;

	CHECK_EQ(hint_mark(as, va + HUGE_SIZE, va + 2 * HUGE_SIZE), 1);
	CHECK(heard(&c, CHANGE_HINT, 1, 1));
	hint = pte_load(ptep);
	struct page *page = phys_to_page(pte_pa(hint, 1));

	c.refuse = -EAGAIN;
	CHECK(page_isolate(page));
	CHECK_EQ(page_split_hint(as, va + HUGE_SIZE, ptep, hint, page), -EAGAIN);
	CHECK_EQ(page->flags, 0);
	c.refuse = 0;
	CHECK(page_isolate(page));
	CHECK_EQ(page_split_hint(as, va + HUGE_SIZE, ptep, hint, page), 0);
	CHECK(heard(&c, CHANGE_SPLIT, 1, 0));
	change_unsubscribe(as, &c.subscriber);
	aspace_destroy(as);
}

TEST(change_of_a_hint_fault_is_told)
{
	struct migrate_stats stats;
	struct counting c;
	vaddr_t va;
	struct aspace *as = filled(1, &va);

	/* This CPU is on node 0, and pulls the page back with its second touch. */
	knobs.hint = HINT_LATE;
	CHECK_EQ(host_migrate(as, va, 1, 1, &stats, NULL), 0);
	count_changes(&c, as);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(hint_mark(as, va, va + PAGE_SIZE), 1);
		CHECK(host_word(as, va, true));
	}
	CHECK_EQ(host_page(as, va)->node, 0);
	CHECK_EQ(c.begun[CHANGE_HINT], 2);
	CHECK(heard(&c, CHANGE_MIGRATE, 1, 3));
	knobs.hint = HINT_EARLY;
	change_unsubscribe(as, &c.subscriber);
	aspace_destroy(as);
}

TEST(change_has_room_for_so_many_subscribers)
{
	struct counting c[CHANGE_SUBSCRIBERS + 1];
	vaddr_t va;
	struct aspace *as = filled(1, &va);

	for (unsigned i = 0; i < CHANGE_SUBSCRIBERS; i++)
		count_changes(&c[i], as);
	CHECK_EQ(change_subscribe(as, &c[CHANGE_SUBSCRIBERS].subscriber), -EBUSY);
	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
	for (unsigned i = 0; i < CHANGE_SUBSCRIBERS; i++) {
		CHECK(heard(&c[i], CHANGE_DROP, 1, 1));
		change_unsubscribe(as, &c[i].subscriber);
	}
	CHECK(!as->subscribed);
	CHECK_EQ(change_subscriptions, 0);
	aspace_destroy(as);
}

/* Pins its page, or only refers to it, when a change begins: a migrator has isolated the page by then. */
struct pinning {
	struct change_subscriber subscriber;
	struct page *page;
	u64 refs;
	bool got;
};

static int pin_at_begin(struct change_subscriber *s, const struct change *change __unused)
{
	struct pinning *p = container_of(s, struct pinning, subscriber);

	p->got = page_get(p->page, p->refs);
	return 0;
}

static void ended(struct change_subscriber *s __unused, const struct change *change __unused)
{
}

TEST(migrate_tells_a_pin_that_came_too_late_from_other_references)
{
	const u64 refs[] = {PAGE_PIN, PAGE_REF};
	struct migrate_stats stats;
	vaddr_t va;
	struct aspace *as = filled(1, &va);

	for (unsigned i = 0; i < ARRAY_SIZE(refs); i++) {
		struct pinning p = {.subscriber = {.begin = pin_at_begin, .end = ended},
				    .page = host_page(as, va),
				    .refs = refs[i]};

		CHECK_EQ(change_subscribe(as, &p.subscriber), 0);
		CHECK_EQ(host_migrate(as, va, 1, 1, &stats, NULL), 1);
		CHECK_EQ(stats.failed[i ? MIGRATE_RACED : MIGRATE_PINNED], 1);
		change_unsubscribe(as, &p.subscriber);
		CHECK(p.got);
		CHECK(host_page(as, va) == p.page);
		page_put(p.page, refs[i]);
	}
	aspace_destroy(as);
}
