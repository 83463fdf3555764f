/* What we use of UEFI (specification 2.10): boot services at the offsets we call, protocols, tables. */
#pragma once

#include <kernel/bootinfo.h>

typedef u64 efi_status_t;
#define EFI_SUCCESS 0UL
#define EFI_ERROR(n) (1UL << 63 | (n))
#define EFI_LOAD_ERROR EFI_ERROR(1)
#define EFI_INVALID_PARAMETER EFI_ERROR(2)
#define EFI_BUFFER_TOO_SMALL EFI_ERROR(5)

struct efi_guid {
	u32 a;
	u16 b, c;
	u8 d[8];
};

struct efi_header {
	u64 signature;
	u32 revision, size, crc, reserved;
};

struct efi_boot_services { /* section 4.4 */
	struct efi_header header;
	void *raise_tpl, *restore_tpl;
	void *allocate_pages, *free_pages;
	efi_status_t (*get_memory_map)(u64 *size, void *map, u64 *key, u64 *descriptor_size,
				       u32 *version);
	efi_status_t (*allocate_pool)(u32 type, u64 size, void **buffer);
	void *free_pool;
	void *events[6];
	void *install_protocol, *reinstall_protocol, *uninstall_protocol;
	efi_status_t (*handle_protocol)(void *handle, const struct efi_guid *guid,
					void **interface);
	void *reserved, *register_notify, *locate_handle, *locate_device_path, *install_table;
	void *load_image, *start_image, *exit, *unload_image;
	efi_status_t (*exit_boot_services)(void *handle, u64 key);
	void *next_count, *stall, *watchdog, *connect, *disconnect;
	void *open_protocol, *close_protocol, *open_information;
	void *protocols_per_handle, *locate_handle_buffer;
	efi_status_t (*locate_protocol)(const struct efi_guid *guid, void *registration,
					void **interface);
};

struct efi_graphics_mode { /* section 12.9.2 */
	u32 version, width, height;
	u32 format; /* EFI_PIXELS_... */
	u32 red, green, blue, reserved; /* masks, of EFI_PIXELS_MASKS only */
	u32 pixels_per_line;
};

enum { EFI_PIXELS_RGB, EFI_PIXELS_BGR, EFI_PIXELS_MASKS }; /* others have no memory to draw to */

struct efi_graphics_shown {
	u32 modes, mode;
	const struct efi_graphics_mode *info;
	u64 info_size;
	paddr_t base;
	u64 size;
};

struct efi_graphics {
	void *query_mode, *set_mode, *blt;
	const struct efi_graphics_shown *mode;
};

struct efi_config_table {
	struct efi_guid guid;
	void *table;
};

struct efi_system_table { /* section 4.3 */
	struct efi_header header;
	void *vendor;
	u32 revision;
	void *handles_and_consoles[6];
	void *runtime;
	struct efi_boot_services *boot;
	u64 config_count;
	struct efi_config_table *config;
};

struct efi_loaded_image { /* section 9.1 */
	u32 revision;
	void *parent, *system_table, *device, *file_path, *reserved;
	u32 options_size; /* bytes */
	const u16 *options;
};

/* What efi_start() leaves for boot_main(): addresses are physical. */
struct efi_handover {
	paddr_t map;
	u64 map_size, descriptor_size;
	paddr_t options;
	u64 options_size;
	paddr_t rsdp, fdt;
	struct boot_screen screen; /* of pixels, or of none */
};
extern struct efi_handover efi_handover;

/* boot_main(): memory map, screen and command line into bi. */
void efi_read_handover(struct bootinfo *bi);
