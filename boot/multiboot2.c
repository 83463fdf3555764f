/* Multiboot2 information (specification 2.0, section 3.4 and 3.6): tags one behind the other. */
#include <boot/efi_map.h>
#include <boot/multiboot2.h>
#include <kernel/error.h>

enum { /* tag types that say something we use */
       TAG_END = 0,
       TAG_CMDLINE = 1,
       TAG_MODULE = 3,
       TAG_MEMORY_MAP = 6,
       TAG_FRAMEBUFFER = 8,
       TAG_RSDP_V1 = 14,
       TAG_RSDP_V2 = 15,
       TAG_EFI_MAP = 17,
};

enum {
	INFO_HEADER = 8, /* total size, reserved */
	TAG_HEADER = 8, /* type, size */
	TAG_ALIGN = 8,
	MMAP_ENTRIES = 16, /* behind what describes them; of both kinds of map */
	MMAP_ENTRY = 24, /* the part we know; the table says how far apart they are */
	INFO_MAX = 16 << 20, /* bytes; a sane block is some KiB */
	RSDP_V1_LEN = 20,
	RSDP_V2_LEN = 36,
};

enum { /* framebuffer tag: offsets, types */
       FB_BASE = 8,
       FB_PITCH = 16,
       FB_WIDTH = 20,
       FB_HEIGHT = 24,
       FB_BITS = 28,
       FB_TYPE = 29,
       FB_COLOURS = 32, /* position and size of red, green, blue; of pixels only */
       FB_COLOURS_END = 38,
       FB_PIXELS = 1,
       FB_TEXT = 2, /* 16 bits a character */
       FB_PITCH_MAX = 1 << 20, /* bytes; what a mode may have many times over */
};

struct mb2_tag {
	u64 off; /* in the block */
	u32 type, size;
	const u8 *p;
};

/* Complains about a tag that cannot even hold its fixed fields. */
static bool mb2_fits(struct bootinfo *bi, const struct mb2_tag *tag, u32 need)
{
	if (tag->size >= need)
		return true;
	boot_warn(bi, "multiboot2+0x%lx: tag %u has %u bytes, needs %u: ignored", tag->off,
		  tag->type, tag->size, need);
	return false;
}

static void mb2_memory_map(struct bootinfo *bi, const struct mb2_tag *tag)
{
	u32 step, off = MMAP_ENTRIES;

	if (!mb2_fits(bi, tag, MMAP_ENTRIES))
		return;
	step = boot_get32(tag->p + 8);
	if (step < MMAP_ENTRY) {
		boot_warn(bi, "multiboot2+0x%lx: memory map entries of %u bytes, need %u: ignored",
			  tag->off, step, MMAP_ENTRY);
		return;
	}
	for (; tag->size - off >= MMAP_ENTRY; off += step) {
		const u8 *e = tag->p + off;

		boot_add_e820(bi, boot_get64(e), boot_get64(e + 8), boot_get32(e + 16));
		if (tag->size - off < step)
			return;
	}
	if (off < tag->size)
		boot_warn(bi, "multiboot2+0x%lx: memory map ends inside an entry", tag->off);
}

/* A loader may pass on the firmware's own map, and no other. */
static void mb2_efi_map(struct bootinfo *bi, const struct mb2_tag *tag)
{
	if (mb2_fits(bi, tag, MMAP_ENTRIES))
		efi_map_parse(tag->p + MMAP_ENTRIES, tag->size - MMAP_ENTRIES,
			      boot_get32(tag->p + TAG_HEADER), bi);
}

static void mb2_module(struct bootinfo *bi, const struct mb2_tag *tag)
{
	u32 start, end;

	if (!mb2_fits(bi, tag, 16))
		return;
	start = boot_get32(tag->p + 8);
	end = boot_get32(tag->p + 12);
	if (end < start)
		boot_warn(bi, "multiboot2+0x%lx: module ends at 0x%x, before it starts at 0x%x",
			  tag->off, end, start);
	else
		boot_add_module(bi, start, end - start);
}

/* phys: where the tag is. The newer kind of RSDP wins, in whichever order. */
static void mb2_rsdp(struct bootinfo *bi, const struct mb2_tag *tag, u64 phys, bool *have_v2)
{
	bool v2 = tag->type == TAG_RSDP_V2;

	if (!mb2_fits(bi, tag, TAG_HEADER + (v2 ? RSDP_V2_LEN : RSDP_V1_LEN)))
		return;
	if (v2 || !*have_v2)
		bi->rsdp = phys + TAG_HEADER;
	*have_v2 |= v2;
}

/* All bits of the three colours; 0: they are not within the pixel. */
static u32 mb2_lit_pixel(const u8 *colours, unsigned bits)
{
	u64 lit = 0;

	for (unsigned i = 0; i < 3; i++) {
		unsigned at = colours[2 * i], size = colours[2 * i + 1];

		if (!size || at + size > bits)
			return 0;
		lit |= ((1UL << size) - 1) << at;
	}
	return (u32)lit;
}

/* False: it is none that can be drawn to, or its numbers do not go together. */
static bool mb2_read_screen(const struct mb2_tag *tag, u64 phys_limit, struct boot_screen *s)
{
	u8 bits = tag->p[FB_BITS], type = tag->p[FB_TYPE];
	u64 line;

	s->base = boot_get64(tag->p + FB_BASE);
	s->pitch = boot_get32(tag->p + FB_PITCH);
	s->width = boot_get32(tag->p + FB_WIDTH);
	s->height = boot_get32(tag->p + FB_HEIGHT);
	s->len = (u64)s->pitch * s->height;
	if (type == FB_TEXT) {
		s->type = BOOT_SCREEN_TEXT;
		line = 2UL * s->width;
	} else {
		if (type != FB_PIXELS || tag->size < FB_COLOURS_END || bits < 15 || bits > 32)
			return false;
		s->type = BOOT_SCREEN_PIXELS;
		s->pixel_bytes = (u8)((bits + 7) / 8);
		s->lit = mb2_lit_pixel(tag->p + FB_COLOURS, bits);
		line = (u64)s->pixel_bytes * s->width;
		/* Pixels of 2 and 4 bytes are written at once. */
		if (!s->lit || (s->pixel_bytes != 3 && (s->base | s->pitch) % s->pixel_bytes))
			return false;
	}
	return s->base && line && s->height && s->pitch >= line && s->pitch <= FB_PITCH_MAX &&
	       s->base < phys_limit && s->len <= phys_limit - s->base;
}

/* After all ranges are known: what is drawn to may be part of what a map calls RAM. */
static void mb2_screen(struct bootinfo *bi, const struct mb2_tag *tag)
{
	struct boot_screen s = {.type = BOOT_SCREEN_NONE};

	if (!mb2_fits(bi, tag, FB_COLOURS))
		return;
	if (!mb2_read_screen(tag, bi->phys_limit ? bi->phys_limit : UINT64_MAX, &s)) {
		boot_note(bi,
			  "multiboot2+0x%lx: screen of type %u, %u bits, %ux%u, at 0x%lx: not used",
			  tag->off, tag->p[FB_TYPE], tag->p[FB_BITS], s.width, s.height, s.base);
		return;
	}
	boot_add_range(bi, s.base, s.len, BOOT_MEM_RESERVED);
	bi->screen = s;
}

/* Reads the tag at tag->off. False, and said: none can be there. */
static bool mb2_read(struct bootinfo *bi, struct mb2_tag *tag, const u8 *info, u32 total)
{
	if (total - tag->off < TAG_HEADER) {
		boot_warn(bi, "multiboot2+0x%lx: no end tag", tag->off);
		return false;
	}
	tag->p = info + tag->off;
	tag->type = boot_get32(tag->p);
	tag->size = boot_get32(tag->p + 4);
	if (tag->size >= TAG_HEADER && tag->size <= total - tag->off)
		return true;
	boot_warn(bi, "multiboot2+0x%lx: tag %u of %u bytes, %lu left: stop", tag->off, tag->type,
		  tag->size, total - tag->off);
	return false;
}

static void mb2_tags(struct bootinfo *bi, const u8 *info, u64 info_phys, u32 total)
{
	struct mb2_tag tag = {.off = INFO_HEADER}, efi = {.p = NULL}, screen = {.p = NULL};
	bool have_v2 = false;

	while (mb2_read(bi, &tag, info, total) && tag.type != TAG_END) {
		switch (tag.type) {
		case TAG_CMDLINE:
			boot_set_cmdline(bi, (const char *)tag.p + TAG_HEADER,
					 tag.size - TAG_HEADER, "multiboot2");
			break;
		case TAG_MODULE:
			mb2_module(bi, &tag);
			break;
		case TAG_MEMORY_MAP:
			mb2_memory_map(bi, &tag);
			break;
		case TAG_RSDP_V1:
		case TAG_RSDP_V2:
			mb2_rsdp(bi, &tag, info_phys + tag.off, &have_v2);
			break;
		case TAG_EFI_MAP:
			efi = tag;
			break;
		case TAG_FRAMEBUFFER:
			screen = tag;
			break;
		}
		tag.off = MIN(ALIGN_UP(tag.off + tag.size, (u64)TAG_ALIGN), (u64)total);
	}
	if (efi.p && !boot_has_ram(bi))
		mb2_efi_map(bi, &efi);
	if (screen.p)
		mb2_screen(bi, &screen);
}

int multiboot2_parse(u64 info_phys, boot_map_fn *map, void *ctx, struct bootinfo *bi)
{
	const u8 *info = map(ctx, info_phys, INFO_HEADER);
	u32 total;

	bi->loader = "multiboot2";
	if (!info) {
		boot_warn(bi, "multiboot2: nothing readable at 0x%lx", info_phys);
		return -EFAULT;
	}
	total = boot_get32(info);
	if (total < INFO_HEADER + TAG_HEADER || total > INFO_MAX) {
		boot_warn(bi, "multiboot2+0x0: size %u is not possible", total);
		return -EINVAL;
	}
	info = map(ctx, info_phys, total);
	if (!info) {
		boot_warn(bi, "multiboot2+0x0: size %u, not all readable", total);
		return -EFAULT;
	}
	mb2_tags(bi, info, info_phys, total);
	if (!boot_has_ram(bi)) {
		boot_warn(bi, "multiboot2: no RAM in the memory map");
		return -ENOENT;
	}
	return 0;
}
