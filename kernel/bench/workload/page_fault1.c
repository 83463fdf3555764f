/*
 * `page_fault1` of will-it-scale: anonymous memory is mapped, each page is
 * written once, and all is unmapped again. An operation is a page.
 */
#include "scale.h"

enum { WORDS_LOOKED_AT = 256 }; /* behind the first one: another word of each page */

/* The first access is the write: what it finds beside it must be zero. */
static int op(struct scale_task *t, u64 page)
{
	u64 *words = scale_page(t, page);

	store_relaxed(&words[0], scale_stamp(t, page));
	scale_expect(t, page, load_relaxed(&words[1 + page % WORDS_LOOKED_AT]), 0);
	return 0;
}

SCALE_TEST(page_fault1, "will-it-scale: write each page of anonymous memory, and unmap it",
	   "transport range defer", .pages = 4096, .operation = "page mapped, written and unmapped",
	   .begin = scale_map_anonymous, .op = op, .end = scale_verify_and_unmap);
