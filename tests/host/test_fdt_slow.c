/*
 * Device trees made to be slow, and one that is padded: read in time proportional to their size.
 * Steps are counted, not time. A reader that looks again at a parent's properties for each of its
 * children takes hundreds of times as many.
 */
#include "check.h"
#include "dt.h"
#include "tables.h"

#include <boot/fdt.h>

#include <stdlib.h>

enum {
	CHILDREN = 3000,
	NOPS = 30000,
	STEPS_PER_WORD =
		24, /* two walks, and some questions that go through a node's properties again */
};

static struct dt d;
static struct run r;

static void begin(void)
{
	memset(&r, 0, sizeof(r));
	dt_begin_wide(&d);
}

/* Parsed, and within its steps? */
static bool finish(void)
{
	size_t len;
	int err = dt_read(&d, &r.bi, &len);

	if (r.bi.fdt_steps > len / 4 * STEPS_PER_WORD)
		printf("# %lu steps for %zu words\n", r.bi.fdt_steps, len / 4);
	return !err && r.bi.fdt_steps && r.bi.fdt_steps <= len / 4 * STEPS_PER_WORD;
}

/* What a reader has questions about: UARTs, with addresses to be translated. */
static void uarts(unsigned base)
{
	for (unsigned i = 0; i < CHILDREN; i++) {
		dt_device(&d, "serial", "ns16550a", base + i, 1);
		dt_close(&d);
	}
}

static void memory(void)
{
	dt_node(&d, "memory");
	dt_cells(&d, "reg", 4, 0, 0x40000000, 0, 0x1000);
	dt_close(&d);
}

TEST(slow_children_of_a_root_full_of_nops)
{
	begin();
	dt_nops(&d, NOPS);
	memory();
	uarts(0x9000000);
	CHECK(finish());
	CHECK_EQ(r.bi.range_count, 1);
	CHECK_EQ(r.bi.console.base, 0x9000000);
}

TEST(slow_children_of_a_bus_with_nops_between_its_properties)
{
	begin();
	memory();
	dt_node(&d, "soc");
	dt_nops(&d, NOPS);
	dt_cells(&d, "#address-cells", 1, 2);
	dt_nops(&d, NOPS);
	dt_cells(&d, "#size-cells", 1, 2);
	dt_nops(&d, NOPS);
	dt_bytes(&d, "ranges", NULL, 0);
	dt_nops(&d, NOPS);
	uarts(0x9000000);
	dt_close(&d);
	CHECK(finish());
	CHECK_EQ(r.bi.console.base, 0x9000000);
}

/* Each of 3,000 addresses is the last range's. */
TEST(slow_bus_of_many_ranges)
{
	static u8 ranges[6000 * 24];

	for (unsigned i = 0; i < sizeof(ranges); i += 24) {
		ranges[i + 4] = 0x70; /* far from where the UARTs are */
		ranges[i + 23] = 1;
	}
	begin();
	dt_node(&d, "soc");
	dt_cells(&d, "#address-cells", 1, 2);
	dt_cells(&d, "#size-cells", 1, 2);
	dt_bytes(&d, "ranges", ranges, sizeof(ranges));
	uarts(0x9000000);
	dt_close(&d);
	CHECK(finish());
	CHECK(run_warned(&r, "ranges"));
}

/* 127, 128 and 129 ranges, of which the last is the one. */
TEST(ranges_up_to_the_limit)
{
	for (unsigned n = 127; n <= 129; n++) {
		static u8 ranges[129 * 24];

		memset(ranges, 0, sizeof(ranges));
		ranges[(n - 1) * 24 + 4] = 0x10; /* child 0x10000000 */
		ranges[(n - 1) * 24 + 12] = 0x90; /* parent 0x90000000 */
		ranges[(n - 1) * 24 + 22] = 0x10; /* 4 KiB */
		begin();
		dt_node(&d, "soc");
		dt_cells(&d, "#address-cells", 1, 2);
		dt_cells(&d, "#size-cells", 1, 2);
		dt_bytes(&d, "ranges", ranges, (size_t)n * 24);
		dt_device(&d, "serial", "arm,pl011", 0x10000010, 16);
		dt_close(&d);
		dt_close(&d);
		CHECK(finish());
		CHECK_EQ(r.bi.console.base, n <= 128 ? 0x90000010 : 0);
		CHECK_EQ(run_warned(&r, "ranges"), n > 128);
	}
}

TEST(slow_reg_of_many_pairs_behind_nops)
{
	static u8 reg[3000 * 16];

	for (unsigned i = 0; i < sizeof(reg); i += 16) {
		reg[i + 4] = 0x40;
		reg[i + 15] = 1;
	}
	begin();
	dt_node(&d, "memory");
	dt_string(&d, "device_type", "memory");
	dt_nops(&d, NOPS);
	dt_bytes(&d, "reg", reg, sizeof(reg));
	dt_close(&d);
	CHECK(finish());
}

TEST(slow_aliases)
{
	begin();
	dt_node(&d, "aliases");
	dt_nops(&d, NOPS);
	dt_string(&d, "serial9", "/serial");
	dt_close(&d);
	uarts(0x9000000);
	CHECK(finish());
}

TEST(slow_reserved_memory)
{
	begin();
	memory();
	dt_node(&d, "reserved-memory");
	dt_nops(&d, NOPS);
	dt_cells(&d, "#address-cells", 1, 2);
	dt_cells(&d, "#size-cells", 1, 2);
	dt_bytes(&d, "ranges", NULL, 0);
	for (u32 i = 0; i < CHILDREN; i++) {
		dt_node(&d, "r");
		dt_cells(&d, "reg", 4, 0, 0x40000000 + 2 * i, 0, 1);
		dt_close(&d);
	}
	dt_close(&d);
	CHECK(finish());
}

/* What a machine cannot do without, so that nothing is warned of. */
static void others(void)
{
	dt_node(&d, "cpus");
	dt_cells(&d, "#address-cells", 1, 1);
	dt_cells(&d, "#size-cells", 1, 0);
	dt_node(&d, "cpu");
	dt_cells(&d, "reg", 1, 0);
	dt_close(&d);
	dt_close(&d);
	dt_psci(&d, "smc");
	dt_node(&d, "gic");
	dt_string(&d, "compatible", "arm,gic-400");
	dt_cells(&d, "reg", 8, 0, 0x8000000, 0, 0x1000, 0, 0x8010000, 0, 0x1000);
	dt_close(&d);
}

/* A loader may leave room for more in a tree, and be asked for less than that. */
TEST(a_padded_tree_is_whole)
{
	size_t len, padded = 2 << 20;
	u8 *blob, *room = calloc(1, padded);

	begin();
	memory();
	others();
	blob = dt_finish(&d, &len);
	memcpy(room, blob, len);
	room[4] = 0, room[5] = 0x20, room[6] = room[7] = 0; /* 2 MiB in all */
	CHECK_EQ(fdt_parse(room, padded, &r.bi), 0);
	CHECK(!r.bi.broken);
	CHECK_EQ(r.bi.range_count, 1);
	memset(&r, 0, sizeof(r));
	room[5] = 0x30; /* 3 MiB, of which 2 were read */
	CHECK_EQ(fdt_parse(room, padded, &r.bi), 0);
	CHECK(!r.bi.broken && run_warned(&r, "2097152 of 3145728 bytes are there"));
	CHECK_EQ(r.bi.range_count, 1);
	memset(&r, 0, sizeof(r));
	CHECK_EQ(fdt_parse(room, len - 1, &r.bi), 0); /* a byte of what counts is missing */
	CHECK(r.bi.broken);
	free(room);
	free(blob);
}
