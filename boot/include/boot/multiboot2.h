/* The information block of a Multiboot2 loader into struct bootinfo. Pure. */
#pragma once

#include <boot/bootinfo.h>

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u /* in EAX at entry */

/*
 * multiboot2_parse - info_phys is what EBX held at entry. Command line, memory
 * map and modules are copied or reserved; bi->rsdp becomes the address of the
 * loader's copy inside the block, so call acpi_parse() before RAM is handed out.
 * 0, -EFAULT (block not readable), -EINVAL (not such a block), -ENOENT (no memory map).
 */
int multiboot2_parse(u64 info_phys, boot_map_fn *map, void *ctx, struct bootinfo *bi);
