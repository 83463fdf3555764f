/*
 * Whatever the bytes of a device tree: no crash (the sanitizers watch), no hang,
 * and a bootinfo that the kernel can use. Cut at every length, with every header
 * field and every byte changed, and mutated at random from a fixed seed.
 */
#include "check.h"
#include "dt.h"
#include "tables.h"

#include <boot/fdt.h>

enum { MUTATIONS = 60000 };

static struct dt d;
static struct run r;

static void machine(void)
{
	dt_begin(&d);
	dt_cells(&d, "#address-cells", 1, 2);
	dt_cells(&d, "#size-cells", 1, 2);
	dt_reserve(&d, 0x48000000, 0x10000);
	for (unsigned i = 0; i < 2; i++) {
		dt_node(&d, i ? "memory@80000000" : "memory@40000000");
		dt_string(&d, "device_type", "memory");
		dt_cells(&d, "reg", 4, 0, 0x40000000 * (i + 1), 0, 0x40000000);
		dt_cells(&d, "numa-node-id", 1, i);
		dt_close(&d);
	}
	dt_node(&d, "cpus");
	dt_cells(&d, "#address-cells", 1, 1);
	dt_cells(&d, "#size-cells", 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		dt_node(&d, i ? "cpu@1" : "cpu@0");
		dt_cells(&d, "reg", 1, i);
		dt_cells(&d, "numa-node-id", 1, i);
		dt_close(&d);
	}
	dt_close(&d);
	dt_node(&d, "distance-map");
	dt_cells(&d, "distance-matrix", 6, 0, 1, 20, 1, 0, 20);
	dt_close(&d);
	dt_node(&d, "soc");
	dt_cells(&d, "#address-cells", 1, 1);
	dt_cells(&d, "#size-cells", 1, 1);
	dt_cells(&d, "ranges", 4, 0, 0, 0x8000000, 0x2000000);
	dt_node(&d, "uart@1000000");
	dt_string(&d, "compatible", "arm,pl011");
	dt_cells(&d, "reg", 2, 0x1000000, 0x1000);
	dt_close(&d);
	dt_node(&d, "intc@0");
	dt_string(&d, "compatible", "arm,gic-v3");
	dt_cells(&d, "reg", 4, 0, 0x10000, 0xa0000, 0x40000);
	dt_close(&d);
	dt_close(&d);
	dt_psci(&d, "smc");
	dt_node(&d, "timer");
	dt_string(&d, "compatible", "arm,armv8-timer");
	dt_bytes(&d, "interrupt-names", "phys\0virt", 10);
	dt_cells(&d, "interrupts", 6, 1, 14, 4, 1, 11, 4);
	dt_close(&d);
	dt_node(&d, "aliases");
	dt_string(&d, "serial0", "/soc/uart@1000000");
	dt_close(&d);
	dt_node(&d, "chosen");
	dt_string(&d, "stdout-path", "serial0:115200");
	dt_string(&d, "bootargs", "det=1");
	dt_cells(&d, "linux,initrd-start", 1, 0x50000000);
	dt_cells(&d, "linux,initrd-end", 1, 0x50001000);
	dt_close(&d);
}

/* Parse a copy in a buffer of exactly len bytes; what is wrong with the result, or NULL. */
static const char *try(const u8 *bytes, size_t len)
{
	u8 *copy = malloc(len ? len : 1);
	int err;

	if (!copy)
		abort();
	memcpy(copy, bytes, len);
	memset(&r.bi, 0, sizeof(r.bi));
	err = fdt_parse(copy, len, &r.bi);
	free(copy);
	if (err)
		return r.bi.broken ? NULL : "an error without a warning";
	return bootinfo_wrong(&r.bi);
}

TEST(the_tree_itself_is_good)
{
	size_t len;
	u8 *blob;

	machine();
	blob = dt_finish(&d, &len);
	CHECK(!try(blob, len));
	CHECK_EQ(r.bi.cpu_count, 2);
	CHECK_EQ(r.bi.console.base, 0x9000000);
	CHECK_EQ(r.bi.arm64.gicr[0].base, 0x80a0000);
	CHECK_EQ(r.bi.arm64.timer_ppi, 27);
	free(blob);
}

TEST(cut_at_every_length)
{
	size_t len, whole_cpus = 0;
	u8 *blob;

	machine();
	blob = dt_finish(&d, &len);
	for (size_t n = 0; n < len; n++) {
		CHECK(!try(blob, n));
		CHECK(r.bi.broken);
		whole_cpus += r.bi.cpu_count == 2;
	}
	CHECK(whole_cpus >
	      d.strings_len / 2); /* names come last; with the first of them there is a use */
	free(blob);
}

TEST(strings_in_front_are_used_up_to_the_cut)
{
	size_t len, structs, strings;
	u8 *blob, *moved;

	machine();
	blob = dt_finish(&d, &len);
	structs = d.structs_len;
	strings = d.strings_len;
	moved = malloc(len);
	if (!moved)
		abort();
	memcpy(moved, blob, len - structs - strings);
	memcpy(moved + len - structs - strings, blob + len - strings, strings);
	memcpy(moved + len - structs, blob + len - structs - strings, structs);
	moved[11] = (u8)(len - structs), moved[10] = (u8)((len - structs) >> 8);
	moved[15] = (u8)(len - structs - strings), moved[14] = (u8)((len - structs - strings) >> 8);
	CHECK(!try(moved, len));
	CHECK_STR(r.bi.warnings[0], "");
	CHECK(!r.bi.broken);
	CHECK(!try(moved, len - structs / 2));
	CHECK(r.bi.broken);
	CHECK_EQ(r.bi.cpu_count, 2);
	CHECK_EQ(r.bi.node_count, 2);
	free(moved);
	free(blob);
}

TEST(every_byte_changed)
{
	static const u8 values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	size_t len;
	u8 *blob;

	machine();
	blob = dt_finish(&d, &len);
	for (size_t i = 0; i < len; i++) {
		u8 old = blob[i];

		for (unsigned v = 0; v < ARRAY_SIZE(values); v++) {
			blob[i] = values[v];
			CHECK(!try(blob, len));
		}
		blob[i] = old;
	}
	free(blob);
}

/* xorshift64: any generator will do, as long as it repeats. */
static u64 next(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

TEST(random_mutations)
{
	u64 state = 0x7a1279;
	size_t len;
	u8 *blob, *copy;

	machine();
	blob = dt_finish(&d, &len);
	copy = malloc(len);
	if (!copy)
		abort();
	for (unsigned n = 0; n < MUTATIONS; n++) {
		unsigned changes = 1 + next(&state) % 8;

		memcpy(copy, blob, len);
		for (unsigned i = 0; i < changes; i++) {
			size_t at = next(&state) % len;

			if (next(&state) % 2)
				at &= ~(size_t)3; /* the first byte of a cell: large numbers */
			copy[at] = (u8)next(&state);
		}
		CHECK(!try(copy, next(&state) % 4 ? len : next(&state) % len));
	}
	free(copy);
	free(blob);
}

TEST(deep_nesting)
{
	size_t len;
	u8 *blob;

	dt_begin(&d);
	for (unsigned i = 0; i < 1000; i++)
		dt_node(&d, "n");
	for (unsigned i = 0; i < 1000; i++)
		dt_close(&d);
	dt_node(&d, "memory");
	dt_cells(&d, "reg", 3, 0, 0x40000000, 0x1000);
	dt_close(&d);
	blob = dt_finish(&d, &len);
	CHECK(!try(blob, len));
	CHECK(run_warned(&r, "deeper than"));
	CHECK_EQ(r.bi.range_count, 1);
	free(blob);
}
