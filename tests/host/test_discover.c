/* Where a BIOS leaves the root of ACPI, in memory made up here: boot/x86_64/discover.c itself is below. */
#include "check.h"

#include "../../boot/x86_64/discover.c"

#include <stdlib.h>

enum { MEMORY = 1 << 20, EBDA = 0x9f000 };

static u8 memory[MEMORY];
static bool absent; /* nothing can be mapped */

const void *kmap_phys(paddr_t pa, u64 len)
{
	return absent || pa >= MEMORY || len > MEMORY - pa ? NULL : memory + pa;
}

void *kmap_device(paddr_t pa, u64 len)
{
	return pa < MEMORY && len ? memory + pa : NULL;
}

static paddr_t parsed; /* where the parser was sent */
static struct bootinfo bi;

int acpi_parse(u64 rsdp, boot_map_fn *map, void *ctx, struct bootinfo *to)
{
	parsed = rsdp;
	return map(ctx, rsdp, RSDP_V1_LEN) && to == &bi ? 0 : -1;
}

void acpi_finish(struct bootinfo *of)
{
	(void)of;
}

static bool (*reach)(struct bootinfo *, const struct boot_console *);

void consoles_open(struct bootinfo *of, bool (*by)(struct bootinfo *, const struct boot_console *))
{
	CHECK(of == &bi);
	reach = by;
}

void panic(const char *fmt, ...)
{
	fprintf(stderr, "panic: %s\n", fmt);
	abort();
}

/* A root whose bytes sum up to nothing, with junk in front that must not help. */
static void put_root(paddr_t at)
{
	u8 sum = 0;

	memcpy(memory + at, "RSD PTR ", 8);
	for (unsigned i = 9; i < 20; i++)
		memory[at + i] = (u8)(i * 7);
	memory[at + 8] = 0;
	for (unsigned i = 0; i < 20; i++)
		sum += memory[at + i];
	memory[at + 8] = (u8)-sum;
}

static paddr_t found_from(paddr_t given)
{
	memset(&bi, 0, sizeof(bi));
	bi.rsdp = given;
	parsed = 0;
	read_acpi(&bi);
	return bi.rsdp == parsed ? parsed : 1;
}

static void begin(void)
{
	memset(memory, 0, sizeof(memory));
	absent = false;
	memory[0x40e] = EBDA >> 4 & 0xff;
	memory[0x40f] = EBDA >> 12;
}

TEST(root_in_the_bios_areas)
{
	/* First and last place of each area; a root takes 20 bytes at a multiple of 16. */
	static const paddr_t places[] = {EBDA,	  EBDA + 0x10, EBDA + 1024 - 32,
					 0xe0000, 0xf5a40,     0xfffe0};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		begin();
		CHECK_EQ(found_from(0), 0);
		CHECK_EQ(bi.warning_count, 1);
		put_root(places[i]);
		CHECK_EQ(found_from(0), places[i]);
		CHECK_EQ(bi.warning_count, 0);
		memory[places[i] + 19]++; /* the sum is of all 20 */
		CHECK_EQ(found_from(0), 0);
		memory[places[i] + 19]--;
		memory[places[i] + 3]++;
		memory[places[i] + 10]--;
		CHECK_EQ(found_from(0), 0); /* right by its sum, another name */
	}
}

TEST(root_elsewhere_is_none)
{
	static const paddr_t places[] = {EBDA - 16, EBDA + 1024, EBDA + 8, 0xd0000, 0xe0008};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		begin();
		put_root(places[i]);
		CHECK_EQ(found_from(0), 0);
	}
	begin();
	memory[0x40e] = memory[0x40f] = 0; /* no extended area: page 0 is not searched */
	put_root(0x100);
	CHECK_EQ(found_from(0), 0);
	put_root(0xe0000);
	CHECK_EQ(found_from(0), 0xe0000);
}

TEST(root_of_the_loader_and_of_the_extended_area_come_first)
{
	begin();
	put_root(0xe0000);
	put_root(0xf0000);
	CHECK_EQ(found_from(0), 0xe0000);
	put_root(EBDA + 0x40);
	CHECK_EQ(found_from(0), EBDA + 0x40);
	CHECK_EQ(found_from(0x5000), 0x5000);
	absent = true;
	CHECK_EQ(found_from(0), 0);
}

TEST(nothing_is_mapped_behind_the_direct_map)
{
	begin();
	CHECK(map_phys(NULL, MEMORY - 4, 4) && !map_phys(NULL, MEMORY - 4, 5));
	CHECK(!map_phys(NULL, DIRECT_SIZE, 1) && !map_phys(NULL, DIRECT_SIZE - 1, 2));
	CHECK(!map_phys(NULL, ~0UL, 2));
}

TEST(consoles_are_used_only_where_they_are_mapped)
{
	struct boot_console io = {.type = BOOT_CONSOLE_16550_IO, .base = MEMORY}, c = io;

	begin();
	memset(&bi, 0, sizeof(bi));
	consoles_open(&bi, reach_console);
	CHECK(reach(&bi, &io)); /* ports need no mapping */
	c.type = BOOT_CONSOLE_16550_MMIO;
	CHECK(!reach(&bi, &c));
	c.base = 0x3000;
	CHECK(reach(&bi, &c));
	c.type = BOOT_CONSOLE_SCREEN;
	CHECK(!reach(&bi, &c)); /* of a screen what counts is the screen's memory, none here */
	bi.screen.len = 0x1000;
	bi.screen.base = MEMORY;
	CHECK(!reach(&bi, &c));
	bi.screen.base = MEMORY - 0x1000;
	c.base = MEMORY;
	CHECK(reach(&bi, &c));
}
