/* Files for host tests: see host_file.h. */
#include "host_file.h"

#include <mm/fault.h>
#include <mm/kmem.h>
#include <mm/reclaim.h>
#include <mm/swap.h>

static struct test_store *of(struct store *s)
{
	return container_of(s, struct test_store, store);
}

static bool locked(const struct rwlock *lock)
{
	return lock->arrived != lock->left || lock->arrived & RWLOCK_BITS;
}

static void look_for_locks(struct test_store *s)
{
	s->wrong += s->as && locked(&s->as->lock);
	s->wrong += s->file && locked(&s->file->lock);
}

static int test_read(struct store *store, u64 index, void *to)
{
	struct test_store *s = of(store);

	s->reads++;
	look_for_locks(s);
	return s->read_err ? s->read_err : s->below->ops->read(s->below, index, to);
}

static int test_write(struct store *store, u64 index, const void *from)
{
	struct test_store *s = of(store);

	s->writes++;
	look_for_locks(s);
	if (s->write_err)
		return s->write_err;
	if (s->in_write)
		s->in_write(s->arg);
	return s->below->ops->write(s->below, index, from);
}

static void test_close(struct store *store)
{
	struct test_store *s = of(store);

	s->closes++;
	s->wrong += s->swaps ? swap_store_wrong(s->below) : memory_store_wrong(s->below);
	s->below->ops->close(s->below);
}

static const struct store_ops ops = {
	.name = "test", .read = test_read, .write = test_write, .close = test_close};

struct object *host_file(struct test_store *s, u64 pages)
{
	host_mm();
	s->below = memory_store_create(pages, 1);
	if (!s->below)
		return NULL;
	s->store = (struct store){.ops = &ops, .page_count = pages};
	s->file = file_create(&s->store);
	if (!s->file)
		s->below->ops->close(s->below);
	return s->file;
}

bool host_swap(struct test_store *s, u64 pages)
{
	host_mm();
	*s = (struct test_store){.swaps = true};
	s->below = swap_store_create(pages, 1);
	if (!s->below)
		return false;
	s->store = (struct store){.ops = &ops, .page_count = pages};
	if (!swap_on(&s->store))
		return true;
	s->below->ops->close(s->below);
	return false;
}

bool host_swap_gone(struct test_store *s)
{
	return check_equal(swap_references(), 0, __FILE__, __LINE__, "references") &&
	       check_equal(swap_off(), 0, __FILE__, __LINE__, "swap_off()") &&
	       check_equal(s->closes, 1, __FILE__, __LINE__, "closes") &&
	       check_equal(s->wrong, 0, __FILE__, __LINE__, "wrong");
}

struct aspace *host_file_space(struct test_store *s, u64 pages, prot_t prot, vaddr_t *va)
{
	int err;

	host_file(s, pages);
	s->as = aspace_create("file", 0);
	*va = aspace_map(s->as, s->file, 0, 0, pages << PAGE_SHIFT, prot, false, 0, &err);
	aspace_load(s->as);
	return s->as;
}

u64 host_in_use(void)
{
	return pmm_used() - kmem_pages_kept() + kmem_objects_in_use();
}

bool host_file_gone(struct test_store *s, struct aspace *as, u64 in_use_before)
{
	struct object *file = s->file;

	if (as)
		aspace_destroy(as);
	s->as = NULL;
	s->file = NULL;
	return check_equal(file_close(file), 0, __FILE__, __LINE__, "file_close()") &&
	       check_equal(s->closes, 1, __FILE__, __LINE__, "closes") &&
	       check_equal(s->wrong, 0, __FILE__, __LINE__, "wrong") &&
	       check_equal(host_in_use(), in_use_before, __FILE__, __LINE__, "in use");
}

u64 host_stored(struct test_store *s, u64 index)
{
	return memory_store_word(s->below, index, 0);
}

pte_t host_entry(struct aspace *as, vaddr_t va)
{
	return pte_load(pgwalk_find(as->root, va, 0).ptep);
}

bool host_is_dirty(struct aspace *as, vaddr_t va)
{
	return host_page(as, va)->flags & PG_DIRTY;
}

static struct page *taken[HOST_NODES * HOST_NODE_PAGES];
static unsigned taken_count;

void host_take_all(unsigned left)
{
	struct page *page;

	taken_count = 0;
	pmm_reclaim = NULL;
	while (taken_count < ARRAY_SIZE(taken) && (page = pmm_alloc(0, 0, PMM_RESERVE)))
		taken[taken_count++] = page;
	while (left-- && taken_count)
		page_put(taken[--taken_count], PAGE_REF);
}

void host_give_back(void)
{
	pmm_reclaim = reclaim_pages;
	while (taken_count)
		page_put(taken[--taken_count], PAGE_REF);
}

void host_leave_frames(unsigned frames)
{
	struct page *page = NULL;

	for (unsigned below = 0; !page; below++) { /* the watermark */
		host_take_all(below);
		page = pmm_alloc(0, 0, PMM_NO_RECLAIM);
		if (page) {
			page_put(page, PAGE_REF);
			frames += below;
		}
		host_give_back();
	}
	host_take_all(frames);
	pmm_reclaim = reclaim_pages;
}
