/* What the mm tests share: a space with an anonymous area, and code run in it on a CPU. */
#pragma once

#include <kernel/context.h>
#include <kernel/ktest.h>
#include <mm/aspace.h>
#include <mm/migrate.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/stats.h>

struct fixture {
	struct aspace *as;
	vaddr_t va;
	u64 len;
};

/* False: no memory (reported). */
bool fixture_init(struct fixture *fx, u64 pages, prot_t prot, bool huge, u32 node);
void fixture_fini(struct fixture *fx);
/* Run fn(arg) in the fixture's space on a CPU and wait for it. */
void fixture_run(struct fixture *fx, unsigned cpu, void (*fn)(void *arg), void *arg);
/* First word of each page := a + index * b, from this CPU. */
void fixture_fill(struct fixture *fx, u64 a, u64 b);
/* How many first words differ from that. */
u64 fixture_wrong(struct fixture *fx, u64 a, u64 b);
/* Node of the page at va, BOOT_NODE_NONE if none is mapped. */
u32 fixture_node_of(struct fixture *fx, vaddr_t va);
/* Another node with memory than this one, or BOOT_NODE_NONE. */
u32 fixture_other_node(u32 node);
/* Move the whole area from any node to one; stats may be NULL. Pages that failed. */
u64 fixture_migrate(struct fixture *fx, u32 to, struct migrate_stats *stats);
