/* The physical memory map from any order, overlaps, holes and too many pieces. */
#include "check.h"
#include "tables.h"

#define GIB (1ull << 30)

static struct bootinfo bi;

static bool range_is(unsigned i, u64 base, u64 len, enum boot_mem_type type)
{
	const struct boot_range *r = &bi.ranges[i];

	return i < bi.range_count && r->base == base && r->len == len && r->type == type;
}

static void begin(void)
{
	memset(&bi, 0, sizeof(bi));
}

static bool warned(const char *text)
{
	for (unsigned i = 0; i < bi.warning_count; i++)
		if (strstr(bi.warnings[i], text))
			return true;
	return false;
}

TEST(ranges_unsorted_with_holes)
{
	begin();
	boot_add_range(&bi, 0x100000000, 0x40000000, BOOT_MEM_RAM);
	boot_add_range(&bi, 0, 0xa0000, BOOT_MEM_RAM);
	boot_add_range(&bi, 0xf0000, 0x10000, BOOT_MEM_RESERVED);
	boot_add_range(&bi, 0x100000, 0x7ff00000, BOOT_MEM_RAM);
	CHECK_EQ(bi.range_count, 4);
	CHECK(range_is(0, 0, 0xa0000, BOOT_MEM_RAM));
	CHECK(range_is(1, 0xf0000, 0x10000, BOOT_MEM_RESERVED));
	CHECK(range_is(2, 0x100000, 0x7ff00000, BOOT_MEM_RAM));
	CHECK(range_is(3, 0x100000000, 0x40000000, BOOT_MEM_RAM));
	CHECK_EQ(bi.warning_count, 0);
	CHECK(boot_has_ram(&bi));
}

TEST(ranges_of_one_type_join)
{
	begin();
	boot_add_range(&bi, 0x3000, 0x1000, BOOT_MEM_RAM);
	boot_add_range(&bi, 0x1000, 0x1000, BOOT_MEM_RAM);
	boot_add_range(&bi, 0x2000, 0x1000, BOOT_MEM_RAM);
	CHECK_EQ(bi.range_count, 1);
	CHECK(range_is(0, 0x1000, 0x3000, BOOT_MEM_RAM));
	boot_add_range(&bi, 0, 0x10000, BOOT_MEM_RAM); /* overlap */
	CHECK(range_is(0, 0, 0x10000, BOOT_MEM_RAM));
	CHECK_EQ(bi.range_count, 1);
}

TEST(reserved_wins_in_either_order)
{
	for (unsigned swap = 0; swap < 2; swap++) {
		begin();
		if (swap)
			boot_add_range(&bi, 0x4000, 0x2000, BOOT_MEM_RESERVED);
		boot_add_range(&bi, 0, 0x10000, BOOT_MEM_RAM);
		if (!swap)
			boot_add_range(&bi, 0x4000, 0x2000, BOOT_MEM_RESERVED);
		CHECK_EQ(bi.range_count, 3);
		CHECK(range_is(0, 0, 0x4000, BOOT_MEM_RAM));
		CHECK(range_is(1, 0x4000, 0x2000, BOOT_MEM_RESERVED));
		CHECK(range_is(2, 0x6000, 0xa000, BOOT_MEM_RAM));
		CHECK_EQ(bi.warning_count, 0);
	}
}

TEST(ranges_of_several_ranks)
{
	begin();
	boot_add_range(&bi, 0, 0x10000, BOOT_MEM_ACPI);
	boot_add_range(&bi, 0x8000, 0x10000, BOOT_MEM_NVS);
	boot_add_range(&bi, 0xc000, 0x1000, BOOT_MEM_RESERVED);
	boot_add_range(&bi, 0, 0x20000, BOOT_MEM_RAM);
	CHECK_EQ(bi.range_count, 5);
	CHECK(range_is(0, 0, 0x8000, BOOT_MEM_ACPI));
	CHECK(range_is(1, 0x8000, 0x4000, BOOT_MEM_NVS));
	CHECK(range_is(2, 0xc000, 0x1000, BOOT_MEM_RESERVED));
	CHECK(range_is(3, 0xd000, 0xb000, BOOT_MEM_NVS));
	CHECK(range_is(4, 0x18000, 0x8000, BOOT_MEM_RAM));
}

TEST(range_covers_many)
{
	begin();
	for (u64 i = 0; i < 10; i++)
		boot_add_range(&bi, i * 0x1000, 0x800, BOOT_MEM_RAM);
	boot_add_range(&bi, 0x400, 0x8800, BOOT_MEM_RESERVED);
	CHECK_EQ(bi.range_count, 3);
	CHECK(range_is(0, 0, 0x400, BOOT_MEM_RAM));
	CHECK(range_is(1, 0x400, 0x8800, BOOT_MEM_RESERVED));
	CHECK(range_is(2, 0x9000, 0x800, BOOT_MEM_RAM));
}

TEST(ranges_at_the_end_of_the_address_space)
{
	begin();
	boot_add_range(&bi, ~0ull - 0xffff, 0x10000, BOOT_MEM_RESERVED); /* exactly to 2^64 */
	CHECK_EQ(bi.warning_count, 0);
	CHECK(range_is(0, ~0ull - 0xffff, 0xffff, BOOT_MEM_RESERVED));
	boot_add_range(&bi, 0x1000, ~0ull, BOOT_MEM_RAM);
	CHECK_EQ(bi.warning_count, 1);
	CHECK(bi.broken);
	CHECK_EQ(bi.range_count, 2);
	CHECK(range_is(0, 0x1000, ~0ull - 0x10fff, BOOT_MEM_RAM));
	boot_add_range(&bi, ~0ull, 1, BOOT_MEM_RAM);
	CHECK(bootinfo_memory_wrong(&bi) == NULL);
}

TEST(empty_range)
{
	begin();
	boot_add_range(&bi, 0x5000, 0, BOOT_MEM_RAM);
	CHECK_EQ(bi.range_count, 0);
	CHECK_EQ(bi.warning_count, 1);
	CHECK(!boot_has_ram(&bi));
}

TEST(e820_types)
{
	static const enum boot_mem_type expected[] = {
		BOOT_MEM_RESERVED, BOOT_MEM_RAM,      BOOT_MEM_RESERVED, BOOT_MEM_ACPI,
		BOOT_MEM_NVS,	   BOOT_MEM_RESERVED, BOOT_MEM_RESERVED,
	};

	begin();
	for (u32 i = 0; i < ARRAY_SIZE(expected); i++)
		boot_add_e820(&bi, 0x10000 * i, 0x1000, i);
	boot_add_e820(&bi, 0x10000000, 0x1000, 0xffffffff);
	CHECK_EQ(bi.range_count, ARRAY_SIZE(expected) + 1);
	for (u32 i = 0; i < ARRAY_SIZE(expected); i++)
		CHECK_EQ(bi.ranges[i].type, expected[i]);
	CHECK_EQ(bi.ranges[ARRAY_SIZE(expected)].type, BOOT_MEM_RESERVED);
}

TEST(full_table_gives_up_the_smallest_ram)
{
	begin();
	for (u64 i = 0; i < BOOT_MAX_RANGES; i++)
		boot_add_range(&bi, i * 0x100000, i == 9 ? 0x1000 : 0x4000, BOOT_MEM_RAM);
	CHECK_EQ(bi.range_count, BOOT_MAX_RANGES);
	CHECK_EQ(bi.warning_count, 0);
	boot_add_range(&bi, 0x40000000, 0x800, BOOT_MEM_RAM); /* smaller than all: not taken */
	CHECK_EQ(bi.range_count, BOOT_MAX_RANGES);
	CHECK(range_is(9, 0x900000, 0x1000, BOOT_MEM_RAM));
	CHECK_EQ(bi.warning_count, 1);
	boot_add_range(&bi, 0x50000000, 0x8000, BOOT_MEM_RAM);
	CHECK(range_is(9, 0xa00000, 0x4000, BOOT_MEM_RAM));
	CHECK(range_is(255, 0x50000000, 0x8000, BOOT_MEM_RAM));
	CHECK_EQ(bi.warning_count, 2);
	CHECK(bi.broken);
	CHECK(bootinfo_memory_wrong(&bi) == NULL);
}

/* Whatever has to go: what was reserved once never comes back as RAM. */
TEST(full_table_keeps_every_reservation)
{
	begin();
	boot_add_range(&bi, 0, 1ull << 40, BOOT_MEM_RAM);
	for (u64 i = 0; i < 600; i++)
		boot_add_range(&bi, i * 0x10000 + 0x8000, 0x1000 + (i % 7) * 0x100,
			       BOOT_MEM_RESERVED);
	CHECK(bi.range_count <= BOOT_MAX_RANGES);
	CHECK(bi.broken);
	boot_add_range(&bi, 0, 1ull << 40, BOOT_MEM_RAM);
	CHECK(bootinfo_memory_wrong(&bi) == NULL);
	for (unsigned k = 0; k < bi.range_count; k++) {
		const struct boot_range *r = &bi.ranges[k];

		if (r->type != BOOT_MEM_RAM)
			continue;
		for (u64 i = 0; i < 600; i++) {
			u64 base = i * 0x10000 + 0x8000, len = 0x1000 + (i % 7) * 0x100;

			CHECK(r->base + r->len <= base || r->base >= base + len);
		}
	}
	CHECK(boot_has_ram(&bi));
}

TEST(full_table_joins_the_closest_reservations)
{
	begin();
	for (u64 i = 0; i < BOOT_MAX_RANGES; i++)
		boot_add_range(&bi, i * 0x100000, i == 99 ? 0xff000 : 0x4000, BOOT_MEM_RESERVED);
	CHECK_EQ(bi.warning_count, 0);
	boot_add_range(&bi, 1ull << 40, 0x1000, BOOT_MEM_NVS);
	CHECK_EQ(bi.range_count, BOOT_MAX_RANGES);
	CHECK(range_is(98, 98 * 0x100000, 0x4000, BOOT_MEM_RESERVED));
	CHECK(range_is(99, 99 * 0x100000, 0x104000, BOOT_MEM_RESERVED));
	CHECK(range_is(255, 1ull << 40, 0x1000, BOOT_MEM_NVS));
	CHECK_EQ(bi.warning_count, 1);
	/* RAM that is worth more than the narrowest gap gets a slot the same way. */
	boot_add_range(&bi, 2ull << 40, GIB, BOOT_MEM_RAM);
	CHECK(range_is(255, 2ull << 40, GIB, BOOT_MEM_RAM));
	boot_add_range(&bi, 3ull << 40, 0x1000, BOOT_MEM_RAM);
	CHECK(range_is(255, 2ull << 40, GIB, BOOT_MEM_RAM));
	CHECK(bootinfo_memory_wrong(&bi) == NULL);
}

/* Against a model of one byte per 4 KiB that knows only who wins. */
TEST(ranges_at_random_against_a_model)
{
	static u8 model[256], now[256];
	static const u8 rank[] = {[BOOT_MEM_RAM] = 1,
				  [BOOT_MEM_ACPI] = 2,
				  [BOOT_MEM_NVS] = 3,
				  [BOOT_MEM_RESERVED] = 4};
	u32 seed = 1;

	for (unsigned round = 0; round < 3000; round++) {
		begin();
		memset(model, 0, sizeof(model));
		for (unsigned n = 0; n < 30; n++) {
			u32 base, len;
			enum boot_mem_type type;

			seed = seed * 1664525 + 1013904223;
			base = seed >> 24;
			len = 1 + (seed >> 16) % 60;
			type = (enum boot_mem_type)((seed >> 12) % 4);
			len = MIN(len, 256 - base);
			boot_add_range(&bi, base * 4096ull, len * 4096ull, type);
			for (u32 i = base; i < base + len; i++)
				model[i] = MAX(model[i], rank[type]);
		}
		memset(now, 0, sizeof(now));
		for (unsigned k = 0; k < bi.range_count; k++) {
			const struct boot_range *r = &bi.ranges[k];

			for (u64 i = r->base / 4096; i < (r->base + r->len) / 4096; i++)
				now[i] = rank[r->type];
		}
		CHECK(bootinfo_memory_wrong(&bi) == NULL);
		CHECK(!memcmp(model, now, sizeof(now)));
		CHECK_EQ(bi.warning_count, 0);
	}
}

TEST(modules_of_the_greatest_number_and_length)
{
	begin();
	for (unsigned i = 0; i <= BOOT_MAX_MODULES; i++) {
		CHECK_EQ(warned("more than 8 modules"), false);
		boot_add_module(&bi, 0x10000 * (i + 1), 0x1000);
	}
	CHECK_EQ(bi.module_count, BOOT_MAX_MODULES);
	CHECK(warned("module at 0x90000: more than 8 modules, not used"));
	CHECK_EQ(bi.range_count, BOOT_MAX_MODULES + 1); /* reserved all the same */
	begin();
	boot_add_module(&bi, 0x1000, ~0x1000ull); /* its end is the last address */
	CHECK_EQ(bi.module_count, 1);
	boot_add_module(&bi, 0x1000, ~0xfffull); /* it would be the one behind */
	boot_add_module(&bi, 0x1000, ~0xffeull);
	boot_add_module(&bi, 0x5000, 0);
	CHECK_EQ(bi.module_count, 1);
	CHECK(warned("module at 0x1000: length 0xfffffffffffff000 wraps around"));
	CHECK_EQ(bi.warning_count, 2);
}

TEST(ranges_up_to_what_can_be_reached)
{
	static const struct {
		u64 base, len, kept;
	} cases[] = {{0x1000, 0xf000, 0xf000},
		     {0x1000, 0xf001, 0xf000},
		     {0x0fff0, 0x10, 0x10},
		     {0x10000, 0x10, 0},
		     {0xffff, 2, 1}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		for (enum boot_mem_type type = BOOT_MEM_RAM; type <= BOOT_MEM_NVS; type++) {
			bool lost = cases[i].kept != cases[i].len;

			begin();
			bi.phys_limit = 0x10000;
			boot_add_range(&bi, cases[i].base, cases[i].len, type);
			CHECK_EQ(bi.range_count, cases[i].kept > 0);
			CHECK(!cases[i].kept || bi.ranges[0].len == cases[i].kept);
			CHECK_EQ(warned("out of reach"), lost && type != BOOT_MEM_RESERVED);
		}
	}
}
