/* Nodes: which address and CPU is where, distances, and in which order to fall back. */
#pragma once

#include <kernel/bootinfo.h>

void numa_init(const struct bootinfo *bi);
u32 numa_node_count(void);
/* Node of a physical address below end; *stop = where that answer stops being true. */
u32 numa_node_of(paddr_t pa, paddr_t end, paddr_t *stop);
u32 numa_distance(u32 from, u32 to);
u32 numa_node_of_cpu(unsigned cpu);
/* The node, or this CPU's for BOOT_NODE_NONE. */
u32 numa_resolve(u32 node);
/* Distances came from the firmware. */
bool numa_distances_known(void);
void pmm_init(const struct bootinfo *bi);
