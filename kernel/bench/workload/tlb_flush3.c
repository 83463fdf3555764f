/*
 * `tlb_flush3` of will-it-scale: as tlb_flush2 on a shared mapping of a file of the
 * task's own. What was written is found again after the page was dropped, as only
 * the mapping goes.
 */
#include "scale.h"

static int op(struct scale_task *t, u64 page)
{
	u64 *word = scale_page(t, page);

	store_relaxed(word, scale_stamp(t, page));
	int err = aspace_drop(t->as, (vaddr_t)word, PAGE_SIZE);

	if (!err)
		scale_expect(t, page, load_relaxed(word), scale_stamp(t, page));
	return err;
}

SCALE_TEST(tlb_flush3, "will-it-scale: write each page of a shared file mapping, drop it, read it",
	   "transport range spurious upgrade model", .pages = 1024,
	   .operation = "page of a file written, dropped and read", .store = scale_memory_store,
	   .fills_store = true, .begin = scale_map_file, .op = op, .end = scale_unmap);
