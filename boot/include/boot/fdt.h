/* A flattened device tree into struct bootinfo. Pure. */
#pragma once

#include <boot/bootinfo.h>

/*
 * fdt_parse - read a device tree of which len bytes are there. CPUs, memory,
 * nodes and distances, console, GIC, timer, PSCI, command line; the nodes are
 * finished afterwards (boot_finish_nodes()). Broken parts are reported by
 * boot_warn() and the rest is used.
 * 0, or -EINVAL: not a device tree, or too broken to use.
 */
int fdt_parse(const void *blob, size_t len, struct bootinfo *bi);
