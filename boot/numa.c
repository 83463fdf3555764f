/*
 * Nodes: the firmware's domains as our dense ids, which memory is on which, and
 * what to assume where no table says. Shared by the ACPI and device tree paths.
 */
#include <boot/bootinfo.h>
#include <kernel/string.h>

enum {
	DISTANCE_LOCAL = 10, /* ACPI 6.5 section 5.2.17: by definition */
	DISTANCE_REMOTE = 20, /* what everybody assumes where no table says */
};

bool boot_add_domain(struct bootinfo *bi, u32 domain)
{
	struct boot_node *n = bi->nodes;
	bool full = bi->node_count == MAX_NODES;
	unsigned i = 0;

	while (i < bi->node_count && n[i].domain < domain)
		i++;
	if (i < bi->node_count && n[i].domain == domain)
		return true;
	if (i == MAX_NODES)
		return false;
	memmove(&n[i + 1], &n[i], (bi->node_count - full - i) * sizeof(*n));
	n[i].domain = domain;
	bi->node_count += !full;
	return !full;
}

u32 boot_domain_node(const struct bootinfo *bi, u32 domain)
{
	for (u32 i = 0; i < bi->node_count; i++) {
		if (bi->nodes[i].domain == domain)
			return i;
	}
	return BOOT_NODE_NONE;
}

void boot_add_node_range(struct bootinfo *bi, const struct boot_node_range *r, const char *table,
			 u64 off)
{
	struct boot_node_range add = *r;

	if (add.base + add.len < add.base) {
		if (add.base + add.len)
			boot_warn(bi,
				  "%s+0x%lx: memory 0x%lx+0x%lx is longer than the address space",
				  table, off, add.base, add.len);
		add.len = ~0ULL - add.base; /* the last byte has no end address */
	}
	if (!add.len)
		return;
	for (unsigned i = 0; i < bi->node_range_count; i++) {
		const struct boot_node_range *o = &bi->node_ranges[i];

		if (add.base < o->base + o->len && o->base < add.base + add.len)
			boot_warn(bi, "%s+0x%lx: memory 0x%lx+0x%lx overlaps 0x%lx+0x%lx", table,
				  off, add.base, add.len, o->base, o->len);
	}
	if (bi->node_range_count == BOOT_MAX_RANGES) {
		boot_warn(bi, "%s+0x%lx: more than %u memory ranges: 0x%lx+0x%lx not used", table,
			  off, BOOT_MAX_RANGES, add.base, add.len);
		return;
	}
	bi->node_ranges[bi->node_range_count++] = add;
}

/* Insertion sort: at most BOOT_MAX_RANGES, mostly sorted already; equal bases keep their order. */
static void node_ranges_sort(struct bootinfo *bi)
{
	struct boot_node_range *r = bi->node_ranges;

	for (unsigned i = 1; i < bi->node_range_count; i++) {
		struct boot_node_range cur = r[i];
		unsigned j = i;

		while (j > 0 && r[j - 1].base > cur.base) {
			r[j] = r[j - 1];
			j--;
		}
		r[j] = cur;
	}
}

/* Memory claimed twice stays with the range that starts lower; reported when it was added. */
static void node_ranges_disjoin(struct bootinfo *bi)
{
	struct boot_node_range *r = bi->node_ranges;
	unsigned kept = 0;
	u64 end = 0; /* of the ranges kept so far */

	for (unsigned i = 0; i < bi->node_range_count; i++) {
		u64 r_end = r[i].base + r[i].len;

		if (r_end <= end)
			continue;
		if (r[i].base < end)
			r[i].base = end;
		r[i].len = r_end - r[i].base;
		end = r_end;
		r[kept++] = r[i];
	}
	bi->node_range_count = kept;
}

/* A CPU that no table places joins the first one that has a place. */
static void node_place_cpus(struct bootinfo *bi, const char *table)
{
	unsigned lost = 0;
	u64 first = 0;
	u32 node = 0;

	for (unsigned i = bi->cpu_count; i-- > 0;) {
		if (bi->cpus[i].node < bi->node_count)
			node = bi->cpus[i].node;
	}
	for (unsigned i = 0; i < bi->cpu_count; i++) {
		if (bi->cpus[i].node < bi->node_count)
			continue;
		if (!lost++)
			first = bi->cpus[i].hw_id;
		bi->cpus[i].node = node;
	}
	if (lost && bi->numa_known)
		boot_warn(bi, "%s: no node for CPU 0x%lx (%u in all): put on node %u", table, first,
			  lost, node);
}

void boot_finish_nodes(struct bootinfo *bi, const char *table)
{
	bi->numa_known = bi->node_count > 0;
	if (!bi->numa_known) {
		bi->nodes[0].domain = 0;
		bi->node_count = 1;
		bi->node_range_count = 0;
	}
	node_ranges_sort(bi);
	node_ranges_disjoin(bi);
	node_place_cpus(bi, table);
	for (unsigned i = 0; i < bi->node_count; i++) {
		for (unsigned j = 0; j < bi->node_count; j++)
			bi->distance[i][j] = i == j ? DISTANCE_LOCAL : DISTANCE_REMOTE;
	}
}
