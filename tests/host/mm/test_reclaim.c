/* Reclaim: which pages leave their file when frames are wanted, with how many flushes, and what keeps a page. */
#include "host_file.h"

#include <mm/change.h>
#include <mm/fault.h>
#include <mm/hint.h>
#include <mm/reclaim.h>
#include <mm/scheme.h>
#include <fake/machine.h>

/* A file whose pages are clean, on node 0, mapped in two spaces and not accessed since. */
struct rig {
	struct test_store s;
	struct aspace *as, *b;
	vaddr_t va, vb;
	u64 before;
	struct mm_counters counters;
};

static void age(struct aspace *as, vaddr_t va)
{
	pt_change(pgwalk_find(as->root, va, 0).ptep, pte_mk_old);
}

static void setup(struct rig *t)
{
	int err;

	*t = (struct rig){0};
	host_mm();
	knobs.dirty_pages = 0;
	t->before = host_in_use();
	t->as = host_file_space(&t->s, FILE_PAGES, RW, &t->va);
	t->b = aspace_create("b", 1);
	t->vb = aspace_map(t->b, t->s.file, 0, 0, FILE_PAGES * PAGE_SIZE, RW, false, 1, &err);
	for (u64 i = 0; i < FILE_PAGES; i++) {
		*host_word(t->as, t->va + i * PAGE_SIZE, true) = 100 + i;
		host_word(t->b, t->vb + i * PAGE_SIZE, false);
	}
	file_sync(t->s.file);
	for (u64 i = 0; i < FILE_PAGES; i++) {
		age(t->as, t->va + i * PAGE_SIZE);
		age(t->b, t->vb + i * PAGE_SIZE);
	}
	t->s.writes = t->s.reads = 0;
	t->counters = *this_cpu_ptr(mm_counters);
}

#define COUNTED(t, name) (this_cpu_ptr(mm_counters)->name - (t)->counters.name)

static bool gone(struct rig *t)
{
	knobs.reclaim_batch = 1;
	aspace_destroy(t->b);
	return host_file_gone(&t->s, t->as, t->before);
}

static bool is_here(const struct rig *t, u64 index)
{
	return slot_is_page(*object_slot(t->s.file, index, false));
}

/* Pages that are in memory, a bit each. */
static u64 pages_here(const struct rig *t)
{
	u64 bits = 0;

	for (u64 i = 0; i < FILE_PAGES; i++)
		bits |= (u64)is_here(t, i) << i;
	return bits;
}

static bool reads_right(struct rig *t)
{
	for (u64 i = 0; i < FILE_PAGES; i++)
		if (*host_word(t->b, t->vb + i * PAGE_SIZE, false) != 100 + i)
			return false;
	return true;
}

static void check_batches(u32 batch, u64 flushes)
{
	struct rig t;

	setup(&t);
	u64 used = pmm_used();

	knobs.reclaim_batch = batch;
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), FILE_PAGES);
	CHECK_EQ(COUNTED(&t, shootdowns), flushes);
	CHECK_EQ(COUNTED(&t, reclaimed), FILE_PAGES);
	CHECK_EQ(pmm_used(), used - FILE_PAGES);
	CHECK_EQ(pages_here(&t), 0);
	CHECK_EQ(t.s.writes, 0);
	CHECK_EQ(t.as->owing | t.b->owing, 0);
	for (u64 i = 0; i < FILE_PAGES; i++)
		CHECK(pte_is_none(host_entry(t.as, t.va + i * PAGE_SIZE)));
	CHECK(reads_right(&t));
	CHECK_EQ(t.s.reads, FILE_PAGES);
	CHECK_EQ(COUNTED(&t, read_in), FILE_PAGES);
	CHECK(gone(&t));
}

TEST(reclaim_flushes_once_for_a_batch)
{
	check_batches(1, FILE_PAGES);
	check_batches(3, (FILE_PAGES + 2) / 3);
	check_batches(FILE_PAGES, 1);
	check_batches(512, 1);
}

TEST(reclaim_takes_no_more_than_is_wanted_and_goes_on_where_it_was)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, 3), 3);
	CHECK_EQ(pages_here(&t), 0xf8);
	CHECK_EQ(reclaim_pages(0, 2), 2);
	CHECK_EQ(pages_here(&t), 0xe0);
	CHECK(reads_right(&t));
	CHECK_EQ(reclaim_pages(0, 1), 1); /* the hand comes to what has not been accessed first */
	CHECK_EQ(pages_here(&t), 0xdf);
	CHECK(gone(&t));
}

/* Any mapping will do. */
TEST(reclaim_passes_over_what_was_accessed_once)
{
	struct rig t;

	setup(&t);
	for (u64 i = 0; i < FILE_PAGES; i++)
		if (i != 2 && i != 5)
			pt_change(pgwalk_find(t.b->root, t.vb + i * PAGE_SIZE, 0).ptep,
				  pte_mk_young);
	knobs.reclaim_batch = 2;
	CHECK_EQ(reclaim_pages(0, 2), 2);
	CHECK_EQ(pages_here(&t), 0xdb);
	CHECK_EQ(COUNTED(&t, shootdowns), 1); /* clearing a bit needs none */
	CHECK(!pte_is_accessed(host_entry(t.b, t.vb)));
	CHECK(pte_is_accessed(host_entry(t.b, t.vb + 7 * PAGE_SIZE)));
	CHECK_EQ(reclaim_pages(0, 6),
		 6); /* its second round finds them as the first one left them */
	CHECK_EQ(pages_here(&t), 0);
	CHECK(reads_right(&t));
	CHECK(gone(&t));
}

TEST(reclaim_writes_what_is_dirty_after_the_flush_of_its_batch)
{
	struct rig t;

	setup(&t);
	for (u64 i = 1; i < 4; i++) {
		*host_word(t.b, t.vb + i * PAGE_SIZE, true) = 200 + i;
		age(t.b, t.vb + i * PAGE_SIZE);
	}
	knobs.reclaim_batch = FILE_PAGES;
	t.counters = *this_cpu_ptr(mm_counters);
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), FILE_PAGES);
	CHECK_EQ(COUNTED(&t, shootdowns), 1);
	CHECK_EQ(COUNTED(&t, written_back), 3);
	CHECK_EQ(t.s.writes, 3);
	CHECK_EQ(t.s.file->dirty, 0);
	for (u64 i = 1; i < 4; i++)
		CHECK_EQ(host_stored(&t.s, i), 200 + i);
	CHECK_EQ(*host_word(t.as, t.va + 2 * PAGE_SIZE, false), 202);
	CHECK(!host_is_dirty(t.as, t.va + 2 * PAGE_SIZE));
	CHECK(gone(&t));
}

TEST(reclaim_keeps_what_the_store_refuses_dirty_and_tries_again)
{
	struct rig t;
	struct page *page;

	setup(&t);
	*host_word(t.as, t.va + PAGE_SIZE, true) = 301;
	age(t.as, t.va + PAGE_SIZE);
	page = host_page(t.as, t.va + PAGE_SIZE);
	t.s.write_err = -EIO;
	knobs.reclaim_batch = FILE_PAGES;
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), FILE_PAGES - 1);
	CHECK_EQ(COUNTED(&t, store_errors), 2); /* in both rounds */
	CHECK_EQ(COUNTED(&t, written_back), 0);
	CHECK_EQ(pages_here(&t), 2);
	CHECK(page->flags & PG_DIRTY && !(page->flags & (PG_LOCKED | PG_ISOLATED)));
	CHECK_EQ(page_refs(page), 1);
	CHECK_EQ(page->mapcount, 0);
	CHECK_EQ(t.s.file->dirty, 1);
	CHECK_EQ(reclaim_pages(0, 1), 0);
	CHECK_EQ(*host_word(t.b, t.vb + PAGE_SIZE, false), 301);
	CHECK(host_page(t.b, t.vb + PAGE_SIZE) == page);
	t.s.write_err = 0;
	CHECK_EQ(reclaim_pages(0, 1), 1);
	CHECK_EQ(host_stored(&t.s, 1), 301);
	CHECK(gone(&t));
}

/* A store that fails to read tells the access; the slot is as it was. */
TEST(reclaimed_page_that_cannot_be_read_in_is_tried_again)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), FILE_PAGES);
	t.s.read_err = -EIO;
	CHECK(!host_word(t.as, t.va, false));
	CHECK_EQ(COUNTED(&t, store_errors), 1);
	CHECK(slot_is_none(*object_slot(t.s.file, 0, false)));
	t.s.read_err = 0;
	CHECK(reads_right(&t));
	CHECK(gone(&t));
}

TEST(reclaim_leaves_alone_what_somebody_is_at)
{
	struct rig t;
	struct page *pages[FILE_PAGES], *pinned;

	setup(&t);
	for (u64 i = 0; i < FILE_PAGES; i++)
		pages[i] = host_page(t.as, t.va + i * PAGE_SIZE);
	CHECK_EQ(aspace_pin(t.as, t.va, false, &pinned), 0);
	page_lock(pages[1]);
	CHECK(page_isolate(pages[2]));
	CHECK(page_get(pages[3], PAGE_REF)); /* as a reader, or a fault that is about to map it */
	slot_store(object_slot(t.s.file, 4, false), slot_busy(cpu_id()));
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), 3);
	CHECK_EQ(COUNTED(&t, shootdowns), 3); /* none for those that stay */
	CHECK_EQ(pages_here(&t), 0xf);
	for (u64 i = 0; i < 5; i++)
		CHECK(host_page(t.as, t.va + i * PAGE_SIZE) == pages[i]);
	slot_store(object_slot(t.s.file, 4, false), slot_of_page(pages[4]));
	page_put(pages[3], PAGE_REF);
	page_end_isolation(pages[2]);
	page_unlock(pages[1]);
	page_put(pinned, PAGE_PIN);
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), 5);
	CHECK(reads_right(&t));
	CHECK(gone(&t));
}

static struct page *to_pin;

/* At the last moment: it was not pinned when it was chosen. */
static int pin_late(struct change_subscriber *s __unused, const struct change *change __unused)
{
	if (!page_pins(to_pin))
		page_get(to_pin, PAGE_PIN);
	return 0;
}

static void ignore(struct change_subscriber *s __unused, const struct change *change __unused)
{
}

TEST(reclaim_looks_for_pins_after_the_flush)
{
	struct change_subscriber s = {.begin = pin_late, .end = ignore};
	struct rig t;

	setup(&t);
	to_pin = host_page(t.as, t.va);
	*host_word(t.as, t.va, true) = 100;
	age(t.as, t.va);
	CHECK_EQ(change_subscribe(t.as, &s), 0);
	CHECK_EQ(reclaim_pages(0, 1), 1);
	change_unsubscribe(t.as, &s);
	CHECK_EQ(pages_here(&t), 0xfd);
	CHECK_EQ(t.s.writes, 0); /* its owner may write it at any moment */
	CHECK(to_pin->flags & PG_DIRTY);
	page_put(to_pin, PAGE_PIN);
	CHECK(reads_right(&t));
	CHECK(gone(&t));
}

static int refuse(struct change_subscriber *s __unused, const struct change *change)
{
	return change->why == CHANGE_RECLAIM ? -EBUSY : 0;
}

static int agree(struct change_subscriber *s __unused, const struct change *change __unused)
{
	return 0;
}

static struct rig *refused;
static unsigned heard; /* ends of what was taken before the other one refused */

/* Flushed, and told, while nobody can map the page again. */
static void end_while_busy(struct change_subscriber *s __unused, const struct change *change)
{
	u64 index = (change->start - refused->va) >> PAGE_SHIFT;

	CHECK(slot_is_busy(slot_load(object_slot(refused->s.file, index, false))));
	heard++;
}

TEST(reclaim_that_a_subscriber_refuses_leaves_the_page_whole)
{
	struct change_subscriber s = {.begin = refuse, .end = ignore};
	struct change_subscriber first = {.begin = agree, .end = end_while_busy};
	struct rig t;

	setup(&t);
	refused = &t;
	heard = 0;
	knobs.reclaim_batch = FILE_PAGES;
	CHECK_EQ(change_subscribe(t.as, &first), 0);
	CHECK_EQ(change_subscribe(t.b, &s), 0);
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), 0);
	CHECK_EQ(COUNTED(&t, reclaimed), 0);
	CHECK_EQ(heard, 2 * FILE_PAGES); /* in both rounds */
	CHECK_EQ(t.as->owing | t.b->owing, 0);
	change_unsubscribe(t.as, &first);
	change_unsubscribe(t.b, &s);
	for (u64 i = 0; i < FILE_PAGES; i++) {
		struct page *page = slot_page(*object_slot(t.s.file, i, false));

		CHECK(page && page == host_page(t.b, t.vb + i * PAGE_SIZE));
		CHECK_EQ(page_refs(page), page_expected_refs(page, page->mapcount));
		CHECK(!(page->flags & (PG_ISOLATED | PG_LOCKED)));
	}
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), FILE_PAGES);
	CHECK(reads_right(&t));
	CHECK(gone(&t));
}

static unsigned begun, ended;

static int note_begin(struct change_subscriber *s __unused, const struct change *change __unused)
{
	begun++;
	return 0;
}

static void note_end(struct change_subscriber *s __unused, const struct change *change __unused)
{
	ended++;
}

/* Who subscribes hears of each page; there is room for so many between two flushes. */
TEST(reclaim_tells_subscribers_of_each_page)
{
	struct change_subscriber s = {.begin = note_begin, .end = note_end};
	struct rig t;

	setup(&t);
	begun = ended = 0;
	knobs.reclaim_batch = FILE_PAGES;
	CHECK_EQ(change_subscribe(t.b, &s), 0);
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), FILE_PAGES);
	change_unsubscribe(t.b, &s);
	CHECK_EQ(begun, FILE_PAGES);
	CHECK_EQ(ended, FILE_PAGES);
	CHECK_EQ(COUNTED(&t, shootdowns), 2);
	CHECK_EQ(t.as->owing | t.b->owing | t.as->changing | t.b->changing, 0);
	CHECK(gone(&t));
}

TEST(reclaim_is_of_one_node_and_changes_hint_entries_too)
{
	struct migrate_stats stats;
	struct rig t;

	setup(&t);
	CHECK_EQ(host_migrate(t.as, t.va, 2, 1, &stats, NULL), 0);
	hint_mark(t.b, t.vb + 2 * PAGE_SIZE, t.vb + 4 * PAGE_SIZE);
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), FILE_PAGES - 2);
	CHECK_EQ(pages_here(&t), 3);
	CHECK(pte_is_none(host_entry(t.b, t.vb + 2 * PAGE_SIZE)));
	CHECK_EQ(reclaim_pages(1, FILE_PAGES), 2);
	CHECK_EQ(pages_here(&t), 0);
	CHECK(reads_right(&t));
	CHECK(gone(&t));
}

static void load(void *as)
{
	aspace_load(as);
}

static u64 dropped_all; /* by the last call of flushes_under(): flushes of everything here */

/* Shootdowns of one call under a scheme, with the space loaded on another CPU, too, or not. */
static u64 flushes_under(const char *scheme, bool elsewhere)
{
	u64 flushes = ~0UL;
	struct rig t;
	char err[160];

	setup(&t);
	if (elsewhere)
		fake_on_cpu(1, load, t.as);
	if (!scheme_apply(scheme, err, sizeof(err)) && reclaim_pages(0, FILE_PAGES) == FILE_PAGES)
		flushes = COUNTED(&t, shootdowns);
	dropped_all = COUNTED(&t, flush_local_full);
	scheme_restore();
	if (elsewhere)
		fake_on_cpu(1, load, NULL);
	return reads_right(&t) && gone(&t) ? flushes : ~0UL;
}

/* x86-64 batches only what another CPU has, and drops all of it; arm64 batches since 6.6 where TLBIs are not repeated. */
TEST(reclaim_of_linux_by_the_rules_of_each_isa)
{
	bool arm64 = fake_config.arm64;

	host_mm();
	CHECK_EQ(flushes_under("baseline", true), FILE_PAGES);
	CHECK_EQ(flushes_under("batch-reclaim", false), 1);
	CHECK_EQ(flushes_under("batch", true), 1);
	CHECK_EQ(flushes_under("like-linux-6.1", false), FILE_PAGES);
	CHECK_EQ(flushes_under("like-linux-6.1", true), arm64 ? FILE_PAGES : 1);
	CHECK_EQ(flushes_under("like-linux-6.12", false), arm64 ? 1 : FILE_PAGES);
	CHECK_EQ(dropped_all, 0);
	CHECK_EQ(flushes_under("like-linux-6.12", true), 1);
	CHECK_EQ(dropped_all, !arm64);
	fake_config.repeats = true;
	CHECK_EQ(flushes_under("like-linux-6.12", true), arm64 ? FILE_PAGES : 1);
	fake_config.repeats = false;
}

/* Its own flush would leave what the other one still owes. */
TEST(reclaim_flushes_what_others_owe)
{
	struct rig t;

	setup(&t);
	CHECK_EQ(aspace_drop(t.as, t.va, FILE_PAGES * PAGE_SIZE), 0);
	CHECK_EQ(aspace_drop(t.b, t.vb, FILE_PAGES * PAGE_SIZE), 0);
	u64 flushes = this_cpu_ptr(mm_counters)->shootdowns;

	CHECK_EQ(reclaim_pages(0, 4), 4);
	CHECK_EQ(this_cpu_ptr(mm_counters)->shootdowns, flushes); /* mapped nowhere */
	t.b->owing++;
	CHECK_EQ(reclaim_pages(0, 4), 4);
	t.b->owing--;
	CHECK_EQ(this_cpu_ptr(mm_counters)->shootdowns, flushes + 4);
	CHECK(gone(&t));
}

/* ---- by an allocation ------------------------------------------------------------------------ */

/* All frames of both nodes but `left`; files keep theirs. */
static struct page *take_frames(unsigned left)
{
	struct page *frames = NULL, *page;

	while ((page = pmm_alloc(0, 0, PMM_RESERVE | PMM_NO_RECLAIM))) {
		page->next = frames;
		frames = page;
	}
	while (left-- && (page = frames)) {
		frames = page->next;
		page_put(page, PAGE_REF);
	}
	return frames;
}

static void put_frames(struct page *frames)
{
	for (struct page *next; frames; frames = next) {
		next = frames->next;
		page_put(frames, PAGE_REF);
	}
}

/* The frame that it gets was a page of the file. Whoever moves or writes pages gets none. */
TEST(allocation_that_finds_nothing_reclaims)
{
	struct page *frames, *page, *more = NULL;
	struct rig t;

	setup(&t);
	t.s.as = NULL; /* its lock may be held from here on */
	frames = take_frames(0);
	CHECK(!pmm_alloc(0, 0, PMM_RESERVE | PMM_NO_RECLAIM));
	CHECK(!pmm_alloc(0, 1, PMM_RESERVE)); /* nor does a larger one */
	CHECK_EQ(pages_here(&t), 0xff);
	CHECK(!pmm_alloc(1, 0, PMM_RESERVE | PMM_STRICT)); /* nothing is to be had there */
	CHECK_EQ(COUNTED(&t, reclaimed), 0);
	for (u64 i = 0; i < FILE_PAGES; i++) {
		page = pmm_alloc(1, 0, PMM_RESERVE); /* nearest first, but wherever there is one */
		CHECK(page && page->node == 0);
		page->next = more;
		more = page;
	}
	CHECK_EQ(COUNTED(&t, reclaimed), FILE_PAGES);
	CHECK_EQ(pages_here(&t), 0);
	CHECK(!pmm_alloc(0, 0, PMM_RESERVE));
	put_frames(more);
	put_frames(frames);
	CHECK(reads_right(&t));
	CHECK(gone(&t));
}

/* Its pages are isolated by then, and reclaim may want their locks: a page that finds no room stays. */
TEST(migration_that_finds_nothing_reclaims_nothing)
{
	struct migrate_stats stats;
	struct rig t;
	vaddr_t va;

	setup(&t);
	struct aspace *as = host_space(1, RW, false, 1, &va);

	CHECK(as && host_word(as, va, true));
	CHECK_EQ(host_page(as, va)->node, 1);
	struct page *frames = take_frames(0);

	CHECK_EQ(host_migrate(as, va, 1, 0, &stats, NULL), 1);
	CHECK_EQ(stats.failed[MIGRATE_NO_MEMORY], 1);
	CHECK_EQ(COUNTED(&t, reclaimed), 0);
	CHECK_EQ(pages_here(&t), 0xff);
	put_frames(frames);
	aspace_destroy(as);
	CHECK(gone(&t));
}

/* A file of twice as many pages as there are frames for, read and written in turn: nothing is lost. */
TEST(file_larger_than_memory_is_read_and_written_for_ever)
{
	enum { LEFT = 24, PAGES = 2 * LEFT, ROUNDS = 4 };
	struct test_store s = {0};
	vaddr_t va;

	host_mm();
	u64 before = host_in_use();
	struct aspace *as = host_file_space(&s, PAGES, RW, &va);

	s.as = NULL;
	for (u64 i = 0; i < PAGES; i++) /* the store has its frames before they run out */
		*host_word(as, va + i * PAGE_SIZE, true) = 1;
	CHECK_EQ(file_sync(s.file), 0);
	CHECK_EQ(file_invalidate(s.file, 0, PAGES, FILE_KEEP), 0);
	for (u32 node = 0; node < HOST_NODES; node++) {
		struct pmm_node_stats stats;

		pmm_node_stats(node, &stats);
		CHECK(stats.watermark_min >= LEFT);
	}
	/* What is below the watermarks is out of reach, too. */
	struct page *frames = take_frames(0), *page = NULL;
	u64 reclaimed = this_cpu_ptr(mm_counters)->reclaimed;
	unsigned left = 0;

	while (!page && (page = frames)) {
		frames = page->next;
		page_put(page, PAGE_REF);
		page = pmm_alloc(0, 0, PMM_NO_RECLAIM);
	}
	CHECK(page);
	page_put(page, PAGE_REF);
	for (; left < LEFT && frames; left++) {
		page = frames;
		frames = page->next;
		page_put(page, PAGE_REF);
	}
	knobs.reclaim_batch = 8;
	for (u64 round = 1; round <= ROUNDS; round++)
		for (u64 i = 0; i < PAGES; i++) {
			u64 *word = host_word(as, va + i * PAGE_SIZE, true);

			CHECK(word && *word == round);
			*word = round + 1;
		}
	CHECK(this_cpu_ptr(mm_counters)->reclaimed >= reclaimed + (ROUNDS - 1) * LEFT);
	knobs.reclaim_batch = 1;
	put_frames(frames);
	CHECK(host_file_gone(&s, as, before));
}

/* Out of memory with everything dirty, and no room in the store: an error, nothing lost; and all goes on with more room. */
TEST(nothing_is_lost_when_all_is_dirty_and_the_store_is_full)
{
	struct test_store s = {0};
	vaddr_t va;

	host_mm();
	u64 before = host_in_use();
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va);

	s.as = NULL;
	for (u64 i = 0; i < FILE_PAGES - 1; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = 100 + i;
	u64 errors = this_cpu_ptr(mm_counters)->store_errors;
	struct page *frames = take_frames(0);

	CHECK(!host_word(as, va + (FILE_PAGES - 1) * PAGE_SIZE, true));
	CHECK(this_cpu_ptr(mm_counters)->store_errors >= errors + FILE_PAGES - 1);
	for (u64 i = 0; i < FILE_PAGES - 1; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, true), 100 + i);
	put_frames(frames);
	CHECK(host_word(as, va + (FILE_PAGES - 1) * PAGE_SIZE, true));
	CHECK_EQ(file_sync(s.file), 0);
	CHECK_EQ(host_stored(&s, 3), 103);
	CHECK(host_file_gone(&s, as, before));
}

/* From below the low watermark up to as much above it as the knob says, and no further. */
TEST(reclaim_balances_a_node_between_its_watermarks)
{
	struct pmm_node_stats s;
	struct rig t;

	setup(&t);
	CHECK_EQ(reclaim_balance(0), 0); /* there is enough */
	struct page *frames = take_frames(0), *page;

	do {
		page = frames;
		frames = page->next;
		page_put(page, PAGE_REF);
		pmm_drain_caches();
		pmm_node_stats(0, &s);
	} while (s.free < s.watermark_low - 3);
	knobs.watermark_gap = 0;
	CHECK_EQ(reclaim_balance(0),
		 FILE_PAGES); /* asks for more than it needs, as an allocation does */
	pmm_node_stats(0, &s);
	CHECK(s.free >= s.watermark_low);
	CHECK_EQ(reclaim_balance(0), 0);
	knobs.watermark_gap = 256;
	put_frames(frames);
	CHECK(gone(&t));
}

/* Several files, one of which goes while the hand is at it. */
TEST(reclaim_goes_on_with_the_next_file_when_one_is_closed)
{
	struct test_store other = {0};
	struct rig t;
	u64 word;

	setup(&t);
	u64 before = host_in_use();

	host_file(&other, 2);
	CHECK_EQ(file_read(other.file, 0, &word, 8), 8);
	CHECK_EQ(file_read(other.file, PAGE_SIZE, &word, 8), 8);
	u64 here = other.file->dirty;

	CHECK_EQ(here, 0);
	CHECK_EQ(reclaim_pages(0, 3), 3);
	u64 of_other = 2 - slot_is_page(*object_slot(other.file, 0, false)) -
		       slot_is_page(*object_slot(other.file, 1, false));

	CHECK_EQ(__builtin_popcountl(pages_here(&t)) + 2 - of_other, FILE_PAGES + 2 - 3);
	CHECK(host_file_gone(&other, NULL, before - 3 + of_other));
	CHECK_EQ(reclaim_pages(0, FILE_PAGES), FILE_PAGES - 3 + of_other);
	CHECK_EQ(reclaim_pages(0, 1), 0);
	CHECK(gone(&t));
	CHECK_EQ(reclaim_pages(0, 1), 0); /* there is no file at all */
}
