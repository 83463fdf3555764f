/*
 * A mapped 2 MiB page becomes 512 pages of 4 KiB: the same frames under the
 * same rights, each with a struct page, an entry and a place in the object of
 * its own. Nothing is copied.
 */
#pragma once

#include <mm/aspace.h>

/*
 * Split the 2 MiB page that is mapped at va; its parts have the same rights and
 * state. 0: done, or no 2 MiB page is there. -ENOMEM (no page table) or -EBUSY
 * (pinned), or a subscriber's refusal: nothing has changed. Write side of aspace.lock
 * held, no spinlock; task context. Waits for a flush if the page was accessible.
 */
int page_split(struct aspace *as, vaddr_t va);

/*
 * The same of a page that the caller has isolated, with a reference, and found mapped at va, a multiple of 2 MiB. It
 * goes with a table, which the caller brings: reclaim cannot wait for one. Neither isolation nor reference is left.
 * The read side is enough: a fault that comes meanwhile gets access back, and nothing is split then (-EAGAIN), nor if somebody
 * has accessed it.
 */
int page_split_isolated(struct aspace *as, vaddr_t va, struct page *page, pte_t *table);

/*
 * Split the 2 MiB page of a hint entry at va, a multiple of 2 MiB. The caller has
 * read the entry, `hint`, and isolated the page under the entry's PTL. The parts get
 * hint entries, so nothing is flushed. The isolation has ended on return.
 *
 * 0, -ENOMEM, -EBUSY or a subscriber's refusal as above, or -EAGAIN: somebody has
 * changed the entry, or a scan's flush is pending. With an error the entry is as it
 * was, or as somebody else has left it. Read side of aspace.lock held, no spinlock;
 * task context.
 */
int page_split_hint(struct aspace *as, vaddr_t va, pte_t *ptep, pte_t hint, struct page *page);
