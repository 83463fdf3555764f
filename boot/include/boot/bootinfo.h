/*
 * What the parsers of boot/ share: warnings, memory map, nodes, command line.
 * Everything here is pure (no architecture, no globals, no allocation) and is
 * built on the host too.
 */
#pragma once

#include <kernel/bootinfo.h>

/*
 * How a parser reaches physical memory. Returns a pointer to len readable bytes
 * at phys, or NULL; phys and len come from tables and may be anything, also wrap
 * around. The pointers must stay good until the parser is done; for
 * ACPI that is acpi_finish().
 */
typedef const void *boot_map_fn(void *ctx, u64 phys, u64 len);

/* Little-endian fields at any alignment; every machine we run on is little-endian. */
u16 boot_get16(const void *p);
u32 boot_get32(const void *p);
u64 boot_get64(const void *p);

/*
 * boot_note - remember something the user should know that is no error (a table
 * that is absent, for one). Like boot_warn(), but leaves bi->broken alone.
 */
void boot_note(struct bootinfo *bi, const char *fmt, ...) __printf(2, 3);

/*
 * boot_set_cmdline - store the command line. s has max readable bytes; a missing
 * terminator and a line that is too long are reported under the name of table.
 */
void boot_set_cmdline(struct bootinfo *bi, const char *s, u64 max, const char *table);

/*
 * boot_set_hypervisor - a table of the firmware says that we run under one. text has len bytes and
 * may be anything: its printable beginning is kept, "unnamed" if it has none.
 */
void boot_set_hypervisor(struct bootinfo *bi, const void *text, u64 len);

/* boot_add_module - remember a module and reserve its memory; empty ones are ignored. */
void boot_add_module(struct bootinfo *bi, paddr_t base, u64 len);

/*
 * boot_add_range - add a piece of the physical memory map. Keeps bi->ranges
 * sorted and free of overlaps; the higher type of enum boot_mem_type order
 * RAM < ACPI < NVS < RESERVED wins where two overlap, so callers may also use
 * it to reserve parts of RAM. Ranges of one type that touch become one. When
 * the table is full the smallest RAM range is given up, never a reservation.
 * What lies beyond bi->phys_limit is left off, and said where it is not reserved.
 */
void boot_add_range(struct bootinfo *bi, paddr_t base, u64 len, enum boot_mem_type type);

/* boot_add_e820 - the same with the type numbers of the PC's memory map. */
void boot_add_e820(struct bootinfo *bi, paddr_t base, u64 len, u32 type);

/* boot_has_ram - a memory map without any is no memory map. */
bool boot_has_ram(const struct bootinfo *bi);

/*
 * Nodes. First every domain that has a CPU or memory is named to
 * boot_add_domain(); then ids are fixed (ascending by domain) and CPUs and
 * memory are assigned; boot_finish_nodes() closes the gaps.
 */

/* boot_add_domain - false if a domain (this one or a higher one) had to be left off. */
bool boot_add_domain(struct bootinfo *bi, u32 domain);
/* boot_domain_node - our id for a domain, or BOOT_NODE_NONE. */
u32 boot_domain_node(const struct bootinfo *bi, u32 domain);
/* boot_add_node_range - table and off name the entry in warnings. */
void boot_add_node_range(struct bootinfo *bi, const struct boot_node_range *r, const char *table,
			 u64 off);
/*
 * boot_finish_nodes - afterwards there is at least one node, every CPU is on a
 * valid one, node_ranges are sorted and disjoint, and distances are 10 and 20.
 */
void boot_finish_nodes(struct bootinfo *bi, const char *table);
