/* Files and their stores: mapped, read and written by the kernel, cleaned; and stores that fail. */
#include "host_file.h"

#include <mm/fault.h>
#include <mm/hint.h>

/* ---- stores ---------------------------------------------------------------------------- */

TEST(store_pattern_is_larger_than_memory_and_tells_its_version)
{
	enum { FAR = 1 << 30 }; /* pages: 4 TiB */
	static u64 page[PAGE_SIZE / sizeof(u64)];

	host_mm();
	u64 before = host_in_use();
	struct store *s = pattern_store_create(7, FAR);

	CHECK_EQ(host_in_use(), before + 1);
	for (unsigned version = 0; version < 3; version++) {
		CHECK_EQ(s->ops->read(s, FAR - 1, page), 0);
		for (unsigned i = 0; i < ARRAY_SIZE(page); i++)
			CHECK_EQ(page[i], pattern_word(7, FAR - 1, version, i));
		CHECK_EQ(page[5] & 0xffff, version);
		CHECK_EQ(s->ops->write(s, FAR - 1, page), 0);
		CHECK_EQ(s->ops->write(s, FAR - 2, page), -EIO);
		pattern_store_step(s);
		CHECK_EQ(s->ops->write(s, FAR - 1, page), -EIO);
	}
	CHECK(pattern_word(7, 1, 0, 0) != pattern_word(8, 1, 0, 0));
	CHECK(pattern_word(7, 1, 0, 0) != pattern_word(7, 2, 0, 0));
	CHECK(pattern_word(7, 1, 0, 0) != pattern_word(7, 1, 0, 1));
	s->ops->close(s);
	CHECK_EQ(host_in_use(), before);
}

TEST(store_memory_keeps_pages_on_its_node_and_their_stamps_rise)
{
	static u64 page[PAGE_SIZE / sizeof(u64)], back[PAGE_SIZE / sizeof(u64)];

	host_mm();
	u64 before = host_in_use();
	struct pmm_node_stats was, is;
	struct store *s = memory_store_create(4, 1);

	pmm_drain_caches();
	pmm_node_stats(1, &was);
	CHECK_EQ(s->ops->read(s, 3, back), 0);
	CHECK_EQ(back[0] | back[511], 0);
	page[0] = 2;
	page[511] = 77;
	CHECK_EQ(s->ops->write(s, 3, page), 0);
	pmm_drain_caches();
	pmm_node_stats(1, &is);
	CHECK_EQ(is.free, was.free - 1);
	CHECK_EQ(s->ops->read(s, 3, back), 0);
	CHECK(!memcmp(page, back, PAGE_SIZE));
	page[0] = 1;
	CHECK_EQ(s->ops->write(s, 3, page), -EIO);
	CHECK_EQ(memory_store_word(s, 3, 0), 2);
	CHECK_EQ(memory_store_wrong(s), 1);
	CHECK_EQ(memory_store_change(s, 3, 9), 0);
	CHECK_EQ(s->ops->read(s, 3, back), 0);
	CHECK_EQ(back[0], 9);
	CHECK_EQ(back[511], 9);
	CHECK_EQ(memory_store_word(s, 0, 0), 0);
	s->ops->close(s);
	CHECK_EQ(host_in_use(), before);
}

static u64 no_time(const struct store *s __unused, u64 index __unused)
{
	return 0;
}

/* The clock stands still here: if it waited as long as the knob says, it would for ever. tests/unit has the rest. */
TEST(store_may_say_itself_how_long_it_takes)
{
	static const struct store_ops *of_test;
	struct store_ops quick;
	struct test_store s = {0};
	char err[80];

	host_mm();
	u64 before = host_in_use();
	struct page *page = pmm_alloc(0, 0, PMM_ZERO);

	host_file(&s, 1);
	of_test = s.store.ops;
	quick = *of_test;
	quick.takes_ns = no_time;
	s.store.ops = &quick;
	CHECK_EQ(knob_set("store_ns", "1000000000", "set", err, sizeof(err)), 0);
	CHECK_EQ(store_read(&s.store, 0, page), 0);
	CHECK_EQ(store_write(&s.store, 0, page), 0);
	CHECK_EQ(knob_set("store_ns", "0", "set", err, sizeof(err)), 0);
	s.store.ops = of_test;
	CHECK_EQ(store_read(&s.store, 0, page), 0);
	page_put(page, PAGE_REF);
	CHECK(host_file_gone(&s, NULL, before));
}

/* ---- mapped ------------------------------------------------------------------------------ */

TEST(file_pages_come_from_the_store_read_only_and_once)
{
	struct test_store s = {0};
	vaddr_t va;

	host_mm();
	u64 before = host_in_use(), read_in = this_cpu_ptr(mm_counters)->read_in;
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va), *b = aspace_create("b", 1);
	int err;
	vaddr_t vb = aspace_map(b, s.file, 1, 0, 2 * PAGE_SIZE, RW, false, 1, &err);

	memory_store_change(s.below, 1, 42);
	CHECK_EQ(*host_word(as, va + PAGE_SIZE, false), 42);
	CHECK(!pte_is_writable(host_entry(as, va + PAGE_SIZE)));
	CHECK(!host_is_dirty(as, va + PAGE_SIZE));
	CHECK_EQ(*host_word(b, vb, false), 42);
	CHECK(host_page(b, vb) == host_page(as, va + PAGE_SIZE));
	CHECK_EQ(s.reads, 1);
	CHECK_EQ(this_cpu_ptr(mm_counters)->read_in, read_in + 1);
	*host_word(b, vb, true) = 43;
	CHECK(host_is_dirty(as, va + PAGE_SIZE));
	CHECK(!pte_is_writable(host_entry(as, va + PAGE_SIZE)));
	CHECK_EQ(*host_word(as, va + PAGE_SIZE, true), 43);
	CHECK_EQ(host_stored(&s, 1), 42);
	CHECK_EQ(file_close(s.file), -EBUSY); /* mapped */
	aspace_destroy(b);
	CHECK(host_file_gone(&s, as, before));
	CHECK_EQ(s.writes, 1); /* what was dirty was written at the end */
}

/* A first access that writes maps the page writable at once. */
TEST(file_page_that_is_written_first_takes_one_fault)
{
	struct test_store s = {0};
	vaddr_t va;

	host_mm();
	u64 before = host_in_use();
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va);

	CHECK(fault_handle(as, va, true, false));
	CHECK(pte_is_writable(host_entry(as, va)));
	CHECK(host_is_dirty(as, va));
	CHECK(host_file_gone(&s, as, before));
}

TEST(file_entries_get_write_access_from_faults_alone)
{
	struct test_store s = {0};
	vaddr_t va;

	host_mm();
	u64 before = host_in_use();
	struct aspace *as = host_file_space(&s, FILE_PAGES, PROT_READ, &va);

	CHECK(!host_word(as, va, true));
	CHECK(host_word(as, va, false));
	CHECK_EQ(aspace_protect(as, va, 2 * PAGE_SIZE, RW), 0);
	CHECK(!pte_is_writable(host_entry(as, va)));
	*host_word(as, va, true) = 1;
	CHECK(host_is_dirty(as, va));
	CHECK_EQ(aspace_populate(as, va, FILE_PAGES * PAGE_SIZE, 0), FILE_PAGES);
	CHECK(!pte_is_writable(host_entry(as, va + PAGE_SIZE)));
	/* Neither by a hint entry that is given access back. */
	CHECK_EQ(file_sync(s.file), 0);
	hint_mark(as, va, va + PAGE_SIZE);
	CHECK_EQ(aspace_protect(as, va, 2 * PAGE_SIZE, RW), 0);
	CHECK(!pte_is_writable(pte_from_hint(host_entry(as, va))));
	CHECK(host_file_gone(&s, as, before));
}

/* ---- by the kernel -------------------------------------------------------------------------- */

TEST(file_is_read_and_written_across_pages_and_seen_by_mappings)
{
	static u64 out[3 * 512], in[3 * 512];
	struct test_store s = {0};
	vaddr_t va;

	host_mm();
	u64 before = host_in_use(), len = 2 * PAGE_SIZE;
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va);

	for (unsigned i = 0; i < ARRAY_SIZE(out); i++)
		out[i] = 1000 + i;
	CHECK_EQ(file_write(s.file, PAGE_SIZE + 8, out, len), len);
	CHECK_EQ(host_word(as, va + PAGE_SIZE, false)[1], 1000);
	CHECK_EQ(host_word(as, va + 3 * PAGE_SIZE, false)[0], 1000 + 1023);
	CHECK_EQ(host_word(as, va + 3 * PAGE_SIZE, false)[1], 0);
	CHECK_EQ(host_word(as, va + 2 * PAGE_SIZE, false)[0], 1000 + 511);
	CHECK(host_is_dirty(as, va + 2 * PAGE_SIZE));
	CHECK(!pte_is_writable(host_entry(as, va + PAGE_SIZE)));
	host_word(as, va + 2 * PAGE_SIZE, true)[3] = 5;
	CHECK_EQ(file_read(s.file, PAGE_SIZE + 8, in, len), len);
	out[511 + 3] = 5;
	CHECK(!memcmp(out, in, len));
	/* Where the file ends. */
	CHECK_EQ(file_read(s.file, (FILE_PAGES - 1) * PAGE_SIZE, in, len), PAGE_SIZE);
	CHECK_EQ(file_write(s.file, FILE_PAGES * PAGE_SIZE, out, len), 0);
	CHECK_EQ(file_read(s.file, FILE_PAGES * PAGE_SIZE, in, 8), 0);
	CHECK(host_file_gone(&s, as, before));
	CHECK_EQ(s.writes, 3);
}

TEST(file_on_a_pattern_is_read_by_mappings_and_by_the_kernel)
{
	host_mm();
	u64 before = host_in_use(), word;
	struct object *file = file_create(pattern_store_create(3, 1UL << 20));
	struct aspace *as = aspace_create("pattern", 0);
	int err;
	vaddr_t va = aspace_map(as, file, 1000, 0, 4 * PAGE_SIZE, PROT_READ, false, 0, &err);

	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(host_word(as, va + i * PAGE_SIZE, false)[9],
			 pattern_word(3, 1000 + i, 0, 9));
	CHECK_EQ(file_read(file, (77UL << PAGE_SHIFT) + 16, &word, 8), 8);
	CHECK_EQ(word, pattern_word(3, 77, 0, 2));
	pattern_store_step(file->store);
	CHECK_EQ(host_word(as, va, false)[9], pattern_word(3, 1000, 0, 9));
	CHECK_EQ(file_invalidate(file, 0, file->page_count, FILE_KEEP), 0);
	CHECK_EQ(host_word(as, va, false)[9], pattern_word(3, 1000, 1, 9));
	aspace_destroy(as);
	CHECK_EQ(file_close(file), 0);
	CHECK_EQ(host_in_use(), before);
}

/* ---- errors ---------------------------------------------------------------------------------- */

TEST(file_whose_store_cannot_read_fails_the_access_alone)
{
	struct test_store s = {.read_err = -EIO};
	vaddr_t va;
	u64 word;

	host_mm();
	u64 before = host_in_use(), errors = this_cpu_ptr(mm_counters)->store_errors;
	struct aspace *as = host_file_space(&s, FILE_PAGES, RW, &va);

	CHECK(!host_word(as, va, false));
	CHECK(!host_word(as, va, true));
	CHECK_EQ(file_read(s.file, 0, &word, 8), -EIO);
	CHECK_EQ(file_write(s.file, 0, &word, 8), -EIO);
	CHECK_EQ(this_cpu_ptr(mm_counters)->store_errors, errors + 4);
	s.read_err = 0;
	memory_store_change(s.below, 0, 6);
	CHECK_EQ(file_read(s.file, 0, &word, 8), 8);
	CHECK_EQ(word, 6);
	CHECK_EQ(*host_word(as, va, false), 6);
	CHECK(host_file_gone(&s, as, before));
}

/* Everything that allocates, with so many frames left. True: it went through. */
static bool use_file(unsigned left)
{
	struct test_store s = {0};
	u64 word = 5, used = host_in_use();
	bool done = false;
	vaddr_t va = 0;
	int err;

	host_take_all(left);
	struct object *file = host_file(&s, 2 * OBJECT_CHUNK);
	struct aspace *as = file ? aspace_create("file", 0) : NULL;

	if (as)
		va = aspace_map(as, file, 0, 0, 4 * PAGE_SIZE, RW, false, 0, &err);
	if (va) {
		s64 wrote = file_write(file, 0, &word, 8);
		bool mapped = fault_handle(as, va + PAGE_SIZE, true, false);

		check_that(wrote == 8 || wrote == -ENOMEM, __FILE__, __LINE__, "wrote");
		err = file_sync(file);
		check_that(!err || err == -EIO, __FILE__, __LINE__, "sync");
		check_that(err || wrote != 8 || host_stored(&s, 0) == 5, __FILE__, __LINE__,
			   "kept");
		done = wrote == 8 && mapped && !err;
	}
	host_give_back();
	if (as)
		aspace_destroy(as);
	/* What could not be written then is now. */
	if (file)
		check_equal(file_close(file), 0, __FILE__, __LINE__, "file_close()");
	check_equal(host_in_use(), used, __FILE__, __LINE__, "in use");
	return done;
}

TEST(file_without_memory_at_any_point_loses_nothing)
{
	unsigned left = 0;

	host_mm();
	while (!use_file(left) && left < 512)
		left++;
	CHECK(left > 6 && left < 512); /* page tables, slots, pages and the store's frames */
}
