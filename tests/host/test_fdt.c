/* Device trees: what is read from good ones, what is said about bad ones, and that nothing breaks the reader. */
#include "check.h"
#include "dt.h"
#include "tables.h"

#include <boot/fdt.h>

static struct dt d;
static struct run r; /* large; every test begins with begin() */

static void cpu(u32 id, int domain, const char *status)
{
	char name[16];

	snprintf(name, sizeof(name), "cpu@%x", id);
	dt_node(&d, name);
	dt_string(&d, "device_type", "cpu");
	dt_cells(&d, "reg", 1, id);
	if (domain >= 0)
		dt_cells(&d, "numa-node-id", 1, domain);
	if (status)
		dt_string(&d, "status", status);
	dt_close(&d);
}

static void memory(u64 base, u64 len, int domain)
{
	char name[32];

	snprintf(name, sizeof(name), "memory@%lx", base);
	dt_node(&d, name);
	dt_string(&d, "device_type", "memory");
	dt_cells(&d, "reg", 4, (u32)(base >> 32), (u32)base, (u32)(len >> 32), (u32)len);
	if (domain >= 0)
		dt_cells(&d, "numa-node-id", 1, domain);
	dt_close(&d);
}

static void begin(void)
{
	memset(&r, 0, sizeof(r));
	dt_begin_wide(&d);
}

static void cpus_begin(void)
{
	dt_node(&d, "cpus");
	dt_cells(&d, "#address-cells", 1, 1);
	dt_cells(&d, "#size-cells", 1, 0);
}

/* Two nodes as QEMU lists them, the highest first. */
static void two_nodes(void)
{
	memory(0x60000000, 0x20000000, 1);
	memory(0x40000000, 0x20000000, 0);
	cpus_begin();
	for (u32 i = 0; i < 4; i++)
		cpu(i, i >= 2, NULL);
	dt_close(&d);
}

static void devices(void)
{
	dt_node(&d, "psci");
	dt_bytes(&d, "compatible", "arm,psci-1.0\0arm,psci-0.2\0arm,psci", 35);
	dt_string(&d, "method", "hvc");
	dt_close(&d);
	dt_node(&d, "intc@8000000");
	dt_string(&d, "compatible", "arm,gic-v3");
	dt_cells(&d, "#interrupt-cells", 1, 3);
	dt_cells(&d, "reg", 8, 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000);
	dt_close(&d);
	dt_node(&d, "timer");
	dt_bytes(&d, "compatible", "arm,armv8-timer\0arm,armv7-timer", 32);
	dt_cells(&d, "interrupts", 12, 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
	dt_close(&d);
	dt_node(&d, "pl011@9000000");
	dt_bytes(&d, "compatible", "arm,pl011\0arm,primecell", 24);
	dt_cells(&d, "reg", 4, 0, 0x9000000, 0, 0x1000);
	dt_close(&d);
	dt_node(&d, "chosen");
	dt_string(&d, "stdout-path", "/pl011@9000000");
	dt_string(&d, "bootargs", "tarry.run=test");
	dt_close(&d);
}

static int finish(void)
{
	size_t len;

	return dt_read(&d, &r.bi, &len);
}

TEST(a_whole_machine)
{
	begin();
	dt_string(&d, "compatible", "linux,dummy-virt");
	two_nodes();
	devices();
	dt_node(&d, "distance-map");
	dt_string(&d, "compatible", "numa-distance-map-v1");
	dt_cells(&d, "distance-matrix", 12, 0, 0, 10, 0, 1, 21, 1, 0, 21, 1, 1, 10);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK(!bootinfo_wrong(&r.bi));
	CHECK(!r.bi.broken);
	CHECK_EQ(r.bi.warning_count, 0);
	CHECK_EQ(r.bi.cpu_count, 4);
	CHECK_EQ(r.bi.cpus[3].hw_id, 3);
	CHECK_EQ(r.bi.cpus[3].node, 1);
	CHECK_EQ(r.bi.node_count, 2);
	CHECK_EQ(r.bi.node_ranges[0].base, 0x40000000);
	CHECK_EQ(r.bi.node_ranges[0].node, 0);
	CHECK_EQ(r.bi.node_ranges[1].node, 1);
	CHECK_EQ(r.bi.range_count, 1); /* they touch */
	CHECK_EQ(r.bi.ranges[0].len, 0x40000000);
	CHECK_EQ(r.bi.distance[0][1], 21);
	CHECK(r.bi.distance_known && r.bi.numa_known);
	CHECK(r.bi.arm64.qemu);
	CHECK_EQ(r.bi.arm64.gic_version, 3);
	CHECK_EQ(r.bi.arm64.gicd_base, 0x8000000);
	CHECK_EQ(r.bi.arm64.gicr_count, 1);
	CHECK_EQ(r.bi.arm64.gicr[0].base, 0x80a0000);
	CHECK_EQ(r.bi.arm64.gicr[0].len, 0xf60000);
	CHECK_EQ(r.bi.arm64.timer_ppi, 27);
	CHECK_EQ(r.bi.arm64.psci, BOOT_PSCI_HVC);
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_PL011);
	CHECK_EQ(r.bi.console.base, 0x9000000);
	CHECK_STR(r.bi.cmdline, "tarry.run=test");
}

static void host_bridge(u32 first_bus, u32 last_bus, int domain)
{
	dt_node(&d, "pcie@10000000");
	if (domain >= 0)
		dt_cells(&d, "numa-node-id", 1, domain);
	dt_string(&d, "compatible", "pci-host-ecam-generic");
	dt_cells(&d, "#address-cells", 1, 3);
	dt_cells(&d, "#size-cells", 1, 2);
	dt_cells(&d, "bus-range", 2, first_bus, last_bus);
	dt_cells(&d, "reg", 4, 0x40, 0x10000000, 0, 0x800000);
	dt_cells(&d, "ranges", 21, 0x1000000, 0, 0, 0, 0x3eff0000, 0, 0x10000, /* ports */
		 0x2000000, 0, 0x20000000, 0, 0x10000000, 0, 0x2eff0000, /* memory */
		 0x3000000, 0x80, 0, 0x80, 0, 0x80, 0);
	dt_close(&d);
}

static void virtio_place(u32 base, int domain)
{
	char name[32];

	snprintf(name, sizeof(name), "virtio_mmio@%x", base);
	dt_node(&d, name);
	dt_string(&d, "compatible", "virtio,mmio");
	dt_cells(&d, "reg", 4, 0, base, 0, 0x200);
	if (domain >= 0)
		dt_cells(&d, "numa-node-id", 1, domain);
	dt_close(&d);
}

TEST(nodes_that_buses_are_near_to)
{
	begin();
	two_nodes();
	host_bridge(0, 255, 1);
	virtio_place(0xa000000, 1);
	virtio_place(0xa000200, 0);
	virtio_place(0xa000400, 9); /* there is no such node */
	CHECK_EQ(finish(), 0);
	CHECK(r.bi.pci.near.known && r.bi.pci.near.node == 1);
	CHECK(r.bi.virtio_mmio_near[0].known && r.bi.virtio_mmio_near[0].node == 1);
	CHECK(r.bi.virtio_mmio_near[1].known && r.bi.virtio_mmio_near[1].node == 0);
	CHECK(!r.bi.virtio_mmio_near[2].known);
}

TEST(buses_on_which_cards_are)
{
	begin();
	host_bridge(4, 255, -1);
	for (u32 i = 0; i < BOOT_MAX_VIRTIO + 2; i++)
		virtio_place(0xa000000 + i * 0x200, -1);
	CHECK_EQ(finish(), 0);
	CHECK(r.bi.pci.ecam.known);
	CHECK_EQ(r.bi.pci.ecam.base, 0x4010000000 - 0x400000); /* of bus 0 */
	CHECK_EQ(r.bi.pci.ecam.bus_first, 4);
	CHECK_EQ(r.bi.pci.ecam.bus_last, 11); /* for more there are no registers */
	CHECK_EQ(r.bi.pci.window[0].base, 0x10000000);
	CHECK_EQ(r.bi.pci.window[0].bus_base, 0x20000000);
	CHECK_EQ(r.bi.pci.window[0].len, 0x2eff0000);
	CHECK_EQ(r.bi.pci.window[1].base, 0x8000000000);
	CHECK_EQ(r.bi.pci.window[1].len, 0x8000000000);
	CHECK_EQ(r.bi.virtio_mmio_count, BOOT_MAX_VIRTIO);
	CHECK_EQ(r.bi.virtio_mmio[1], 0xa000200);
	CHECK(!r.bi.pci.near.known && !r.bi.virtio_mmio_near[1].known);
	begin();
	host_bridge(4, 3, -1);
	CHECK_EQ(finish(), 0);
	CHECK(!r.bi.pci.ecam.known);
	CHECK(run_warned(&r, "PCI buses 4 to 3"));
}

TEST(a_hypervisor_is_named)
{
	begin();
	two_nodes();
	CHECK_EQ(finish(), 0);
	CHECK_STR(r.bi.hypervisor, "");
	begin();
	dt_node(&d, "hypervisor");
	dt_bytes(&d, "compatible", "xen,xen-4.17\0xen,xen", 21);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_STR(r.bi.hypervisor, "xen,xen-4.17");
	begin();
	dt_node(&d, "hypervisor");
	dt_close(&d);
	dt_node(&d, "soc");
	dt_node(&d, "hypervisor"); /* somebody's device */
	dt_string(&d, "compatible", "other");
	dt_close(&d);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_STR(r.bi.hypervisor, "unnamed");
}

TEST(an_empty_tree_says_what_is_missing)
{
	begin();
	CHECK_EQ(finish(), 0);
	CHECK(!bootinfo_wrong(&r.bi));
	CHECK_EQ(r.bi.node_count, 1);
	CHECK(run_warned(&r, "no CPUs"));
	CHECK(run_warned(&r, "no memory"));
	CHECK(run_warned(&r, "no interrupt controller"));
	CHECK(run_warned(&r, "no PSCI"));
	CHECK(run_warned(&r, "one node"));
}

TEST(no_numa_is_one_node_and_no_mistake)
{
	begin();
	memory(0x40000000, 0x40000000, -1);
	cpus_begin();
	cpu(0, -1, NULL);
	dt_close(&d);
	devices();
	CHECK_EQ(finish(), 0);
	CHECK(!r.bi.broken);
	CHECK(!r.bi.arm64.qemu);
	CHECK_EQ(r.bi.node_count, 1);
	CHECK_EQ(r.bi.node_range_count, 0);
	CHECK(!r.bi.numa_known);
}

TEST(memory_of_node_0_only)
{
	begin();
	memory(0x40000000, 0x40000000, 0);
	cpus_begin();
	cpu(0, 0, NULL);
	cpu(1, 1, NULL);
	dt_close(&d);
	devices();
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.node_count, 2);
	CHECK_EQ(r.bi.node_range_count, 1);
	CHECK_EQ(r.bi.cpus[1].node, 1);
	CHECK_EQ(r.bi.distance[0][1], 20);
	CHECK(run_warned(&r, "no distance-map"));
	CHECK(!r.bi.broken);
}

TEST(cpus_in_all_states)
{
	begin();
	memory(0x40000000, 0x40000000, 0);
	cpus_begin();
	cpu(0x100, 0, "okay");
	cpu(0x101, 0, "disabled");
	cpu(0x102, -1, NULL);
	cpu(0x100, 0, NULL);
	dt_node(&d, "cpu@200");
	dt_close(&d);
	dt_node(&d, "cpu-map");
	dt_close(&d);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK(!bootinfo_wrong(&r.bi));
	CHECK_EQ(r.bi.cpu_count, 2);
	CHECK_EQ(r.bi.cpus[0].hw_id, 0x100);
	CHECK_EQ(r.bi.cpu_disabled_count, 1);
	CHECK(run_warned(&r, "listed twice"));
	CHECK(run_warned(&r, "without a usable reg"));
	CHECK(run_warned(&r, "no node for CPU 0x102"));
}

TEST(mpidr_of_two_cells)
{
	begin();
	dt_node(&d, "cpus");
	dt_cells(&d, "#address-cells", 1, 2);
	dt_cells(&d, "#size-cells", 1, 0);
	dt_node(&d, "cpu@100000300");
	dt_cells(&d, "reg", 2, 1, 0x80030000);
	dt_close(&d);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.cpus[0].hw_id, 0x100030000);
}

TEST(more_cpus_than_we_take)
{
	begin();
	cpus_begin();
	for (u32 i = 0; i < MAX_CPUS + 3; i++)
		cpu(i, -1, NULL);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.cpu_count, MAX_CPUS);
	CHECK_EQ(r.bi.cpu_dropped_count, 3);
}

TEST(more_domains_than_we_take)
{
	begin();
	for (int i = 0; i < MAX_NODES + 2; i++)
		memory(0x100000000 + 0x10000000 * (u64)i, 0x10000000, 2 * i);
	CHECK_EQ(finish(), 0);
	CHECK(!bootinfo_wrong(&r.bi));
	CHECK_EQ(r.bi.node_count, MAX_NODES);
	CHECK(run_warned(&r, "more than 64 domains"));
}

/* ---- distances ---- */

static void three_nodes_with(unsigned n, const u32 *cells)
{
	u8 bytes[256];

	begin();
	cpus_begin();
	for (u32 i = 0; i < 3; i++)
		cpu(i, (int)i, NULL);
	dt_close(&d);
	for (unsigned i = 0; i < 4 * n; i++)
		bytes[i] = (u8)(cells[i / 4] >> (24 - 8 * (i % 4)));
	dt_node(&d, "distance-map");
	dt_bytes(&d, "distance-matrix", bytes, 4 * n);
	dt_close(&d);
	finish();
}

TEST(one_direction_stands_for_both)
{
	static const u32 cells[] = {0, 1, 21, 2, 0, 31, 1, 2, 41};

	three_nodes_with(ARRAY_SIZE(cells), cells);
	CHECK(!run_warned(&r, "distance"));
	CHECK_EQ(r.bi.distance[1][0], 21);
	CHECK_EQ(r.bi.distance[0][2], 31);
	CHECK_EQ(r.bi.distance[2][1], 41);
}

TEST(asymmetric_distances_are_told)
{
	static const u32 cells[] = {0, 1, 21, 1, 0, 25, 0, 2, 31, 1, 2, 41};

	three_nodes_with(ARRAY_SIZE(cells), cells);
	CHECK(run_warned(&r, "1 distances differ by direction"));
	CHECK_EQ(r.bi.distance[0][1], 21);
	CHECK_EQ(r.bi.distance[1][0], 25);
}

TEST(partial_distances_are_told)
{
	static const u32 cells[] = {0, 1, 21};

	three_nodes_with(ARRAY_SIZE(cells), cells);
	CHECK(run_warned(&r, "no distance for 2 pairs"));
	CHECK_EQ(r.bi.distance[1][0], 21);
	CHECK_EQ(r.bi.distance[1][2], 20);
}

TEST(impossible_distances_are_told)
{
	static const u32 cells[] = {0, 0, 11, 0, 1, 10, 0, 1, 300, 0, 7, 20, 1, 2, 9, 1, 2};

	three_nodes_with(ARRAY_SIZE(cells), cells);
	CHECK(run_warned(&r, "distance is not valid (5 such)"));
	CHECK(run_warned(&r, "ends inside a triple"));
	CHECK(!bootinfo_wrong(&r.bi));
	CHECK_EQ(r.bi.distance[0][1], 20);
	CHECK(!r.bi.distance_known);
}

/* ---- devices by other names ---- */

TEST(gic_by_each_name_that_linux_takes)
{
	static const struct {
		const char *name;
		u8 version;
	} kinds[] = {{"qcom,msm-qgic2", 2},
		     {"arm,pl390", 2},
		     {"arm,gic-400", 2},
		     {"arm,gic-v3", 3},
		     {"acme,pic", 0}};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		begin();
		dt_node(&d, "intc@8000000");
		dt_string(&d, "compatible", kinds[i].name);
		dt_cells(&d, "reg", 8, 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000);
		dt_close(&d);
		finish();
		CHECK_EQ(r.bi.arm64.gic_version, kinds[i].version);
	}
}

TEST(what_has_no_driver_is_named)
{
	begin();
	dt_node(&d, "chosen");
	dt_string(&d, "stdout-path", "/serial@30890000:115200n8");
	dt_close(&d);
	dt_device(&d, "serial@30890000", "fsl,imx8mm-uart", 0x30890000, 0x10000);
	dt_close(&d);
	dt_node(&d, "psci");
	dt_string(&d, "compatible", "arm,psci");
	dt_string(&d, "method", "smc");
	dt_close(&d);
	finish();
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_UNKNOWN);
	CHECK(run_warned(&r, "stdout-path names serial@30890000, \"fsl,imx8mm-uart\": no driver"));
	CHECK_EQ(r.bi.arm64.psci, BOOT_PSCI_NONE);
	CHECK(run_warned(&r, "PSCI 0.1 (\"arm,psci\" alone): needs 0.2 or later"));
}

/* ---- memory ---- */

TEST(reservations_are_taken_out)
{
	begin();
	memory(0x40000000, 0x40000000, -1);
	dt_reserve(&d, 0x50000000, 0x1000);
	dt_node(&d, "reserved-memory");
	dt_cells(&d, "#address-cells", 1, 2);
	dt_cells(&d, "#size-cells", 1, 2);
	dt_bytes(&d, "ranges", NULL, 0);
	dt_node(&d, "secure@60000000");
	dt_cells(&d, "reg", 4, 0, 0x60000000, 0, 0x100000);
	dt_bytes(&d, "no-map", NULL, 0);
	dt_close(&d);
	dt_close(&d);
	dt_node(&d, "chosen");
	dt_cells(&d, "linux,initrd-start", 1, 0x48000000);
	dt_cells(&d, "linux,initrd-end", 2, 0, 0x48100000);
	dt_bytes(&d, "bootargs", "no end", 6);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK(!bootinfo_wrong(&r.bi));
	CHECK_EQ(r.bi.range_count, 7);
	CHECK_EQ(r.bi.ranges[1].type, BOOT_MEM_RESERVED);
	CHECK_EQ(r.bi.ranges[1].base, 0x48000000);
	CHECK_EQ(r.bi.ranges[3].base, 0x50000000);
	CHECK_EQ(r.bi.ranges[5].base, 0x60000000);
	CHECK_EQ(r.bi.module_count, 1);
	CHECK_EQ(r.bi.modules[0].len, 0x100000);
	CHECK_STR(r.bi.cmdline, "no end");
	CHECK(run_warned(&r, "command line has no end"));
}

static void reservation(const char *status, bool ranges)
{
	begin();
	memory(0x40000000, 0x40000000, -1);
	dt_node(&d, "reserved-memory");
	dt_cells(&d, "#address-cells", 1, 2);
	dt_cells(&d, "#size-cells", 1, 2);
	if (ranges)
		dt_bytes(&d, "ranges", NULL, 0);
	dt_node(&d, "dsp@50000000");
	dt_cells(&d, "reg", 4, 0, 0x50000000, 0, 0x8000000);
	if (status)
		dt_string(&d, "status", status);
	dt_close(&d);
	dt_node(&d, "anywhere"); /* asks for memory wherever there is some */
	dt_cells(&d, "size", 2, 0, 0x1000);
	dt_close(&d);
	dt_close(&d);
	finish();
}

TEST(reservations_that_are_off_or_out_of_sight)
{
	reservation(NULL, true);
	CHECK_EQ(r.bi.range_count, 3);
	CHECK(!run_warned(&r, "reserved"));
	reservation("disabled", true);
	CHECK_EQ(r.bi.range_count, 1);
	CHECK(!run_warned(&r, "reserved"));
	reservation(NULL, false);
	CHECK_EQ(r.bi.range_count, 1);
	CHECK(run_warned(&r,
			 "dsp@50000000 is in a node without ranges: its memory is not reserved"));
	CHECK(!run_warned(&r, "anywhere"));
}

TEST(a_memory_map_from_firmware_stays)
{
	begin();
	two_nodes();
	devices();
	boot_add_range(&r.bi, 0x40000000, 0x1000000, BOOT_MEM_RAM);
	boot_set_cmdline(&r.bi, "firmware's", 11, "test");
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.range_count, 1);
	CHECK_EQ(r.bi.ranges[0].len, 0x1000000);
	CHECK_EQ(r.bi.node_range_count, 2);
	CHECK_STR(r.bi.cmdline, "firmware's");
}

TEST(memory_with_a_bad_reg)
{
	begin();
	dt_node(&d, "memory@0");
	dt_cells(&d, "reg", 3, 0, 0x40000000, 0);
	dt_close(&d);
	dt_node(&d, "memory@80000000");
	dt_string(&d, "status", "disabled");
	dt_cells(&d, "reg", 4, 0, 0x80000000, 0, 0x1000);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK(run_warned(&r, "reg ends inside its entry 0"));
	CHECK(run_warned(&r, "memory without a usable reg"));
	CHECK_EQ(r.bi.range_count, 0);
}

/* ---- devices ---- */

/* A bus at 0 that is seen at 0xfe000000, and in it one whose addresses are those of its parent. */
static void serial_on_a_bus(const char *status)
{
	dt_node(&d, "soc");
	dt_cells(&d, "#address-cells", 1, 1);
	dt_cells(&d, "#size-cells", 1, 1);
	dt_cells(&d, "ranges", 8, 0x7e000000, 0, 0xfe000000, 0x1000000, 0, 0, 0xf0000000, 0x1000);
	dt_node(&d, "apb");
	dt_cells(&d, "#address-cells", 1, 1);
	dt_cells(&d, "#size-cells", 1, 1);
	dt_bytes(&d, "ranges", NULL, 0);
	dt_node(&d, "serial@7e201000");
	dt_string(&d, "compatible", "ns16550a");
	dt_cells(&d, "reg", 2, 0x7e201000, 0x200);
	dt_cells(&d, "reg-shift", 1, 2);
	dt_cells(&d, "reg-io-width", 1, 4);
	if (status)
		dt_string(&d, "status", status);
	dt_close(&d);
	dt_close(&d);
	dt_close(&d);
}

TEST(console_by_alias_through_buses)
{
	begin();
	devices();
	serial_on_a_bus(NULL);
	dt_node(&d, "aliases");
	dt_string(&d, "serial1", "/soc/apb/serial@7e201000");
	dt_close(&d);
	dt_node(&d, "chosen"); /* a second one: the last counts */
	dt_string(&d, "stdout-path", "serial1:115200n8");
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_16550_MMIO);
	CHECK_EQ(r.bi.console.base, 0xfe201000);
	CHECK_EQ(r.bi.console.reg_stride, 4);
	CHECK_EQ(r.bi.console.reg_width, 4);
}

/* The numbers that Linux gives: by alias, else the first that is free; a disabled one has none. */
TEST(uarts_have_numbers_and_clocks)
{
	begin();
	devices();
	serial_on_a_bus(NULL);
	dt_device(&d, "uart@1", "arm,pl011", 0xa000000, 0x1000);
	dt_cells(&d, "clocks", 2, 7, 8);
	dt_close(&d);
	dt_device(&d, "uart@2", "ns16550a", 0xb000000, 0x1000);
	dt_cells(&d, "clock-frequency", 1, 1843200);
	dt_close(&d);
	dt_node(&d, "uart@3");
	dt_string(&d, "compatible", "ns16550a");
	dt_string(&d, "status", "disabled");
	dt_cells(&d, "reg", 4, 0, 0xc000000, 0, 0x1000);
	dt_close(&d);
	dt_node(&d, "aliases");
	dt_string(&d, "serial2", "/soc/apb/serial@7e201000");
	dt_string(&d, "serial0", "/uart@1");
	dt_close(&d);
	dt_node(&d, "clk");
	dt_string(&d, "compatible", "fixed-clock");
	dt_cells(&d, "clock-frequency", 1, 24000000);
	dt_cells(&d, "phandle", 1, 7);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.console.base, 0x9000000);
	CHECK_EQ(r.bi.uart_count, 4);
	CHECK_EQ(r.bi.uarts[0].console.base, 0x9000000);
	CHECK_EQ(r.bi.uarts[0].line, 1); /* 0 and 2 are given away */
	CHECK_EQ(r.bi.uarts[0].console.clock, 0);
	CHECK_EQ(r.bi.uarts[1].console.base, 0xfe201000);
	CHECK_EQ(r.bi.uarts[1].line, 2);
	CHECK_EQ(r.bi.uarts[2].console.base, 0xa000000);
	CHECK_EQ(r.bi.uarts[2].line, 0);
	CHECK_EQ(r.bi.uarts[2].console.clock, 24000000);
	CHECK_EQ(r.bi.uarts[3].console.base, 0xb000000);
	CHECK_EQ(r.bi.uarts[3].line, 1);
	CHECK_EQ(r.bi.uarts[3].console.clock, 1843200);
}

TEST(more_uarts_than_are_remembered)
{
	begin();
	for (u32 i = 0; i < 2 * BOOT_MAX_UARTS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "uart@%x", i);
		dt_device(&d, name, "arm,pl011", 0x9000000 + i * 0x1000, 0x1000);
		dt_close(&d);
	}
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.uart_count, BOOT_MAX_UARTS);
	CHECK_EQ(r.bi.uarts[BOOT_MAX_UARTS - 1].line, BOOT_MAX_UARTS - 1);
	CHECK_EQ(r.bi.console.base, 0x9000000);
}

TEST(console_without_a_path_is_the_first_that_works)
{
	begin();
	serial_on_a_bus("disabled");
	dt_node(&d, "uart@1");
	dt_string(&d, "compatible", "arm,sbsa-uart");
	dt_cells(&d, "reg", 4, 0x1000, 0x2600000, 0, 0x1000);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_SBSA);
	CHECK_EQ(r.bi.console.base, 0x100002600000);
}

TEST(console_path_to_nowhere)
{
	begin();
	dt_node(&d, "chosen");
	dt_string(&d, "stdout-path", "serial9");
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK(run_warned(&r, "stdout-path leads nowhere"));
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_UNKNOWN);
}

/* The node that stdout-path names is there, but cannot be used: no other is taken instead, and the warning says why. */
TEST(console_path_to_what_cannot_be_used)
{
	begin();
	serial_on_a_bus("disabled");
	dt_node(&d, "chosen");
	dt_string(&d, "stdout-path", "/soc/apb/serial@7e201000");
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK(run_warned(&r, "stdout-path names serial@7e201000, \"ns16550a\": disabled"));
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_UNKNOWN);
	begin();
	dt_node(&d, "uart@1");
	dt_string(&d, "compatible", "arm,pl011");
	dt_close(&d);
	dt_node(&d, "chosen");
	dt_string(&d, "stdout-path", "/uart@1");
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK(run_warned(
		&r, "stdout-path names uart@1, \"arm,pl011\": no address that the CPU can reach"));
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_UNKNOWN);
}

/* linux,stdout-path counts where there is no stdout-path. */
TEST(console_path_by_its_name_of_old)
{
	for (unsigned both = 0; both < 2; both++) {
		begin();
		dt_device(&d, "uart@1", "arm,pl011", 0xa000000, 0x1000);
		dt_close(&d);
		dt_device(&d, "uart@2", "arm,pl011", 0xb000000, 0x1000);
		dt_close(&d);
		dt_node(&d, "chosen");
		dt_string(&d, "linux,stdout-path", "/uart@2");
		if (both)
			dt_string(&d, "stdout-path", "/uart@1");
		dt_close(&d);
		CHECK_EQ(finish(), 0);
		CHECK_EQ(r.bi.console.base, both ? 0xa000000 : 0xb000000);
	}
}

TEST(gic_version_2_and_smc)
{
	begin();
	dt_node(&d, "intc@8000000");
	dt_string(&d, "compatible", "arm,cortex-a15-gic");
	dt_cells(&d, "reg", 8, 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000);
	dt_close(&d);
	dt_node(&d, "firmware");
	dt_node(&d, "psci");
	dt_string(&d, "compatible", "arm,psci-0.2");
	dt_string(&d, "method", "smc");
	dt_close(&d);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.arm64.gic_version, 2);
	CHECK_EQ(r.bi.arm64.gicc_base, 0x8010000);
	CHECK_EQ(r.bi.arm64.psci, BOOT_PSCI_SMC);
}

TEST(timer_by_name_with_references)
{
	begin();
	dt_node(&d, "timer");
	dt_string(&d, "compatible", "arm,armv8-timer");
	dt_cells(&d, "interrupts-extended", 8, 1, 1, 11, 4, 1, 1, 14, 4);
	dt_bytes(&d, "interrupt-names", "virt\0phys", 10);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.arm64.timer_ppi, 27);
}

TEST(timer_that_is_no_private_interrupt)
{
	begin();
	dt_node(&d, "timer");
	dt_string(&d, "compatible", "arm,armv8-timer");
	dt_cells(&d, "interrupts", 3, 1, 13, 4);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK(run_warned(&r, "virtual timer interrupt of kind 0"));
	CHECK_EQ(r.bi.arm64.timer_ppi, 0);
}

TEST(redistributor_regions)
{
	begin();
	dt_node(&d, "intc");
	dt_string(&d, "compatible", "arm,gic-v3");
	dt_cells(&d, "#redistributor-regions", 1, 3);
	dt_cells(&d, "reg", 12, 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0x40000, 0x40, 0, 0,
		 0x20000);
	dt_close(&d);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(r.bi.arm64.gicr_count, 2);
	CHECK_EQ(r.bi.arm64.gicr[1].base, 0x4000000000);
	CHECK(run_warned(&r, "redistributor region 2 is missing"));
}
