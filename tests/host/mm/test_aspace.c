/* Address spaces: mapping, faults, protection, dropping, pins, and that everything is given back. */
#include "host_mm.h"

#include <fake/machine.h>
#include <kernel/error.h>
#include <mm/fault.h>
#include <mm/hint.h>
#include <mm/kmem.h>
#include <mm/mm.h>

#define RW (PROT_READ | PROT_WRITE)

static u64 in_use(void)
{
	return pmm_used() - kmem_pages_kept() + kmem_objects_in_use();
}

TEST(aspace_gives_everything_back)
{
	vaddr_t va;

	host_mm();
	u64 before = in_use();
	struct aspace *as = host_space(600, RW, false, 1, &va);

	CHECK(as);
	for (u64 i = 0; i < 600; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	for (u64 i = 0; i < 600; i++) {
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), i);
		CHECK_EQ(host_page(as, va + i * PAGE_SIZE)->node, 1);
	}
	CHECK(in_use() >= before + 600);
	aspace_destroy(as);
	CHECK_EQ(in_use(), before);
}

TEST(aspace_unmap_takes_pages_and_tables)
{
	vaddr_t va;

	struct aspace *as = host_space(1024, RW, false, 0, &va);

	CHECK(as);
	u64 before = in_use();

	for (u64 i = 0; i < 1024; i += 3)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	CHECK_EQ(aspace_unmap(as, va, 512 * PAGE_SIZE), 0);
	CHECK(!host_word(as, va, false));
	CHECK(!aspace_find(as, va + 511 * PAGE_SIZE));
	CHECK(aspace_find(as, va + 512 * PAGE_SIZE));
	CHECK_EQ(pgwalk_find(as->root, va, 0).level, 1);
	CHECK_EQ(*host_word(as, va + 513 * PAGE_SIZE, false), 513);
	CHECK_EQ(aspace_unmap(as, va + 512 * PAGE_SIZE, 512 * PAGE_SIZE), 0);
	CHECK(in_use() < before + 4); /* tables above the leaves may stay */
	aspace_destroy(as);
}

TEST(aspace_unmap_of_the_middle_splits)
{
	vaddr_t va;

	struct aspace *as = host_space(30, RW, false, 0, &va);

	for (u64 i = 0; i < 30; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	CHECK_EQ(aspace_unmap(as, va + 10 * PAGE_SIZE, 10 * PAGE_SIZE), 0);
	for (u64 i = 0; i < 30; i++) {
		u64 *word = host_word(as, va + i * PAGE_SIZE, false);

		CHECK_EQ(!word, i >= 10 && i < 20);
		if (word)
			CHECK_EQ(*word, i);
	}
	aspace_destroy(as);
}

/* Each right by itself, each way, in accessible and in hint entries; what an entry knows of its page stays. */
TEST(aspace_protect_of_every_pair_of_rights)
{
	static const prot_t prots[] = {PROT_READ, RW, PROT_READ | PROT_EXEC, RW | PROT_EXEC};
	vaddr_t va;

	for (unsigned from = 0; from < ARRAY_SIZE(prots); from++)
		for (unsigned to = 0; to < ARRAY_SIZE(prots); to++)
			for (unsigned hint = 0; hint < 2; hint++) {
				struct aspace *as = host_space(2, prots[from], false, 0, &va);

				CHECK(host_word(as, va, prots[from] & PROT_WRITE));
				const pte_t *ptep = aspace_entry(as, va);

				if (hint)
					hint_mark(as, va, va + PAGE_SIZE);
				CHECK_EQ(aspace_protect(as, va, 2 * PAGE_SIZE, prots[to]), 0);
				CHECK_EQ(pte_is_hint(*ptep), hint);
				pte_t leaf = hint ? pte_from_hint(*ptep) : *ptep;

				CHECK_EQ(pte_prot(leaf), prots[to]);
				CHECK_EQ(pte_is_dirty(leaf),
					 !!((prots[from] | prots[to]) & PROT_WRITE));
				CHECK_EQ(fault_handle(as, va, true, false),
					 !!(prots[to] & PROT_WRITE));
				CHECK_EQ(fault_handle(as, va, false, true),
					 !!(prots[to] & PROT_EXEC));
				CHECK_EQ(pte_prot(*ptep), prots[to]);
				aspace_destroy(as);
			}
}

/* A clean writable entry that only becomes executable stays clean. */
TEST(aspace_protect_keeps_clean_entries_clean)
{
	vaddr_t va;
	struct aspace *as = host_space(1, RW, false, 0, &va);

	CHECK(host_word(as, va, true));
	pt_change(pgwalk_find(as->root, va, 0).ptep, pte_mk_clean);
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW | PROT_EXEC), 0);
	CHECK(pte_is_writable(*aspace_entry(as, va)) && !pte_is_dirty(*aspace_entry(as, va)));
	aspace_destroy(as);
}

TEST(aspace_rights_that_are_not_an_areas_are_refused)
{
	vaddr_t va;
	struct aspace *as = host_space(1, RW, false, 0, &va);
	int err;

	CHECK(!aspace_map(as, NULL, 0, 0, PAGE_SIZE, RW | PROT_GLOBAL, false, 0, &err));
	CHECK_EQ(err, -EINVAL);
	CHECK(!aspace_map(as, NULL, 0, 0, PAGE_SIZE, RW | PROT_DEVICE, false, 0, &err));
	CHECK_EQ(err, -EINVAL);
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW | PROT_GLOBAL), -EINVAL);
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, RW | PROT_USER), -EINVAL);
	aspace_destroy(as);
}

TEST(aspace_protect_both_ways)
{
	vaddr_t va;

	struct aspace *as = host_space(70, RW, false, 0, &va);

	for (u64 i = 0; i < 70; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i;
	CHECK_EQ(aspace_protect(as, va, 70 * PAGE_SIZE, PROT_READ), 0);
	CHECK(!host_word(as, va + 69 * PAGE_SIZE, true));
	CHECK_EQ(*host_word(as, va + 69 * PAGE_SIZE, false), 69);
	CHECK_EQ(aspace_protect(as, va + 69 * PAGE_SIZE, PAGE_SIZE, RW), 0);
	CHECK(host_word(as, va + 69 * PAGE_SIZE, true));
	CHECK(!host_word(as, va + 68 * PAGE_SIZE, true));
	CHECK_EQ(aspace_protect(as, va, PAGE_SIZE, PROT_WRITE), -EINVAL);
	aspace_destroy(as);
}

TEST(aspace_drop_reads_zero_and_frees)
{
	vaddr_t va;

	struct aspace *as = host_space(100, RW, false, 0, &va);
	u64 before;

	for (u64 i = 0; i < 100; i++)
		*host_word(as, va + i * PAGE_SIZE, true) = i + 1;
	before = in_use();
	CHECK_EQ(aspace_drop(as, va, 100 * PAGE_SIZE), 0);
	CHECK_EQ(in_use(), before - 100);
	for (u64 i = 0; i < 100; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), 0);
	aspace_destroy(as);
}

TEST(aspace_map_refuses_nonsense)
{
	vaddr_t va;
	int err;

	struct aspace *as = host_space(8, RW, false, 0, &va);

	CHECK(!aspace_map(as, NULL, 0, va + 1, PAGE_SIZE, RW, false, 0, &err));
	CHECK_EQ(err, -EINVAL);
	CHECK(!aspace_map(as, NULL, 0, va + PAGE_SIZE, PAGE_SIZE, RW, false, 0, &err));
	CHECK_EQ(err, -EEXIST);
	CHECK(!aspace_map(as, NULL, 0, PT_VA_LOW_END, PAGE_SIZE, RW, false, 0, &err));
	CHECK_EQ(err, -EINVAL);
	CHECK(!aspace_map(as, NULL, 0, 0, PAGE_SIZE, PROT_WRITE, false, 0, &err));
	CHECK_EQ(err, -EINVAL);
	aspace_destroy(as);
}

TEST(aspace_object_mapped_twice_is_one_memory)
{
	vaddr_t a;
	int err;

	struct aspace *as = host_space(4, RW, false, 0, &a);
	struct object *obj = object_create(16);
	vaddr_t b = aspace_map(as, obj, 0, 0, 16 * PAGE_SIZE, RW, false, 0, &err);
	vaddr_t c = aspace_map(as, obj, 4, 0, 8 * PAGE_SIZE, PROT_READ, false, 0, &err);

	CHECK(b && c);
	*host_word(as, b + 5 * PAGE_SIZE, true) = 55;
	CHECK_EQ(*host_word(as, c + PAGE_SIZE, false), 55);
	CHECK(host_page(as, c + PAGE_SIZE) == host_page(as, b + 5 * PAGE_SIZE));
	CHECK_EQ(host_page(as, c + PAGE_SIZE)->mapcount, 2);
	CHECK(!host_word(as, c + PAGE_SIZE, true));
	object_put(obj);
	aspace_destroy(as);
}

TEST(aspace_huge_pages)
{
	vaddr_t va;
	int err;

	host_mm();
	u64 before = in_use();
	struct aspace *as = host_space(2 * HUGE_PAGES, RW, true, 0, &va);

	CHECK(as);
	*host_word(as, va + 0x5008, true) = 9;
	CHECK_EQ(pgwalk_find(as->root, va, 0).level, 1);
	CHECK_EQ(host_page(as, va)->order, HUGE_ORDER);
	CHECK_EQ(*host_word(as, va + 0x5008, false), 9);
	CHECK_EQ(aspace_populate(as, va, 2 * HUGE_SIZE, 1), 2 * HUGE_PAGES);
	CHECK_EQ(host_page(as, va)->node, 0);
	CHECK_EQ(host_page(as, va + HUGE_SIZE)->node, 1);
	/* Nobody else maps their object, in either size. */
	CHECK(!aspace_map(as, aspace_find(as, va)->object, 0, 0, HUGE_SIZE, RW, true, 0, &err));
	CHECK_EQ(err, -EINVAL);
	CHECK(!aspace_map(as, aspace_find(as, va)->object, 0, 0, PAGE_SIZE, RW, false, 0, &err));
	CHECK_EQ(err, -EINVAL);
	aspace_destroy(as);
	CHECK_EQ(in_use(), before);
}

TEST(aspace_pin_finds_the_page_and_keeps_it)
{
	struct page *page;
	vaddr_t va;

	struct aspace *as = host_space(2, RW, false, 0, &va);

	CHECK_EQ(aspace_pin(as, va, true, &page), 0);
	CHECK(page == host_page(as, va));
	CHECK_EQ(page_pins(page), 1);
	CHECK_EQ(aspace_unmap(as, va, PAGE_SIZE), 0);
	CHECK_EQ(page_pins(page), 1); /* unmapped, yet ours */
	page_put(page, PAGE_PIN);
	CHECK_EQ(aspace_pin(as, va, true, &page), -EFAULT);
	aspace_destroy(as);
}

TEST(fault_needs_an_area_and_its_rights)
{
	vaddr_t va;

	struct aspace *as = host_space(2, PROT_READ, false, 0, &va);

	CHECK(fault_handle(as, va, false, false));
	CHECK(!fault_handle(as, va, true, false));
	CHECK(!fault_handle(as, va, false, true));
	CHECK(!fault_handle(as, va + 2 * PAGE_SIZE, false, false));
	aspace_destroy(as);
}

TEST(more_tables_than_one_gather_holds_are_freed)
{
	enum { TABLES = 70 };
	vaddr_t va;
	struct aspace *as = host_space(TABLES * HUGE_PAGES, PROT_READ | PROT_WRITE, false, 0, &va);
	u64 used = pmm_used();

	for (u64 i = 0; i < TABLES; i++)
		*host_word(as, va + i * HUGE_SIZE, true) = i;
	CHECK(pmm_used() >= used + 2 * TABLES);
	CHECK_EQ(aspace_unmap(as, va, TABLES * HUGE_SIZE), 0);
	CHECK(pmm_used() <= used + 2); /* the levels above stay */
	aspace_destroy(as);
}
