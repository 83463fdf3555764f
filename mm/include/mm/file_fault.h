/* What faults do for pages that are tracked: files. */
#pragma once

#include <mm/fault.h>

/*
 * Is this page still in its slot, so that an entry of it may come? PTL held, and a reference. Whoever takes the page
 * out of its file isolates it, marks the slot busy, then looks at each entry under its PTL. We
 * got the page before it was isolated, and our table before that, so ours is among them. A file
 * gets shorter before it is looked for pages beyond its end, so of such a page that came too late
 * for that we see here, after the full barrier by which we got it, that it is one.
 */
static inline bool file_fault_shows(const struct page *page, const slot_t *slot)
{
	return slot_load(slot).v == slot_of_page(page).v &&
	       page->index < load_relaxed(&page->object->size);
}

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
