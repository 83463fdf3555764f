/* One batch of pages on its way: what faults need to know of it. */
#pragma once

#include <mm/page.h>

/* Wait until a page under migration is back; its PTL (of the entry that says so) is held, and dropped. */
void migration_wait(struct page *src, struct spinlock *ptl);
/* Somebody waits for this page; PTL of its migration entry held. */
void migration_want(struct page *src);
/* The page is mapped again: let its waiters go on. */
void migration_wake(struct page *src);
