/* One batch of pages on its way: what faults need to know of it. */
#pragma once

#include <mm/page.h>

/*
 * Wait until a page under migration is mapped again. ptl: the lock of the migration entry that names
 * it, which is held and released here. No other spinlock held, interrupts on.
 */
void migration_wait(struct page *src, struct spinlock *ptl);
/* Says which CPUs may have a page that is on its way out of memory, for the watchdog. Set at start-up. */
extern void (*migration_blame_leaving)(const struct page *page);
/* The page is mapped again: wake its waiters. No PTL needed. */
void migration_wake(struct page *src);
