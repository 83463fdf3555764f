/* Cleaning: what is written is taken from every mapping first, and nothing that is written is lost. */
#include "host_file.h"

#include <mm/change.h>
#include <mm/fault.h>
#include <mm/hint.h>

/* A file of one dirty page, mapped in two spaces, writable in both. */
struct pair {
	struct test_store s;
	struct aspace *as, *b;
	vaddr_t va, vb;
	u64 before;
};

static void setup(struct pair *p)
{
	int err;

	*p = (struct pair){0};
	host_mm();
	p->before = host_in_use();
	p->as = host_file_space(&p->s, FILE_PAGES, RW, &p->va);
	p->b = aspace_create("b", 1);
	p->vb = aspace_map(p->b, p->s.file, 0, 0, FILE_PAGES * PAGE_SIZE, RW, false, 1, &err);
	*host_word(p->as, p->va, true) = 1;
	*host_word(p->b, p->vb, true) = 2;
}

static bool gone(struct pair *p)
{
	aspace_destroy(p->b);
	return host_file_gone(&p->s, p->as, p->before);
}

TEST(clean_takes_write_access_everywhere_and_the_next_write_is_noticed)
{
	struct pair p;

	setup(&p);
	u64 flushes = this_cpu_ptr(mm_counters)->shootdowns;

	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK_EQ(this_cpu_ptr(mm_counters)->shootdowns, flushes + 1);
	CHECK_EQ(host_stored(&p.s, 0), 2);
	CHECK(!host_is_dirty(p.as, p.va));
	CHECK(!pte_is_writable(host_entry(p.as, p.va)) && !pte_is_dirty(host_entry(p.as, p.va)));
	CHECK(!pte_is_writable(host_entry(p.b, p.vb)) && !pte_is_dirty(host_entry(p.b, p.vb)));
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK_EQ(p.s.writes, 1); /* it was clean */
	*host_word(p.b, p.vb, true) = 3;
	CHECK(host_is_dirty(p.b, p.vb));
	CHECK(pte_is_dirty(host_entry(p.b, p.vb)));
	CHECK_EQ(file_sync(p.s.file), 0);
	CHECK_EQ(host_stored(&p.s, 0), 3);
	CHECK_EQ(file_clean(p.s.file, 1), -ENOENT);
	CHECK_EQ(file_clean(p.s.file, FILE_PAGES - 1), -ENOENT);
	CHECK(gone(&p));
}

TEST(clean_changes_hint_entries_too)
{
	struct pair p;

	setup(&p);
	hint_mark(p.b, p.vb, p.vb + PAGE_SIZE);
	CHECK(pte_is_hint(host_entry(p.b, p.vb)));
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK(pte_is_hint(host_entry(p.b, p.vb)));
	CHECK(!pte_is_writable(pte_from_hint(host_entry(p.b, p.vb))));
	CHECK(!pte_is_dirty(pte_from_hint(host_entry(p.b, p.vb))));
	host_word(p.b, p.vb, true); /* makes it accessible, for reading */
	*host_word(p.b, p.vb, true) = 9;
	CHECK(host_is_dirty(p.as, p.va));
	CHECK(gone(&p));
}

/* A migration that fails now finds its entry as it has become. */
TEST(clean_changes_migration_entries_too)
{
	struct pair p;

	setup(&p);
	struct pt_pos pos = pgwalk_find(p.b->root, p.vb, 0);
	pte_t moving = pte_mk_migration(pte_load(pos.ptep), 0);
	u64 flushes = this_cpu_ptr(mm_counters)->shootdowns;

	file_clean(p.s.file, 0);
	CHECK_EQ(this_cpu_ptr(mm_counters)->shootdowns, flushes + 1);
	host_word(p.b, p.vb, true); /* the only writable one */
	pte_store(pos.ptep, moving);
	flushes = this_cpu_ptr(mm_counters)->shootdowns;
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK_EQ(this_cpu_ptr(mm_counters)->shootdowns, flushes + 1);
	CHECK(pte_is_migration(pte_load(pos.ptep)));
	pte_t leaf = pte_from_migration(pte_load(pos.ptep), page_to_phys(host_page(p.as, p.va)), 0);

	CHECK(!pte_is_writable(leaf) && !pte_is_dirty(leaf));
	pte_store(pos.ptep, leaf);
	CHECK(gone(&p));
}

/* An entry that has been lowered already is flushed as long as who lowered it has not. */
TEST(clean_flushes_what_unmap_and_protect_still_owe)
{
	struct pair p;

	setup(&p);
	file_clean(p.s.file, 0);
	struct page *page = host_page(p.as, p.va);
	u64 flushes = this_cpu_ptr(mm_counters)->shootdowns;

	page_mark_dirty(page);
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK_EQ(this_cpu_ptr(mm_counters)->shootdowns, flushes);
	page_mark_dirty(page);
	p.b->owing++;
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	p.b->owing--;
	CHECK_EQ(this_cpu_ptr(mm_counters)->shootdowns, flushes + 1);
	CHECK_EQ(aspace_drop(p.b, p.vb, PAGE_SIZE), 0);
	CHECK_EQ(p.b->owing, 0);
	CHECK_EQ(aspace_protect(p.as, p.va, PAGE_SIZE, PROT_READ), 0);
	CHECK_EQ(p.as->owing, 0);
	CHECK(gone(&p));
}

TEST(clean_page_that_the_store_refuses_stays_dirty_and_is_tried_again)
{
	struct pair p;
	u64 errors, written;

	setup(&p);
	errors = this_cpu_ptr(mm_counters)->store_errors;
	written = this_cpu_ptr(mm_counters)->written_back;
	p.s.write_err = -EIO;
	CHECK_EQ(file_clean(p.s.file, 0), -EIO);
	CHECK(host_is_dirty(p.as, p.va));
	CHECK_EQ(file_sync(p.s.file), -EIO);
	CHECK_EQ(this_cpu_ptr(mm_counters)->store_errors, errors + 2);
	CHECK_EQ(*host_word(p.as, p.va, false), 2);
	p.s.write_err = 0;
	CHECK_EQ(file_sync(p.s.file), 0);
	CHECK_EQ(this_cpu_ptr(mm_counters)->written_back, written + 1);
	CHECK_EQ(host_stored(&p.s, 0), 2);
	CHECK(gone(&p));
}

TEST(clean_leaves_a_pinned_page_dirty)
{
	struct pair p;
	struct page *page;

	setup(&p);
	CHECK_EQ(aspace_pin(p.as, p.va, true, &page), 0);
	CHECK_EQ(file_clean(p.s.file, 0), -EBUSY);
	CHECK(host_is_dirty(p.as, p.va));
	CHECK_EQ(p.s.writes, 0);
	*(u64 *)page_to_virt(page) = 77; /* as a device does */
	page_put(page, PAGE_PIN);
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK_EQ(host_stored(&p.s, 0), 77);
	CHECK(page_isolate(page));
	page_mark_dirty(page);
	CHECK_EQ(file_clean(p.s.file, 0), -EBUSY); /* being moved */
	page_end_isolation(page);
	CHECK(gone(&p));
}

/* ---- while the store has it ------------------------------------------------------------------ */

static u64 moved_under_writeback;

static void use_under_writeback(void *arg)
{
	struct pair *p = arg;
	struct page *page = host_page(p->as, p->va);
	struct migrate_stats stats;
	u64 word;

	/* Readers go on; nobody gets write access. */
	CHECK(page->flags & PG_LOCKED);
	CHECK(!page_begin_write(page));
	CHECK(!host_is_dirty(p->as, p->va));
	CHECK_EQ(*host_word(p->b, p->vb, false), 2);
	CHECK_EQ(file_read(p->s.file, 0, &word, 8), 8);
	CHECK_EQ(word, 2);
	/* A first access that writes is mapped for reading, and would wait the next time. */
	CHECK_EQ(aspace_drop(p->b, p->vb, PAGE_SIZE), 0);
	CHECK(fault_handle(p->b, p->vb, true, false));
	CHECK(!pte_is_writable(host_entry(p->b, p->vb)));
	moved_under_writeback = host_migrate(p->as, p->va, 1, 1, &stats, NULL);
	CHECK_EQ(stats.failed[MIGRATE_WRITEBACK], 1);
	CHECK(!(page->flags & PG_ISOLATED));
}

TEST(clean_page_under_writeback_is_read_but_not_written_or_moved)
{
	struct pair p;

	setup(&p);
	p.s.in_write = use_under_writeback;
	p.s.arg = &p;
	moved_under_writeback = 99;
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK_EQ(moved_under_writeback, 1);
	p.s.in_write = NULL;
	CHECK(gone(&p));
}

static void scribble(void *arg)
{
	struct pair *p = arg;

	/* What cannot happen but by a mistake. The store sees it. */
	*(u64 *)page_to_virt(host_page(p->as, p->va)) = 4;
}

TEST(store_that_is_handed_an_older_page_refuses_it)
{
	struct pair p;

	setup(&p);
	CHECK_EQ(memory_store_change(p.s.below, 0, 5), 0);
	p.s.in_write = scribble;
	p.s.arg = &p;
	CHECK_EQ(file_clean(p.s.file, 0), -EIO);
	CHECK_EQ(memory_store_wrong(p.s.below), 1);
	p.s.in_write = NULL;
	*host_word(p.as, p.va, true) = 6;
	p.s.wrong--; /* that one was meant */
	CHECK(gone(&p));
}

TEST(dirty_page_moves_and_is_still_dirty)
{
	struct pair p;
	struct migrate_stats stats;

	setup(&p);
	CHECK_EQ(host_migrate(p.as, p.va, 1, 1, &stats, NULL), 0);
	CHECK_EQ(host_page(p.as, p.va)->node, 1);
	CHECK(host_is_dirty(p.as, p.va));
	CHECK_EQ(file_sync(p.s.file), 0);
	CHECK_EQ(host_migrate(p.as, p.va, 1, 0, &stats, NULL), 0);
	CHECK(!host_is_dirty(p.as, p.va));
	CHECK_EQ(host_stored(&p.s, 0), 2);
	CHECK(gone(&p));
}

/* ---- who is told -------------------------------------------------------------------------------- */

struct listener {
	struct change_subscriber s;
	unsigned begun, ended, taken, writable;
	int refuse;
};

static int begin(struct change_subscriber *s, const struct change *change)
{
	struct listener *l = container_of(s, struct listener, s);

	if (l->refuse && change->why != CHANGE_UNMAP)
		return l->refuse;
	l->begun++;
	return 0;
}

static void taken(struct change_subscriber *s, vaddr_t va __unused, unsigned level, pte_t old,
		  struct tlb_gather *gather)
{
	struct listener *l = container_of(s, struct listener, s);

	l->taken += level == 0 && gather;
	l->writable += pte_is_writable(old);
}

static void end(struct change_subscriber *s, const struct change *change __unused)
{
	container_of(s, struct listener, s)->ended++;
}

TEST(clean_tells_subscribers_of_every_space_and_may_be_refused)
{
	struct listener l = {.s = {.begin = begin, .taken = taken, .end = end}};
	struct pair p;

	setup(&p);
	CHECK_EQ(change_subscribe(p.b, &l.s), 0);
	l.refuse = -EBUSY;
	CHECK_EQ(file_clean(p.s.file, 0), -EBUSY);
	CHECK(host_is_dirty(p.as, p.va));
	CHECK_EQ(p.s.writes + l.begun + l.taken, 0);
	l.refuse = 0;
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK_EQ(l.begun, 1);
	CHECK_EQ(l.ended, 1);
	CHECK_EQ(l.taken, 1);
	CHECK_EQ(l.writable, 0); /* it lost that: see change_subscriber.taken */
	change_unsubscribe(p.b, &l.s);
	CHECK(gone(&p));
}

/* More mappings than a gather has contexts, and than changes are noted. */
TEST(clean_page_that_many_spaces_map)
{
	enum { MANY = 20 };
	struct listener l[MANY] = {0};
	struct aspace *more[MANY];
	vaddr_t va[MANY];
	struct pair p;
	int err;

	setup(&p);
	for (unsigned i = 0; i < MANY; i++) {
		l[i].s = (struct change_subscriber){.begin = begin, .taken = taken, .end = end};
		more[i] = aspace_create("more", 0);
		va[i] = aspace_map(more[i], p.s.file, 0, 0, PAGE_SIZE, RW, false, 0, &err);
		*host_word(more[i], va[i], true) = 10 + i;
		CHECK_EQ(change_subscribe(more[i], &l[i].s), 0);
	}
	CHECK_EQ(file_clean(p.s.file, 0), 0);
	CHECK_EQ(host_stored(&p.s, 0), 10 + MANY - 1);
	for (unsigned i = 0; i < MANY; i++) {
		CHECK(!pte_is_writable(host_entry(more[i], va[i])));
		CHECK_EQ(l[i].begun + l[i].ended + l[i].taken, 3);
		change_unsubscribe(more[i], &l[i].s);
	}
	CHECK_EQ(file_invalidate(p.s.file, 0, 1, FILE_KEEP), 0);
	for (unsigned i = 0; i < MANY; i++) {
		CHECK(pte_is_none(host_entry(more[i], va[i])));
		aspace_destroy(more[i]);
	}
	CHECK(gone(&p));
}
