/*
 * `swap_loop`: each page of anonymous memory is read and written in turn, again and again, and half of
 * them is more than there is memory for: so each access finds its page in swap. A lap finds what the last
 * one wrote.
 *
 * What memory has more than half of the pages take is held, in whatever machine.
 */
#include <kernel/error.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/swap.h>
#include "scale.h"

enum {
	LAST = PAGE_SIZE / sizeof(u64) - 1, /* the other word of a page that is written */
	SPARE = 64, /* frames for tables, stacks and slots of the tasks */
};

static int begin(struct scale_task *t)
{
	return t->base ? 0 : scale_map_anonymous(t);
}

/* What the last lap wrote, or nothing is there yet. */
static u64 written(const struct scale_task *t, u64 page)
{
	const struct scale_task last = {.id = t->id, .lap = t->lap - 1};

	return t->lap > 1 ? scale_stamp(&last, page) : 0;
}

static int op(struct scale_task *t, u64 page)
{
	u64 *words = scale_page(t, page);

	scale_expect(t, page, load_relaxed(&words[0]), written(t, page));
	if (t->run->verify && load_relaxed(&words[LAST]) != written(t, page))
		scale_note_wrong(t, page, load_relaxed(&words[LAST]), written(t, page));
	store_relaxed(&words[0], scale_stamp(t, page));
	store_relaxed(&words[LAST], scale_stamp(t, page));
	return 0;
}

/* The memory stays: the next lap goes on with it. */
static int end(struct scale_task *t)
{
	(void)t;
	return 0;
}

/* Swap gets its store, of as many pages as all tasks have; and what is left of memory is half of that. */
static int enter(struct bench *b, struct scale *run)
{
	u64 pages = run->tasks * b->params.pages, nodes = 0;
	struct store *store = swap_store_create(pages, BOOT_NODE_NONE);
	int err = store ? swap_on(store) : -ENOMEM;

	if (err) {
		if (store)
			store->ops->close(store);
		return bench_fail(b, err, "no memory for a store of %lu pages", pages);
	}
	run->swap = store;
	for (u32 node = 0; node < numa_node_count(); node++)
		nodes += pmm_node_has_memory(node);
	for (u32 node = 0; node < numa_node_count(); node++)
		if (pmm_node_has_memory(node) &&
		    !memhog_take(&run->hog[node], node, (pages / 2 + SPARE) / nodes))
			return bench_fail(b, -ENOMEM, "a CPU keeps frames");
	return 0;
}

static void leave(struct bench *b, struct scale *run)
{
	for (u32 node = 0; node < numa_node_count(); node++)
		memhog_leave(&run->hog[node]);
	if (!run->swap)
		return;
	b->damaged += swap_store_wrong(run->swap) + swap_references();
	swap_off();
}

SCALE_TEST(swap_loop,
	   "read and write pages of anonymous memory in turn, twice as many as there is room for",
	   "reclaim_batch defer", .pages = 1024, .operation = "page read, written and swapped",
	   .begin = begin, .op = op, .end = end, .swaps = true, .enter = enter, .leave = leave);
