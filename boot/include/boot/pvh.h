/* The start information of a PVH boot (Xen's interface, also QEMU -kernel). Pure. */
#pragma once

#include <boot/bootinfo.h>

/*
 * pvh_parse - info_phys is what EBX held at entry. Everything is copied or
 * reserved; bi->rsdp becomes the address given, 0 if none.
 * 0, -EFAULT (not readable), -EINVAL (wrong magic), -ENOENT (no memory map).
 */
int pvh_parse(u64 info_phys, boot_map_fn *map, void *ctx, struct bootinfo *bi);
