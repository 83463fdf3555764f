/*
 * Where the pages of a workload come from, in numactl's words: --localalloc,
 * --preferred NODE, --interleave NODES, --membind NODES. Without any, the
 * workload decides.
 */
#pragma once

#include <kernel/json.h>

struct aspace;
struct bench;
struct bench_params;

/* What the options ask for, into p->policy and p->policy_nodes. RC_PASS, or RC_USAGE after printing why. */
unsigned policy_parse(struct bench_params *p);
/* New pages of the range come from where --membind and the others say. 0 or a negative code. */
int policy_apply(const struct bench_params *p, struct aspace *as, u64 va, u64 len);
/* 0, or -ERANGE with bench_fail(): the nodes that may give pages have not so many. */
int policy_check_room(struct bench *b, u64 pages);
/* "policy" and "policy_nodes" of a record. */
void policy_put(const struct bench_params *p, struct json *j);
