/* A flattened device tree into struct bootinfo. Pure. */
#pragma once

#include <boot/bootinfo.h>

/*
 * fdt_parse - read a device tree of which len bytes are there. CPUs, memory,
 * nodes and distances, console, GIC, timer, PSCI, command line; the nodes are
 * finished afterwards (boot_finish_nodes()). Broken parts are reported by
 * boot_warn() and the rest is used. A memory map or command line that bi has
 * already (from UEFI) is kept.
 * 0, or -EINVAL: not a device tree, or too broken to use.
 */
int fdt_parse(const void *blob, size_t len, struct bootinfo *bi);

/* For the caller who must map it first: do these 8 bytes start a device tree, and how long is it? */
bool fdt_is_blob(const void *bytes);
size_t fdt_total_size(const void *bytes);
