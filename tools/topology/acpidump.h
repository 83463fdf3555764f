/* The text of acpidump: "NAME @ 0xADDRESS" and lines of hex, for each table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Called for each table found; keeps bytes, which came from malloc(). line is that of its name. */
typedef void acpidump_table_fn(void *ctx, unsigned char *bytes, size_t len, unsigned line);
/* Called for each line that is no hex line of the table it stands in. */
typedef void acpidump_bad_fn(void *ctx, unsigned line, const char *reason);

/* False: out of memory. text has len bytes and need not end with a 0. */
bool acpidump_parse(const char *text, size_t len, acpidump_table_fn *table, acpidump_bad_fn *bad,
		    void *ctx);
