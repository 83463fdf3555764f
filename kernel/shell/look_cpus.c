/* look cpus, look nodes: the machine as the firmware described it and as it came up. */
#include <kernel/bootinfo.h>
#include <kernel/command.h>
#include <kernel/main.h>
#include <kernel/printk.h>
#include <kernel/registry.h>
#include <kernel/smp.h>

static unsigned look_cpus(int argc, char **argv)
{
	unsigned rc = command_args("look cpus", NULL, &argc, argv, 0, 0);

	if (rc)
		return rc;
	kprintf("  id      hw-id  node package  core  state    runs\n");
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		const struct cpu *c = cpu_ptr(cpu, cpu_self);
		const char *busy = load_relaxed(&c->busy_with);

		kprintf("%4u %#10lx %5u %7u %5u  %-8s %s\n", cpu, c->hw_id, c->node, c->package,
			c->core, cpumask_test(&cpu_online, cpu) ? "online" : "missing",
			busy ? busy : "-");
	}
	return RC_PASS;
}

LOOK(look_at_cpus) = {
	.name = "cpus",
	.usage = "",
	.summary = "CPUs, where they are, and what runs on them",
	.run = look_cpus,
};

static u64 node_memory(const struct bootinfo *bi, u32 node)
{
	u64 bytes = 0;

	/* No table assigns memory to nodes: all RAM is on the one there is. */
	for (unsigned i = 0; !bi->node_range_count && i < bi->range_count; i++) {
		if (bi->ranges[i].type == BOOT_MEM_RAM)
			bytes += bi->ranges[i].len;
	}
	for (unsigned i = 0; i < bi->node_range_count; i++) {
		if (bi->node_ranges[i].node == node)
			bytes += bi->node_ranges[i].len;
	}
	return bytes;
}

static void print_node(const struct bootinfo *bi, u32 node)
{
	kprintf("%4u %7u %9lu  cpus", node, bi->nodes[node].domain, node_memory(bi, node) >> 20);
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		if (cpu_ptr(cpu, cpu_self)->node == node)
			kprintf(" %u", cpu);
	}
	kprintf("  distances");
	for (unsigned to = 0; to < bi->node_count; to++)
		kprintf(" %u", bi->distance[node][to]);
	kprintf("\n");
}

static unsigned look_nodes(int argc, char **argv)
{
	const struct bootinfo *bi = kernel_bootinfo;
	unsigned rc = command_args("look nodes", NULL, &argc, argv, 0, 0);

	if (rc)
		return rc;
	kprintf("node  domain size(MiB)  (%s)\n",
		bi->numa_known ? "from the firmware" : "no table says: one node");
	for (unsigned node = 0; node < bi->node_count; node++)
		print_node(bi, node);
	return RC_PASS;
}

LOOK(look_at_nodes) = {
	.name = "nodes",
	.usage = "",
	.summary = "memory nodes: firmware's number, size, CPUs, distances",
	.run = look_nodes,
};
