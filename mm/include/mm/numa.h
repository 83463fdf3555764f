/* Nodes: which address and CPU is where, distances, and in which order to fall back. */
#pragma once

#include <kernel/bootinfo.h>

/* Boot CPU, once, before the first question below. */
void numa_init(const struct bootinfo *bi);
/* Nodes there are, 1 at least; ids are dense from 0. */
u32 numa_node_count(void);
/* Node of a physical address below end; *stop = where that answer stops being true. */
u32 numa_node_of(paddr_t pa, paddr_t end, paddr_t *stop);
/* As in the firmware's table: 10 to itself. Both below numa_node_count(). */
u32 numa_distance(u32 from, u32 to);
/* Of a CPU by our dense id, online or not. */
u32 numa_node_of_cpu(unsigned cpu);
/* The node, or this CPU's for BOOT_NODE_NONE. */
u32 numa_resolve(u32 node);
/* Distances came from the firmware. */
bool numa_distances_known(void);
