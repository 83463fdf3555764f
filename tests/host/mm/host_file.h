/* Files for host tests: on a memory store that fails, and looks closely, when it is told to. */
#pragma once

#include "host_mm.h"

#include <mm/clean.h>
#include <mm/file.h>
#include <mm/knob.h>
#include <mm/page_lock.h>
#include <mm/stats.h>
#include <kernel/error.h>

#define RW (PROT_READ | PROT_WRITE)

enum { FILE_PAGES = 8 };

struct test_store {
	struct store store;
	struct store *below; /* the memory store that has the contents */
	unsigned reads, writes, closes;
	int read_err, write_err; /* what the next accesses return */
	unsigned wrong; /* an access came with a lock held */
	void (*in_write)(void *arg); /* called in the middle of each write */
	void *arg;
	struct aspace *as; /* whose lock is looked at; NULL: none's */
	struct object *file;
	bool swaps; /* it is swap's, on a swap store */
};

/* A new file on it. NULL: no memory. */
struct object *host_file(struct test_store *s, u64 pages);
/* Map all of it at *va of a new space, loaded. */
struct aspace *host_file_space(struct test_store *s, u64 pages, prot_t prot, vaddr_t *va);
/* The space goes, the file is closed, and nothing is left: false, if something was wrong. */
bool host_file_gone(struct test_store *s, struct aspace *as, u64 in_use_before);
u64 host_in_use(void);
/* Swap has such a store, of so many pages, from now on. False: no memory. */
bool host_swap(struct test_store *s, u64 pages);
/* It is off again: false, if a reference is left, or something was wrong. */
bool host_swap_gone(struct test_store *s);
/* The store's first word of a page. */
u64 host_stored(struct test_store *s, u64 index);
/* What every entry of the space at va allows. */
pte_t host_entry(struct aspace *as, vaddr_t va);
/* The page at va is marked dirty. */
bool host_is_dirty(struct aspace *as, vaddr_t va);
/* Take all frames but `left`, and let nothing be reclaimed. host_give_back() returns them. */
void host_take_all(unsigned left);
void host_give_back(void);
/* Take all but so many frames that anybody may have; reclaim goes on. host_give_back() returns them, too. */
void host_leave_frames(unsigned frames);
