/* CRC-32 of IEEE 802.3, the one of zlib. */
#pragma once

#include <kernel/types.h>

/* Continue from crc (0 to begin) over len bytes; crc32("123456789") is 0xcbf43926. */
u32 crc32_update(u32 crc, const void *data, size_t len);
