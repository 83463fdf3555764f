/* boot/arm64/efi.c on firmware made up here: what is found, what is asked again, and what is refused. */
#include "check.h"

#include "../../boot/arm64/boot.h"
#include "../../boot/arm64/efi.h"

efi_status_t efi_start(void *handle, struct efi_system_table *st);

/* UEFI 2.10, sections 4.6.1, 9.1, 12.9.2; Devicetree tables as EBBR 2.1 names them. */
static const struct efi_guid acpi1 = {
	0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};
static const struct efi_guid acpi2 = {
	0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
static const struct efi_guid fdt = {
	0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};
static const struct efi_guid image_guid = {
	0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid graphics_guid = {
	0x9042a9de, 0x23dc, 0x4a38, {0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a}};

enum { DESCRIPTOR = 48, MAP_BYTES = 3 * DESCRIPTOR, SLACK = 16 * DESCRIPTOR, KEY = 77 };

static struct {
	struct efi_boot_services services;
	struct efi_config_table tables[4];
	struct efi_system_table system;
	struct efi_loaded_image image;
	struct efi_graphics_mode mode;
	struct efi_graphics_shown shown;
	struct efi_graphics graphics;
	bool no_graphics;
	efi_status_t image_error, size_error, pool_error, map_error;
	efi_status_t exit_errors[3]; /* attempt by attempt */
	unsigned exits, maps; /* calls */
	u64 pool_bytes, map_room;
	u32 pool_type;
	u64 map[64];
} fw;

static int handle; /* its address is the image's */

static efi_status_t handle_protocol(void *h, const struct efi_guid *guid, void **interface)
{
	if (h != &handle || memcmp(guid, &image_guid, sizeof(*guid)))
		return EFI_INVALID_PARAMETER;
	*interface = &fw.image;
	return fw.image_error;
}

static efi_status_t locate_protocol(const struct efi_guid *guid, void *registration,
				    void **interface)
{
	if (fw.no_graphics || registration || memcmp(guid, &graphics_guid, sizeof(*guid)))
		return EFI_ERROR(14);
	*interface = &fw.graphics;
	return EFI_SUCCESS;
}

static efi_status_t get_memory_map(u64 *size, void *map, u64 *key, u64 *descriptor_size,
				   u32 *version)
{
	*descriptor_size = DESCRIPTOR;
	*version = 1;
	if (!map) {
		*size = MAP_BYTES;
		return fw.size_error;
	}
	fw.map_room = *size;
	fw.maps++;
	*size = MAP_BYTES;
	*key = KEY + fw.maps;
	return fw.map_error;
}

static efi_status_t allocate_pool(u32 type, u64 size, void **buffer)
{
	fw.pool_type = type;
	fw.pool_bytes = size;
	*buffer = fw.map;
	return fw.pool_error;
}

static efi_status_t exit_boot_services(void *h, u64 key)
{
	if (h != &handle || key != KEY + fw.maps)
		return EFI_ERROR(9);
	return fw.exit_errors[fw.exits++];
}

static struct bootinfo bi;
static bool unmapped; /* nothing can be mapped */

void *boot_map_memory(paddr_t pa, u64 len)
{
	return unmapped || !len ? NULL : (void *)pa;
}

/* Firmware with a screen of 1024 by 768, and nothing wrong. */
static void begin(void)
{
	memset(&fw, 0, sizeof(fw));
	memset(&efi_handover, 0, sizeof(efi_handover));
	memset(&bi, 0, sizeof(bi));
	bi.phys_limit = 1UL << 48;
	unmapped = false;
	fw.services.handle_protocol = handle_protocol;
	fw.services.locate_protocol = locate_protocol;
	fw.services.get_memory_map = get_memory_map;
	fw.services.allocate_pool = allocate_pool;
	fw.services.exit_boot_services = exit_boot_services;
	fw.size_error = EFI_BUFFER_TOO_SMALL;
	fw.mode.width = fw.mode.pixels_per_line = 1024;
	fw.mode.height = 768;
	fw.shown.info = &fw.mode;
	fw.shown.base = 0x80000000;
	fw.graphics.mode = &fw.shown;
	fw.system.boot = &fw.services;
	fw.system.config = fw.tables;
}

static void add_table(const struct efi_guid *guid, u64 at)
{
	fw.tables[fw.system.config_count].guid = *guid;
	fw.tables[fw.system.config_count++].table = (void *)at;
}

static efi_status_t start(void)
{
	return efi_start(&handle, &fw.system);
}

/* ---- on the firmware's tables ---- */

TEST(efi_tables_by_their_names)
{
	struct efi_guid other = acpi2;

	begin();
	CHECK_EQ(start(), EFI_SUCCESS);
	CHECK(!efi_handover.rsdp && !efi_handover.fdt);
	other.d[7]++;
	add_table(&other, 0x1000);
	add_table(&acpi1, 0x2000);
	add_table(&fdt, 0x3000);
	CHECK_EQ(start(), EFI_SUCCESS);
	CHECK_EQ(efi_handover.rsdp, 0x2000);
	CHECK_EQ(efi_handover.fdt, 0x3000);
	add_table(&acpi2, 0x4000); /* the newer one wins, wherever it is */
	CHECK_EQ(start(), EFI_SUCCESS);
	CHECK_EQ(efi_handover.rsdp, 0x4000);
}

TEST(efi_options_of_the_image)
{
	static const u16 text[] = {'a', 0};

	begin();
	fw.image.options_size = 4;
	CHECK_EQ(start(), EFI_SUCCESS);
	CHECK_EQ(efi_handover.options_size, 0); /* a size of nothing */
	fw.image.options = text;
	CHECK_EQ(start(), EFI_SUCCESS);
	CHECK_EQ(efi_handover.options, (u64)text);
	CHECK_EQ(efi_handover.options_size, 4);
	fw.image_error = EFI_ERROR(3);
	fw.exits = 0;
	CHECK_EQ(start(), EFI_ERROR(3));
	CHECK_EQ(fw.exits, 0);
}

static bool has_screen(void)
{
	fw.exits = 0;
	memset(&efi_handover.screen, 0, sizeof(efi_handover.screen));
	return start() == EFI_SUCCESS && efi_handover.screen.type == BOOT_SCREEN_PIXELS;
}

TEST(efi_screen_of_pixels)
{
	const struct boot_screen *s = &efi_handover.screen;

	begin();
	CHECK(has_screen());
	CHECK_EQ(s->base, 0x80000000);
	CHECK(s->width == 1024 && s->height == 768 && s->pixel_bytes == 4 && s->pitch == 4096);
	CHECK_EQ(s->len, 4096 * 768);
	CHECK_EQ(s->lit, 0xffffff);
	fw.mode.pixels_per_line = 1100;
	fw.mode.format = EFI_PIXELS_BGR;
	CHECK(has_screen());
	CHECK_EQ(s->pitch, 4400);
	CHECK_EQ(s->len, 4400 * 768);
	CHECK_EQ(s->lit, 0xffffff);
	fw.mode.format = EFI_PIXELS_MASKS;
	fw.mode.red = 0x3ff00000, fw.mode.green = 0xffc00, fw.mode.blue = 0x3ff;
	CHECK(has_screen());
	CHECK_EQ(s->lit, 0x3fffffff);
	fw.mode.red = 0xff0000, fw.mode.green = 0xff00, fw.mode.blue = 0xff,
	fw.mode.reserved = 0xff000000;
	CHECK(has_screen());
	CHECK_EQ(s->lit, 0xffffff);
}

TEST(efi_screens_that_cannot_be_drawn_to)
{
	begin();
	fw.no_graphics = true;
	CHECK(!has_screen());
	fw.no_graphics = false;
	fw.mode.format = 3; /* no memory to draw to */
	CHECK(!has_screen());
	fw.mode.format = EFI_PIXELS_MASKS; /* of 16 bits, and of 24 */
	fw.mode.red = 0xf800, fw.mode.green = 0x7e0, fw.mode.blue = 0x1f;
	CHECK(!has_screen());
	fw.mode.red = 0xff0000, fw.mode.green = 0xff00, fw.mode.blue = 0xff;
	CHECK(!has_screen());
	fw.mode.format = EFI_PIXELS_RGB;
	CHECK(has_screen());
	fw.shown.base += 2;
	CHECK(!has_screen());
	fw.shown.base = 0;
	CHECK(!has_screen());
	fw.shown.base = 0x80000000;
	fw.mode.pixels_per_line = 1023;
	CHECK(!has_screen());
}

/* ---- leaving boot services ---- */

TEST(efi_map_has_room_to_grow)
{
	begin();
	CHECK_EQ(start(), EFI_SUCCESS);
	CHECK_EQ(fw.pool_type, 2); /* loader data: the kernel takes it as RAM */
	CHECK_EQ(fw.pool_bytes, MAP_BYTES + SLACK);
	CHECK_EQ(fw.map_room, MAP_BYTES + SLACK);
	CHECK(fw.maps == 1 && fw.exits == 1);
	CHECK_EQ(efi_handover.map, (u64)fw.map);
	CHECK_EQ(efi_handover.map_size, MAP_BYTES);
	CHECK_EQ(efi_handover.descriptor_size, DESCRIPTOR);
}

TEST(efi_exit_is_tried_twice_where_the_map_has_changed)
{
	begin();
	fw.exit_errors[0] = EFI_INVALID_PARAMETER;
	CHECK_EQ(start(), EFI_SUCCESS);
	CHECK(fw.maps == 2 && fw.exits == 2);
	CHECK_EQ(fw.map_room, MAP_BYTES + SLACK); /* all of it again */
	begin();
	fw.exit_errors[0] = fw.exit_errors[1] = EFI_INVALID_PARAMETER;
	CHECK_EQ(start(), EFI_INVALID_PARAMETER);
	CHECK(fw.maps == 2 && fw.exits == 2);
	begin();
	fw.exit_errors[0] = EFI_ERROR(7);
	CHECK_EQ(start(), EFI_ERROR(7));
	CHECK(fw.maps == 1 && fw.exits == 1);
}

TEST(efi_errors_of_the_map_are_passed_on)
{
	begin();
	fw.size_error = EFI_SUCCESS; /* a map of nothing */
	CHECK_EQ(start(), EFI_LOAD_ERROR);
	begin();
	fw.pool_error = EFI_ERROR(9);
	CHECK_EQ(start(), EFI_ERROR(9));
	begin();
	fw.map_error = EFI_ERROR(5);
	CHECK_EQ(start(), EFI_ERROR(5));
	CHECK(fw.maps == 1 && fw.exits == 0);
}

/* ---- on the boot tables ---- */

/* The command line that comes of load options: of so many characters, the last zero included. */
static const char *line_of(const char *text, u64 chars)
{
	static u16 options[BOOT_CMDLINE_LEN + 200];

	memset(&bi, 0, sizeof(bi));
	for (u64 i = 0; i < chars; i++)
		options[i] = (u8)text[i] == 0xff ? 0x20ac : (u8)text[i];
	efi_handover.options = (u64)options;
	efi_handover.options_size = chars * sizeof(u16);
	efi_read_handover(&bi);
	return bi.cmdline;
}

TEST(efi_options_become_the_command_line)
{
	begin();
	CHECK_STR(line_of("det=1 large=off", 16), "det=1 large=off");
	CHECK_STR(line_of("det=1 large=off", 5), "det=1"); /* without an end */
	CHECK_STR(line_of("", 0), "");
	CHECK_STR(line_of("a\xff-\x7f", 5), "a?-\x7f"); /* \xff stands for the euro sign */
	CHECK_STR(line_of("BOOT_IMAGE=/boot/tarry det=1", 29), "det=1"); /* GRUB's linux */
	CHECK_STR(line_of("BOOT_IMAGE=/boot/tarry", 23), "");
	CHECK_STR(line_of("BOOT_IMAGE=/boot/tarry ", 22), "");
	CHECK_STR(line_of("BOOT_IMAGE", 11), "BOOT_IMAGE");
	CHECK_STR(line_of("BOOT_IMAGES=x det=1", 20), "BOOT_IMAGES=x det=1");
	CHECK_EQ(bi.warning_count, 1); /* of the memory map, which there is none of */
}

TEST(efi_long_options_are_cut)
{
	static char text[BOOT_CMDLINE_LEN + 100];

	begin();
	memset(text, 'x', sizeof(text) - 1);
	CHECK_EQ(strlen(line_of(text, sizeof(text))), BOOT_CMDLINE_LEN - 1);
	CHECK(strstr(bi.warnings[bi.warning_count - 1], "EFI load options: command line cut"));
}

TEST(efi_handover_becomes_boot_information)
{
	static const struct {
		u32 type, pad;
		u64 base, virt, pages, attributes, more;
	} map[] = {{7, 0, 0x40000000, 0, 0x100, 8 /* write-back */, 0}};

	begin();
	bi.phys_limit = 1UL << 48;
	efi_handover.map = (u64)map;
	efi_handover.map_size = sizeof(map);
	efi_handover.descriptor_size = sizeof(map[0]);
	efi_handover.rsdp = 0x1234;
	efi_handover.fdt = 0x5678;
	efi_handover.screen =
		(struct boot_screen){.type = BOOT_SCREEN_PIXELS, .base = 0x40010000, .len = 0x2000};
	efi_read_handover(&bi);
	CHECK(bi.rsdp == 0x1234 && bi.fdt == 0x5678 && bi.screen.base == 0x40010000);
	CHECK_EQ(bi.range_count, 3); /* the screen cuts the RAM in two */
	CHECK(bi.ranges[1].base == 0x40010000 && bi.ranges[1].type == BOOT_MEM_RESERVED);
	CHECK_EQ(bi.warning_count, 0);
	begin();
	unmapped = true;
	efi_handover.map = (u64)map;
	efi_handover.map_size = sizeof(map);
	efi_read_handover(&bi);
	CHECK(bi.warning_count == 1 && strstr(bi.warnings[0], "not readable"));
	CHECK(!bi.range_count && bi.screen.type == BOOT_SCREEN_NONE);
}
