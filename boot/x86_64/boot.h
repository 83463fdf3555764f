/* Between the files of boot/x86_64. */
#pragma once

#include <kernel/types.h>

/* boot_root, mapped while the boot page tables are loaded: everything below 4 GiB. */
#define BOOT_MAP_END (4UL << 30)
