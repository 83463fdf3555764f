/*
 * ACPI tables into struct bootinfo. Pure: the bytes come from the caller, also
 * on the host. Nothing in a table is believed before it is checked.
 *
 * A table whose checksum is wrong is reported and used all the same: wrong sums
 * on real machines are mostly forgotten updates of a correct table, every field
 * is checked anyway, and without a MADT or SRAT little would be left to measure.
 */
#pragma once

#include <boot/bootinfo.h>

/*
 * acpi_parse - walk from the RSDP at a physical address. XSDT first; the RSDT
 * if there is none or it is broken. Afterwards call acpi_finish(); what map
 * returned must stay good until then.
 * 0, -EFAULT (not readable), -EINVAL (no RSDP there), -EIO (no usable root table).
 */
int acpi_parse(u64 rsdp, boot_map_fn *map, void *ctx, struct bootinfo *bi);

/*
 * acpi_parse_table - take one table, len bytes of which are there. Tables may
 * come in any order; of each kind the first counts (of SSDTs, all). Kinds we have
 * no use for are checked and ignored. The bytes must stay good until
 * acpi_finish(). 0, or -EINVAL: not a table, or too broken to use.
 */
int acpi_parse_table(const void *bytes, u64 len, struct bootinfo *bi);

/*
 * acpi_finish - read what had to wait for all tables (nodes, distances, memory
 * figures), fill in what is missing and say so. Call once, also without tables.
 */
void acpi_finish(struct bootinfo *bi);
