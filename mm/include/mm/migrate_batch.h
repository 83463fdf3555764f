/* Pages on their way to another node, as mm/migrate.c, mm/collect.c and mm/migrate_wait.c keep them. */
#pragma once

#include <mm/migrate.h>
#include <mm/pgwalk.h>

enum {
	MIGRATE_MAX = 512, /* entries isolated at a time; knob `batch` goes up to here */
	MIGRATE_OBJECTS = 8, /* whose areas are walked in one batch */
};

/* One per CPU: a context does not yield while it migrates. */
struct migration {
	const struct migrate_request *req;
	struct tlb_gather gather;
	struct pt_cache cache;
	unsigned order, level; /* of every page in it, and of the entries that map it */
	bool as_linux; /* batches are flushed as Linux does on x86-64: see unmap_as_linux() */
	unsigned count; /* pages isolated: several batches, if batches are small */
	unsigned moved; /* of the batch, so far */
	enum migrate_reason failure; /* the last one */
	u64 stamp; /* cycles at the last phase border */
	struct migrate_stats stats;
	struct page *src[MIGRATE_MAX], *dst[MIGRATE_MAX];
	pte_t *entry[MIGRATE_MAX]; /* of a page mapped once; NULL: through the reverse map */
	u32 taken[MIGRATE_MAX]; /* entries of it that are migration entries now */
	u8 state[MIGRATE_MAX]; /* PAIR_* */
	struct object *held[MIGRATE_OBJECTS]; /* read sides of their locks, until the batch ends */
	unsigned held_count;
	u32 wanted_any; /* some bit of wanted is set; faults set it, release */
	u64 wanted[MIGRATE_MAX / 64]; /* pages somebody waits for */
};

/* Not a result: the page belongs to the next batch, as its object cannot be held in this one. */
#define BATCH_ENDS MIGRATE_REASONS

enum {
	PAIR_DEFERRED = 1 << 0, /* a scheme took the flush of its entry upon itself */
	PAIR_DONE = 1 << 1, /* moved, or mapped again where it was */
};

/* A page that the caller isolated. */
static inline void migration_add(struct migration *m, struct page *page)
{
	page->migration = m;
	page->slot = m->count;
	m->state[m->count] = 0;
	m->src[m->count++] = page;
}

/* It stays where it is: counted, and told to a caller who asked. */
void migration_note_failure(struct migration *m, struct page *page, enum migrate_reason reason);
/*
 * Isolate the next pages from va on that are on the wrong node, all of one size,
 * at most MIGRATE_MAX. Read side of aspace.lock held. Returns where the next search starts.
 */
vaddr_t collect_pages(struct migration *m, vaddr_t va, vaddr_t end);
