/* What a device tree says about the machine: CPUs, memory, nodes, devices of the port (see fdt_tree.c). */
#include <boot/fdt.h>
#include <boot/fdt_tree.h>
#include <kernel/error.h>
#include <kernel/string.h>

enum {
	MPIDR_CELLS_MAX = 2,
	GIC_CELLS = 3, /* of an interrupt: kind, number, flags */
	IRQ_PPI = 1,
	IRQ_EPPI = 3,
	INTID_PPI = 16, /* where the private numbers begin */
	INTID_EPPI = 1056,
	TIMER_VIRT = 2, /* place of the virtual timer where no names are given */
};

#define MPIDR_AFFINITY 0xff00ffffffull /* Arm ARM, MPIDR_EL1: Aff3 and Aff2..0 */

struct fdt_read { /* what is carried from one walk to the next */
	struct fdt_node chosen, distances; /* name NULL: not there */
	struct fdt_uarts uarts;
	bool has_map, domains_left_off;
	u32 interrupt_cells;
};

/* ---- first walk: nodes that others refer to, and which domains there are ---- */

static bool is_cpu(const struct fdt_tree *t, const struct fdt_path *path)
{
	struct fdt_prop type = fdt_prop(t, &path->at[path->depth], "device_type");

	return path->depth == 2 && fdt_named(&path->at[1], "cpus") &&
	       (fdt_named(&path->at[2], "cpu") || fdt_has_string(&type, "cpu"));
}

static bool is_memory(const struct fdt_tree *t, const struct fdt_path *path)
{
	struct fdt_prop type = fdt_prop(t, &path->at[path->depth], "device_type");

	return path->depth == 1 && fdt_enabled(t, &path->at[1]) &&
	       (fdt_named(&path->at[1], "memory") || fdt_has_string(&type, "memory"));
}

static u32 node_domain(const struct fdt_tree *t, const struct fdt_node *node)
{
	return fdt_u32(t, node, "numa-node-id", BOOT_NODE_NONE);
}

static bool is_gic(const struct fdt_node *node, u8 *version)
{
	static const struct {
		const char *name;
		u8 version;
	} kinds[] = {
		/* The names that Linux's two drivers take. */
		{"arm,gic-v3", 3},	  {"qcom,msm8996-gic-v3", 3},
		{"arm,gic-400", 2},	  {"arm,cortex-a15-gic", 2},
		{"arm,cortex-a9-gic", 2}, {"arm,cortex-a7-gic", 2},
		{"arm,arm11mp-gic", 2},	  {"arm,arm1176jzf-devchip-gic", 2},
		{"arm,pl390", 2},	  {"qcom,msm-8660-qgic", 2},
		{"qcom,msm-qgic2", 2},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (fdt_compatible(node, kinds[i].name)) {
			*version = kinds[i].version;
			return true;
		}
	}
	return false;
}

static void note_node(const struct fdt_tree *t, const struct fdt_path *path, void *arg)
{
	const struct fdt_node *node = &path->at[path->depth];
	struct fdt_read *r = arg;
	u32 domain;
	u8 version;

	if (path->depth == 1 && fdt_named(node, "chosen"))
		r->chosen = *node;
	else if (path->depth == 1 && fdt_named(node, "aliases"))
		r->uarts.aliases = *node;
	else if (path->depth == 1 &&
		 (fdt_named(node, "distance-map") || fdt_compatible(node, "numa-distance-map-v1")))
		r->distances = *node;
	else if (is_gic(node, &version))
		r->interrupt_cells = fdt_u32(t, node, "#interrupt-cells", GIC_CELLS);
	else
		fdt_note_clock(t, node, &r->uarts);
	if (!path->depth && fdt_compatible(node, "linux,dummy-virt"))
		t->bi->arm64.qemu = true;
	if (path->depth == 1 &&
	    fdt_named(node, "hypervisor")) { /* Xen's binding; others took it over */
		boot_set_hypervisor(t->bi, node->compatible.bytes, node->compatible.len);
	}
	if (!is_cpu(t, path) && !is_memory(t, path))
		return;
	domain = node_domain(t, node);
	if (domain != BOOT_NODE_NONE && !boot_add_domain(t->bi, domain))
		r->domains_left_off = true;
}

/* ---- second walk: CPUs and memory ----------------------------------------- */

static void add_cpu(const struct fdt_tree *t, const struct fdt_path *path)
{
	const struct fdt_node *node = &path->at[path->depth];
	struct fdt_prop reg = node->reg;
	struct bootinfo *bi = t->bi;
	struct boot_cpu cpu = {.node = boot_domain_node(bi, node_domain(t, node))};

	if (!fdt_enabled(t, node)) {
		bi->cpu_disabled_count++;
		return;
	}
	if (!reg.len || reg.len % 4 || reg.len > 4 * MPIDR_CELLS_MAX) {
		boot_warn(bi, "device tree+%#x: CPU without a usable reg: ignored", node->off);
		return;
	}
	for (u32 off = 0; off < reg.len; off += 4)
		cpu.hw_id = cpu.hw_id << 32 | fdt_cell(&reg, off);
	cpu.hw_id &= MPIDR_AFFINITY;
	for (unsigned i = 0; i < bi->cpu_count; i++) {
		if (bi->cpus[i].hw_id == cpu.hw_id) {
			boot_warn(bi, "device tree+%#x: CPU %#lx is listed twice", node->off,
				  cpu.hw_id);
			return;
		}
	}
	if (bi->cpu_count == MAX_CPUS)
		bi->cpu_dropped_count++;
	else
		bi->cpus[bi->cpu_count++] = cpu;
}

static void add_memory(const struct fdt_tree *t, const struct fdt_path *path, bool has_map)
{
	const struct fdt_node *node = &path->at[path->depth];
	struct boot_node_range r = {.node = boot_domain_node(t->bi, node_domain(t, node))};
	unsigned n = 0;

	for (; fdt_reg(t, path, n, &r.base, &r.len); n++) {
		if (!r.len)
			continue;
		if (!has_map)
			boot_add_range(t->bi, r.base, r.len, BOOT_MEM_RAM);
		if (r.node != BOOT_NODE_NONE)
			boot_add_node_range(t->bi, &r, "device tree", node->off);
	}
	if (!n)
		boot_warn(t->bi, "device tree+%#x: memory without a usable reg: ignored",
			  node->off);
}

/* Children that are switched off reserve nothing; nor do those without reg, which ask for memory anywhere. */
static void add_reserved(const struct fdt_tree *t, const struct fdt_path *path)
{
	const struct fdt_node *node = &path->at[path->depth];
	unsigned n = 0;
	u64 base, len;

	if (!fdt_enabled(t, node))
		return;
	for (; fdt_reg(t, path, n, &base, &len); n++)
		if (len)
			boot_add_range(t->bi, base, len, BOOT_MEM_RESERVED);
	if (!n && node->reg.bytes)
		boot_warn(t->bi, "device tree+%#x: %s%s: its memory is not reserved", node->off,
			  node->name,
			  path->at[1].ranges.bytes ? " has no usable reg"
						   : " is in a node without ranges");
}

/* ---- second walk: devices -------------------------------------------------- */

static void read_gic_v3(const struct fdt_tree *t, const struct fdt_path *path)
{
	struct boot_arm64 *a = &t->bi->arm64;
	u32 regions = fdt_u32(t, &path->at[path->depth], "#redistributor-regions", 1);

	for (u32 i = 0; i < regions; i++) {
		if (a->gicr_count == BOOT_MAX_GICR) {
			boot_warn(t->bi, "device tree+%#x: more than %d redistributor regions",
				  path->at[path->depth].off, BOOT_MAX_GICR);
			return;
		}
		if (!fdt_reg(t, path, 1 + i, &a->gicr[a->gicr_count].base,
			     &a->gicr[a->gicr_count].len)) {
			boot_warn(t->bi, "device tree+%#x: redistributor region %u is missing",
				  path->at[path->depth].off, i);
			return;
		}
		a->gicr_count++;
	}
}

static void read_gic(const struct fdt_tree *t, const struct fdt_path *path, u8 version)
{
	struct boot_arm64 *a = &t->bi->arm64;
	u64 len;

	if (a->gic_version) /* one is the root, others hang below it */
		return;
	if (!fdt_reg(t, path, 0, &a->gicd_base, &len)) {
		boot_warn(t->bi, "device tree+%#x: GIC without a usable reg",
			  path->at[path->depth].off);
		return;
	}
	a->gic_version = version;
	if (version == 3)
		read_gic_v3(t, path);
	else if (!fdt_reg(t, path, 1, &a->gicc_base, &len))
		boot_warn(t->bi, "device tree+%#x: GIC without CPU interface",
			  path->at[path->depth].off);
}

/* Which interrupt of the timer is the virtual one: by name, else by place. */
static u32 timer_index(const struct fdt_tree *t, const struct fdt_node *node)
{
	struct fdt_prop names = fdt_prop(t, node, "interrupt-names");
	u32 index = 0;

	for (u32 at = 0; at < names.len; index++) {
		struct fdt_prop rest = {names.bytes + at, names.len - at, names.off};
		u32 len = (u32)strnlen((const char *)rest.bytes, rest.len);

		if (len == 4 && !memcmp(rest.bytes, "virt", 4))
			return index;
		at += len + 1;
	}
	return TIMER_VIRT;
}

static void read_timer(const struct fdt_tree *t, const struct fdt_node *node, u32 cells)
{
	struct fdt_prop p = fdt_prop(t, node, "interrupts");
	u32 skip = 0, kind, number, at;

	if (!p.bytes) { /* the long form: each interrupt behind a reference to its controller */
		p = fdt_prop(t, node, "interrupts-extended");
		skip = 1;
	}
	at = 4 * (timer_index(t, node) * (cells + skip) + skip);
	kind = fdt_cell(&p, at);
	number = fdt_cell(&p, at + 4);
	if (kind == IRQ_PPI && number < 16)
		t->bi->arm64.timer_ppi = INTID_PPI + number;
	else if (kind == IRQ_EPPI && number < 64)
		t->bi->arm64.timer_ppi = INTID_EPPI + number;
	else
		boot_warn(t->bi, "device tree+%#x: virtual timer interrupt of kind %u, number %u",
			  p.off, kind, number);
}

static void read_psci(const struct fdt_tree *t, const struct fdt_node *node)
{
	struct fdt_prop method = fdt_prop(t, node, "method");

	if (fdt_has_string(&method, "hvc"))
		t->bi->arm64.psci = BOOT_PSCI_HVC;
	else if (fdt_has_string(&method, "smc"))
		t->bi->arm64.psci = BOOT_PSCI_SMC;
	else
		boot_warn(t->bi, "device tree+%#x: PSCI without a known method", node->off);
}

static void read_node(const struct fdt_tree *t, const struct fdt_path *path, void *arg)
{
	const struct fdt_node *node = &path->at[path->depth];
	struct fdt_read *r = arg;
	u8 version;

	if (is_cpu(t, path))
		add_cpu(t, path);
	else if (is_memory(t, path))
		add_memory(t, path, r->has_map);
	else if (path->depth == 2 && fdt_named(&path->at[1], "reserved-memory"))
		add_reserved(t, path);
	else if (is_gic(node, &version))
		read_gic(t, path, version);
	else if (fdt_compatible(node, "arm,armv8-timer"))
		read_timer(t, node, r->interrupt_cells);
	else if (fdt_compatible(node, "arm,psci-0.2") || fdt_compatible(node, "arm,psci-1.0"))
		read_psci(t, node);
	else if (fdt_compatible(node, "arm,psci"))
		boot_warn(t->bi,
			  "device tree+%#x: PSCI 0.1 (\"arm,psci\" alone): needs 0.2 or later",
			  node->off);
	else {
		fdt_read_bus(t, path);
		fdt_read_uart(t, path, &r->uarts);
	}
}

/* ---- what is not a walk ------------------------------------------------------ */

static u64 chosen_address(const struct fdt_tree *t, const struct fdt_node *chosen, const char *name)
{
	struct fdt_prop p = fdt_prop(t, chosen, name);

	return p.len == 8 ? (u64)fdt_cell(&p, 0) << 32 | fdt_cell(&p, 4) : fdt_cell(&p, 0);
}

static void read_chosen(const struct fdt_tree *t, const struct fdt_node *chosen)
{
	struct fdt_prop args = fdt_prop(t, chosen, "bootargs");
	u64 start = chosen_address(t, chosen, "linux,initrd-start");
	u64 end = chosen_address(t, chosen, "linux,initrd-end");

	if (args.len && !t->bi->cmdline[0])
		boot_set_cmdline(t->bi, (const char *)args.bytes, args.len, "device tree");
	if (start < end)
		boot_add_module(t->bi, start, end - start);
}

/* The reservation block: pairs of 64 bits up to a pair of zeros (section 5.3). */
static void read_reservations(const struct fdt_tree *t)
{
	const struct fdt_prop header = {t->blob, t->len, 0};
	u32 off = fdt_cell(&header, 16);

	for (; off <= t->len && t->len - off >= 16; off += 16) {
		u64 base = (u64)fdt_cell(&header, off) << 32 | fdt_cell(&header, off + 4);
		u64 len = (u64)fdt_cell(&header, off + 8) << 32 | fdt_cell(&header, off + 12);

		if (!len)
			return;
		boot_add_range(t->bi, base, len, BOOT_MEM_RESERVED);
	}
	boot_warn(t->bi, "device tree+%#x: memory reservations without end", off);
}

/* What a machine cannot do without, or only as one node with one CPU. */
static void report_missing(struct bootinfo *bi, const struct fdt_read *r)
{
	if (r->domains_left_off)
		boot_warn(bi, "device tree: more than %u domains: those above %u are not used",
			  MAX_NODES, bi->nodes[MAX_NODES - 1].domain);
	if (!bi->cpu_count)
		boot_warn(bi, "device tree: no CPUs: only the one that runs is used");
	if (!boot_has_ram(bi))
		boot_warn(bi, "device tree: no memory");
	if (!bi->arm64.gic_version)
		boot_warn(bi, "device tree: no interrupt controller that we can drive");
	if (bi->arm64.psci == BOOT_PSCI_NONE)
		boot_warn(bi, "device tree: no PSCI: other CPUs cannot be started, nor power "
			      "switched off");
	if (!bi->numa_known)
		boot_note(bi, "device tree: no numa-node-id: one node");
	else if (!r->distances.name && bi->node_count > 1)
		boot_note(bi, "device tree: no distance-map: 10 and 20 used");
}

int fdt_parse(const void *blob, size_t len, struct bootinfo *bi)
{
	struct fdt_read r = {.interrupt_cells = GIC_CELLS, .has_map = bi->range_count > 0};
	struct fdt_tree t;

	if (!fdt_open(&t, blob, len, bi))
		return -EINVAL;
	fdt_walk(&t, note_node, &r, true);
	fdt_find_stdout(&t, &r.chosen, &r.uarts);
	fdt_walk(&t, read_node, &r, false);
	fdt_report_stdout(&t, &r.uarts);
	if (r.chosen.name)
		read_chosen(&t, &r.chosen);
	read_reservations(&t);
	boot_finish_nodes(bi, "device tree");
	if (r.distances.name && bi->numa_known)
		fdt_read_distances(&t, &r.distances);
	report_missing(bi, &r);
	return 0;
}
