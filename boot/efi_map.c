/* A memory map as UEFI gives it: on arm64 from boot services, on x86-64 from a Multiboot2 loader. */
#include <boot/efi_map.h>
#include <kernel/error.h>

enum { /* bytes from the start of a descriptor */
       DESCRIPTOR_TYPE = 0,
       DESCRIPTOR_BASE = 8,
       DESCRIPTOR_PAGES = 24, /* of 4 KiB */
       DESCRIPTOR_ATTRIBUTES = 32,
       DESCRIPTOR_SIZE = 40,
};

#define EFI_MEMORY_WB 8UL /* attribute: may be cached, so it is memory */

static enum boot_mem_type memory_type(enum efi_memory_type type, u64 attributes)
{
	if (!(attributes & EFI_MEMORY_WB))
		return BOOT_MEM_RESERVED;
	switch (type) {
	case EFI_LOADER_CODE:
	case EFI_LOADER_DATA:
	case EFI_BOOT_SERVICES_CODE:
	case EFI_BOOT_SERVICES_DATA:
	case EFI_CONVENTIONAL:
		return BOOT_MEM_RAM;
	case EFI_ACPI_RECLAIM:
		return BOOT_MEM_ACPI;
	case EFI_ACPI_NVS:
		return BOOT_MEM_NVS;
	default:
		return BOOT_MEM_RESERVED;
	}
}

int efi_map_parse(const void *map, u64 len, u64 descriptor_size, struct bootinfo *bi)
{
	if (descriptor_size < DESCRIPTOR_SIZE) {
		boot_warn(bi, "EFI memory map: descriptors of %lu bytes", descriptor_size);
		return -EINVAL;
	}
	for (u64 left = len; left >= descriptor_size; left -= descriptor_size) {
		const u8 *d = (const u8 *)map + (len - left);
		u64 pages = boot_get64(d + DESCRIPTOR_PAGES);

		/* More than fit into the address space: the longest range there is, which is told of. */
		boot_add_range(bi, boot_get64(d + DESCRIPTOR_BASE),
			       pages > ~0UL >> PAGE_SHIFT ? ~0UL : pages << PAGE_SHIFT,
			       memory_type(boot_get32(d + DESCRIPTOR_TYPE),
					   boot_get64(d + DESCRIPTOR_ATTRIBUTES)));
	}
	if (len % descriptor_size)
		boot_warn(bi, "EFI memory map: ends inside a descriptor");
	return 0;
}
