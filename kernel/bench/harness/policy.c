/* numactl's policies for the pages of a workload. */
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "bench.h"
#include "policy.h"
#include "region.h"

/* bench_params.policy is an index. */
static const struct {
	const char *name, *option;
	enum placement placement;
} policies[] = {
	{.name = "default"}, /* the workload's own choice */
	{"local", "--localalloc", PLACE_PREFERRED}, /* no node: that which touches a page first */
	{"preferred", "--preferred", PLACE_PREFERRED},
	{"interleave", "--interleave", PLACE_INTERLEAVE},
	{"bind", "--membind", PLACE_BIND},
};

/* The list behind an option. Every node of it has memory, and --preferred takes one. */
static unsigned parse_nodes(struct bench_params *p, const char *list)
{
	const char *option = policies[p->policy].option;
	int err = parse_set(list, numa_node_count(), &p->policy_nodes);

	if (err == -ERANGE)
		return command_usage_error("bench", "%s %.40s: there are nodes 0 to %u", option,
					   list, numa_node_count() - 1);
	if (err || (p->preferred && p->policy_nodes & (p->policy_nodes - 1)))
		return command_usage_error(
			"bench", "%s %.40s: not %s", option, list,
			p->preferred ? "one node" : "a list of nodes such as 0, 0,2, 0-3 or all");
	for (u64 left = p->policy_nodes; left; left &= left - 1)
		if (!pmm_node_has_memory((u32)__builtin_ctzl(left)))
			return command_usage_error("bench", "%s %.40s: node %u has no memory",
						   option, list, (u32)__builtin_ctzl(left));
	return RC_PASS;
}

unsigned policy_parse(struct bench_params *p)
{
	const char *list[] = {NULL, p->localalloc ? "" : NULL, p->preferred, p->interleave,
			      p->membind};

	p->policy = 0;
	p->policy_nodes = 0;
	for (unsigned i = 1; i < ARRAY_SIZE(list); i++) {
		if (!list[i])
			continue;
		if (p->policy)
			return command_usage_error("bench", "%s and %s exclude each other",
						   policies[p->policy].option, policies[i].option);
		p->policy = i;
	}
	return p->policy && !p->localalloc ? parse_nodes(p, list[p->policy]) : RC_PASS;
}

int policy_apply(const struct bench_params *p, struct aspace *as, u64 va, u64 len)
{
	return p->policy ? aspace_place(as, va, len, policies[p->policy].placement, p->policy_nodes)
			 : 0;
}

int policy_check_room(struct bench *b, u64 pages)
{
	const struct bench_params *p = &b->params;
	u64 room = 0;

	for (u32 node = 0; node < numa_node_count(); node++)
		if (!p->membind || p->policy_nodes >> node & 1)
			room += region_room(node);
	if (room >= pages)
		return 0;
	return bench_fail(b, -ERANGE, "%s: room for %lu pages, %lu are wanted",
			  p->membind ? "the nodes of --membind" : "all nodes", room, pages);
}

void policy_put(const struct bench_params *p, struct json *j)
{
	json_key(j, "policy"), json_string(j, policies[p->policy].name);
	json_key(j, "policy_nodes"), json_array(j);
	for (u64 left = p->policy_nodes; left; left &= left - 1)
		json_u64(j, (u64)__builtin_ctzl(left));
	json_array_end(j);
}
