/*
 * `file_scan`: the pages of a file mapping are read in turn, again and again. The
 * file's contents are computed, so each read is verified, and the file may be larger
 * than memory where pages are reclaimed.
 */
#include "scale.h"

enum { WORDS = PAGE_SIZE / sizeof(u64) };

static int begin(struct scale_task *t)
{
	return scale_map(t, t->file, PROT_READ);
}

static int op(struct scale_task *t, u64 page)
{
	unsigned place = (unsigned)(page % WORDS);

	scale_expect(t, page, load_relaxed(scale_page(t, page) + place),
		     pattern_word(t->id, page, 0, place));
	return 0;
}

SCALE_TEST(file_scan, "read the pages of a file mapping in turn, again and again",
	   "reclaim_batch defer", .pages = 4096, .operation = "page of a file read",
	   .store = scale_pattern_store, .begin = begin, .op = op, .end = scale_unmap);
