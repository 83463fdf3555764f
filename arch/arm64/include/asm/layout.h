/*
 * Kernel virtual layout of the arm64 port: 48-bit addresses, TTBR1 maps the
 * upper half and belongs to the kernel alone. Shared by C, assembler, linker.ld.
 */
#pragma once

#ifdef __ASSEMBLER__
#define LAYOUT_U64(x) x
#else
#define LAYOUT_U64(x) x##UL
#endif

/*
 * Where an ELF loader puts the image: where QEMU's virt board puts an Image. Images run wherever
 * they are loaded (4 KiB aligned); only the load addresses of ELF segments come from this.
 */
#define KERNEL_PHYS LAYOUT_U64(0x40200000)
/* Virtual address of the image's first byte. Where it lies physically is found at start. */
#define KERNEL_BASE LAYOUT_U64(0xffffffff80000000)
/* Virtual minus load address, for linker.ld only. */
#define KERNEL_OFFSET (KERNEL_BASE - KERNEL_PHYS)

/* All physical memory up to 2^47: servers have RAM and UARTs above 2^46. */
#define DIRECT_BASE LAYOUT_U64(0xffff000000000000)
#define DIRECT_SIZE LAYOUT_U64(0x800000000000)
/* struct page array: 64 bytes per 4 KiB frame of the direct map would be 2 TiB. */
#define VMEMMAP_BASE LAYOUT_U64(0xffff800000000000)
/* Stacks with guard pages and other mappings made one by one: 512 GiB. */
#define KVIRT_BASE LAYOUT_U64(0xffff900000000000)
#define KVIRT_END LAYOUT_U64(0xffff908000000000)

/* For linker.ld. */
#define LD_OUTPUT_ARCH aarch64
#define LD_ENTRY image_header
