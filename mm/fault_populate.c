/* Faulting in on purpose: aspace_populate(). */
#include <mm/fault.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>

/* One page or 2 MiB, by the space's lock. *bytes = how far it reached. */
static enum fault_result populate_locked(struct fault *f, u32 node, u64 *bytes)
{
	struct area *area = aspace_find(f->as, f->va);
	enum fault_result result = FAULT_ERROR;

	if (!area)
		return FAULT_ERROR;
	/* The same with another preference, but for its links, which object.lock guards. */
	struct area here = {.aspace = area->aspace,
			    .object = area->object,
			    .start = area->start,
			    .end = area->end,
			    .offset = area->offset,
			    .prot = area->prot,
			    .huge = area->huge,
			    .placement = area->placement,
			    .node = area->node,
			    .nodes = area->nodes};

	if (f->strict) {
		here.placement = PLACE_PREFERRED;
		here.node = node;
	}
	struct pt_pos pos = fault_position(f, &here);

	if (pos.ptep && pte_is_none(f->seen))
		result = fault_absent(f, &here, pos);
	else if (pos.ptep)
		result = FAULT_DONE;
	/* Look again: where no 2 MiB page was to be had, a small one is there now. */
	u64 size = PT_LEVEL_SIZE(pgwalk_find(f->as->root, f->va, 0).level);

	*bytes = size - (f->va & (size - 1));
	return result;
}

/* The same, until it is done. Takes the lock; waits. */
static bool populate_one(struct aspace *as, vaddr_t va, u32 node, u64 *bytes)
{
	struct fault f;
	enum fault_result result;

	fault_begin(&f, as, va);
	f.strict = node != BOOT_NODE_NONE;
	do {
		read_lock(&as->lock);
		result = populate_locked(&f, node, bytes);
		read_unlock(&as->lock);
		if (result == FAULT_WAIT)
			result = fault_wait_for_page(&f);
	} while (result == FAULT_RETRY);
	fault_end(&f);
	return result == FAULT_DONE;
}

long aspace_populate(struct aspace *as, vaddr_t va, u64 len, u32 node)
{
	u64 at = 0, bytes = 0;

	for (; at < len; at += bytes)
		if (!populate_one(as, va + at, node, &bytes))
			return -ENOMEM;
	return (long)(at >> PAGE_SHIFT);
}
