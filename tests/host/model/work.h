/*
 * What the files of the workloads share: each CPU has a word of its own in each page and writes rising
 * stamps into it; everybody reads. A read must give the right page's right word, not older than what its
 * reader has seen or was told, and never the future.
 */
#pragma once

#include "model.h"

struct word {
	u64 issued; /* by its writer: may be seen */
	u64 done; /* its writer is past the store */
	u64 told; /* published, release */
	u16 seen[FAKE_CPUS][FAKE_VAS]; /* by address: loads of one are in order */
};

struct page_history {
	struct word word[MODEL_WORDS];
	bool may_be_lost,
		must_be_new; /* a drop has begun: it may be as at first; has ended: it is */
	u64 dropped[MODEL_WORDS]; /* stamps stored before the drop began */
	bool touched; /* somebody may be about to write it */
	u32 written; /* somebody has. Release and acquire */
};
extern struct page_history work_history[MODEL_PAGES];

u64 work_stamp(unsigned page, unsigned word, u64 n);
/* The number that a stamp has. */
static inline u64 work_number(u64 stamp)
{
	return stamp & 0xffffffffUL;
}

/* ---- work.c: which page of the history an address means ---- */

/* Here an address shows this page. */
void work_note(struct aspace *as, vaddr_t va, unsigned page);
/* Here it shows the next page of the history, which is returned. */
unsigned work_note_next(struct aspace *as, vaddr_t va);
unsigned work_page_at(struct aspace *as, vaddr_t va); /* NULL: in any space */
unsigned work_page_here(vaddr_t va); /* in what this CPU has loaded */
/* The same number for the same address, whoever maps it. */
unsigned work_slot_at(vaddr_t va);
/* For each address that is noted of a space, with the page: fn() may note what another one shows there. */
void work_note_all(struct aspace *of, struct aspace *as,
		   void (*fn)(struct aspace *as, vaddr_t va, unsigned page));
/* Of a page, in the area's object. */
static inline u64 work_index_of(const struct area *area, vaddr_t va)
{
	return area->offset + ((va - area->start) >> PAGE_SHIFT);
}
u64 *work_direct(struct aspace *as, vaddr_t va);
vaddr_t work_word_va(vaddr_t va, unsigned word);

/* ---- work_origin.c: pages that begin as others: of duplicates, and of private mappings ---- */

/* What is known of a word before it is loaded. */
struct origin_view {
	bool frozen; /* there is a copy: what nobody writes in it stays */
	u64 least; /* stamp of the page below, if it is that which is shown */
};
bool work_has_origin(unsigned page);
/* The page that it was at first, and that one, and so on: the last one. */
unsigned work_root(unsigned page);
struct origin_view work_origin_look(unsigned page, unsigned word);
/* May a word that nobody has written here hold this? */
bool work_origin_shows(unsigned page, unsigned word, u64 value, u64 least);
/* The CPU has loaded it. Fails if it must not. */
void work_origin_check(unsigned page, unsigned word, u64 value, unsigned cpu,
		       struct origin_view view);
