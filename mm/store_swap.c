/*
 * A store for anonymous pages that leave memory. Its frames are reserved when it is made: pages are written when
 * no frame is free. Each page that it is given is summed before and after it is copied, and when it is read.
 */
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/store.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/string.h>

struct kept {
	struct page *frame;
	u64 sum;
};

struct swap_store {
	struct store store;
	u64 wrong; /* atomic */
	struct kept *pages; /* each is used by one access at a time: whose page it is */
};

static struct swap_store *swap(const struct store *s)
{
	return container_of(s, struct swap_store, store);
}

static int fails(struct swap_store *m)
{
	atomic_fetch_add_relaxed(&m->wrong, 1UL);
	return -EIO;
}

static int swap_read(struct store *s, u64 index, void *to)
{
	const struct kept *kept = &swap(s)->pages[index];

	memcpy(to, page_to_virt(kept->frame), PAGE_SIZE);
	return store_sum(to) == kept->sum ? 0 : fails(swap(s));
}

/* Summed apart from the copy, so that a page which changes at any time of it is found. */
static int swap_write(struct store *s, u64 index, const void *from)
{
	struct kept *kept = &swap(s)->pages[index];
	u64 before = store_sum(from);

	memcpy(page_to_virt(kept->frame), from, PAGE_SIZE);
	kept->sum = store_sum(page_to_virt(kept->frame));
	return kept->sum == before && store_sum(from) == before ? 0 : fails(swap(s));
}

static void swap_close(struct store *s)
{
	struct swap_store *m = swap(s);

	for (u64 i = 0; i < s->page_count && m->pages[i].frame; i++)
		page_put(m->pages[i].frame, PAGE_REF);
	kmem.free(m->pages, s->page_count * sizeof(*m->pages));
	kmem.free(m, sizeof(*m));
}

static const struct store_ops swap_ops = {
	.name = "swap", .read = swap_read, .write = swap_write, .close = swap_close};

u64 swap_store_wrong(const struct store *s)
{
	return load_relaxed(&swap(s)->wrong);
}

static bool reserve(struct swap_store *m, u32 node)
{
	for (u64 i = 0; i < m->store.page_count; i++) {
		m->pages[i].frame = pmm_alloc(node, 0, PMM_FALLBACK | PMM_NO_RECLAIM);
		if (!m->pages[i].frame)
			return false;
	}
	return true;
}

struct store *swap_store_create(u64 page_count, u32 node)
{
	struct swap_store *m = kmem.alloc(sizeof(*m), BOOT_NODE_NONE);

	if (!m)
		return NULL;
	m->store = (struct store){.ops = &swap_ops, .page_count = page_count};
	m->pages = kmem.alloc(page_count * sizeof(*m->pages), BOOT_NODE_NONE);
	if (m->pages && reserve(m, numa_resolve(node)))
		return &m->store;
	if (m->pages)
		swap_close(&m->store);
	else
		kmem.free(m, sizeof(*m));
	return NULL;
}
