/* References of a frame: the last one to go frees it. */
#include <mm/aspace.h>
#include <mm/pmm.h>

/*
 * The frame has no references left, so nobody can find it through its object
 * any more (page_get() fails); take it out of the slot and let the object go.
 */
static void detach(struct page *page)
{
	struct object *obj = page->object;
	struct page **slot = object_slot(obj, page->index, false);

	/* object_put() is a full barrier: nobody finds the frame here once it is somebody else's. */
	store_relaxed(slot, NULL);
	page->object = NULL;
	object_put(obj);
}

void page_put(struct page *page, u64 what)
{
	if (atomic_fetch_add(&page->refs, -what) != what)
		return;
	if (page->object)
		detach(page);
	pmm_free(page);
}
