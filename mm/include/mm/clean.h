/*
 * Cleaning: a dirty page of a file is written to its store. Which pages are dirty is
 * known because no entry of a clean page is writable: the first write faults, and the
 * fault marks the page dirty (PG_DIRTY) before it makes the entry writable. What
 * hardware notes by itself in a writable entry (the D bit, DBM) says nothing new then.
 */
#pragma once

#include <mm/object.h>

/*
 * Write the page of an index to the store if it is dirty. 0: it was clean, or is written;
 * what was written to it meanwhile has made it dirty again. Else the page is as dirty as it
 * was, and to be tried again: -ENOENT (there is none), -EBUSY (pinned: somebody may write it
 * at any moment; or being moved), a subscriber's refusal, or the store's error. Writers wait
 * until it is over, readers do not. The caller is a user. Task context, no locks.
 */
int file_clean(struct object *file, u64 index);
/* The same for a page that the caller has a reference to. No -ENOENT. */
int page_clean(struct object *file, struct page *page);
