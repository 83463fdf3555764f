/*
 * Odd memory maps, generated, through the parser of every loader: unsorted,
 * overlapping, in pieces of a page and less, beyond what the CPU can address,
 * ending at 2^64, hundreds of entries. What comes out is held to a model that
 * asks every entry about an address; what is lost must have been said.
 */
#include "check.h"
#include "random.h"
#include "dt.h"
#include "tables.h"

#include <boot/efi_map.h>
#include <boot/fdt.h>
#include <boot/multiboot2.h>
#include <boot/pvh.h>
#include <kernel/error.h>

enum { INFO = 0x10000, MAP = 0x40000, MAX_ENTRIES = 600, ROUNDS = 400 };

struct entry {
	u64 base, len;
	enum boot_mem_type type;
};

static struct entry entries[MAX_ENTRIES];
static unsigned count;
static struct bootinfo bi;
static struct rng rng;

/* ---- the model ---- */

static const u8 rank[] = {
	[BOOT_MEM_RAM] = 1, [BOOT_MEM_ACPI] = 2, [BOOT_MEM_NVS] = 3, [BOOT_MEM_RESERVED] = 4};

static bool holds(const struct entry *e, u64 at)
{
	/* One that ends at 2^64 or behind goes to the last address that has an end. */
	return e->len && at >= e->base &&
	       (e->base + e->len < e->base ? at < ~0ull : at < e->base + e->len);
}

static unsigned wanted(u64 at)
{
	unsigned best = 0;

	if (bi.phys_limit && at >= bi.phys_limit)
		return 0;
	for (unsigned i = 0; i < count; i++)
		if (holds(&entries[i], at))
			best = MAX(best, rank[entries[i].type]);
	return best;
}

static unsigned found(u64 at)
{
	for (unsigned i = 0; i < bi.range_count; i++)
		if (at >= bi.ranges[i].base && at - bi.ranges[i].base < bi.ranges[i].len)
			return rank[bi.ranges[i].type];
	return 0;
}

/* RAM only where the map has it; all of it unless the table was full. */
static bool right_at(u64 at, bool whole)
{
	unsigned want = wanted(at), have = found(at);

	return whole ? have == want : have != rank[BOOT_MEM_RAM] || want == rank[BOOT_MEM_RAM];
}

static bool right(bool whole)
{
	bool ok = right_at(0, whole) && right_at(bi.phys_limit - 1, whole) &&
		  right_at(bi.phys_limit, whole);

	for (unsigned i = 0; ok && i < count; i++) {
		u64 base = entries[i].base, end = base + entries[i].len;

		ok = right_at(base, whole) && right_at(base - 1, whole) && right_at(end, whole) &&
		     right_at(end - 1, whole);
	}
	return ok;
}

static bool said(const char *text)
{
	for (unsigned i = 0; i < bi.warning_count; i++)
		if (strstr(bi.warnings[i], text))
			return true;
	return false;
}

/* Whoever has RAM beyond the limit is told. */
static bool loss_is_said(void)
{
	for (unsigned i = 0; i < count; i++) {
		const struct entry *e = &entries[i];
		bool beyond =
			e->len && (e->base >= bi.phys_limit || e->len > bi.phys_limit - e->base);

		if (beyond && e->type == BOOT_MEM_RAM && !said("not used") && !bi.warning_dropped)
			return false;
	}
	return true;
}

/* ---- generated maps ---- */

static u64 below(u64 n)
{
	return rng_below(&rng, n);
}

static u64 some_base(u64 limit)
{
	switch (below(8)) {
	case 0:
		return limit - below(4 * PAGE_SIZE);
	case 1:
		return limit + below(1ull << 41);
	case 2:
		return 0 - (1 + below(3)) * PAGE_SIZE;
	case 3:
		return below(1ull << 20);
	default:
		return below(64) * (1ull << 28) + below(3) * (PAGE_SIZE / 2);
	}
}

static u64 some_len(u64 base)
{
	switch (below(8)) {
	case 0:
		return 1 + below(PAGE_SIZE);
	case 1:
		return 0 - base; /* to 2^64 */
	case 2:
		return ~0ull - below(PAGE_SIZE); /* and around */
	default:
		return (1 + below(1ull << 16)) * PAGE_SIZE;
	}
}

static void generate(unsigned n, bool only_ram_and_reserved)
{
	static const enum boot_mem_type types[] = {BOOT_MEM_RAM, BOOT_MEM_RESERVED, BOOT_MEM_ACPI,
						   BOOT_MEM_NVS};
	u64 limit = 1ull << (36 + below(12));

	memset(&bi, 0, sizeof(bi));
	bi.phys_limit = limit;
	entries[0] = (struct entry){PAGE_SIZE, 1ull << 30, BOOT_MEM_RAM};
	for (count = 1; count < n; count++) {
		struct entry *e = &entries[count];

		e->base = some_base(limit);
		e->len = some_len(e->base);
		e->type = types[below(only_ram_and_reserved ? 2 : 4)];
	}
}

/* ---- the loaders ---- */

static const u32 e820_types[] = {
	[BOOT_MEM_RAM] = 1, [BOOT_MEM_RESERVED] = 2, [BOOT_MEM_ACPI] = 3, [BOOT_MEM_NVS] = 4};

static void put_entries(struct table *t)
{
	for (unsigned i = 0; i < count; i++) {
		table_64(t, entries[i].base);
		table_64(t, entries[i].len);
		table_32(t, e820_types[entries[i].type]);
		table_32(t, 0);
	}
}

static void through_pvh(void)
{
	struct table info = {.len = 0}, map = {.len = 0};
	struct phys m = {.count = 0};

	put_entries(&map);
	table_32(&info, 0x336ec578);
	table_32(&info, 1);
	table_zeros(&info, 32);
	table_64(&info, MAP);
	table_32(&info, count);
	table_32(&info, 0);
	phys_add(&m, INFO, info.p, info.len);
	phys_add(&m, MAP, map.p, map.len);
	pvh_parse(INFO, phys_map, &m, &bi);
	phys_free(&m);
	table_free(&info);
	table_free(&map);
}

static void through_multiboot2(void)
{
	struct table t = {.len = 0};
	struct phys m = {.count = 0};

	table_64(&t, 0);
	table_32(&t, 6);
	table_32(&t, 16 + 24 * count);
	table_32(&t, 24);
	table_32(&t, 0);
	put_entries(&t);
	table_32(&t, 0);
	table_32(&t, 8);
	table_set(&t, 0, t.len, 4);
	phys_add(&m, INFO, t.p, t.len);
	multiboot2_parse(INFO, phys_map, &m, &bi);
	phys_free(&m);
	table_free(&t);
}

/* Descriptors of the size that firmware has, 8 bytes more than we know of; pages are whole. */
static void put_descriptors(struct table *t)
{
	static const u32 types[] = {[BOOT_MEM_RAM] = EFI_CONVENTIONAL,
				    [BOOT_MEM_RESERVED] = 0,
				    [BOOT_MEM_ACPI] = EFI_ACPI_RECLAIM,
				    [BOOT_MEM_NVS] = EFI_ACPI_NVS};

	for (unsigned i = 0; i < count; i++) {
		struct entry *e = &entries[i];
		u64 pages = e->len / PAGE_SIZE + !!(e->len % PAGE_SIZE);

		e->len = pages > ~0ull / PAGE_SIZE ? ~0ull : pages * PAGE_SIZE;
		table_64(t, types[e->type]);
		table_64(t, e->base);
		table_64(t, 0);
		table_64(t, pages);
		table_64(t, 0xf);
		table_64(t, 0xee);
	}
}

static void through_efi(void)
{
	struct table t = {.len = 0};

	put_descriptors(&t);
	efi_map_parse(t.p, t.len, 48, &bi);
	table_free(&t);
}

/* A loader that passes on the firmware's map alone. */
static void through_multiboot2_efi(void)
{
	struct table t = {.len = 0};
	struct phys m = {.count = 0};

	table_64(&t, 0);
	table_32(&t, 17);
	table_32(&t, 16 + 48 * count);
	table_32(&t, 48);
	table_32(&t, 1);
	put_descriptors(&t);
	table_32(&t, 0);
	table_32(&t, 8);
	table_set(&t, 0, t.len, 4);
	phys_add(&m, INFO, t.p, t.len);
	multiboot2_parse(INFO, phys_map, &m, &bi);
	phys_free(&m);
	table_free(&t);
}

/* RAM by nodes, reservations by the list in front of the tree. */
static void through_device_tree(void)
{
	static struct dt d;
	char name[40];
	size_t len;

	dt_begin(&d);
	dt_cells(&d, "#address-cells", 1, 2);
	dt_cells(&d, "#size-cells", 1, 2);
	for (unsigned i = 0; i < count; i++) {
		const struct entry *e = &entries[i];

		if (e->type == BOOT_MEM_RESERVED) {
			dt_reserve(&d, e->base, e->len);
			continue;
		}
		snprintf(name, sizeof(name), "memory@%u", i);
		dt_node(&d, name);
		dt_string(&d, "device_type", "memory");
		dt_cells(&d, "reg", 4, (u32)(e->base >> 32), (u32)e->base, (u32)(e->len >> 32),
			 (u32)e->len);
		dt_close(&d);
	}
	u8 *blob = dt_finish(&d, &len);

	fdt_parse(blob, len, &bi);
	free(blob);
}

static bool maps_are_right(void (*through)(void), unsigned most, bool only_ram_and_reserved)
{
	bool ok = true;

	for (unsigned round = 0; ok && round < ROUNDS; round++) {
		generate(2 + (unsigned)below(most - 1), only_ram_and_reserved);
		through();
		ok = right(!said("more than")) && loss_is_said() && !bootinfo_memory_wrong(&bi);
		if (!ok)
			printf("# round %u: %u entries, limit %#lx, \"%s\"\n", round, count,
			       bi.phys_limit, bi.warnings[0]);
	}
	return ok;
}

TEST(maps_of_pvh)
{
	rng_seed(&rng, 1);
	CHECK(maps_are_right(through_pvh, 40, false));
	CHECK(maps_are_right(through_pvh, MAX_ENTRIES, false));
}

TEST(maps_of_multiboot2)
{
	rng_seed(&rng, 2);
	CHECK(maps_are_right(through_multiboot2, 40, false));
	CHECK(maps_are_right(through_multiboot2, MAX_ENTRIES, false));
}

TEST(maps_of_efi)
{
	rng_seed(&rng, 4);
	CHECK(maps_are_right(through_efi, 40, false));
	CHECK(maps_are_right(through_efi, MAX_ENTRIES, false));
	CHECK(maps_are_right(through_multiboot2_efi, 40, false));
}

static void descriptor(struct table *t, u32 type, u64 base, u64 pages, u64 attributes)
{
	table_64(t, type);
	table_64(t, base);
	table_64(t, 0);
	table_64(t, pages);
	table_64(t, attributes);
}

/* Of the one range that a descriptor of one page becomes; -1: it does not. */
static int efi_type(u32 type, u64 attributes)
{
	struct table t = {.len = 0};
	int err;

	memset(&bi, 0, sizeof(bi));
	bi.phys_limit = 1ull << 40;
	descriptor(&t, type, 0x100000, 1, attributes);
	err = efi_map_parse(t.p, t.len, 40, &bi);
	table_free(&t);
	if (err || bi.range_count != 1 || bi.ranges[0].base != 0x100000 ||
	    bi.ranges[0].len != PAGE_SIZE)
		return -1;
	return (int)bi.ranges[0].type;
}

/* UEFI 2.10 table 7.10: what is free once boot services are left. */
TEST(maps_of_efi_by_type)
{
	for (u32 type = 0; type < 20; type++) {
		bool ram = (type >= EFI_LOADER_CODE && type <= EFI_BOOT_SERVICES_DATA) ||
			   type == EFI_CONVENTIONAL;

		CHECK_EQ(efi_type(type, 0xf), ram			 ? BOOT_MEM_RAM
					      : type == EFI_ACPI_RECLAIM ? BOOT_MEM_ACPI
					      : type == EFI_ACPI_NVS	 ? BOOT_MEM_NVS
									 : BOOT_MEM_RESERVED);
		CHECK_EQ(efi_type(type, 7), BOOT_MEM_RESERVED); /* not to be cached */
	}
}

TEST(maps_of_efi_that_went_wrong)
{
	struct table t = {.len = 0};

	memset(&bi, 0, sizeof(bi));
	bi.phys_limit = 1ull << 40;
	descriptor(&t, EFI_CONVENTIONAL, 0x40000000, 0x10, 8);
	descriptor(&t, EFI_CONVENTIONAL, 1ull << 41, 1ull << 52, 8); /* as bytes: 0 */
	CHECK_EQ(efi_map_parse(t.p, t.len, 39, &bi), -EINVAL);
	CHECK_EQ(bi.range_count, 0);
	CHECK(said("descriptors of 39 bytes"));
	CHECK_EQ(efi_map_parse(t.p, t.len, 40, &bi), 0);
	CHECK_EQ(bi.range_count, 1);
	CHECK_EQ(bi.ranges[0].len, 0x10 * PAGE_SIZE);
	CHECK(said("0x20000000000") && said("longer than the address space"));
	CHECK(!said("inside a descriptor"));
	CHECK_EQ(efi_map_parse(t.p, t.len - 1, 40, &bi), 0);
	CHECK(said("inside a descriptor"));
	CHECK_EQ(efi_map_parse(t.p, 0, 40, &bi), 0);
	table_free(&t);
}

TEST(maps_of_a_device_tree)
{
	rng_seed(&rng, 3);
	CHECK(maps_are_right(through_device_tree, 12, true));
}

/* By name, as they were met: each once reset a machine, panicked, or had RAM that was the page array. */
TEST(maps_that_went_wrong)
{
	static const struct {
		u64 limit;
		struct entry odd;
		u64 usable;
	} odd[] = {
		{1ull << 40, {1ull << 46, 1ull << 30, BOOT_MEM_RAM}, 0},
		{1ull << 40, {0xfffffffffffff000, 0x1000, BOOT_MEM_RAM}, 0},
		{1ull << 46, {80ull << 40, 256 << 20, BOOT_MEM_RAM}, 0},
		{1ull << 40, {(1ull << 40) - 0x3000, 0x8000, BOOT_MEM_RAM}, 0x3000},
		{1ull << 40, {(1ull << 40) - 0x1800, 0x800, BOOT_MEM_RAM}, 0x800},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
		u64 usable = 0;

		memset(&bi, 0, sizeof(bi));
		bi.phys_limit = odd[i].limit;
		entries[0] = (struct entry){0x100000, 1ull << 30, BOOT_MEM_RAM};
		entries[1] = odd[i].odd;
		count = 2;
		through_pvh();
		for (unsigned k = 0; k < bi.range_count; k++)
			usable += bi.ranges[k].len;
		CHECK_EQ(usable, (1ull << 30) + odd[i].usable);
		CHECK(said("not used") == (odd[i].usable != odd[i].odd.len));
	}
}
