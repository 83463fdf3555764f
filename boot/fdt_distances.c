/* How far nodes are from each other, as a device tree has it (binding numa-distance-map-v1). */
#include <boot/fdt_tree.h>

enum { DISTANCE_LOCAL = 10, DISTANCE_MAX = 255 };

struct distance_map {
	u64 given[MAX_NODES]; /* bit per target of each initiator */
	unsigned bad, differing, missing;
	u32 first_bad; /* offset */
};

static void take_distance(struct bootinfo *bi, struct distance_map *m, const struct fdt_prop *p,
			  u32 off)
{
	u32 from = boot_domain_node(bi, fdt_cell(p, off)),
	    to = boot_domain_node(bi, fdt_cell(p, off + 4));
	u32 value = fdt_cell(p, off + 8);

	if (from == BOOT_NODE_NONE || to == BOOT_NODE_NONE || value < DISTANCE_LOCAL ||
	    value > DISTANCE_MAX || (from == to) != (value == DISTANCE_LOCAL)) {
		if (!m->bad++)
			m->first_bad = p->off + 12 + off;
		return;
	}
	bi->distance[from][to] = (u8)value;
	m->given[from] |= 1UL << to;
	bi->distance_known = true;
}

/* The binding lets one direction stand for both, and knows no others. */
static void complete_pair(struct bootinfo *bi, struct distance_map *m, unsigned a, unsigned b)
{
	bool ab = m->given[a] >> b & 1, ba = m->given[b] >> a & 1;

	if (ab && ba)
		m->differing += bi->distance[a][b] != bi->distance[b][a];
	else if (ab)
		bi->distance[b][a] = bi->distance[a][b];
	else if (ba)
		bi->distance[a][b] = bi->distance[b][a];
	else
		m->missing++;
}

void fdt_read_distances(const struct fdt_tree *t, const struct fdt_node *node)
{
	struct fdt_prop p = fdt_prop(t, node, "distance-matrix");
	struct distance_map m = {.bad = 0};

	if (p.len % 12)
		boot_warn(t->bi, "device tree+%#x: distance-matrix ends inside a triple", p.off);
	for (u32 off = 0; p.len - off >= 12; off += 12)
		take_distance(t->bi, &m, &p, off);
	for (unsigned a = 0; a < t->bi->node_count; a++)
		for (unsigned b = 0; b < a; b++)
			complete_pair(t->bi, &m, a, b);
	if (m.bad)
		boot_warn(t->bi, "device tree+%#x: distance is not valid (%u such): 10 or 20 used",
			  m.first_bad, m.bad);
	if (m.differing)
		boot_warn(t->bi, "device tree+%#x: %u distances differ by direction", p.off,
			  m.differing);
	if (m.missing)
		boot_warn(t->bi, "device tree+%#x: no distance for %u pairs of nodes: 20 used",
			  p.off, m.missing);
}
