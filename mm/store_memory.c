/* A store that keeps its pages in frames of a node, and checks what it is given. */
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/store.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/string.h>

/* What is stored of a page. NULL: it was never written and is zeroes. */
struct stored {
	struct page *frame;
	u64 sum;
};

struct memory_store {
	struct store store;
	u32 node;
	u64 wrong; /* atomic */
	struct spinlock lock; /* `pages` of all, and their contents */
	struct stored *pages;
};

static struct memory_store *memory(struct store *s)
{
	return container_of(s, struct memory_store, store);
}

static int fails(struct memory_store *m)
{
	atomic_fetch_add_relaxed(&m->wrong, 1UL);
	return -EIO;
}

static int memory_read(struct store *s, u64 index, void *to)
{
	struct memory_store *m = memory(s);
	struct stored *stored = &m->pages[index];

	spin_lock(&m->lock);
	u64 sum = stored->sum;

	if (stored->frame)
		memcpy(to, page_to_virt(stored->frame), PAGE_SIZE);
	else
		memset(to, 0, PAGE_SIZE);
	bool right = !stored->frame || store_sum(to) == sum;

	spin_unlock(&m->lock);
	return right ? 0 : fails(m);
}

/* The frame of a page, allocated if there is none. Without the lock, as the allocator may wait. */
static struct page *frame_for(struct memory_store *m, u64 index)
{
	struct stored *stored = &m->pages[index];

	if (load_relaxed(&stored->frame))
		return stored->frame;
	struct page *fresh = pmm_alloc(m->node, 0, PMM_FALLBACK | PMM_ZERO | PMM_NO_RECLAIM);

	if (!fresh)
		return NULL;
	spin_lock(&m->lock);
	if (!stored->frame) {
		stored->frame = fresh;
		stored->sum = store_sum(page_to_virt(fresh));
		fresh = NULL;
	}
	spin_unlock(&m->lock);
	if (fresh)
		page_put(fresh, PAGE_REF);
	return stored->frame;
}

/*
 * The sums are taken apart from the copy, so that a page which changes at any time of it is found.
 * Lock held.
 */
static bool take_page(struct stored *stored, const u64 *from)
{
	u64 *to = page_to_virt(stored->frame), before = store_sum(from);

	if (*from < *to) /* its stamp goes back */
		return false;
	memcpy(to, from, PAGE_SIZE);
	stored->sum = store_sum(to);
	return stored->sum == before && store_sum(from) == before;
}

static int memory_write(struct store *s, u64 index, const void *from)
{
	struct memory_store *m = memory(s);

	if (!frame_for(m, index))
		return -EIO;
	spin_lock(&m->lock);
	bool right = take_page(&m->pages[index], from);

	spin_unlock(&m->lock);
	return right ? 0 : fails(m);
}

int memory_store_change(struct store *s, u64 index, u64 word)
{
	struct memory_store *m = memory(s);
	struct page *frame = frame_for(m, index);

	if (!frame)
		return -ENOMEM;
	u64 *to = page_to_virt(frame);

	store_begins_to_change(s);
	spin_lock(&m->lock);
	for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		to[i] = word;
	m->pages[index].sum = store_sum(to);
	spin_unlock(&m->lock);
	return 0;
}

u64 memory_store_wrong(const struct store *s)
{
	return load_relaxed(&memory((struct store *)s)->wrong);
}

u64 memory_store_word(struct store *s, u64 index, unsigned place)
{
	struct memory_store *m = memory(s);

	spin_lock(&m->lock);
	const struct page *frame = m->pages[index].frame;
	u64 word = frame ? ((const u64 *)page_to_virt(frame))[place] : 0;

	spin_unlock(&m->lock);
	return word;
}

static void memory_close(struct store *s)
{
	struct memory_store *m = memory(s);

	for (u64 i = 0; i < s->page_count; i++)
		if (m->pages[i].frame)
			page_put(m->pages[i].frame, PAGE_REF);
	kmem.free(m->pages, s->page_count * sizeof(*m->pages));
	kmem.free(m, sizeof(*m));
}

static const struct store_ops memory_ops = {
	.name = "memory",
	.read = memory_read,
	.write = memory_write,
	.close = memory_close,
};

struct store *memory_store_create(u64 page_count, u32 node)
{
	struct memory_store *m = kmem.alloc(sizeof(*m), BOOT_NODE_NONE);

	if (!m)
		return NULL;
	m->store = (struct store){.ops = &memory_ops, .page_count = page_count};
	m->node = numa_resolve(node);
	m->pages = kmem.alloc(page_count * sizeof(*m->pages), m->node);
	if (m->pages)
		return &m->store;
	kmem.free(m, sizeof(*m));
	return NULL;
}
