/* What faults do for pages that are tracked: files. */
#pragma once

#include <mm/fault.h>

/*
 * A tracked page is about to be mapped where nothing was. True: map it, with *prot, which
 * lacks PROT_WRITE unless the page is dirty from now on. False: the page has left its
 * slot. Its mapcount has been raised (a full barrier), as the entry's table may be new. PTL held.
 */
bool file_fault_map(struct fault *f, struct page *page, const slot_t *slot, prot_t *prot);
/*
 * The entry that f->seen is, of a tracked page, is about to become writable. True: the page is dirty
 * now. False: it is locked; wait. PTL held.
 */
bool file_fault_write(struct fault *f);
/* Wait for that lock. No locks held. */
enum fault_result file_fault_wait(struct fault *f);
/*
 * The other reason to wait: the entry is what the fault wanted, and the file is over its budget of dirty
 * pages. Write back; then the fault is retried, and looks at what there is by then.
 */
enum fault_result file_fault_throttle(struct fault *f);
