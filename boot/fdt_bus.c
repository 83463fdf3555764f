/* Where a device tree says that cards may be: the PCI host bridge, and the places of virtio-mmio. */
#include <boot/fdt_tree.h>

enum { /* PCI Bus Binding to Open Firmware, 2.2.1.1: the first of three cells of an address on the bus */
       SPACE_SHIFT = 24,
       SPACE_MASK = 3,
       SPACE_MEM32 = 2,
       SPACE_MEM64 = 3,
       PCI_CELLS = 3,
       BUS_SHIFT = 20, /* of configuration space: 1 MiB a bus */
       BUS_MAX = 255,
};

static u64 two_cells(const struct fdt_prop *p, u32 off)
{
	return (u64)fdt_cell(p, off) << 32 | fdt_cell(p, off + 4);
}

static struct boot_near near(const struct fdt_tree *t, const struct fdt_node *node)
{
	u32 domain = fdt_u32(t, node, "numa-node-id", BOOT_NODE_NONE);
	u32 found = domain == BOOT_NODE_NONE ? domain : boot_domain_node(t->bi, domain);

	return (struct boot_near){.node = found, .known = found != BOOT_NODE_NONE};
}

/* Windows of memory; those of I/O ports are no use to us. */
static void read_windows(const struct fdt_path *path, struct boot_pci *pci)
{
	const struct fdt_prop *ranges = &path->at[path->depth].ranges;
	const struct fdt_prop *above = &path->at[path->depth - 1].address_cells;
	u32 parent = above->bytes ? fdt_cell(above, 0) : 2;
	u32 size = 4 * (PCI_CELLS + parent + 2);

	if (parent < 1 || parent > 2)
		return;
	for (u32 off = 0; off < ranges->len && ranges->len - off >= size; off += size) {
		u32 space = fdt_cell(ranges, off) >> SPACE_SHIFT & SPACE_MASK;
		struct boot_pci_window *w = &pci->window[space == SPACE_MEM64];
		u32 cpu = off + 4 * PCI_CELLS;

		if ((space != SPACE_MEM32 && space != SPACE_MEM64) || w->len)
			continue;
		w->bus_base = two_cells(ranges, off + 4);
		w->base = parent == 2 ? two_cells(ranges, cpu) : fdt_cell(ranges, cpu);
		w->len = two_cells(ranges, cpu + 4 * parent);
	}
}

static void read_pci(const struct fdt_tree *t, const struct fdt_path *path)
{
	const struct fdt_node *node = &path->at[path->depth];
	struct fdt_prop buses = fdt_prop(t, node, "bus-range");
	u32 first = fdt_cell(&buses, 0), last = fdt_cell(&buses, 4);
	struct boot_pci *pci = &t->bi->pci;
	u64 base, len;

	if (pci->ecam.known || !path->depth || !fdt_enabled(t, node))
		return;
	if (!fdt_reg(t, path, 0, &base, &len) || !(len >> BUS_SHIFT)) {
		boot_warn(t->bi, "device tree+%#x: PCI host bridge without a usable reg",
			  node->off);
		return;
	}
	if (buses.len < 8)
		last = first + BUS_MAX;
	last = MIN(last, first + (u32)MIN((len >> BUS_SHIFT) - 1, (u64)BUS_MAX));
	if (first > BUS_MAX || last < first) {
		boot_warn(t->bi, "device tree+%#x: PCI buses %u to %u: not used", node->off, first,
			  last);
		return;
	}
	pci->ecam.base = base - ((u64)first << BUS_SHIFT);
	pci->ecam.bus_first = (u8)first;
	pci->ecam.bus_last = (u8)MIN(last, (u32)BUS_MAX);
	pci->ecam.known = true;
	pci->near = near(t, node);
	read_windows(path, pci);
}

void fdt_read_bus(const struct fdt_tree *t, const struct fdt_path *path)
{
	const struct fdt_node *node = &path->at[path->depth];
	u64 base, len;

	if (fdt_compatible(node, "pci-host-ecam-generic")) {
		read_pci(t, path);
	} else if (fdt_compatible(node, "virtio,mmio") && fdt_enabled(t, node) &&
		   t->bi->virtio_mmio_count < BOOT_MAX_VIRTIO && fdt_reg(t, path, 0, &base, &len)) {
		t->bi->virtio_mmio_near[t->bi->virtio_mmio_count] = near(t, node);
		t->bi->virtio_mmio[t->bi->virtio_mmio_count++] = base;
	}
}
