/* NUMA topology as mm needs it; a copy of what discovery found, read-only after start-up. */
#include <mm/numa.h>
#include <mm/pmm.h>
#include <kernel/panic.h>
#include <kernel/smp.h>

static const struct bootinfo *info;
static u8 fallback[MAX_NODES][MAX_NODES];

/* Insertion sort of all nodes by distance from `node`; ties by number. */
static void sort_by_distance(u32 node)
{
	u8 *order = fallback[node];
	unsigned n = 0;

	for (u32 i = 0; i < info->node_count; i++) {
		unsigned at = n++;

		while (at > 0 && i != node &&
		       (order[at - 1] != node &&
			numa_distance(node, order[at - 1]) > numa_distance(node, i))) {
			order[at] = order[at - 1];
			at--;
		}
		if (i == node)
			for (; at > 0; at--)
				order[at] = order[at - 1];
		order[at] = (u8)i;
	}
}

void numa_init(const struct bootinfo *bi)
{
	ASSERT(bi->node_count && bi->node_count <= MAX_NODES);
	info = bi;
	for (u32 i = 0; i < bi->node_count; i++)
		sort_by_distance(i);
}

const u8 *pmm_fallback_order(u32 node, unsigned *n)
{
	ASSERT(node < info->node_count);
	*n = info->node_count;
	return fallback[node];
}

u32 numa_node_count(void)
{
	return info->node_count;
}

/* Looks through the ranges that the firmware gave; they do not overlap. */
u32 numa_node_of(paddr_t pa, paddr_t end, paddr_t *stop)
{
	*stop = end;
	for (unsigned i = 0; i < info->node_range_count; i++) {
		const struct boot_node_range *r = &info->node_ranges[i];

		if (pa >= r->base && pa - r->base < r->len) {
			*stop = MIN(end, r->base + r->len);
			return r->node;
		}
		if (r->base > pa)
			*stop = MIN(*stop, r->base);
	}
	return 0; /* memory that no table places: node 0, as discovery reported */
}

u32 numa_distance(u32 from, u32 to)
{
	ASSERT(from < info->node_count && to < info->node_count);
	return info->distance[from][to];
}

u32 numa_node_of_cpu(unsigned cpu)
{
	return cpu_ptr(cpu, cpu_self)->node;
}

bool numa_has_cpus(u32 node)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		if (numa_node_of_cpu(cpu) == node)
			return true;
	return false;
}
