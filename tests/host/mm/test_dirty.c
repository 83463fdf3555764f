/* Dirty throttling: who is over the budget writes back, and the fault that did looks again at what there is. */
#include "host_file.h"

#include <mm/dirty.h>
#include <mm/fault.h>
#include <mm/hint.h>

/*
 * A file with a budget of one dirty page, of which page 0 is dirty. The fault that
 * writes page 1 installs its entry and writes page 0 back; in the middle of that, `meanwhile` runs.
 */
struct throttled {
	struct test_store s;
	struct aspace *as;
	vaddr_t va, second; /* page 0 and 1 */
	u64 before;
	struct mm_counters counters;
	void (*meanwhile)(struct throttled *t);
	unsigned calls;
};

static void in_write(void *arg)
{
	struct throttled *t = arg;

	/* Once: what it does may write back, too. */
	if (!t->calls++)
		t->meanwhile(t);
}

static void nothing(struct throttled *t)
{
	CHECK(pte_is_writable(
		host_entry(t->as, t->second))); /* it is there before the fault waits */
	CHECK(host_is_dirty(t->as, t->second));
}

static void setup(struct throttled *t, void (*meanwhile)(struct throttled *t))
{
	*t = (struct throttled){.meanwhile = meanwhile};
	host_mm();
	t->before = host_in_use();
	t->as = host_file_space(&t->s, FILE_PAGES, RW, &t->va);
	t->second = t->va + PAGE_SIZE;
	knobs.dirty_pages = 1;
	*host_word(t->as, t->va, true) = 1;
	host_word(t->as, t->second,
		  false); /* read in, so that the fault to come waits for nothing else */
	t->s.in_write = in_write;
	t->s.arg = t;
	t->counters = *this_cpu_ptr(mm_counters);
}

/* Counted since setup(). */
#define COUNTED(t, name) (this_cpu_ptr(mm_counters)->name - (t)->counters.name)

/* The fault by hand, so that it is one. */
static bool write_second(struct throttled *t)
{
	return fault_handle(t->as, t->second, true, false);
}

/* The access that faulted goes on, page 0 is in the store, and nothing is left. */
static void check_end(struct throttled *t)
{
	knobs.dirty_pages = 0;
	t->s.in_write = NULL;
	CHECK_EQ(t->s.file->dirty, 1);
	CHECK_EQ(host_stored(&t->s, 0), 1);
	*host_word(t->as, t->second, true) = 7;
	CHECK_EQ(file_sync(t->s.file), 0);
	CHECK_EQ(host_stored(&t->s, 1), 7);
	CHECK_EQ(t->s.file->dirty, 0);
	CHECK(host_file_gone(&t->s, t->as, t->before));
}

/* One fault, throttled once and retried, whatever happened meanwhile; it succeeds. */
static void check_retry(void (*meanwhile)(struct throttled *t))
{
	struct throttled t;

	setup(&t, meanwhile);
	CHECK(write_second(&t));
	CHECK_EQ(COUNTED(&t, throttled), 1);
	CHECK_EQ(COUNTED(&t, retried_faults), 1);
	CHECK(pte_is_writable(host_entry(t.as, t.second)));
	CHECK(host_is_dirty(t.as, t.second));
	check_end(&t);
}

/* ---- what the retry may find ---------------------------------------------------------- */

TEST(dirty_retry_finds_the_entry_as_it_left_it)
{
	struct throttled t;

	setup(&t, nothing);
	CHECK(write_second(&t));
	CHECK_EQ(COUNTED(&t, spurious_faults), 1);
	CHECK_EQ(COUNTED(&t, throttled), 1);
	CHECK_EQ(COUNTED(&t, written_back), 1);
	CHECK(!host_is_dirty(t.as, t.va));
	check_end(&t);
}

static void protected_to_and_fro(struct throttled *t)
{
	CHECK_EQ(aspace_protect(t->as, t->second, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(aspace_protect(t->as, t->second, PAGE_SIZE, RW), 0);
}

TEST(dirty_retry_finds_it_changed_by_another_thread)
{
	check_retry(protected_to_and_fro);
}

static void cleaned(struct throttled *t)
{
	CHECK_EQ(file_clean(t->s.file, 1), 0);
	CHECK(!pte_is_writable(host_entry(t->as, t->second)));
}

/* It becomes dirty once more, and the fault does not throttle once more, or it would never end. */
TEST(dirty_retry_finds_it_clean_and_read_only)
{
	check_retry(cleaned);
}

static void dropped(struct throttled *t)
{
	CHECK_EQ(aspace_drop(t->as, t->second, PAGE_SIZE), 0);
}

TEST(dirty_retry_finds_it_gone)
{
	check_retry(dropped);
}

static void invalidated(struct throttled *t)
{
	CHECK_EQ(file_invalidate(t->s.file, 1, 1, FILE_KEEP), 0);
}

TEST(dirty_retry_finds_the_page_gone_too)
{
	check_retry(invalidated);
}

static void hinted(struct throttled *t)
{
	hint_mark(t->as, t->second, t->second + PAGE_SIZE);
	CHECK(pte_is_hint(host_entry(t->as, t->second)));
}

TEST(dirty_retry_finds_a_hint_entry)
{
	check_retry(hinted);
}

static void moved(struct throttled *t)
{
	struct migrate_stats stats;

	CHECK_EQ(host_migrate(t->as, t->second, 1, 1, &stats, NULL), 0);
	CHECK_EQ(host_page(t->as, t->second)->node, 1);
}

TEST(dirty_retry_finds_the_page_replaced)
{
	check_retry(moved);
}

static void unmapped(struct throttled *t)
{
	CHECK_EQ(aspace_unmap(t->as, t->second, PAGE_SIZE), 0);
}

static void sealed(struct throttled *t)
{
	CHECK_EQ(aspace_protect(t->as, t->second, PAGE_SIZE, PROT_READ), 0);
}

static void truncated(struct throttled *t)
{
	CHECK_EQ(file_truncate(t->s.file, 1), 0);
}

TEST(dirty_retry_that_is_not_allowed_any_more_fails)
{
	static void (*const takes[])(struct throttled * t) = {unmapped, sealed, truncated};

	for (unsigned i = 0; i < ARRAY_SIZE(takes); i++) {
		struct throttled t;

		setup(&t, takes[i]);
		CHECK(!write_second(&t));
		CHECK_EQ(COUNTED(&t, throttled), 1);
		knobs.dirty_pages = 0;
		t.s.in_write = NULL;
		CHECK(host_file_gone(&t.s, t.as, t.before));
	}
}

/* The last user but the fault lets go of the file while the fault writes back. */
static void file_given_up(struct throttled *t)
{
	CHECK_EQ(aspace_unmap(t->as, t->va, FILE_PAGES << PAGE_SHIFT), 0);
	object_put(t->s.file);
	CHECK_EQ(t->s.closes, 0);
}

TEST(dirty_fault_keeps_the_file_until_it_has_written_back)
{
	struct throttled t;

	setup(&t, file_given_up);
	CHECK(!write_second(&t));
	CHECK_EQ(t.s.closes, 1);
	CHECK_EQ(t.s.wrong, 0);
	knobs.dirty_pages = 0;
	t.s.file = NULL;
	aspace_destroy(t.as);
	CHECK_EQ(host_in_use(), t.before);
}

/* ---- the budget ------------------------------------------------------------------------ */

TEST(dirty_pages_are_counted_whoever_marks_and_cleans_them)
{
	struct test_store s = {0};
	vaddr_t va;
	u64 word = 5;

	host_mm();
	u64 before = host_in_use();
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va);
	struct migrate_stats stats;

	for (u64 i = 0; i < 4; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i + 1;
	*host_word(as, va, true) = 2; /* again */
	CHECK_EQ(s.file->dirty, 4);
	CHECK_EQ(file_write(s.file, 4 * PAGE_SIZE, &word, sizeof(word)), sizeof(word));
	CHECK_EQ(file_write(s.file, 3 * PAGE_SIZE, &word, sizeof(word)), sizeof(word));
	CHECK_EQ(s.file->dirty, 5);
	CHECK_EQ(host_migrate(as, va, 1, 1, &stats, NULL), 0);
	CHECK_EQ(s.file->dirty, 5);
	CHECK_EQ(file_clean(s.file, 0), 0);
	CHECK_EQ(s.file->dirty, 4);
	s.write_err = -EIO;
	CHECK_EQ(file_clean(s.file, 1), -EIO);
	s.write_err = 0;
	CHECK_EQ(s.file->dirty, 4);
	CHECK_EQ(file_invalidate(s.file, 1, 1, FILE_DISCARD), 0);
	CHECK_EQ(s.file->dirty, 3);
	CHECK_EQ(file_invalidate(s.file, 2, 1, FILE_KEEP), 0);
	CHECK_EQ(s.file->dirty, 2);
	CHECK_EQ(file_truncate(s.file, 4), 0);
	CHECK_EQ(s.file->dirty, 1);
	CHECK_EQ(file_sync(s.file), 0);
	CHECK_EQ(s.file->dirty, 0);
	CHECK(host_file_gone(&s, as, before));
}

/* The oldest go first, some more than must, and none that is within the budget. */
TEST(dirty_writers_write_back_the_oldest_and_leave_some_room)
{
	enum { BUDGET = 12, PAGES = 32 };
	struct test_store s = {0};
	vaddr_t va;

	host_mm();
	u64 before = host_in_use(), throttled = this_cpu_ptr(mm_counters)->throttled;
	struct aspace *as = host_file_space(&s, PAGES, RW, &va);

	knobs.dirty_pages = BUDGET;
	for (u64 i = 0; i < BUDGET; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i + 1;
	CHECK_EQ(s.writes, 0);
	*host_word(as, va + BUDGET * PAGE_SIZE, true) = BUDGET + 1;
	CHECK_EQ(s.writes, 4); /* one too many, and three for those to come */
	CHECK(!host_is_dirty(as, va + 3 * PAGE_SIZE));
	CHECK(host_is_dirty(as, va + 4 * PAGE_SIZE));
	for (u64 i = BUDGET + 1; i < PAGES; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i + 1;
	CHECK_EQ(this_cpu_ptr(mm_counters)->throttled - throttled, (PAGES - BUDGET) / 4);
	CHECK_EQ(s.file->dirty, BUDGET);
	knobs.dirty_pages = 0;
	CHECK(host_file_gone(&s, as, before));
}

TEST(dirty_writer_gives_up_where_nothing_can_be_written_back)
{
	struct test_store s = {0};
	struct page *page;
	vaddr_t va;

	host_mm();
	u64 before = host_in_use();
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va);

	knobs.dirty_pages = 1;
	*host_word(as, va, true) = 1;
	CHECK_EQ(aspace_pin(as, va, true, &page), 0);
	s.write_err = -EIO;
	*host_word(as, va + PAGE_SIZE, true) = 2;
	CHECK_EQ(s.file->dirty, 2);
	CHECK_EQ(s.writes, 1); /* page 1; page 0 is pinned */
	s.write_err = 0;
	*host_word(as, va + 2 * PAGE_SIZE, true) = 3; /* tried again, by whoever writes next */
	CHECK(host_is_dirty(as, va));
	page_put(page, PAGE_PIN);
	*host_word(as, va + 3 * PAGE_SIZE, true) = 4;
	CHECK(!host_is_dirty(as, va));
	CHECK_EQ(host_stored(&s, 0), 1);
	CHECK_EQ(s.file->dirty,
		 2); /* its own was next, and written back and made dirty again: that is allowed */
	knobs.dirty_pages = 0;
	CHECK(host_file_gone(&s, as, before));
}

TEST(dirty_writes_without_a_mapping_write_back_too)
{
	struct test_store s = {0};

	host_mm();
	u64 before = host_in_use(), throttled = this_cpu_ptr(mm_counters)->throttled;

	CHECK(host_file(&s, FILE_PAGES));
	knobs.dirty_pages = 2;
	for (u64 i = 1; i <= 4; i++)
		CHECK_EQ(file_write(s.file, (i - 1) * PAGE_SIZE, &i, sizeof(i)), sizeof(i));
	CHECK_EQ(this_cpu_ptr(mm_counters)->throttled - throttled, 2);
	CHECK_EQ(s.file->dirty, 2);
	CHECK_EQ(host_stored(&s, 1), 2);
	CHECK_EQ(host_stored(&s, 2), 0);
	knobs.dirty_pages = 0;
	CHECK(host_file_gone(&s, NULL, before));
}
