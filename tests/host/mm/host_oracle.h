/* What tests of the oracle share: a space that two CPUs have loaded, records, flushes. */
#pragma once

#include "host_mm.h"

#include <mm/oracle.h>

enum {
	ORACLE_MANY = 32, /* pages that are released together */
	ORACLE_PAGES, /* of the space: one more */
};

/* A new space of so many pages at *va, written, and loaded on both CPUs. */
struct aspace *oracle_loaded_on_both(vaddr_t *va);
/* The record of an entry that is taken down now. */
struct oracle_unmap oracle_taken(struct aspace *as, vaddr_t va);
/* Flush the one entry of this level. */
void oracle_flush(struct aspace *as, vaddr_t va, unsigned level);
/* Page number i is taken down now, and its frame has the record. */
void oracle_take(struct aspace *as, vaddr_t va, unsigned i);
/*
 * A step for each of ORACLE_MANY pages, and then their frames are released: was the flush of one missed? Nothing is
 * loaded meanwhile, so whoever would panic tells the next switch instead.
 */
bool oracle_found_stale(struct aspace *as, vaddr_t va,
			void (*step)(struct aspace *as, vaddr_t va, unsigned i));
