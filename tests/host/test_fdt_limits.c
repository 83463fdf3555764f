/* Device trees at the limits of what is taken: each from both sides. */
#include "check.h"
#include "dt.h"
#include "tables.h"

#include <boot/fdt.h>

#include <stdlib.h>

static struct dt d;
static struct run r;

static void begin(void)
{
	memset(&r, 0, sizeof(r));
	dt_begin_wide(&d);
}

static int finish(void)
{
	size_t len;

	return dt_read(&d, &r.bi, &len);
}

static void memory(u32 base, u32 len)
{
	dt_node(&d, "memory");
	dt_cells(&d, "reg", 4, 0, base, 0, len);
	dt_close(&d);
}

/* ---- header ---- */

static void put32(u8 *p, u32 v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (u8)(v >> (24 - 8 * i));
}

static u32 get32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

/* A tree with memory; its header changed at off. RAM that was found. */
static unsigned with_header(u32 off, u32 value, size_t cut)
{
	size_t len;
	u8 *blob;

	begin();
	memory(0x40000000, 0x1000);
	blob = dt_finish(&d, &len);
	if (off)
		put32(blob + off, value);
	fdt_parse(blob, len - cut, &r.bi);
	free(blob);
	return r.bi.range_count;
}

TEST(limits_fdt_versions)
{
	CHECK_EQ(with_header(0, 0, 0), 1);
	CHECK_EQ(with_header(20, 15, 0), 0);
	CHECK(run_warned(&r, "version 15 is not one we can read"));
	CHECK_EQ(with_header(20, 16, 0), 1);
	CHECK_EQ(with_header(20, 17, 0), 1);
	CHECK_EQ(with_header(20, 18, 0), 1);
	CHECK_EQ(with_header(24, 17, 0), 1); /* readable by who knows 17 */
	CHECK_EQ(with_header(24, 18, 0), 0);
}

/* Version 16 has no size of the structure: it goes on to the end. */
TEST(limits_fdt_size_of_the_structure)
{
	size_t len;
	u8 *blob;

	for (u32 version = 16; version <= 17; version++) {
		begin();
		memory(0x40000000, 0x1000);
		blob = dt_finish(&d, &len);
		put32(blob + 20, version);
		put32(blob + 36, 4); /* of the root's first token alone */
		fdt_parse(blob, len, &r.bi);
		CHECK_EQ(r.bi.range_count, version == 16);
		CHECK_EQ(run_warned(&r, "node name without end"), version == 17);
		free(blob);
	}
}

/* The root's first property has four bytes: its own fields are there, its value is not; then not even these. */
TEST(limits_fdt_cut_property)
{
	for (u32 size = 19; size <= 24; size++) {
		with_header(36, size, 0);
		CHECK_EQ(run_warned(&r, "cut off inside a property"), size < 20);
		CHECK_EQ(run_warned(&r, "property longer than the tree"), size >= 20 && size < 24);
		CHECK_EQ(run_warned(&r, ": cut off:"), size == 24);
	}
}

TEST(limits_fdt_blocks)
{
	size_t len;
	u8 *blob;
	u32 structs, total;

	begin();
	blob = dt_finish(&d, &len);
	structs = get32(blob + 8);
	total = get32(blob + 4);
	free(blob);
	CHECK_EQ(total, len);
	with_header(8, 39, 0);
	CHECK(run_warned(&r, "device tree+0x8: structure at 0x27"));
	with_header(8, 40, 0);
	CHECK(!run_warned(&r, "device tree+0x8: structure at"));
	begin();
	memory(0x40000000, 0x1000);
	blob = dt_finish(&d, &len);
	for (u32 past = 0; past < 2; past++) {
		put32(blob + 8, (u32)len - 1 + past);
		memset(&r, 0, sizeof(r));
		CHECK_EQ(fdt_parse(blob, len, &r.bi) == 0, !past);
		CHECK_EQ(run_warned(&r, "device tree+0x8"), past);
	}
	put32(blob + 8, structs);
	/* Strings that end with the blob, and a byte behind it. */
	for (u32 past = 0; past < 2; past++) {
		put32(blob + 32, (u32)len - get32(blob + 12) + past);
		memset(&r, 0, sizeof(r));
		CHECK_EQ(fdt_parse(blob, len, &r.bi), 0);
		CHECK_EQ(run_warned(&r, "strings of"), past);
		CHECK_EQ(r.bi.range_count, 1);
	}
	free(blob);
}

TEST(limits_fdt_cut_header)
{
	size_t len;
	u8 *blob;

	begin();
	blob = dt_finish(&d, &len);
	for (size_t cut = 39; cut <= 40; cut++) {
		u8 *part = malloc(cut);

		memcpy(part, blob, cut);
		memset(&r, 0, sizeof(r));
		CHECK(fdt_parse(part, cut, &r.bi) < 0);
		CHECK_EQ(run_warned(&r, "shorter than its header"), cut == 39);
		CHECK_EQ(run_warned(&r, "bytes are there"), cut == 40);
		free(part);
	}
	free(blob);
	with_header(0, 0, 1);
	CHECK(run_warned(&r, "bytes are there"));
}

/* ---- nodes ---- */

TEST(limits_fdt_depth)
{
	for (unsigned deep = 9; deep <= 14; deep++) {
		begin();
		for (unsigned i = 1; i < deep; i++)
			dt_node(&d, "n");
		dt_node(&d, "psci");
		dt_string(&d, "compatible", "arm,psci-0.2");
		dt_string(&d, "method", "smc");
		dt_close(&d);
		for (unsigned i = 1; i < deep; i++)
			dt_close(&d);
		memory(0x40000000, 0x1000);
		CHECK_EQ(finish(), 0);
		/* The node at `deep` is on level deep + 1, as the root is on 1. */
		CHECK_EQ(r.bi.arm64.psci, deep + 1 <= 12 ? BOOT_PSCI_SMC : BOOT_PSCI_NONE);
		CHECK_EQ(run_warned(&r, "deeper than 12 levels: not read"), deep + 1 > 12);
		CHECK_EQ(r.bi.range_count, 1); /* what comes after it is read */
	}
}

TEST(limits_fdt_names)
{
	static const struct {
		const char *parent, *name;
		bool cpu;
	} cases[] = {{"cpus", "cpu", true},   {"cpus", "cpu@", true}, {"cpus", "cpu@7", true},
		     {"cpus", "cpux", false}, {"cpus", "cp", false},  {"cpux", "cpu", false},
		     {"cpus@0", "cpu", true}, {"cpu", "cpu", false}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		begin();
		dt_node(&d, cases[i].parent);
		dt_cells(&d, "#address-cells", 1, 1);
		dt_cells(&d, "#size-cells", 1, 0);
		dt_node(&d, cases[i].name);
		dt_cells(&d, "reg", 1, 5);
		dt_close(&d);
		dt_close(&d);
		CHECK_EQ(finish(), 0);
		CHECK_EQ(r.bi.cpu_count, cases[i].cpu);
		CHECK_EQ(run_warned(&r, "no CPUs"), !cases[i].cpu);
	}
}

TEST(limits_fdt_status)
{
	static const struct {
		const char *status;
		size_t len;
		bool on;
	} cases[] = {{"okay", 5, true},	     {"ok", 3, true}, {"okay", 4, false},
		     {"disabled", 9, false}, {"o", 2, false}, {"", 1, false}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		begin();
		dt_node(&d, "memory");
		dt_cells(&d, "reg", 4, 0, 0x40000000, 0, 0x1000);
		dt_bytes(&d, "status", cases[i].status, cases[i].len);
		dt_close(&d);
		finish();
		CHECK_EQ(r.bi.range_count, cases[i].on);
	}
}

TEST(limits_fdt_mpidr)
{
	static const u8 reg[16] = {0, 0, 0, 1, 0x80, 2, 3, 4};

	for (size_t len = 0; len <= 12; len++) {
		u64 expected = len == 4 ? 1 : 0x100020304;
		bool good = len == 4 || len == 8;

		begin();
		dt_node(&d, "cpus");
		dt_node(&d, "cpu");
		dt_bytes(&d, "reg", reg, len);
		dt_close(&d);
		dt_close(&d);
		finish();
		CHECK_EQ(r.bi.cpu_count, good);
		CHECK_EQ(run_warned(&r, "CPU without a usable reg"), !good);
		CHECK(!good || r.bi.cpus[0].hw_id == expected);
	}
}

/* ---- addresses ---- */

static void uart_of_cells(u32 address, u32 size)
{
	u8 reg[32] = {0};

	memset(&r, 0, sizeof(r));
	dt_begin(&d);
	dt_cells(&d, "#address-cells", 1, address);
	dt_cells(&d, "#size-cells", 1, size);
	dt_node(&d, "uart");
	dt_string(&d, "compatible", "arm,pl011");
	if (address + size) {
		reg[4 * address - 1] = 9; /* the low byte of the address */
		reg[4 * (address + size) - 1] = 7;
	}
	dt_bytes(&d, "reg", reg, 4 * (address + size));
	dt_close(&d);
	finish();
}

TEST(limits_fdt_cells)
{
	for (u32 address = 1; address <= 3; address++) {
		for (u32 size = 0; size <= 3; size++) {
			bool good = address <= 2 && size <= 2;

			uart_of_cells(address, size);
			CHECK_EQ(r.bi.console.base, good ? size ? 9 : 7 : 0);
			CHECK_EQ(run_warned(&r, "not used"), !good);
		}
	}
}

/* A window of 16 bytes at 0x100, seen at 0x5000, behind another one that is empty. */
static u64 seen_at(u32 address)
{
	begin();
	dt_node(&d, "bus");
	dt_cells(&d, "#address-cells", 1, 1);
	dt_cells(&d, "#size-cells", 1, 1);
	dt_cells(&d, "ranges", 8, 0x100, 0, 0x9000, 0, 0x100, 0, 0x5000, 16);
	dt_node(&d, "uart");
	dt_string(&d, "compatible", "arm,pl011");
	dt_cells(&d, "reg", 2, address, 4);
	dt_close(&d);
	dt_close(&d);
	finish();
	return r.bi.console.base;
}

TEST(limits_fdt_windows)
{
	CHECK_EQ(seen_at(0xff), 0);
	CHECK_EQ(seen_at(0x100), 0x5000);
	CHECK_EQ(seen_at(0x10f), 0x500f);
	CHECK_EQ(seen_at(0x110), 0);
}

/* Three cells of address, as PCI has them: the first is no part of the address. */
TEST(limits_fdt_cells_of_windows)
{
	for (u32 cells = 3; cells <= 4; cells++) {
		u8 ranges[64] = {0}, reg[32] = {0};

		begin();
		dt_node(&d, "bus");
		dt_cells(&d, "#address-cells", 1, cells);
		dt_cells(&d, "#size-cells", 1, 1);
		ranges[4 * cells + 4 + 2] = 0x70; /* 0 is seen at 0x7000 */
		ranges[4 * cells + 8 + 2] = 0x10; /* for 0x1000 bytes */
		dt_bytes(&d, "ranges", ranges, 4 * (cells + 3));
		dt_node(&d, "bus");
		dt_cells(&d, "#address-cells", 1, 1);
		dt_cells(&d, "#size-cells", 1, 1);
		memset(ranges, 0, sizeof(ranges));
		ranges[4 * (1 + cells) + 2] = 0x10;
		dt_bytes(&d, "ranges", ranges, 4 * (2 + cells));
		dt_node(&d, "uart");
		dt_string(&d, "compatible", "arm,pl011");
		reg[3] = 5, reg[7] = 1;
		dt_bytes(&d, "reg", reg, 8);
		dt_close(&d);
		dt_close(&d);
		dt_close(&d);
		finish();
		CHECK_EQ(r.bi.console.base, 0);
	}
}

TEST(limits_fdt_numbers)
{
	for (unsigned len = 3; len <= 5; len++) {
		begin();
		dt_device(&d, "uart", "ns16550a", 0x1000, 8);
		dt_bytes(&d, "reg-io-width", "\0\0\0\4\0", len);
		dt_close(&d);
		finish();
		CHECK_EQ(r.bi.console.reg_width, len == 4 ? 4 : 1);
		CHECK_EQ(run_warned(&r, "reg-io-width has"), len != 4);
	}
}

/* ---- distances ---- */

static void three_nodes_with(u32 a, u32 b, u32 value)
{
	begin();
	dt_node(&d, "cpus");
	for (u32 i = 0; i < 3; i++) {
		dt_node(&d, "cpu");
		dt_cells(&d, "reg", 1, i);
		dt_cells(&d, "numa-node-id", 1, i);
		dt_close(&d);
	}
	dt_close(&d);
	dt_node(&d, "distance-map");
	dt_cells(&d, "distance-matrix", 15, a, b, value, 0, 1, 31, 1, 0, 32, 1, 2, 41, 2, 1, 41);
	dt_close(&d);
	finish();
}

TEST(limits_fdt_distances)
{
	for (u32 value = 8; value <= 12; value++) {
		bool good = value > 10;

		three_nodes_with(0, 2, value);
		CHECK_EQ(r.bi.distance[0][2], good ? value : 20);
		CHECK_EQ(r.bi.distance[2][0], good ? value : 20);
		CHECK_EQ(run_warned(&r, "distance is not valid (1 such)"), !good);
		CHECK_EQ(run_warned(&r, "no distance for 1 pairs"), !good);
		CHECK(run_warned(&r, "1 distances differ by direction")); /* 0 and 1, not 1 and 2 */
		three_nodes_with(1, 1, value);
		CHECK_EQ(r.bi.distance[1][1], 10);
		CHECK_EQ(run_warned(&r, "distance is not valid (1 such)"), value != 10);
	}
	for (u32 value = 254; value <= 257; value++) {
		three_nodes_with(2, 0, value);
		CHECK_EQ(r.bi.distance[0][2], value <= 255 ? value : 20);
	}
	for (u32 node = 2; node <= 3; node++) {
		three_nodes_with(0, node, 50);
		CHECK_EQ(run_warned(&r, "not valid"), node == 3);
		three_nodes_with(node, 0, 50);
		CHECK_EQ(run_warned(&r, "not valid"), node == 3);
	}
}

/* ---- interrupts ---- */

static u32 timer_of(u32 kind, u32 number)
{
	begin();
	dt_node(&d, "timer");
	dt_string(&d, "compatible", "arm,armv8-timer");
	dt_cells(&d, "interrupts", 12, 0, 1, 4, 0, 2, 4, kind, number, 4, 0, 3, 4);
	dt_close(&d);
	finish();
	return r.bi.arm64.timer_ppi;
}

TEST(limits_fdt_timer)
{
	CHECK_EQ(timer_of(1, 0), 16);
	CHECK_EQ(timer_of(1, 15), 31);
	CHECK_EQ(timer_of(1, 16), 0);
	CHECK(run_warned(&r, "virtual timer interrupt of kind 1, number 16"));
	CHECK_EQ(timer_of(3, 0), 1056);
	CHECK_EQ(timer_of(3, 63), 1119);
	CHECK_EQ(timer_of(3, 64), 0);
	CHECK_EQ(timer_of(2, 3), 0);
	CHECK_EQ(timer_of(0, 3), 0);
}

/* Four cells per interrupt, and the virtual one by its name, which others begin or end with. */
TEST(limits_fdt_timer_names)
{
	begin();
	dt_node(&d, "intc@8000000");
	dt_string(&d, "compatible", "arm,gic-v3");
	dt_cells(&d, "#interrupt-cells", 1, 4);
	dt_cells(&d, "reg", 8, 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000);
	dt_close(&d);
	dt_node(&d, "timer");
	dt_string(&d, "compatible", "arm,armv8-timer");
	dt_bytes(&d, "interrupt-names", "vir\0virtx\0hypv\0virt", 20);
	dt_cells(&d, "interrupts", 16, 1, 1, 4, 0, 1, 2, 4, 0, 1, 3, 4, 0, 1, 4, 4, 0);
	dt_close(&d);
	finish();
	CHECK_EQ(r.bi.arm64.timer_ppi, 20);
}

TEST(limits_fdt_redistributors)
{
	begin();
	dt_node(&d, "intc");
	dt_string(&d, "compatible", "arm,gic-v3");
	dt_cells(&d, "reg", 12, 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0x40000, 0x40, 0, 0,
		 0x20000);
	dt_close(&d);
	finish();
	CHECK_EQ(r.bi.arm64.gicr_count, 1); /* not said: one */
	CHECK_EQ(r.bi.arm64.gicr[0].base, 0x80a0000);
	for (unsigned regions = BOOT_MAX_GICR; regions <= BOOT_MAX_GICR + 1; regions++) {
		u8 reg[(BOOT_MAX_GICR + 2) * 16] = {0};

		for (unsigned i = 0; i <= regions; i++) {
			reg[16 * i + 7] = (u8)i;
			reg[16 * i + 15] = 1;
		}
		begin();
		dt_node(&d, "intc");
		dt_string(&d, "compatible", "arm,gic-v3");
		dt_cells(&d, "#redistributor-regions", 1, regions);
		dt_bytes(&d, "reg", reg, 16 * (regions + 1));
		dt_close(&d);
		finish();
		CHECK_EQ(r.bi.arm64.gicr_count, BOOT_MAX_GICR);
		CHECK_EQ(r.bi.arm64.gicr[BOOT_MAX_GICR - 1].base, BOOT_MAX_GICR);
		CHECK_EQ(run_warned(&r, "more than 64 redistributor regions"),
			 regions > BOOT_MAX_GICR);
	}
}

/* ---- console ---- */

/* stdout-path, to a UART that is not the first. */
static u64 console_of(const char *path, size_t len)
{
	begin();
	dt_device(&d, "uart@1", "arm,pl011", 1, 1);
	dt_close(&d);
	dt_device(&d, "uart@22", "ns16550a", 0x22, 1);
	dt_cells(&d, "reg-shift", 1, 3);
	dt_close(&d);
	dt_node(&d, "aliases");
	dt_string(&d, "serial0", "/uart@22");
	dt_string(&d, "a234567890123456789012345678901", "/uart@22"); /* 31 characters */
	dt_string(&d, "a2345678901234567890123456789012", "/uart@22");
	dt_close(&d);
	dt_node(&d, "chosen");
	dt_bytes(&d, "stdout-path", path, len);
	dt_close(&d);
	finish();
	return r.bi.console.base;
}

TEST(limits_fdt_console_path)
{
	CHECK_EQ(console_of("/uart@22", 9), 0x22);
	CHECK_EQ(r.bi.console.reg_stride, 8);
	CHECK_EQ(r.bi.console.reg_width, 1);
	CHECK_EQ(console_of("/uart@22", 8), 0x22); /* no terminator */
	CHECK(!run_warned(&r, "stdout-path"));
	CHECK_EQ(console_of("/uart@2", 8), 0); /* names nothing, and not the first instead */
	CHECK(run_warned(&r, "stdout-path names /uart@2: no such UART"));
	CHECK_EQ(console_of("/uart@222", 10), 0);
	CHECK_EQ(console_of("/uart@22/x", 11), 0);
	CHECK_EQ(console_of("/uart@22:9600:x", 16), 0x22);
	CHECK_EQ(console_of("serial0", 8), 0x22);
	CHECK_EQ(console_of("serial", 7), 1);
	CHECK(run_warned(&r, "leads nowhere"));
	CHECK_EQ(console_of("a234567890123456789012345678901", 32), 0x22);
	CHECK_EQ(console_of("a2345678901234567890123456789012", 33), 1);
	CHECK_EQ(console_of("", 0), 1);
	CHECK(!run_warned(&r, "leads nowhere"));
}

TEST(limits_fdt_initrd)
{
	for (u32 end = 0xfff; end <= 0x1001; end++) {
		begin();
		memory(0, 0x10000);
		dt_node(&d, "chosen");
		dt_cells(&d, "linux,initrd-start", 1, 0x1000);
		dt_cells(&d, "linux,initrd-end", 1, end);
		dt_close(&d);
		finish();
		CHECK_EQ(r.bi.module_count, end > 0x1000);
	}
	CHECK_EQ(r.bi.modules[0].base, 0x1000);
	CHECK_EQ(r.bi.modules[0].len, 1);
}
