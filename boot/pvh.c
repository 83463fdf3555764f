/* PVH start information: struct hvm_start_info of Xen's public/arch-x86/hvm/start_info.h. */
#include <boot/pvh.h>
#include <kernel/error.h>

#define PVH_MAGIC 0x336ec578u

enum {
	/* struct hvm_start_info */
	INFO_VERSION = 4,
	INFO_MODULES = 12,
	INFO_MODLIST = 16,
	INFO_CMDLINE = 24,
	INFO_RSDP = 32,
	INFO_V0_LEN = 40,
	INFO_MEMMAP = 40,
	INFO_MEMMAP_ENTRIES = 48,
	INFO_V1_LEN = 56,

	MODULE_LEN = 32, /* address, size, its command line, reserved */
	MEMMAP_LEN = 24, /* address, size, type, reserved */
	MEMMAP_MAX = 4096, /* entries; real maps have tens */
	CHUNK = 4096, /* pieces in which a string of unknown length is asked for */
};

struct pvh {
	boot_map_fn *map;
	void *ctx;
	struct bootinfo *bi;
};

/* Readable bytes at phys, up to max: the string's length is not known beforehand. */
static u64 pvh_readable(const struct pvh *p, u64 phys, u64 max)
{
	u64 len = 0;

	while (len < max) {
		u64 step = MIN(CHUNK - (phys + len) % CHUNK, max - len);

		if (!p->map(p->ctx, phys, len + step))
			break;
		len += step;
	}
	return len;
}

static void pvh_cmdline(const struct pvh *p, u64 phys)
{
	u64 len;

	if (!phys)
		return;
	len = pvh_readable(p, phys, BOOT_CMDLINE_LEN);
	if (len)
		boot_set_cmdline(p->bi, p->map(p->ctx, phys, len), len, "PVH");
	else
		boot_warn(p->bi, "PVH+0x%x: command line at 0x%lx is not readable", INFO_CMDLINE,
			  phys);
}

static void pvh_modules(const struct pvh *p, u64 phys, u32 count)
{
	const u8 *list;

	if (!count)
		return;
	if (count > BOOT_MAX_MODULES) {
		boot_warn(p->bi, "PVH+0x%x: %u modules, only %u are used", INFO_MODULES, count,
			  BOOT_MAX_MODULES);
		count = BOOT_MAX_MODULES;
	}
	list = p->map(p->ctx, phys, (u64)count * MODULE_LEN);
	if (!list) {
		boot_warn(p->bi, "PVH+0x%x: module list at 0x%lx is not readable", INFO_MODLIST,
			  phys);
		return;
	}
	for (; count--; list += MODULE_LEN)
		boot_add_module(p->bi, boot_get64(list), boot_get64(list + 8));
}

static void pvh_memory_map(const struct pvh *p, u64 phys, u32 count)
{
	const u8 *e;

	if (count > MEMMAP_MAX) {
		boot_warn(p->bi, "PVH+0x%x: %u memory ranges, only %u are read",
			  INFO_MEMMAP_ENTRIES, count, MEMMAP_MAX);
		count = MEMMAP_MAX;
	}
	e = count ? p->map(p->ctx, phys, (u64)count * MEMMAP_LEN) : NULL;
	if (!e) {
		boot_warn(p->bi, "PVH+0x%x: memory map of %u entries at 0x%lx is not readable",
			  INFO_MEMMAP, count, phys);
		return;
	}
	for (; count--; e += MEMMAP_LEN)
		boot_add_e820(p->bi, boot_get64(e), boot_get64(e + 8), boot_get32(e + 16));
}

int pvh_parse(u64 info_phys, boot_map_fn *map, void *ctx, struct bootinfo *bi)
{
	const struct pvh p = {.map = map, .ctx = ctx, .bi = bi};
	const u8 *info = map(ctx, info_phys, INFO_V0_LEN);

	bi->loader = "pvh";
	if (!info) {
		boot_warn(bi, "PVH: nothing readable at 0x%lx", info_phys);
		return -EFAULT;
	}
	if (boot_get32(info) != PVH_MAGIC) {
		boot_warn(bi, "PVH+0x0: magic 0x%x, must be 0x%x", boot_get32(info), PVH_MAGIC);
		return -EINVAL;
	}
	pvh_cmdline(&p, boot_get64(info + INFO_CMDLINE));
	pvh_modules(&p, boot_get64(info + INFO_MODLIST), boot_get32(info + INFO_MODULES));
	bi->rsdp = boot_get64(info + INFO_RSDP);
	if (boot_get32(info + INFO_VERSION) < 1) {
		boot_warn(bi, "PVH+0x4: version 0 has no memory map");
		return -ENOENT;
	}
	info = map(ctx, info_phys, INFO_V1_LEN);
	if (!info) {
		boot_warn(bi, "PVH: not all of the start information is readable");
		return -EFAULT;
	}
	pvh_memory_map(&p, boot_get64(info + INFO_MEMMAP), boot_get32(info + INFO_MEMMAP_ENTRIES));
	if (!boot_has_ram(bi)) {
		boot_warn(bi, "PVH: no RAM in the memory map");
		return -ENOENT;
	}
	return 0;
}
