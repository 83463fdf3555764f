/* When those who subscribe to a space hear of a NUMA scan, and which pages it leaves alone: knobs notify, pinned. */
#include "host_mm.h"

#include <mm/change.h>
#include <mm/dup.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/stats.h>
#include <kernel/error.h>

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 8 };

/* What one subscriber heard. */
struct hearing {
	struct change_subscriber subscriber;
	unsigned begun, late, ended, taken, unlocked;
	unsigned runs, named; /* calls of begin_nonblock(), and the pages that they named */
	unsigned strange; /* not behind the one before, or not within the change */
	vaddr_t named_to;
	bool gathers; /* as the last beginning said */
	vaddr_t start, end; /* of that */
	int refuse; /* what begin_nonblock() returns, from the beginning number `refuse_from` on, or */
	unsigned refuse_from;
	unsigned refuse_run; /* if not 0, from this run on */
	unsigned present_before; /* entries of the change that were present when it named some */
};

static int begin(struct change_subscriber *s, const struct change *change)
{
	struct hearing *h = container_of(s, struct hearing, subscriber);

	h->begun++;
	h->gathers = change->gathers;
	h->start = change->start;
	h->end = change->end;
	return 0;
}

static unsigned present(struct aspace *as, vaddr_t va, vaddr_t end)
{
	unsigned n = 0;

	for (; va < end; va += PAGE_SIZE)
		n += pte_is_present(pte_load(pgwalk_find(as->root, va, 0).ptep));
	return n;
}

static int begin_nonblock(struct change_subscriber *s, const struct change *change, vaddr_t from,
			  vaddr_t to, struct tlb_gather *gather)
{
	struct hearing *h = container_of(s, struct hearing, subscriber);
	bool first = from == change->start;

	if (h->refuse && (h->refuse_run ? h->runs >= h->refuse_run : h->late >= h->refuse_from))
		return h->refuse;
	begin(s, change);
	h->begun--;
	h->late += first;
	h->strange += from >= to || to > change->end || (!first && from < h->named_to);
	h->strange += present(change->as, from, to) != (to - from) >> PAGE_SHIFT;
	h->named_to = to;
	h->named += (unsigned)((to - from) >> PAGE_SHIFT);
	h->runs++;
	h->present_before = present(change->as, change->start, change->end);
	h->unlocked +=
		!gather ||
		!spin_is_locked(pt_lock_of(pgwalk_find(change->as->root, change->start, 0).ptep));
	return 0;
}

static void taken(struct change_subscriber *s, vaddr_t va __unused, unsigned level __unused,
		  pte_t old __unused, struct tlb_gather *gather __unused)
{
	container_of(s, struct hearing, subscriber)->taken++;
}

static void end(struct change_subscriber *s, const struct change *change __unused)
{
	container_of(s, struct hearing, subscriber)->ended++;
}

static void listen(struct hearing *h, struct aspace *as, bool nonblock)
{
	*h = (struct hearing){.subscriber = {.begin = begin, .taken = taken, .end = end}};
	if (nonblock)
		h->subscriber.begin_nonblock = begin_nonblock;
	CHECK_EQ(change_subscribe(as, &h->subscriber), 0);
}

static void pin(struct aspace *as, vaddr_t va, struct page **page)
{
	CHECK_EQ(aspace_pin(as, va, true, page), 0);
}

static void set(u32 notify, u32 pinned)
{
	knobs.notify = notify;
	knobs.pinned = pinned;
}

static u64 mark(struct aspace *as, vaddr_t va)
{
	return hint_mark(as, va, va + PAGES * PAGE_SIZE);
}

/* So many since the last time: spared in all, of pages not pinned; and pinned ones marked. */
static bool counted(u64 spared, u64 unpinned, u64 marked)
{
	static struct mm_counters before;
	const struct mm_counters *now = host_counters(0);
	bool right = now->hint_spared - before.hint_spared == spared &&
		     now->hint_spared_unpinned - before.hint_spared_unpinned == unpinned &&
		     now->hint_marked_pinned - before.hint_marked_pinned == marked;

	before = *now;
	return right;
}

TEST(scan_spares_pinned_pages_as_the_knob_says)
{
	vaddr_t va;
	struct aspace *as = host_space(PAGES, RW, false, 0, &va);
	struct page *page[2];

	CHECK_EQ(aspace_populate(as, va, PAGES * PAGE_SIZE, 0), PAGES);
	pin(as, va + PAGE_SIZE, &page[0]);
	pin(as, va + 6 * PAGE_SIZE, &page[1]);
	counted(0, 0, 0);
	for (u32 i = PINNED_MARK; i <= PINNED_SKIP_COW; i++) {
		bool spares = i != PINNED_MARK;

		set(NOTIFY_START, i);
		CHECK_EQ(mark(as, va), spares ? PAGES - 2 : PAGES);
		CHECK(counted(spares ? 2 : 0, 0, 0));
		CHECK_EQ(pte_is_present(*aspace_entry(as, va + PAGE_SIZE)), spares);
		CHECK(pte_is_hint(*aspace_entry(as, va)));
		for (unsigned p = 0; p < PAGES; p++)
			CHECK(host_word(as, va + p * PAGE_SIZE, true));
	}
	set(NOTIFY_START, PINNED_MARK);
	page_put(page[0], PAGE_PIN);
	page_put(page[1], PAGE_PIN);
	aspace_destroy(as);
}

/* The check that the discussion says is missing for 2 MiB pages. */
TEST(scan_spares_a_pinned_large_page)
{
	vaddr_t va;
	struct aspace *as = host_space(2 * HUGE_PAGES, RW, true, 0, &va);
	struct page *page;

	CHECK(host_word(as, va, true) && host_word(as, va + HUGE_SIZE, true));
	pin(as, va + 3 * PAGE_SIZE, &page);
	for (u32 i = PINNED_SKIP; i <= PINNED_SKIP_COW; i++) {
		set(NOTIFY_START, i);
		CHECK_EQ(hint_mark(as, va, va + 2 * HUGE_SIZE), 1);
		CHECK(pte_is_present(*aspace_entry(as, va)));
		CHECK(host_word(as, va + HUGE_SIZE, true));
	}
	set(NOTIFY_START, PINNED_MARK);
	page_put(page, PAGE_PIN);
	aspace_destroy(as);
}

/* What skip-cow takes for pinned and is not, and what it misses. */
TEST(skip_cow_misses_shared_mappings_and_spares_what_others_map)
{
	vaddr_t a, b, x, y;
	struct aspace *as = host_space(PAGES, RW, false, 0, &a),
		      *other = host_space(1, RW, false, 0, &b);
	struct object *obj = host_shared(as, other, &x, &y);
	struct page *page;

	CHECK_EQ(aspace_populate(as, a, PAGES * PAGE_SIZE, 0), PAGES);
	CHECK(host_word(as, x, true));
	pin(as, x, &page);
	counted(0, 0, 0);
	set(NOTIFY_START, PINNED_SKIP_COW);
	CHECK_EQ(hint_mark(as, x, x + PAGE_SIZE), 1);
	CHECK(counted(0, 0, 1));
	CHECK(host_word(as, x, true));
	set(NOTIFY_START, PINNED_SKIP);
	CHECK_EQ(hint_mark(as, x, x + PAGE_SIZE), 0);
	CHECK(counted(1, 0, 0));
	page_put(page, PAGE_PIN);
	aspace_destroy(other);

	int err = 0;
	struct aspace *dup = aspace_dup(as, "dup", 0, &err);

	CHECK(dup);
	set(NOTIFY_START, PINNED_SKIP_COW);
	CHECK_EQ(mark(as, a), 0); /* nobody has pinned them: a duplicate maps them, too */
	CHECK(counted(PAGES, PAGES, 0));
	aspace_destroy(dup);
	CHECK_EQ(mark(as, a), PAGES);
	CHECK(counted(0, 0, 0));
	/* Somebody refers to one for a moment. */
	CHECK(host_word(as, a + PAGE_SIZE, true));
	struct page *held = host_page(as, a + PAGE_SIZE);

	CHECK(page_get(held, PAGE_REF));
	CHECK_EQ(hint_mark(as, a + PAGE_SIZE, a + 2 * PAGE_SIZE), 0);
	CHECK(counted(1, 1, 0));
	page_put(held, PAGE_REF);
	set(NOTIFY_START, PINNED_MARK);
	object_put(obj);
	aspace_destroy(as);
}

TEST(scan_tells_its_beginning_as_the_knob_says)
{
	vaddr_t va;
	struct aspace *as = host_space(PAGES, RW, false, 0, &va);
	struct hearing h;

	CHECK_EQ(aspace_populate(as, va, PAGES * PAGE_SIZE, 0), PAGES);
	listen(&h, as, true);
	set(NOTIFY_START, PINNED_MARK);
	CHECK_EQ(mark(as, va), PAGES);
	CHECK(h.begun == 1 && !h.late && h.ended == 1 && h.taken == PAGES && !h.gathers);
	set(NOTIFY_PROTECT, PINNED_MARK);
	CHECK_EQ(mark(as, va), 0); /* they are hint entries already */
	CHECK(h.begun == 2 && !h.late && h.ended == 2 && h.taken == PAGES && h.gathers);
	/* Of anything but a scan nothing changes. */
	CHECK_EQ(aspace_drop(as, va, PAGE_SIZE), 0);
	CHECK(h.begun == 3 && h.ended == 3 && !h.gathers);
	set(NOTIFY_LATE, PINNED_MARK);
	CHECK_EQ(mark(as, va), 0);
	CHECK(h.begun == 3 && !h.late && h.ended == 3);
	CHECK(host_word(as, va + 4 * PAGE_SIZE, true) && host_word(as, va + 5 * PAGE_SIZE, true));
	CHECK_EQ(mark(as, va), 2);
	CHECK(h.begun == 3 && h.late == 1 && h.ended == 4 && h.gathers);
	CHECK(h.start == va + 4 * PAGE_SIZE && h.end == va + PAGES * PAGE_SIZE);
	CHECK_EQ(h.present_before, 2); /* the first one, too, had not changed */
	CHECK(h.runs == 1 && h.named == 2 && !h.strange);
	CHECK_EQ(h.unlocked, 0);
	set(NOTIFY_START, PINNED_MARK);
	change_unsubscribe(as, &h.subscriber);
	aspace_destroy(as);
}

/* Without a page that is to become inaccessible nobody hears anything. */
TEST(scan_of_pinned_pages_tells_nothing_late)
{
	vaddr_t va;
	struct aspace *as = host_space(PAGES, RW, false, 0, &va);
	struct page *page[PAGES];
	struct hearing h;

	for (unsigned i = 0; i < PAGES; i++)
		pin(as, va + i * PAGE_SIZE, &page[i]);
	listen(&h, as, true);
	set(NOTIFY_LATE, PINNED_SKIP);
	CHECK_EQ(mark(as, va), 0);
	CHECK(!h.begun && !h.late && !h.ended && !h.taken);
	set(NOTIFY_PROTECT, PINNED_SKIP);
	CHECK_EQ(mark(as, va), 0);
	CHECK(h.begun == 1 && h.ended == 1 && !h.taken);
	set(NOTIFY_START, PINNED_MARK);
	change_unsubscribe(as, &h.subscriber);
	for (unsigned i = 0; i < PAGES; i++)
		page_put(page[i], PAGE_PIN);
	aspace_destroy(as);
}

/* Of others it names what becomes inaccessible, and nothing between; one of them may refuse in the middle. */
TEST(scan_names_late_what_it_takes)
{
	static const unsigned pinned[] = {0, 2, 5};
	vaddr_t va;
	struct aspace *as = host_space(PAGES, RW, false, 0, &va);
	struct page *page[ARRAY_SIZE(pinned)];
	struct hearing h, refuses;

	CHECK_EQ(aspace_populate(as, va, PAGES * PAGE_SIZE, 0), PAGES);
	for (unsigned i = 0; i < ARRAY_SIZE(pinned); i++)
		pin(as, va + pinned[i] * PAGE_SIZE, &page[i]);
	listen(&h, as, true);
	set(NOTIFY_LATE, PINNED_SKIP);
	CHECK_EQ(mark(as, va), PAGES - 3);
	CHECK(h.late == 1 && h.runs == 3 && h.named == PAGES - 3 && !h.strange && !h.unlocked);
	CHECK(h.taken == PAGES - 3 && h.ended == 1);
	CHECK(h.start == va + PAGE_SIZE && h.end == va + PAGES * PAGE_SIZE);
	/* Pages 3 and 4 are refused, and so are 6 and 7, which nobody is asked about. */
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(host_word(as, va + i * PAGE_SIZE, true));
	listen(&refuses, as, true);
	refuses.refuse = -EAGAIN;
	refuses.refuse_run = 1;
	CHECK_EQ(mark(as, va), 1);
	CHECK(!pte_is_present(pte_load(aspace_entry(as, va + PAGE_SIZE))));
	CHECK_EQ(present(as, va, va + PAGES * PAGE_SIZE), PAGES - 1);
	CHECK(h.late == 2 && h.runs == 5 && h.ended == 2);
	CHECK(refuses.late == 1 && refuses.runs == 1 && refuses.ended == 1 && !refuses.strange);
	set(NOTIFY_START, PINNED_MARK);
	change_unsubscribe(as, &refuses.subscriber);
	change_unsubscribe(as, &h.subscriber);
	CHECK_EQ(as->changing, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(pinned); i++)
		page_put(page[i], PAGE_PIN);
	aspace_destroy(as);
}

/* A refusal with the lock held: no entry of the range changes, and who had agreed hears of the end. */
TEST(late_beginning_may_be_refused)
{
	vaddr_t va, second;
	struct aspace *as = host_space(PAGES, RW, false, 0, &va);
	struct hearing first, refuses;
	struct hint_scan scan = {.as = as};
	int err = 0;

	second = aspace_map(as, NULL, 0, 0, PAGES * PAGE_SIZE, RW, false, 0, &err);
	CHECK(second > va);
	CHECK_EQ(aspace_populate(as, va, PAGES * PAGE_SIZE, 0), PAGES);
	CHECK_EQ(aspace_populate(as, second, PAGES * PAGE_SIZE, 0), PAGES);
	listen(&first, as, true);
	listen(&refuses, as, true);
	refuses.refuse = -EAGAIN;
	set(NOTIFY_LATE, PINNED_MARK);
	CHECK_EQ(mark(as, va), 0);
	CHECK_EQ(present(as, va, va + PAGES * PAGE_SIZE), PAGES);
	CHECK(first.late == 1 && first.ended == 1 && !first.taken);
	CHECK(!refuses.late && !refuses.ended && !refuses.taken);
	/* One part of a window of two. */
	refuses.refuse_from = 1;
	CHECK(hint_scan(&scan));
	CHECK_EQ(present(as, va, va + PAGES * PAGE_SIZE), 0);
	CHECK_EQ(present(as, second, second + PAGES * PAGE_SIZE), PAGES);
	CHECK(first.late == 3 && first.ended == 3 && first.taken == PAGES);
	CHECK(refuses.late == 1 && refuses.ended == 1 && refuses.taken == PAGES);
	change_unsubscribe(as, &refuses.subscriber);
	/* Who only takes beginnings that may wait refuses those that may not. */
	listen(&refuses, as, false);
	CHECK_EQ(hint_mark(as, second, second + PAGES * PAGE_SIZE), 0);
	CHECK(!refuses.begun && !refuses.ended);
	set(NOTIFY_START, PINNED_MARK);
	CHECK_EQ(hint_mark(as, second, second + PAGES * PAGE_SIZE), PAGES);
	CHECK(refuses.begun == 1 && refuses.ended == 1);
	change_unsubscribe(as, &refuses.subscriber);
	change_unsubscribe(as, &first.subscriber);
	CHECK_EQ(as->changing, 0);
	aspace_destroy(as);
}
