/* Memory pressure for NUMA balancing: a node is filled, pages are placed by first touch, it is emptied. */
#include <harness/bench.h>
#include <harness/region.h>
#include <kernel/context.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/smp.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "memhog.h"
#include "victims.h"

/* ---- holding a node --------------------------------------------------------------- */

static void drain(void *arg)
{
	(void)arg;
	pmm_drain_caches();
}

/* Frames that are to be had on a node without its reserve. Those in caches are not counted. */
static u64 room_on(u32 node)
{
	struct pmm_node_stats s;

	pmm_node_stats(node, &s);
	return s.free > s.watermark_min ? s.free - s.watermark_min : 0;
}

static struct page *take_block(u32 node, u64 most)
{
	unsigned order = PMM_MAX_ORDER;
	struct page *page = NULL;

	while (1UL << order > most)
		order--;
	while (!page && (page = pmm_alloc(node, order, PMM_STRICT)) == NULL && order)
		order--;
	return page;
}

bool memhog_take(struct memhog *hog, u32 node, u64 room)
{
	u64 there;

	*hog = (struct memhog){.node = node};
	for_each_online_cpu (cpu)
		if (bench_run_on(cpu, NULL, drain, NULL))
			return false;
	while ((there = room_on(node)) > room) {
		struct page *page = take_block(node, there - room);

		if (!page)
			break;
		hog->frames += 1UL << page->order;
		page->next = hog->first;
		hog->first = page;
		pmm_drain_caches(); /* single frames come through this CPU's */
	}
	return true;
}

void memhog_leave(struct memhog *hog)
{
	while (hog->first) {
		struct page *page = hog->first;

		hog->first = page->next;
		pmm_free(page);
	}
	pmm_drain_caches();
}

/* ---- first touch -------------------------------------------------------------------- */

struct toucher {
	struct region *region;
	u64 first, pages; /* of its share */
	u64 stripe, shares;
	struct context *ctx;
	bool done;
};

/* By the area's policy, as a fault here would do; but a fault could not say that there is none. */
static bool touch_piece(const struct region *r, u64 first, u64 pages)
{
	vaddr_t va = r->base + (first << PAGE_SHIFT);

	if (aspace_populate(r->as, va, pages << PAGE_SHIFT, BOOT_NODE_NONE) < 0)
		return false;
	region_fill(r, first, pages);
	return true;
}

static void touch(void *arg)
{
	struct toucher *t = arg;
	u64 piece = t->stripe ? t->stripe : t->pages;

	t->done = true;
	for (u64 i = 0; i < t->pages && t->done; i += piece) {
		u64 page = striped_page(t->first + i, t->stripe, t->shares, t->pages);

		t->done = touch_piece(t->region, page, piece);
	}
}

static bool touch_all(struct bench *b, struct toucher *toucher, struct region *region,
		      unsigned regions, u64 share_pages)
{
	const struct bench_params *p = &b->params;
	bool done = true;

	for (unsigned i = 0; i < p->threads; i++) {
		struct toucher *t = &toucher[i];

		t->region = &region[i % regions];
		t->first = i / regions * share_pages;
		t->pages = share_pages;
		t->stripe = p->stripe;
		t->shares = p->threads / regions;
		t->ctx =
			context_spawn(p->cpu[i % p->cpu_count], "toucher", touch, t, t->region->as);
	}
	for (unsigned i = 0; i < p->threads; i++) {
		if (toucher[i].ctx)
			context_join(toucher[i].ctx);
		done = done && toucher[i].done;
	}
	return done;
}

int memhog_touch_first(struct bench *b, struct memhog *hog, u32 node, u64 room,
		       struct region *region, unsigned regions, u64 share_pages)
{
	size_t size = b->params.threads * sizeof(struct toucher);
	struct toucher *toucher = kmem.alloc(size, numa_node_of_cpu(cpu_id()));
	bool done = toucher;
	int rc = 0;

	for (unsigned i = 0; i < regions && done && !rc; i++)
		rc = region_empty(&region[i]);
	if (done && !rc) {
		done = memhog_take(hog, node, room) &&
		       touch_all(b, toucher, region, regions, share_pages);
		memhog_leave(hog);
	}
	for (unsigned i = 0; i < regions && done && !rc; i++)
		rc = region_refilled(&region[i], b->params.read_only);
	if (toucher)
		kmem.free(toucher, size);
	return done && !rc ? 0
			   : bench_fail(b, rc ? rc : -ENOMEM, "no memory to touch the pages first");
}
