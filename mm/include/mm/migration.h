/* One batch of pages on its way: what faults need to know of mm/migrate.c. */
#pragma once

#include <mm/page.h>

/* Somebody waits for this page; PTL of its migration entry held. */
void migration_want(struct page *src);
/* The page is mapped again: let its waiters go on. */
void migration_wake(struct page *src);
