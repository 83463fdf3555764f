/*
 * Page frames: a buddy allocator per node, per-CPU caches of single pages in
 * front. A cache is touched by its own CPU in task context only, and contexts
 * of one CPU switch only where they ask to, so a cache needs no lock.
 */
#include <mm/pmm.h>
#include <mm/buddy.h>
#include <mm/numa.h>
#include <mm/oracle.h>
#include <mm/deferral.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/string.h>

enum {
	CACHE_BATCH_ORDER = 6, /* 64 pages per trip to the node's lock */
	CACHE_HIGH = 256, /* pages a CPU keeps per node; over that it gives half of them back */
	CACHE_LOW = 192, /* the same while the node is below its low watermark */
	CACHE_SHARE =
		4, /* then a CPU takes at most one part in so many of what is above the min watermark */
};

struct pmm_cache {
	struct page *first; /* linked by next */
	u64 count;
};
static PERCPU(struct pmm_cache[MAX_NODES], pmm_caches);

/*
 * Caches stay empty until every CPU has its own, so that none is ever copied
 * with pages in it.
 */
static unsigned cache_batch_order;

/*
 * Pages a cache may hold of each node. 0 while the node lives on its reserve: what
 * lies in a cache is anybody's, so a freed frame goes back to the node at once.
 * Written under the node's lock, read without: a page that is cached just then
 * was free above the watermark a moment before.
 */
static u64 cache_high[MAX_NODES];

void pmm_enable_caches(void)
{
	cache_batch_order = CACHE_BATCH_ORDER;
	for (u32 node = 0; node < numa_node_count(); node++)
		cache_high[node] = CACHE_HIGH;
}

/* The node's free pages have changed. Its lock is held. */
static inline void set_cache_high(struct pmm_node *n)
{
	u64 high = CACHE_HIGH;

	if (unlikely(n->free_pages < n->watermark_low))
		high = n->free_pages < n->watermark_min ? 0 : CACHE_LOW;
	if (cache_batch_order)
		store_relaxed(&cache_high[n - pmm_nodes], high);
}

enum poison pmm_poison = POISON_MARK;

void (*pmm_low)(u32 node);

/* ---- frames that are released ---------------------------------------------- */

/* A stale reader of this frame finds poison where a workload's canary was. how: pmm_poison. */
static inline void poison_frames(struct page *page, unsigned order, enum poison how)
{
	u64 *word = page_to_virt(page);

	_Static_assert(POISON_MARK_WORDS == 4,
		       "written one by one: this is on the path of every move");
	if (likely(how == POISON_MARK))
		word[0] = word[1] = word[2] = word[3] = POISON_WORD;
	else if (how == POISON_FULL)
		for (u64 i = 0; i < (PAGE_SIZE << order) / sizeof(u64); i++)
			word[i] = POISON_WORD;
}

/* The oracle looks at frames that get new contents or owners. `unmap` is the OR of theirs, `words` the sum. */
static __always_inline void release(struct page **pages, unsigned n, u64 unmap, u64 words)
{
	if (likely(oracle_checks() && n))
		oracle_release(pages, n, unmap, words);
}

/* Frames that owed and are paid for. */
static void release_and_poison(struct page **pages, unsigned n)
{
	u64 unmap = 0, words = 0;

	for (unsigned i = 0; i < n; i++) {
		unmap |= pages[i]->unmap;
		words += pages[i]->unmap_word;
	}
	release(pages, n, unmap, words);
	for (unsigned i = 0; i < n; i++) {
		store_relaxed(&pages[i]->flags, 0U);
		store_relaxed(&pages[i]->refs, 0UL); /* as free_one(): from here on anybody's */
		poison_frames(pages[i], 0, pmm_poison);
	}
}

/* Was it freed with its flush unpaid? */
static inline bool owes(const struct page *page)
{
	return load_relaxed(&page->flags) & PG_OWES;
}

/* Those of a block that owe are paid for: they are like others from now on. */
static __noinline void end_owing(struct pmm_node *n, struct page *first, u64 frames)
{
	struct page *batch[64];
	unsigned found = 0;

	for (struct page *page = first; page < first + frames; page++) {
		if (owes(page))
			batch[found++] = page;
		if (found == ARRAY_SIZE(batch) || page == first + frames - 1) {
			release_and_poison(batch, found);
			atomic_fetch_add_relaxed(&n->owing, -(u64)found);
			found = 0;
		}
	}
}

/*
 * Frames left their node's lists and are nobody's yet: those that owe are paid
 * for, looked at by the oracle and poisoned, in this order.
 */
static __noinline void pay_leaving(struct pmm_node *n, struct page *first, u64 frames)
{
	u64 start = cycles_now();

	for (struct page *page = first; page < first + frames; page++)
		if (owes(page)) {
			deferral_frames_leave(first, frames);
			count_add(wait_allocator, cycles_now() - start);
			end_owing(n, first, frames);
			return;
		}
}

/* All that is free on this node. */
static void end_owing_of(struct pmm_node *n)
{
	spin_lock(&n->lock);
	buddy_paid(n);
	for (unsigned o = 0; o <= PMM_MAX_ORDER; o++)
		for (struct page *block = n->free[o].first; block; block = block->next)
			if (block->owes) {
				end_owing(n, block, 1UL << o);
				block->owes = 0;
			}
	spin_unlock(&n->lock);
}

void pmm_owing_end(void)
{
	for (u32 node = 0; node < numa_node_count(); node++)
		if (load_relaxed(&pmm_nodes[node].owing))
			end_owing_of(&pmm_nodes[node]);
}

/* ---- per-CPU caches ------------------------------------------------------ */

/* A block becomes single cached pages, the lowest address on top. */
static void cache_add_block(struct pmm_cache *cache, struct page *block, unsigned order)
{
	for (struct page *page = block + (1UL << order); page-- > block;) {
		store_relaxed(&page->state, (u8)PAGE_CACHED);
		page->order = 0;
		page->next = cache->first;
		cache->first = page;
	}
	cache->count += 1UL << order;
}

/* Start-up is over: CPUs take interrupts, deferrals may be in force. */
static inline bool running(void)
{
	return cache_batch_order;
}

/* A block of the largest size from *order down to `least` that there is, or NULL. It has left the allocator. */
static struct page *take_block(struct pmm_node *n, unsigned *order, unsigned least, u64 floor)
{
	struct page *block = NULL;

	/* What leaves may have to be paid for first. */
	if (likely(running()))
		ASSERT_MAY_WAIT();
	spin_lock(&n->lock);
	if (likely(n->free_pages >= floor + (1UL << *order)))
		block = buddy_alloc(n, *order, false);
	if (unlikely(!block))
		block = pmm_find_block(n, order, least, floor);
	set_cache_high(n);
	spin_unlock(&n->lock);
	if (block && unlikely(load_relaxed(&n->owing)))
		pay_leaving(n, block, 1UL << *order);
	return block;
}

/* What lies in a cache no other CPU can have: of few frames it gets a share, and at least one. */
static unsigned refill_order(struct pmm_node *n)
{
	unsigned order = cache_batch_order;

	if (likely(load_relaxed(&cache_high[n - pmm_nodes]) == CACHE_HIGH))
		return order;
	spin_lock(&n->lock);
	while (order && n->free_pages < n->watermark_min + (CACHE_SHARE << order))
		order--;
	spin_unlock(&n->lock);
	return order;
}

/* Fill this CPU's cache of a node. False: there is no memory under these rules. */
static __noinline bool cache_refill(struct pmm_cache *cache, u32 node, unsigned flags)
{
	struct pmm_node *n = &pmm_nodes[node];
	unsigned order = refill_order(n);
	struct page *block = take_block(n, &order, 0, n->watermark_min);

	/* From the reserve one at a time: what lies in the cache is anybody's. */
	if (!block && flags & PMM_RESERVE) {
		order = 0;
		block = take_block(n, &order, 0, 0);
	}
	if (block)
		cache_add_block(cache, block, order);
	if (unlikely(load_relaxed(&cache_high[node]) < CACHE_HIGH) && pmm_low)
		pmm_low(node);
	return cache->first;
}

/* Frames [first, last] go back as the largest aligned blocks they make. */
static void free_run(struct pmm_node *n, struct page *first, struct page *last)
{
	u64 pfn = (u64)(first - page_array), end = (u64)(last - page_array) + 1;

	while (pfn < end) {
		unsigned order = (unsigned)__builtin_ctzl(pfn | 1UL << PMM_MAX_ORDER);

		while (pfn + (1UL << order) > end)
			order--;
		buddy_free(n, page_array + pfn, order, false);
		pfn += 1UL << order;
	}
}

/* What was freed in order of address comes off the cache in reverse: neighbours merge before the buddy sees them. */
static void cache_shrink(struct pmm_cache *cache, u32 node, u64 keep)
{
	struct pmm_node *n = &pmm_nodes[node];

	spin_lock(&n->lock);
	while (cache->count > keep) {
		struct page *last = cache->first, *first = last, *page = last->next;
		u64 left = cache->count - keep;

		while (--left && page == first - 1) {
			first = page;
			page = page->next;
		}
		cache->first = page;
		cache->count -= (u64)(last - first) + 1;
		free_run(n, first, last);
	}
	set_cache_high(n);
	spin_unlock(&n->lock);
}

void pmm_drain_caches(void)
{
	for (u32 node = 0; node < numa_node_count(); node++)
		cache_shrink(&(*this_cpu_ptr(pmm_caches))[node], node, 0);
}

/* ---- allocation ---------------------------------------------------------- */

/* A free block becomes a page in use. */
static inline struct page *take(struct page *page)
{
	store_relaxed(&page->state, (u8)PAGE_USED);
	/* A fault may look at it by an older entry, and looks again: cow_reuse(). */
	store_relaxed(&page->flags, 0U);
	page->object = NULL;
	page->mapcount = 0;
	page->unmap = 0;
	/* Release: all this; pairs with page_get() of reclaim, which comes to frames by their number. */
	store_release(&page->refs, PAGE_REF);
	return page;
}

/* A block of more than one frame, without going through a cache. */
static __noinline struct page *alloc_block(u32 node, unsigned order, unsigned flags)
{
	struct pmm_node *n = &pmm_nodes[node];

	ASSERT(order <= PMM_MAX_ORDER);
	/* Mostly nothing is held back. What is paid for comes to this CPU's caches, where it merges with nothing. */
	if (unlikely(load_relaxed(&n->quarantined)) && pmm_pay_for_block(node, order))
		pmm_drain_caches();
	struct page *page =
		take_block(n, &order, order, flags & PMM_RESERVE ? 0 : n->watermark_min);

	return page ? take(page) : NULL;
}

/* From this node without paying; NULL: no memory there. */
static __always_inline struct page *alloc_on(u32 node, unsigned order, unsigned flags)
{
	struct pmm_cache *cache = &(*this_cpu_ptr(pmm_caches))[node];

	if (unlikely(order))
		return alloc_block(node, order, flags);
	if (unlikely(!cache->first) && !cache_refill(cache, node, flags))
		return NULL;
	struct page *page = cache->first;

	cache->first = page->next;
	cache->count--;
	return take(page);
}

/* For pmm_alloc_slowly(). */
static struct page *attempt(u32 node, unsigned order, unsigned flags)
{
	if (order) /* frames in this CPU's caches merge with nothing, and what was paid for came to them */
		pmm_drain_caches();
	return alloc_on(node, order, flags);
}

/* The short path has the same arguments at hand, and keeps nothing else for this. */
static __noinline struct page *alloc_elsewhere(u32 node, unsigned order, unsigned flags)
{
	return pmm_alloc_slowly(attempt, node, order, flags);
}

static __noinline struct page *zeroed(struct page *page)
{
	for (u64 i = 0; page && i < 1UL << page->order; i++)
		zero_page(page_to_virt(page + i));
	return page;
}

struct page *pmm_alloc(u32 node, unsigned order, unsigned flags)
{
	MAY_WAIT();
	struct page *page = alloc_on(node, order, flags);

	if (unlikely(!page))
		page = alloc_elsewhere(node, order, flags);
	if (!(flags & PMM_ZERO))
		return page;
	if (unlikely(!page || order))
		return zeroed(page);
	zero_page(page_to_virt(page));
	return page;
}

unsigned pmm_alloc_bulk(u32 node, unsigned flags, struct page **out, unsigned n)
{
	unsigned got = 0;

	while (got < n && (out[got] = pmm_alloc(node, 0, flags)))
		got++;
	return got;
}

/* ---- free ---------------------------------------------------------------- */

/* The oracle has agreed. From here on the block is anybody's. */
static __noinline void free_block(struct page *page)
{
	struct pmm_node *n = &pmm_nodes[page->node];

	poison_frames(page, page->order, pmm_poison);
	store_relaxed(&page->refs, 0);
	spin_lock(&n->lock);
	buddy_free(n, page, page->order, false);
	spin_unlock(&n->lock);
}

/* The same for n single frames of this node, at least one: to this CPU's cache. */
static __always_inline void free_to_cache(struct page **pages, unsigned n, u32 node)
{
	struct pmm_cache *cache = &(*this_cpu_ptr(pmm_caches))[node];
	struct page *first = cache->first, **at = pages;
	enum poison how = pmm_poison;

	do {
		struct page *page = *at;

		poison_frames(page, 0, how);
		store_relaxed(&page->refs, 0);
		store_relaxed(&page->state, (u8)PAGE_CACHED);
		page->next = first;
		first = page;
	} while (++at < pages + n);
	cache->first = first;
	cache->count += n;
	u64 high = load_relaxed(&cache_high[node]);

	if (unlikely(cache->count > high))
		cache_shrink(cache, node, high / 2);
}

static __always_inline void free_one(struct page *page)
{
	if (likely(!page->order))
		free_to_cache(&page, 1, page->node);
	else
		free_block(page);
}

static __noinline void check_held_back(const struct page *page)
{
	if (page->state != PAGE_QUARANTINE)
		panic("frame %#lx freed in state %u", page_to_phys(page), page->state);
}

static inline void check_freed(const struct page *page)
{
	if (unlikely(page->state != PAGE_USED))
		check_held_back(page);
}

void pmm_free_bulk(struct page **pages, unsigned n)
{
	const struct page like = {.state = PAGE_USED, .node = n ? pages[0]->node : 0},
			  compared = {.state = 0xff, .order = 0xff, .node = 0xff};
	u32 others = 0; /* bits of blocks, of other nodes' frames, and of other states */
	u64 unmap = 0, words = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct page *page = pages[i];

		others |= page->kind ^ like.kind;
		if (ORACLE_BUILT) { /* with check=off too: a test would cost as much */
			unmap |= page->unmap;
			words += page->unmap_word;
		}
	}
	others &= compared.kind;
	for (unsigned i = 0; unlikely(others) && i < n; i++)
		check_freed(pages[i]);
	/* Before any of them is free: a 2 MiB page is its node's at once, and anybody's next. */
	release(pages, n, unmap, words);
	if (likely(n && !others))
		free_to_cache(pages, n, like.node);
	else
		for (unsigned i = 0; i < n; i++)
			free_one(pages[i]);
}

void pmm_free(struct page *page)
{
	check_freed(page);
	release(&page, 1, page->unmap, page->unmap_word);
	free_one(page);
}

void pmm_free_owing(struct page *page)
{
	struct pmm_node *n = &pmm_nodes[page->node];
	u64 count = 1UL << page->order;
	u32 flags = PG_OWES | (load_relaxed(&page->flags) & PG_ALIASED);

	check_freed(page);
	ASSERT(!load_relaxed(&page->mapcount));
	/*
	 * Nobody's by now; the store that tells so is for when it leaves. The lock orders the rest; acquire is the
	 * weakest exchange there is.
	 */
	atomic_xchg_acquire(&page->refs, 0UL);
	/* Each frame has the record: the block may be taken apart before it leaves. */
	for (struct page *frame = page; frame < page + count; frame++) {
		frame->unmap = page->unmap;
		frame->unmap_word = page->unmap_word;
		frame->debt = page->debt;
		store_relaxed(&frame->flags, (u32)PG_OWES);
	}
	store_relaxed(&page->flags, flags);
	atomic_fetch_add_relaxed(&n->owing, count);
	spin_lock(&n->lock);
	buddy_free(n, page, page->order, true);
	spin_unlock(&n->lock);
}

/* ---- numbers ------------------------------------------------------------- */

void pmm_node_stats(u32 node, struct pmm_node_stats *stats)
{
	struct pmm_node *n = &pmm_nodes[node];

	memset(stats, 0, sizeof(*stats));
	spin_lock(&n->lock);
	stats->total = n->total;
	stats->free = n->free_pages;
	stats->quarantined = n->quarantined;
	stats->owing = load_relaxed(&n->owing);
	stats->watermark_min = n->watermark_min;
	stats->watermark_low = n->watermark_low;
	for (unsigned o = 0; o <= PMM_MAX_ORDER; o++)
		stats->free_blocks[o] = n->free[o].count + n->unpaid[o].count;
	spin_unlock(&n->lock);
	for_each_online_cpu (cpu)
		stats->cached += load_guess(&(*cpu_ptr(cpu, pmm_caches))[node].count);
}
