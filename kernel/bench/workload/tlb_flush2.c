/*
 * `tlb_flush2` of will-it-scale: each page of anonymous memory is written,
 * dropped and read. An operation is a page, and so is a flush. A CPU that kept
 * its old entry would read what it wrote.
 */
#include "scale.h"

static int op(struct scale_task *t, u64 page)
{
	u64 *word = scale_page(t, page);

	store_relaxed(word, scale_stamp(t, page));
	int err = aspace_drop(t->as, (vaddr_t)word, PAGE_SIZE);

	if (!err)
		scale_expect(t, page, load_relaxed(word), 0);
	return err;
}

SCALE_TEST(tlb_flush2, "will-it-scale: write each page of anonymous memory, drop it, read it",
	   "transport range defer", .pages = 256, .operation = "page written, dropped and read",
	   .begin = scale_map_anonymous, .op = op, .end = scale_unmap);
