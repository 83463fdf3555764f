/*
 * Kernel virtual layout of the x86-64 port (48-bit addresses, the upper half
 * is the kernel's), shared by C, assembler and linker.ld.
 */
#pragma once

#ifdef __ASSEMBLER__
#define LAYOUT_U64(x) x
#else
#define LAYOUT_U64(x) x##UL
#endif

/* Where the image's first byte is loaded: above the legacy area, RAM on every PC. */
#define KERNEL_PHYS LAYOUT_U64(0x100000)
/* Virtual minus physical address inside the image: the top 2 GiB, as -mcmodel=kernel wants. */
#define KERNEL_OFFSET LAYOUT_U64(0xffffffff80000000)
/* Virtual address of the image's first byte. */
#define KERNEL_BASE (KERNEL_OFFSET + KERNEL_PHYS)

/* All physical memory: 64 TiB of it. */
#define DIRECT_BASE LAYOUT_U64(0xffff800000000000)
#define DIRECT_SIZE LAYOUT_U64(0x400000000000)
/* struct page array: 64 bytes per 4 KiB frame of the direct map would be 1 TiB. */
#define VMEMMAP_BASE LAYOUT_U64(0xffffd00000000000)
/* Stacks with guard pages and other mappings made one by one; one root entry, 512 GiB. */
#define KVIRT_BASE LAYOUT_U64(0xffffe00000000000)
#define KVIRT_END LAYOUT_U64(0xffffe08000000000)

/* Where the boot tables end, which map all that is below. */
#define BOOT_MAP_END LAYOUT_U64(0x100000000)

/* For linker.ld. */
/* clang-format off */
#define LD_OUTPUT_ARCH i386:x86-64
/* clang-format on */
#define LD_ENTRY multiboot2_entry
#define LD_BOOT_NOTE 1 /* the PVH entry point is found through a PT_NOTE segment */
