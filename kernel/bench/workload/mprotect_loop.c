/*
 * `mprotect_loop`: write access is taken from memory and given back, and one of
 * its pages is written. Taking needs a flush, giving need not.
 */
#include "scale.h"

static int begin(struct scale_task *t)
{
	int err = scale_map_anonymous(t);

	for (u64 i = 0; i < t->pages && !err; i++)
		store_relaxed(scale_page(t, i), scale_stamp(t, i));
	return err;
}

/* The other half of the page counts the writes: none is lost, none lands where it must not. */
static int op(struct scale_task *t, u64 number)
{
	u64 page = number % t->pages, *word = scale_page(t, page) + PAGE_SIZE / 2 / sizeof(u64);
	u64 len = t->pages << PAGE_SHIFT, written = number / t->pages;
	int err = aspace_protect(t->as, t->base, len, PROT_READ);

	if (!err)
		err = aspace_protect(t->as, t->base, len, PROT_READ | PROT_WRITE);
	if (!err) {
		scale_expect(t, page, load_relaxed(word), written);
		store_relaxed(word, written + 1);
	}
	return err;
}

SCALE_TEST(mprotect_loop, "take write access from memory and give it back, then write a page of it",
	   "transport range defer", .pages = 16, .ops = 512,
	   .operation = "write access taken, given back, and a page written", .begin = begin,
	   .op = op, .end = scale_verify_and_unmap);
