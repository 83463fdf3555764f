/* NUMA nodes: which memory and which CPU is on which node, and distances. Constant after numa_init(); any context. */
#pragma once

#include <kernel/bootinfo.h>
#include <kernel/smp.h>

/* Boot CPU, once, before the first question below. */
void numa_init(const struct bootinfo *bi);
/* Number of nodes, at least 1. Nodes are 0 to this - 1. */
u32 numa_node_count(void);
/* Node of the memory at pa. *stop: up to where, at most `end`, the answer holds. pa below end. */
u32 numa_node_of(paddr_t pa, paddr_t end, paddr_t *stop);
/* Distance as in ACPI's SLIT: 10 from a node to itself. Both below numa_node_count(). */
u32 numa_distance(u32 from, u32 to);
/* Node of a CPU by our dense id, online or not. */
u32 numa_node_of_cpu(unsigned cpu);
/* Is a CPU on this node? A node without one is a slower tier of memory. */
bool numa_has_cpus(u32 node);
/* The same node; for BOOT_NODE_NONE the node of this CPU. */
static inline u32 numa_resolve(u32 node)
{
	return node == BOOT_NODE_NONE ? this_cpu_ptr(cpu_self)->node : node;
}
