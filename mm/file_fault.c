/*
 * Faults on pages of files: an entry becomes writable only together with the dirty mark
 * of its page, and not while the page is locked. The access that wanted to write then
 * waits, without any lock, and starts over.
 */
#include <mm/dirty.h>
#include <mm/file_fault.h>
#include <mm/page_lock.h>
#include <kernel/panic.h>

/* The entry becomes writable. Once in a fault, and over the budget: the fault writes back before it ends. PTL held. */
static void note_dirty(struct fault *f, struct object *file)
{
	if (likely(!dirty_over(file)) || f->throttled)
		return;
	object_get(file); /* our space's area is a user, and goes only when its lock is released */
	f->throttle = file;
	f->throttled = true;
}

bool file_fault_map(struct fault *f, struct page *page, const slot_t *slot, prot_t *prot)
{
	if (!file_fault_shows(page, slot)) {
		atomic_fetch_add(&page->mapcount, -1U);
		return false;
	}
	/* A page that is locked is mapped for reading; the access faults again, and waits then. */
	if (f->write && page_begin_write(page))
		note_dirty(f, page->object);
	else
		*prot &= ~(prot_t)PROT_WRITE;
	return true;
}

bool file_fault_write(struct fault *f)
{
	struct page *page = phys_to_page(pte_pa(f->seen, 0));

	f->dirties = false;
	if (page_begin_write(page)) {
		note_dirty(f, page->object);
		return true;
	}
	/* The entry names it and cannot go, as we hold the PTL: so it has a reference for us to add to. */
	bool got = page_get(page, PAGE_REF);

	ASSERT(got);
	f->fill = (struct object_fill){.page = page};
	return false;
}

enum fault_result file_fault_wait(struct fault *f)
{
	page_lock_wait(f->fill.page);
	page_put(f->fill.page, PAGE_REF);
	return FAULT_RETRY;
}

enum fault_result file_fault_throttle(struct fault *f)
{
	struct object *file = f->throttle;

	f->throttle = NULL;
	dirty_throttle(file);
	object_put(file);
	return FAULT_RETRY;
}
