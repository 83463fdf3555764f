/* Nodes that are not all alike: order of fallback, what lies where. In a process of its own, as the machine's are others. */
#include "host_mm.h"

#include <mm/numa.h>

#include <sys/wait.h>
#include <unistd.h>

/* From a node (row) to a node: not the same both ways, with ties. */
static const u8 distances[5][5] = {
	{10, 40, 20, 30, 20}, {12, 10, 11, 90, 80}, {20, 20, 10, 20, 20},
	{50, 40, 30, 10, 60}, {11, 14, 13, 12, 10},
};
static const u8 expected[5][5] = {
	{0, 2, 4, 3, 1}, {1, 2, 0, 4, 3}, {2, 0, 1, 3, 4}, {3, 2, 1, 0, 4}, {4, 0, 3, 2, 1},
};
static struct bootinfo bi;

/* In a child: what it computes is gone with it. */
static bool in_child(bool (*fn)(void))
{
	int status = 1, pid = fork();

	if (!pid) {
		numa_init(&bi);
		_exit(!fn());
	}
	waitpid(pid, &status, 0);
	return !status;
}

static void five_nodes(void)
{
	host_mm();
	bi = (struct bootinfo){.node_count = 5, .node_range_count = 3};
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < 5; j++)
			bi.distance[i][j] = distances[i][j];
	bi.node_ranges[0] = (struct boot_node_range){.base = 0x1000, .len = 0x1000, .node = 3};
	bi.node_ranges[1] = (struct boot_node_range){.base = 0x2000, .len = 0x2000, .node = 1};
	bi.node_ranges[2] = (struct boot_node_range){.base = 0x8000, .len = 0x1000, .node = 4};
}

static bool nearest_first(void)
{
	for (u32 node = 0; node < 5; node++) {
		unsigned n = 0;
		const u8 *order = pmm_fallback_order(node, &n);

		if (n != 5 || memcmp(order, expected[node], 5))
			return false;
	}
	return numa_distance(0, 1) == 40 && numa_distance(1, 0) == 12;
}

TEST(numa_fallback_is_nearest_first_and_one_way)
{
	five_nodes();
	CHECK(in_child(nearest_first));
}

static bool places(void)
{
	static const struct {
		paddr_t at, end;
		u32 node;
		paddr_t stop;
	} cases[] = {
		{0, 0x9000, 0, 0x1000}, /* below all: node 0 up to the first range */
		{0xfff, 0x9000, 0, 0x1000},  {0x1000, 0x9000, 3, 0x2000},
		{0x1fff, 0x9000, 3, 0x2000}, {0x2000, 0x9000, 1, 0x4000},
		{0x2000, 0x3000, 1, 0x3000}, /* the question ends first */
		{0x3fff, 0x9000, 1, 0x4000}, {0x4000, 0x9000, 0, 0x8000},
		{0x4000, 0x5000, 0, 0x5000}, {0x8000, 0xa000, 4, 0x9000},
		{0x9000, 0xa000, 0, 0xa000},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		paddr_t stop = 0;

		if (numa_node_of(cases[i].at, cases[i].end, &stop) != cases[i].node ||
		    stop != cases[i].stop)
			return false;
	}
	return true;
}

TEST(numa_ranges_begin_and_end_where_they_say)
{
	five_nodes();
	CHECK(in_child(places));
}
