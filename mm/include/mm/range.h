/* What happens to the entries of a range. aspace.lock, write side, held; interrupts on. */
#pragma once

#include <mm/aspace.h>

/* Take down every entry, flush, free the pages. -EINVAL: the range cuts a 2 MiB page. */
int range_zap(struct aspace *as, vaddr_t start, vaddr_t end);
/* Give every present entry at most (or, for writable, exactly) the access prot allows. */
int range_protect(struct aspace *as, vaddr_t start, vaddr_t end, prot_t prot);
/* Free the leaf tables of 2 MiB pieces that lie inside the range and hold nothing. */
void range_free_tables(struct aspace *as, vaddr_t start, vaddr_t end);
