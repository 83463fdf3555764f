/* The memory manager on a modelled machine with one CPU running: for tests of what it does, not when. */
#pragma once

#include "../check.h"

#include <mm/aspace.h>
#include <mm/migrate.h>
#include <mm/pmm.h>

struct mm_counters;

enum { HOST_NODES = 2, HOST_NODE_PAGES = 4096 };

/* Boot once, on first use; after that nothing may be in use but what earlier tests left. */
void host_mm(void);
/* A new space with an anonymous area of so many pages at *va, loaded on this CPU. */
struct aspace *host_space(u64 pages, prot_t prot, bool huge, u32 node, vaddr_t *va);
/* A new object of one page, mapped writable in two spaces: at *x and *y. The caller puts it. */
struct object *host_shared(struct aspace *as, struct aspace *other, vaddr_t *x, vaddr_t *y);
/* The word at va, faulted in; NULL: access not allowed. */
u64 *host_word(struct aspace *as, vaddr_t va, bool write);
struct page *host_page(struct aspace *as, vaddr_t va);
/* What this CPU has counted, and what the deferral in force has, by its place in its list. */
const struct mm_counters *host_counters(unsigned cpu);
u64 host_counter(unsigned i);
/* What node 0 has. */
struct pmm_node_stats host_node(void);
/* Take so many frames of node 0, or all there are: how many that was. Give them back, and what caches hold. */
unsigned host_take(u64 most);
void host_give(unsigned n);
/* Everything of node 0, so that all frames that owe leave; and back. */
void host_use_all(void);
/* This frame was freed with its flush owed, as were so many of node 0 in all, and none is held. */
void host_expect_freed_owing(const struct page *frame, u64 frames);
/* For fake_on_cpu(): load this space. */
void host_load(void *space);
u64 host_migrate(struct aspace *as, vaddr_t va, u64 pages, u32 to, struct migrate_stats *stats,
		 u8 *result);
