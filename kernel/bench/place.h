/*
 * Where the pages of a workload come from, in numactl's words: --localalloc,
 * --preferred NODE, --interleave NODES, --membind NODES. Without any, the
 * workload decides.
 */
#pragma once

#include <kernel/args.h>
#include <kernel/json.h>

struct aspace;
struct bench;
struct bench_params;

enum policy {
	POLICY_DEFAULT, /* the workload's own choice */
	POLICY_LOCAL, /* the node that touches a page first; others if it is short */
	POLICY_PREFERRED, /* one node; others if it is short */
	POLICY_INTERLEAVE, /* nodes in turn; others if one is short */
	POLICY_BIND, /* these nodes and no others */
};

/* What the options said. */
struct place_asked {
	const char *preferred, *interleave, *membind;
	bool localalloc;
};

/* Into p->policy and p->policy_nodes. RC_PASS, or RC_USAGE after printing why. */
unsigned place_parse(const struct place_asked *asked, struct bench_params *p);
/* New pages of the range come from where --membind and the others say. 0 or a negative code. */
int place_apply(const struct bench_params *p, struct aspace *as, u64 va, u64 len);
/* 0, or -ERANGE with bench_fail(): the nodes that may give pages have not so many. */
int place_check_room(struct bench *b, u64 pages);
/* "policy" and "policy_nodes" of a record. */
void place_json(const struct bench_params *p, struct json *j);
