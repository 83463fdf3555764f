/* numa (as `numactl -H` prints it), migratepages. */
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/main.h>
#include <kernel/printk.h>
#include <kernel/registry.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <mm/migrate.h>
#include <mm/numa.h>
#include <mm/pmm.h>

/* ---- numa ----------------------------------------------------------------------- */

static void print_node(u32 node)
{
	struct pmm_node_stats s;

	kprintf("node %u cpus:", node);
	for_each_online_cpu (cpu)
		if (numa_node_of_cpu(cpu) == node)
			kprintf(" %u", cpu);
	pmm_node_stats(node, &s);
	kprintf("\nnode %u size: %lu MB\nnode %u free: %lu MB\n", node, s.total << PAGE_SHIFT >> 20,
		node, (s.free + s.cached) << PAGE_SHIFT >> 20);
}

static void print_distances(u32 nodes)
{
	kprintf("node distances:\nnode ");
	for (u32 to = 0; to < nodes; to++)
		kprintf("%3u ", to);
	for (u32 from = 0; from < nodes; from++) {
		kprintf("\n%3u: ", from);
		for (u32 to = 0; to < nodes; to++)
			kprintf("%3u ", numa_distance(from, to));
	}
	kprintf("\n");
}

/* From each node to each, in tenths of a unit; 0 is what the firmware does not give. */
static void print_figures(const char *what, const u32 (*of)[MAX_NODES], u32 nodes, u32 per_tenth)
{
	kprintf("%s, from the HMAT:\nnode ", what);
	for (u32 to = 0; to < nodes; to++)
		kprintf("%8u ", to);
	for (u32 from = 0; from < nodes; from++) {
		kprintf("\n%3u: ", from);
		for (u32 to = 0; to < nodes; to++) {
			u32 tenths = (of[from][to] + per_tenth / 2) / per_tenth;

			if (of[from][to])
				kprintf("%6u.%u ", tenths / 10, tenths % 10);
			else
				kprintf("%8s ", "-");
		}
	}
	kprintf("\n");
}

static unsigned run_numa(int argc, char **argv)
{
	const struct bootinfo *bi = kernel_bootinfo;
	u32 nodes = numa_node_count();
	bool hardware = false;
	/* numactl's word for "print the hardware", accepted and without effect. */
	const struct arg options[] = {
		{.name = "-H", .kind = ARG_FLAG, .value = &hardware, .help = "as numactl"},
		{.name = "--hardware", .kind = ARG_FLAG, .value = &hardware, .help = "as numactl"},
		{.name = NULL},
	};
	unsigned rc = command_args(argv[0], options, &argc, argv, 0, 0);

	if (rc)
		return rc;
	if (nodes == 1)
		kprintf("available: 1 nodes (0)\n");
	else
		kprintf("available: %u nodes (0-%u)\n", nodes, nodes - 1);
	for (u32 node = 0; node < nodes; node++)
		print_node(node);
	print_distances(nodes);
	if (bi->hmat_known) {
		print_figures("read latency (ns)", bi->hmat.read_latency_ps, nodes, 100);
		print_figures("read bandwidth (GB/s)", bi->hmat.read_bandwidth_mbps, nodes, 100);
	}
	return RC_PASS;
}

COMMAND(cmd_numa) = {
	.name = "numa",
	.usage = "",
	.summary = "nodes, their CPUs, memory and distances, as numactl -H prints them; figures of "
		   "an HMAT",
	.run = run_numa,
};

COMMAND(cmd_numactl) = {
	.name = "numactl",
	.usage = "-H",
	.summary = "the same as numa",
	.run = run_numa,
};

/* ---- migratepages ------------------------------------------------------------------ */

static unsigned parse_nodes(const char *which, const char *s, u64 *nodes)
{
	int err = parse_set(s, numa_node_count(), nodes);

	if (err == -ERANGE)
		return command_usage_error("migratepages", "%s %.40s: there are nodes 0 to %u",
					   which, s, numa_node_count() - 1);
	if (err)
		return command_usage_error(
			"migratepages", "%s %.40s: not a list of nodes such as 0, 0,2, 0-3 or all",
			which, s);
	return RC_PASS;
}

/* Where the pages of a node go: the n-th node of `from` to the n-th of `to`; `to` starts over at its end. */
static u32 target_of(u32 node, u64 from, u64 to)
{
	u64 left = to;

	for (u64 before = from & ((1UL << node) - 1); before; before &= before - 1) {
		left &= left - 1;
		if (!left)
			left = to;
	}
	return (u32)__builtin_ctzl(left);
}

/*
 * The next node to empty: one whose target will not be emptied itself, so that no page moves twice.
 * If there is none, as 0 to 1 and 1 to 0 have none, any.
 */
static u32 next_source(u64 left, u64 from, u64 to)
{
	for (u64 nodes = left; nodes; nodes &= nodes - 1) {
		u32 node = (u32)__builtin_ctzl(nodes), target = target_of(node, from, to);

		if (target == node || !(left >> target & 1))
			return node;
	}
	return (u32)__builtin_ctzl(left);
}

static void move_area(struct migrate_request *req, u64 from, u64 to)
{
	for (u64 left = from; left;) {
		u32 node = next_source(left, from, to);

		left &= ~(1UL << node);
		req->from_nodes = 1UL << node;
		req->to_node = target_of(node, from, to);
		if (req->to_node != node)
			migrate_range(req);
	}
}

/* The first area from va on, as a range; false: there is none. */
static bool next_range(struct aspace *as, vaddr_t va, struct migrate_request *req)
{
	struct area *area;
	bool found = false;

	read_lock(&as->lock);
	list_for_each_entry (area, &as->areas, link) {
		if (area->start < va)
			continue;
		req->start = area->start;
		req->len = area->end - area->start;
		found = true;
		break;
	}
	read_unlock(&as->lock);
	return found;
}

/* Every area of a space, as migratepages does. */
static void move_space(struct aspace *as, u64 from, u64 to, struct migrate_stats *stats)
{
	struct migrate_request req = {.as = as, .stats = stats};

	for (vaddr_t va = 0; next_range(as, va, &req); va = req.start + req.len)
		move_area(&req, from, to);
}

static unsigned run_migratepages(int argc, char **argv)
{
	struct migrate_stats stats = {0};
	u64 from, to, failed = 0;
	unsigned rc = command_args("migratepages", NULL, &argc, argv, 3, 3);
	struct aspace *as;

	if (rc)
		return rc;
	as = aspace_lookup(argv[1]);
	if (!as)
		return command_usage_error(
			"migratepages", "%.40s: no such space (bench --keep leaves one)", argv[1]);
	rc = parse_nodes("FROM", argv[2], &from);
	if (!rc)
		rc = parse_nodes("TO", argv[3], &to);
	if (!rc && from == to)
		rc = command_usage_error("migratepages", "FROM and TO are both %.40s", argv[2]);
	if (rc)
		return rc;
	move_space(as, from, to, &stats);
	kprintf("moved %lu pages", stats.moved);
	for (unsigned i = MIGRATE_OK + 1; i < MIGRATE_REASONS; i++) {
		kprintf("%s %lu %s", i == MIGRATE_OK + 1 ? ", failed:" : ",", stats.failed[i],
			migrate_reason_names[i]);
		failed += stats.failed[i];
	}
	kprintf("\n");
	return failed ? RC_FAIL : RC_PASS;
}

COMMAND(cmd_migratepages) = {
	.name = "migratepages",
	.usage = "SPACE FROM-NODES TO-NODES",
	.summary = "move a space's pages between nodes; node lists as 0, 0,2, 0-3, all",
	.run = run_migratepages,
};
