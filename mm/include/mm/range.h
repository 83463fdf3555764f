/* What happens to the entries of a range. aspace.lock, write side, held; interrupts on. */
#pragma once

#include <mm/aspace.h>

/* No 2 MiB page lies across an end of these ranges: see page_split(). */
/* Take down every entry, flush, free the pages. */
void range_zap(struct aspace *as, vaddr_t start, vaddr_t end);
/* Give every entry exactly the rights PROT_CHANGES of prot, hint entries too; on return no CPU has more (I7). */
void range_protect(struct aspace *as, vaddr_t start, vaddr_t end, prot_t prot);
/* Free the leaf tables of 2 MiB pieces that lie inside the range and hold nothing. */
void range_free_tables(struct aspace *as, vaddr_t start, vaddr_t end);
