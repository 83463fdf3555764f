/*
 * Taking down and protecting the entries of a range. The write side of aspace.lock is held, interrupts
 * are on, and the space is inside a change that contains the range. start and end are multiples of
 * 4 KiB, and no 2 MiB page lies across them: see page_split(). Each waits for flushes.
 */
#pragma once

#include <mm/aspace.h>

/* Take down every entry, flush, then drop the references of the mappings. */
void range_zap(struct aspace *as, vaddr_t start, vaddr_t end);
/* Give every entry, hint entries too, those of PROT_CHANGES that prot has. On return no CPU has more rights (I7). */
void range_protect(struct aspace *as, vaddr_t start, vaddr_t end, prot_t prot);
/*
 * The same in steps, so that several ranges have one flush: begin, each range, end. Only after the end no CPU
 * has more rights.
 */
void range_lower_begin(struct aspace *as, struct tlb_gather *gather);
void range_lower(struct aspace *as, struct tlb_gather *gather, vaddr_t start, vaddr_t end,
		 prot_t prot);
void range_lower_end(struct aspace *as, struct tlb_gather *gather);
/* Free the leaf tables that lie inside the range as a whole. Nothing is mapped there. */
void range_free_tables(struct aspace *as, vaddr_t start, vaddr_t end);
