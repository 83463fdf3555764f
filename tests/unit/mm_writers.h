/* What tests of races share: every other CPU writes to all pages of an area, and knows what it wrote last. */
#pragma once

#include "mm_fixture.h"
#include <mm/file.h>

enum {
	WRITERS_MAX = 3, /* CPUs */
	WRITERS_FIRST_WORD =
		1, /* of a page: word 0 is its stamp, which a memory store wants to rise */
};

struct writers {
	struct aspace *
		other; /* of every second one, with the same pages at the same addresses; NULL: all are in the fixture's */
	vaddr_t va;
	u64 pages;
	void (*between)(unsigned number,
			u64 round); /* each calls it behind each round; NULL: nothing */
	u32 stop; /* atomic */
	unsigned count;
	struct writer {
		struct writers *all;
		struct context *running;
		unsigned number; /* its word of each page, after the first */
		u64 rounds; /* that it has written to all pages: its last value; release and acquire */
		u64 wrong; /* words that were not what it wrote last */
	} writer[WRITERS_MAX];
};

/* Writer `number`'s word of a page, in this CPU's space. */
u64 *writers_word(vaddr_t va, u64 page, unsigned number);
/* Begin on every other CPU, as far as there are writers. w is zero but for `between`; fx has a space and an area. */
void writers_start(struct writers *w, const struct fixture *fx);
/* End them all, and expect that nothing of theirs was lost meanwhile. */
void writers_stop(struct writers *w);
/* Expect the last value of each in the file's store, a memory store, which was handed no torn page. They have stopped. */
void writers_expect_stored(const struct writers *w, struct object *file);

/*
 * A file in a memory store, mapped into a new space that may write it, or privately: for fx.len bytes. NULL: no
 * memory (reported). fixture_close() ends both.
 */
struct object *fixture_open(struct fixture *fx, const char *name, bool is_private);
void fixture_close(struct fixture *fx, struct object *file);
