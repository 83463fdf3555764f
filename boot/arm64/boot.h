/* Between the files of boot/arm64. */
#pragma once

#include <asm/pgtable.h>
#include <boot/bootinfo.h>

/* What the kernel gets; filled by efi_start() as far as the firmware knows it, then by boot_main(). */
extern struct bootinfo boot_info;

/* The kernel's half while boot tables are in use. */
extern pte_t boot_root[PT_ENTRIES];

/*
 * boot_map_memory - map physical memory at its direct-map address in the boot
 * tables, leaving alone what is mapped already. Always writable: what is only
 * read now may be handed out as RAM before there are other tables. Returns the
 * address, or NULL: out of range, or the pool of tables is used up (some of it
 * may be mapped then).
 */
void *boot_map_memory(paddr_t pa, u64 len);
/* boot_map_device - the same for device registers. */
void *boot_map_device(paddr_t pa, u64 len);
