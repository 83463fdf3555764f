/* numactl's policies for the pages of a workload. */
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "bench.h"
#include "policy.h"
#include "region.h"

static const char *const names[] = {"default", "local", "preferred", "interleave", "bind"};
static const char *const options[] = {NULL, "--localalloc", "--preferred", "--interleave",
				      "--membind"};

/* The list behind an option. Every node of it has memory, and --preferred takes one. */
static unsigned parse_nodes(struct bench_params *p, const char *list)
{
	const char *option = options[p->policy];
	int err = parse_set(list, numa_node_count(), &p->policy_nodes);

	if (err == -ERANGE)
		return command_usage_error("bench", "%s %.40s: there are nodes 0 to %u", option,
					   list, numa_node_count() - 1);
	if (err || (p->policy == POLICY_PREFERRED && p->policy_nodes & (p->policy_nodes - 1)))
		return command_usage_error("bench", "%s %.40s: not %s", option, list,
					   p->policy == POLICY_PREFERRED
						   ? "one node"
						   : "a list of nodes such as 0, 0,2, 0-3 or all");
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

	p->policy = POLICY_DEFAULT;
	p->policy_nodes = 0;
	for (unsigned i = POLICY_LOCAL; i < ARRAY_SIZE(list); i++) {
		if (!list[i])
			continue;
		if (p->policy)
			return command_usage_error("bench", "%s and %s exclude each other",
						   options[p->policy], options[i]);
		p->policy = (enum policy)i;
	}
	return p->policy > POLICY_LOCAL ? parse_nodes(p, list[p->policy]) : RC_PASS;
}

int policy_apply(const struct bench_params *p, struct aspace *as, u64 va, u64 len)
{
	static const enum placement placement[] = {
		[POLICY_LOCAL] = PLACE_PREFERRED,
		[POLICY_PREFERRED] = PLACE_PREFERRED,
		[POLICY_INTERLEAVE] = PLACE_INTERLEAVE,
		[POLICY_BIND] = PLACE_BIND,
	};

	return p->policy ? aspace_place(as, va, len, placement[p->policy], p->policy_nodes) : 0;
}

int policy_check_room(struct bench *b, u64 pages)
{
	const struct bench_params *p = &b->params;
	u64 room = 0;

	for (u32 node = 0; node < numa_node_count(); node++)
		if (p->policy != POLICY_BIND || p->policy_nodes >> node & 1)
			room += region_room(node);
	if (room >= pages)
		return 0;
	return bench_fail(b, -ERANGE, "%s: room for %lu pages, %lu are wanted",
			  p->policy == POLICY_BIND ? "the nodes of --membind" : "all nodes", room,
			  pages);
}

void policy_put(const struct bench_params *p, struct json *j)
{
	json_key(j, "policy"), json_string(j, names[p->policy]);
	json_key(j, "policy_nodes"), json_array(j);
	for (u64 left = p->policy_nodes; left; left &= left - 1)
		json_u64(j, (u64)__builtin_ctzl(left));
	json_array_end(j);
}
