/*
 * A mapped 2 MiB page becomes 512 pages of 4 KiB: the same frames under the
 * same rights, each with a struct page, an entry and a place in the object of
 * its own. Nothing is copied.
 */
#pragma once

#include <mm/aspace.h>

/*
 * Split the 2 MiB page that is mapped at va, if there is one; its parts are as
 * accessible as it was. Flushes, if it was. 0, -ENOMEM (no page table), or -EBUSY
 * (pinned); nothing has changed then. Write side of aspace.lock held.
 */
int page_split(struct aspace *as, vaddr_t va);

/*
 * Split the page of a hint entry of level 1 at va (aligned), which the caller saw and isolated
 * the page under its PTL: no flush, the parts get hint entries. Ends the
 * isolation. 0, -ENOMEM, -EBUSY as above, or -EAGAIN: somebody changed the
 * entry, or a scan's flush is pending; or what a subscriber says. The entry is
 * as it was or as he left it.
 * Read side of aspace.lock held; task context, no spinlocks.
 */
int page_split_hint(struct aspace *as, vaddr_t va, pte_t *ptep, pte_t hint, struct page *page);
