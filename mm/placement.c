/* Placement: from which node an area's new pages come. */
#include <mm/aspace.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <kernel/panic.h>

/* From the nearest node of the area's that has one. */
static struct page *alloc_bound(const struct area *area, unsigned order, unsigned flags)
{
	unsigned n;
	const u8 *nodes = pmm_fallback_order(numa_node_of_cpu(cpu_id()), &n);
	struct page *page = NULL;

	for (unsigned i = 0; i < n && !page; i++)
		if (area->nodes >> nodes[i] & 1)
			page = pmm_alloc(nodes[i], order, flags | PMM_STRICT);
	return page;
}

/* Bits that are set. */
static u64 count_nodes(u64 nodes)
{
	u64 n = 0;

	for (; nodes; nodes &= nodes - 1)
		n++;
	return n;
}

/* The index-th of the area's nodes, which take turns. 2 MiB pages count as one. */
static u32 interleaved(const struct area *area, u64 index)
{
	u64 left = area->nodes;

	ASSERT(left);
	for (u64 turns = index % count_nodes(area->nodes); turns; turns--)
		left &= left - 1;
	return (u32)__builtin_ctzl(left);
}

/* Where one node is not enough to say it. */
static __noinline struct page *alloc_placed(const struct area *area, u64 index, unsigned order,
					    unsigned flags)
{
	if (area->placement == PLACE_BIND)
		return alloc_bound(area, order, flags);
	return pmm_alloc(interleaved(area, index >> order), order, flags);
}

struct page *area_alloc_page(const struct area *area, u64 index, unsigned order, unsigned flags)
{
	if (unlikely(area->placement != PLACE_PREFERRED))
		return alloc_placed(area, index, order, flags);
	return pmm_alloc(numa_resolve(area->node), order, flags);
}
