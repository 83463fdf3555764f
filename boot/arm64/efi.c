/*
 * Started by UEFI. The first part runs on the firmware's tables, at the
 * address where the image was loaded, so it must not use pointers that the
 * linker put into data; it only notes where things are and leaves boot
 * services. The second part runs on the boot tables and reads them.
 */
#include "boot.h"
#include "efi.h"
#include <boot/efi_map.h>
#include <kernel/string.h>

enum { MAP_SLACK = 16 }; /* descriptors that the allocation of the map itself may add */

struct efi_handover efi_handover;

efi_status_t efi_start(void *handle, struct efi_system_table *st); /* head.S */

static const struct efi_guid guid_loaded_image = {
	0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid guid_graphics = {
	0x9042a9de, 0x23dc, 0x4a38, {0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a}};
static const struct efi_guid guid_acpi1 = {
	0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};
static const struct efi_guid guid_acpi2 = {
	0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
static const struct efi_guid guid_fdt = {
	0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};

static paddr_t find_table(const struct efi_system_table *st, const struct efi_guid *guid)
{
	for (u64 i = 0; i < st->config_count; i++)
		if (!memcmp(&st->config[i].guid, guid, sizeof(*guid)))
			return (paddr_t)st->config[i].table;
	return 0;
}

static efi_status_t note_options(struct efi_boot_services *bs, void *handle)
{
	struct efi_loaded_image *image;
	efi_status_t err = bs->handle_protocol(handle, &guid_loaded_image, (void **)&image);

	if (err)
		return err;
	efi_handover.options = (paddr_t)image->options;
	efi_handover.options_size = image->options ? image->options_size : 0;
	return EFI_SUCCESS;
}

/* All bits of the three colours; 0: the pixels are not of 32 bits, or there is no memory to draw to. */
static u32 lit_pixel(const struct efi_graphics_mode *m)
{
	u32 colours = m->red | m->green | m->blue;

	if (m->format == EFI_PIXELS_RGB || m->format == EFI_PIXELS_BGR)
		return 0xffffff;
	return m->format == EFI_PIXELS_MASKS && (colours | m->reserved) >> 24 ? colours : 0;
}

/* The mode that firmware has set, if there is a display that can be drawn to without it. */
static void note_screen(struct efi_boot_services *bs)
{
	struct efi_graphics *graphics;
	const struct efi_graphics_mode *m;
	struct boot_screen *s = &efi_handover.screen;

	if (bs->locate_protocol(&guid_graphics, NULL, (void **)&graphics))
		return;
	m = graphics->mode->info;
	s->base = graphics->mode->base;
	s->width = m->width;
	s->height = m->height;
	s->pixel_bytes = sizeof(u32);
	s->pitch = m->pixels_per_line * sizeof(u32);
	s->len = (u64)s->pitch * s->height;
	s->lit = lit_pixel(m);
	if (s->base && s->base % sizeof(u32) == 0 && s->lit && m->pixels_per_line >= m->width)
		s->type = BOOT_SCREEN_PIXELS;
}

/* Allocating the buffer changes the map, so there is room for more than it had. */
static efi_status_t make_map_buffer(struct efi_boot_services *bs, void **map, u64 *room)
{
	struct efi_handover *h = &efi_handover;
	u32 version;
	u64 key;

	*room = 0;
	if (bs->get_memory_map(room, NULL, &key, &h->descriptor_size, &version) !=
	    EFI_BUFFER_TOO_SMALL)
		return EFI_LOAD_ERROR;
	*room += MAP_SLACK * h->descriptor_size;
	return bs->allocate_pool(EFI_LOADER_DATA, *room, map);
}

/*
 * The firmware may refuse once, because an event of its own changed the map in
 * between; then only reading the map again is allowed (section 7.4.6).
 */
static efi_status_t leave_boot_services(struct efi_boot_services *bs, void *handle)
{
	struct efi_handover *h = &efi_handover;
	void *map;
	u64 room, key;
	u32 version;
	efi_status_t err = make_map_buffer(bs, &map, &room);

	for (unsigned attempt = 0; !err && attempt < 2; attempt++) {
		h->map_size = room;
		err = bs->get_memory_map(&h->map_size, map, &key, &h->descriptor_size, &version);
		if (err)
			break;
		err = bs->exit_boot_services(handle, key);
		if (err != EFI_INVALID_PARAMETER)
			break;
		if (!attempt)
			err = EFI_SUCCESS;
	}
	h->map = (paddr_t)map;
	return err;
}

efi_status_t efi_start(void *handle, struct efi_system_table *st)
{
	efi_status_t err = note_options(st->boot, handle);

	if (err)
		return err;
	note_screen(st->boot);
	efi_handover.fdt = find_table(st, &guid_fdt);
	efi_handover.rsdp = find_table(st, &guid_acpi2);
	if (!efi_handover.rsdp)
		efi_handover.rsdp = find_table(st, &guid_acpi1);
	return leave_boot_services(st->boot, handle);
}

/* ---- on the boot tables -------------------------------------------------- */

static void read_map(struct bootinfo *bi)
{
	const struct efi_handover *h = &efi_handover;
	const void *map = boot_map_memory(h->map, h->map_size);

	if (map)
		efi_map_parse(map, h->map_size, h->descriptor_size, bi);
	else
		boot_warn(bi, "EFI memory map at %#lx: not readable", h->map);
}

/* GRUB's `linux` puts the name of the file in front. */
static u64 skip_image_name(const u16 *s, u64 len)
{
	static const char name[] = "BOOT_IMAGE=";
	u64 n = 0;

	while (n < len && n < sizeof(name) - 1 && s[n] == (u8)name[n])
		n++;
	if (n < sizeof(name) - 1)
		return 0;
	while (n < len && s[n] && s[n] != ' ')
		n++;
	return n < len && s[n] ? n + 1 : n;
}

/* UCS-2; what is not ASCII cannot mean anything to us. */
static void read_options(struct bootinfo *bi)
{
	static char line[BOOT_CMDLINE_LEN + 1];
	const struct efi_handover *h = &efi_handover;
	const u16 *s = h->options_size ? boot_map_memory(h->options, h->options_size) : NULL;
	u64 len = s ? h->options_size / sizeof(*s) : 0, at = skip_image_name(s, len), n = 0;

	for (; at < len && n < BOOT_CMDLINE_LEN && s[at]; at++)
		line[n++] = s[at] < 128 ? (char)s[at] : '?';
	line[n] = '\0';
	boot_set_cmdline(bi, line, n + 1, "EFI load options");
}

void efi_read_handover(struct bootinfo *bi)
{
	bi->rsdp = efi_handover.rsdp;
	bi->fdt = efi_handover.fdt;
	read_map(bi);
	if (efi_handover.screen.type != BOOT_SCREEN_NONE) {
		bi->screen = efi_handover.screen;
		boot_add_range(bi, bi->screen.base, bi->screen.len, BOOT_MEM_RESERVED);
	}
	read_options(bi);
}
