/*
 * First C code of the boot CPU, on the boot page tables: what the loader left
 * in memory becomes struct bootinfo, and the page that starts the other CPUs
 * is put in place.
 */
#include <arch/platform.h>
#include <asm/secondary.h>
#include <boot/bootinfo.h>
#include <boot/multiboot2.h>
#include <boot/pvh.h>
#include <kernel/error.h>
#include <kernel/main.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include <kernel/uart.h>

#define PVH_START_MAGIC 0x336ec578u /* entry.S */

enum {
	LOW_MEMORY_END = 0xa0000, /* real-mode code must lie below; video memory follows */
	RSDP_MAX = 36, /* bytes of the structure, ACPI 6.5 section 5.2.5.3 */
};

/* From entry.S. */
void boot_main(u32 magic, u32 info) __noreturn;

static struct bootinfo bootinfo;
static u8 rsdp_copy[RSDP_MAX] __aligned(16);
paddr_t secondary_page;

static const void *map_boot(void *ctx __unused, u64 phys, u64 len)
{
	if (phys >= BOOT_MAP_END || len > BOOT_MAP_END - phys)
		return NULL;
	return phys_to_virt(phys);
}

/* A Multiboot2 loader's copy lies in memory that is free from now on; tables are read later. */
static void keep_rsdp(struct bootinfo *bi)
{
	const void *rsdp = map_boot(NULL, bi->rsdp, RSDP_MAX);

	if (!bi->rsdp || !rsdp)
		return;
	memcpy(rsdp_copy, rsdp, RSDP_MAX);
	bi->rsdp = (u64)rsdp_copy - KERNEL_OFFSET;
}

/* The highest page of RAM below video memory; page 0 holds the BIOS's data. 0: none. */
static paddr_t find_low_page(const struct bootinfo *bi)
{
	paddr_t best = 0;

	for (unsigned i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];
		paddr_t end = ALIGN_DOWN(MIN(r->base + r->len, (paddr_t)LOW_MEMORY_END), PAGE_SIZE);

		if (r->type == BOOT_MEM_RAM && end >= 2 * PAGE_SIZE && end - PAGE_SIZE >= r->base)
			best = MAX(best, end - PAGE_SIZE);
	}
	return best;
}

/* While low memory is still mapped; never written again. */
static void place_trampoline(struct bootinfo *bi)
{
	extern const u8 trampoline_start[], trampoline_end[];

	secondary_page = find_low_page(bi);
	if (!secondary_page) {
		boot_warn(bi, "memory map: no RAM below 640 KiB: other CPUs cannot be started");
		return;
	}
	boot_add_range(bi, secondary_page, PAGE_SIZE, BOOT_MEM_RESERVED);
	memcpy(phys_to_virt(secondary_page), trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
}

static void boot_fail(struct bootinfo *bi)
{
	arch_init_early(bi);
	panic("boot: %s", bi->warning_count ? bi->warnings[bi->warning_count - 1]
					    : "started by an unknown loader");
}

void boot_main(u32 magic, u32 info)
{
	static const struct boot_console com[BOOT_DEFAULT_CONSOLES] = {
		{.type = BOOT_CONSOLE_16550_IO, .base = 0x3f8, .baud = 115200},
		{.type = BOOT_CONSOLE_16550_IO, .base = 0x2f8, .baud = 115200}};
	struct bootinfo *bi = &bootinfo;
	int err;

	memcpy(bi->default_consoles, com, sizeof(com));
	bi->phys_limit = arch_phys_limit();
	if (magic == PVH_START_MAGIC) {
		err = pvh_parse(info, map_boot, NULL, bi);
	} else if (magic == MULTIBOOT2_LOADER_MAGIC) {
		err = multiboot2_parse(info, map_boot, NULL, bi);
		keep_rsdp(bi);
	} else {
		err = -EINVAL;
	}
	if (err)
		boot_fail(bi);
	option_init(bi->cmdline);
	console_words(bi, true);
	place_trampoline(bi);
	kernel_main(bi);
}
