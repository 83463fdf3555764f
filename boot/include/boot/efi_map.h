/* A memory map as UEFI gives it (specification 2.10, section 7.2.3). Pure. */
#pragma once

#include <boot/bootinfo.h>

enum efi_memory_type { /* section 7.2.1 */
		       EFI_LOADER_CODE = 1,
		       EFI_LOADER_DATA = 2,
		       EFI_BOOT_SERVICES_CODE = 3,
		       EFI_BOOT_SERVICES_DATA = 4,
		       EFI_CONVENTIONAL = 7,
		       EFI_ACPI_RECLAIM = 9,
		       EFI_ACPI_NVS = 10,
};

/*
 * efi_map_parse - map has len bytes: descriptors, each of descriptor_size bytes, which may be more than
 * we know of one. Where they overlap, what is not free wins. Loader and boot services are
 * gone when a kernel runs, so theirs is RAM.
 * 0, or -EINVAL with a warning (descriptors smaller than their fields; nothing is added then).
 */
int efi_map_parse(const void *map, u64 len, u64 descriptor_size, struct bootinfo *bi);
