/* Page frames, by nodes: what each has, and how RAM becomes its free blocks at start-up. */
#include <mm/buddy.h>
#include <mm/early.h>
#include <mm/numa.h>
#include <kernel/option.h>
#include <kernel/panic.h>

struct pmm_node pmm_nodes[MAX_NODES];

/* ---- numbers ------------------------------------------------------------- */

u64 pmm_used(void)
{
	u64 used = 0;

	for (u32 node = 0; node < numa_node_count(); node++) {
		struct pmm_node_stats s;

		pmm_node_stats(node, &s);
		used += s.total - s.free - s.cached;
	}
	return used;
}

void pmm_owing_paid(void)
{
	for (u32 node = 0; node < numa_node_count(); node++) {
		struct pmm_node *n = &pmm_nodes[node];

		if (!load_relaxed(&n->owing))
			continue;
		spin_lock(&n->lock);
		buddy_paid(n);
		spin_unlock(&n->lock);
	}
}

void pmm_set_quarantined(u32 node, s64 delta)
{
	spin_lock(&pmm_nodes[node].lock);
	store_relaxed(&pmm_nodes[node].quarantined, pmm_nodes[node].quarantined + (u64)delta);
	ASSERT(pmm_nodes[node].quarantined <= pmm_nodes[node].total);
	spin_unlock(&pmm_nodes[node].lock);
}

bool pmm_node_has_memory(u32 node)
{
	return pmm_nodes[node].total;
}

bool pmm_is_short(u32 node, u64 more)
{
	struct pmm_node_stats s;

	pmm_node_stats(node, &s);
	return s.free + s.quarantined < s.watermark_low + more;
}

/* ---- where the frames are -------------------------------------------------- */

enum {
	RUNS = 32, /* in practice a few for each node */
	RUN_GAP = HUGE_SIZE / sizeof(struct page), /* frames; see note_run() */
};

/* Frames [first, end) that the allocator was given, and few others. Constant after start-up. */
static struct {
	u64 first, end;
	u32 node;
} runs[RUNS];
static unsigned run_count;

/*
 * Two with less than RUN_GAP frames between them are one: the page array is backed in pieces of that size, so it is
 * there for all in between. Where there is no more room for a run, pages of it are never reclaimed.
 */
static void note_run(u64 first, u64 end, u32 node)
{
	for (unsigned i = 0; i < run_count; i++)
		if (runs[i].node == node && first >= runs[i].end && first - runs[i].end < RUN_GAP) {
			runs[i].end = end;
			return;
		}
	if (run_count < RUNS && first < end) {
		runs[run_count].first = first;
		runs[run_count].end = end;
		runs[run_count++].node = node;
	}
}

struct page *pmm_frames_from(u32 node, u64 *pfn, u64 *count)
{
	u64 best = ~0UL, end = 0;

	for (unsigned i = 0; i < run_count; i++) {
		u64 first = MAX(runs[i].first, *pfn);

		if (runs[i].node == node && first < runs[i].end && first < best) {
			best = first;
			end = runs[i].end;
		}
	}
	*count = MIN(*count, end ? end - best : 0);
	*pfn = best;
	return end ? page_array + best : NULL;
}

/* ---- start-up ------------------------------------------------------------ */

/* RAM of one node, as the largest aligned blocks that it makes. */
static void add_free_run(paddr_t base, paddr_t end, u32 node)
{
	u64 pfn = ALIGN_UP(base, PAGE_SIZE) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	struct pmm_node *n = &pmm_nodes[node];

	for (u64 i = pfn; i < last; i++)
		page_array[i].node = (u8)node;
	note_run(pfn, last, node);
	while (pfn < last) {
		unsigned order = PMM_MAX_ORDER;

		while (pfn & ((1UL << order) - 1) || pfn + (1UL << order) > last)
			order--;
		n->total += 1UL << order;
		buddy_free(n, page_array + pfn, order, false);
		pfn += 1UL << order;
	}
}

/* A piece of RAM, cut where the node changes. */
static void add_free_memory(paddr_t base, u64 len)
{
	paddr_t end = base + len;

	while (base < end) {
		paddr_t stop;
		u32 node = numa_node_of(base, end, &stop);

		add_free_run(base, stop, node);
		base = stop;
	}
}

/* Small enough not to matter, large enough that tables and stacks never starve: 1/128, 32..4096 pages. */
static void set_watermarks(void)
{
	for (u32 i = 0; i < numa_node_count(); i++) {
		struct pmm_node *n = &pmm_nodes[i];

		n->watermark_min = MIN(MAX(n->total / 128, 32UL), 4096UL);
		n->watermark_low = n->watermark_min * 2;
	}
}

BOOT_OPTION(poison, "poison", "off|mark|full",
	    "what is written to freed pages: nothing, marks, all bytes");

static const char *const poison_names[] = {"off", "mark", "full", NULL};

void pmm_init(void)
{
	pmm_poison = (enum poison)option_choice("poison", poison_names, POISON_MARK);
	early_hand_over(add_free_memory);
	set_watermarks();
}
