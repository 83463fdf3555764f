/* What tests of the oracle share: a space that two CPUs have loaded, records, flushes. */
#pragma once

#include "host_mm.h"

#include <mm/oracle.h>

enum { ORACLE_PAGES = 33 }; /* of the space: one more than MANY of test_oracle_log.c */

/* A new space of so many pages at *va, written, and loaded on both CPUs. */
struct aspace *oracle_loaded_on_both(vaddr_t *va);
/* The record of an entry that is taken down now. */
struct oracle_unmap oracle_taken(struct aspace *as, vaddr_t va);
/* Flush the one entry of this level. */
void oracle_flush(struct aspace *as, vaddr_t va, unsigned level);
