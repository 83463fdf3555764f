/* What the two parts of reclaim share: mm/reclaim.c has pages of files, mm/reclaim_anon.c anonymous ones. */
#pragma once

#include <mm/knob.h>
#include <mm/page.h>
#include <mm/rmap_edit.h>

/* Of a hand before it gives up: all may be accessed in the first one. */
enum { RECLAIM_ROUNDS = 2 };

/* Was it accessed since the last time? It is isolated or locked, and its object's lock is held. */
bool reclaim_was_accessed(const struct page *page);
/* This CPU is about to take a reference to a page that it found by its frame; and has dropped it, or made its entries migration entries. */
void reclaim_begin_look(struct page *page);
void reclaim_end_look(void);
/* The first page is in this CPU's batch; and the batch is over, all that goes is free. */
void reclaim_batch_begins(void);
void reclaim_batch_ended(void);

/* This CPU waits until another one has ended its batch, or is through with a file. */
extern PERCPU_DECLARE(bool, reclaim_waits);
/* What a waiter looks at has changed: wake who waits. */
void reclaim_wake_waiters(void);
/* Until each batch that others have under way is over. False: there is none. */
bool reclaim_wait_for_batches(void);

/* A page was taken down. As Linux does on x86-64: see unmap_as_linux() in mm/migrate.c. */
static inline void reclaim_taken(struct rmap_edit *edit)
{
	if (!knobs.batch_alone && tlb_gather_is_ours(&edit->gather))
		tlb_gather_flush(&edit->gather);
}

/* The flush of `count` pages. */
static inline void reclaim_flush(struct rmap_edit *edit, unsigned count)
{
	if (knobs.batch_flush == BATCH_FLUSH_ALL && count > 1)
		tlb_gather_widen(&edit->gather);
	rmap_edit_end(edit);
}

/* As reclaim_pages(), of anonymous pages, if swap has room for them. */
u64 reclaim_anonymous(u32 node, u64 want);
