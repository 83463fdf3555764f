/* The log for whoever reads it: bytes by their position since the boot. Any context. */
#pragma once

#include <kernel/types.h>

/* The oldest position that can still be read. */
u64 log_oldest(void);
/* Up to size bytes from *pos on, which moves; skips to the oldest whole line if the ring has moved on. */
size_t log_read(u64 *pos, char *buf, size_t size);
/* The number of the line that begins at pos, from 0 on, or of the oldest one that is left. */
u64 log_line(u64 pos);
