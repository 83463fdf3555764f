/* Address spaces: what is mapped where. Areas are in area.c; what happens to pages is in range.c and fault.c. */
#include <mm/aspace.h>
#include <mm/oracle.h>
#include <mm/change.h>
#include <mm/mm.h>
#include <mm/kmap.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/range.h>
#include <mm/reclaim.h>
#include <mm/pay.h>
#include <mm/split.h>
#include <mm/swap.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>

static struct spinlock spaces_lock; /* spaces, next_id */
static struct list spaces = LIST_INIT(spaces);
static u32 next_id;

struct aspace *aspace_create(const char *name, u32 node)
{
	struct aspace *as = kmem.alloc(sizeof(*as), node);

	if (!as)
		return NULL;
	as->root = pt_table_alloc(numa_resolve(node), PT_LEVELS - 1);
	if (!as->root) {
		kmem.free(as, sizeof(*as));
		return NULL;
	}
	pt_root_init(as->root, kmap_root());
	list_init(&as->areas);
	as->name = name;
	tlb_context_init(&as->ctx, virt_to_phys(as->root));
	spin_lock(&spaces_lock);
	as->id = ++next_id;
	list_add_tail(&spaces, &as->link);
	spin_unlock(&spaces_lock);
	return as;
}

/* Debts first, then entries, then the context, then tables: each needs the ones after it. */
void aspace_destroy(struct aspace *as)
{
	ASSERT(!as->subscribed && !load_relaxed(&as->flush_pending));
	spin_lock(&spaces_lock);
	list_del(&as->link);
	spin_unlock(&spaces_lock);
	pay(PAY_EXIT, pay_context(&as->ctx));
	while (!list_empty(&as->areas)) {
		struct area *area = container_of(as->areas.next, struct area, link);

		aspace_unmap(as, area->start, area->end - area->start);
	}
	/* Changes that came through the reverse map ended before their area could go. */
	ASSERT(!load_relaxed(&as->changing) && !load_relaxed(&as->owing));
	tlb_context_destroy(&as->ctx);
	oracle_release_root(as->ctx.root);
	pgwalk_free_tables(&pt_stage1, as->root);
	pt_table_free(as->root);
	kmem.free(as, sizeof(*as));
}

struct aspace *aspace_lookup(const char *id_or_name)
{
	struct aspace *as, *found = NULL;
	u64 id = 0;

	if (parse_u64(id_or_name, &id))
		id = 0;
	spin_lock(&spaces_lock);
	list_for_each_entry (as, &spaces, link)
		if (as->id == id || !strcmp(as->name, id_or_name))
			found = as;
	spin_unlock(&spaces_lock);
	return found;
}

void aspace_for_each(void (*fn)(struct aspace *as, void *arg), void *arg)
{
	struct aspace *as;

	spin_lock(&spaces_lock);
	list_for_each_entry (as, &spaces, link)
		fn(as, arg);
	spin_unlock(&spaces_lock);
}

void aspace_load(struct aspace *as)
{
	tlb_switch(as ? &as->ctx : NULL);
}

/* ---- mapping ---- */

vaddr_t aspace_map(struct aspace *as, struct object *obj, u64 offset, vaddr_t va, u64 len,
		   prot_t prot, bool huge, u32 node, int *err)
{
	u64 align = huge ? HUGE_SIZE : PAGE_SIZE;
	bool choose = !va;

	*err = area_check_range(va ? va : AREA_VA_MIN, len, align);
	/* A 2 MiB page fills 512 slots by its first one alone: no other area could look its parts up. */
	if (obj && (offset + (len >> PAGE_SHIFT) > obj->page_count || huge || obj->huge))
		*err = -EINVAL;
	if (*err || !(prot & PROT_READ) || prot & ~PROT_AREA) {
		*err = -EINVAL;
		return 0;
	}
	struct area *area = area_create(as, obj, va, len);

	if (!area) {
		*err = -ENOMEM;
		return 0;
	}
	area->offset = offset;
	if (obj && !obj->is_shadow)
		store_relaxed(&obj->shared, true);
	if (huge)
		area->object->huge = true; /* ours alone */
	area->prot = prot;
	area->huge = huge;
	area->node = node;
	write_lock(&as->lock);
	as->huge |= huge;
	as->files |= area->object->tracked;
	if (choose)
		va = area_choose_va(as, len);
	if (area_check_range(va, len, align))
		*err = -ENOMEM;
	else if (!area_range_is_free(as, va, va + len))
		*err = -EEXIST;
	area->start = va;
	area->end = va + len;
	if (!*err)
		area_insert(as, area);
	write_unlock(&as->lock);
	if (*err) {
		object_put(area->object);
		kmem.free(area, sizeof(*area));
		return 0;
	}
	return va;
}

/* Write side held. No 2 MiB page lies across va any more. */
static int cut_page(struct aspace *as, vaddr_t va)
{
	const struct area *area = aspace_find(as, va);

	return area && area->huge && va % HUGE_SIZE ? page_split(as, va) : 0;
}

/* Write side held. Split the 2 MiB pages that lie across the ends of a range. */
static __noinline int cut_pages(struct aspace *as, vaddr_t va, vaddr_t end)
{
	int err = cut_page(as, va);

	return err ? err : cut_page(as, end);
}

/* Write side held. Is this a range, and does no 2 MiB page lie across its ends? */
static int prepare_range(struct aspace *as, vaddr_t va, u64 len)
{
	int err = area_check_range(va, len, PAGE_SIZE);

	return likely(err || !as->huge) ? err : cut_pages(as, va, va + len);
}

static inline bool lies_across(struct aspace *as, vaddr_t end)
{
	const struct area *last = aspace_find(as, end - 1);

	return last && last->end != end;
}

/* Write side held. Make area borders at both ends, so that what follows handles whole areas. */
static int isolate_range(struct aspace *as, vaddr_t va, u64 len)
{
	int err = prepare_range(as, va, len);

	if (!err)
		err = area_split(as, va);
	/* Mostly the range ends with the area that was just found: asked first, since it is at hand. */
	if (!err && lies_across(as, va + len))
		err = area_split(as, va + len);
	return err;
}

/* Remove all areas that lie inside the range. Write side held, and there are borders at its ends. */
static void remove_areas(struct aspace *as, vaddr_t va, vaddr_t end)
{
	struct area *area;

	list_for_each_entry (area, &as->areas, link) {
		if (area->start >= end)
			return;
		if (area->start >= va) {
			struct list *previous = area->link.prev;

			area_remove(as, area);
			area = container_of(previous, struct area, link);
		}
	}
}

/* Contents of the range are given up, in memory and in swap. Write side held, inside a change. */
static inline void zap(struct aspace *as, vaddr_t va, vaddr_t end)
{
	range_zap(as, va, end);
	if (unlikely(reclaim_is_looking()))
		reclaim_wait_for_looks();
	/* Relaxed: whoever has taken an entry for swap marked the space before, under the PTL that we took since. */
	if (unlikely(load_relaxed(&as->stored)))
		swap_drop(as, va, end);
}

int aspace_unmap(struct aspace *as, vaddr_t va, u64 len)
{
	struct change change;

	write_lock(&as->lock);
	int err = isolate_range(as, va, len);

	if (!err)
		err = change_begin(&change, as, CHANGE_UNMAP, va, va + len);
	if (!err) {
		zap(as, va, va + len);
		remove_areas(as, va, va + len);
		range_free_tables(as, va, va + len);
		change_end(&change);
	}
	write_unlock(&as->lock);
	return err;
}

/*
 * Entries of tracked pages are made writable by write faults alone, which mark the page
 * dirty. Those that are writable already fault once more.
 */
static void protect_entries(struct aspace *as, vaddr_t va, vaddr_t end, prot_t prot)
{
	struct area *area;

	if (likely(!as->files || !(prot & PROT_WRITE))) {
		range_protect(as, va, end, prot);
		return;
	}
	list_for_each_entry (area, &as->areas, link)
		if (area->start >= va && area->end <= end)
			range_protect(as, area->start, area->end,
				      area->object->tracked ? prot & ~(prot_t)PROT_WRITE : prot);
}

int aspace_protect(struct aspace *as, vaddr_t va, u64 len, prot_t prot)
{
	struct change change;
	struct area *area;

	if (!(prot & PROT_READ) || prot & ~(PROT_READ | PROT_CHANGES))
		return -EINVAL;
	write_lock(&as->lock);
	int err = isolate_range(as, va, len);

	if (!err)
		err = change_begin(&change, as, CHANGE_PROTECT, va, va + len);
	if (!err) {
		list_for_each_entry (area, &as->areas, link)
			if (area->start >= va && area->end <= va + len)
				area->prot = (area->prot & ~PROT_CHANGES) | prot;
		protect_entries(as, va, va + len, prot);
		change_end(&change);
	}
	write_unlock(&as->lock);
	return err;
}

/* Does each node of this bit mask exist, and does it have memory? */
static bool nodes_have_memory(u64 nodes)
{
	for (; nodes; nodes &= nodes - 1) {
		u32 node = (u32)__builtin_ctzl(nodes);

		if (node >= numa_node_count() || !pmm_node_has_memory(node))
			return false;
	}
	return true;
}

int aspace_place(struct aspace *as, vaddr_t va, u64 len, enum placement placement, u64 nodes)
{
	bool one = !(nodes & (nodes - 1));
	struct area *area;

	if (!nodes_have_memory(nodes) || (placement == PLACE_PREFERRED ? !one : !nodes))
		return -EINVAL;
	write_lock(&as->lock);
	int err = isolate_range(as, va, len);

	list_for_each_entry (area, &as->areas, link) {
		if (err || area->start < va || area->end > va + len)
			continue;
		area->placement = placement;
		area->nodes = nodes;
		area->node = nodes && one ? (u32)__builtin_ctzl(nodes) : BOOT_NODE_NONE;
	}
	write_unlock(&as->lock);
	return err;
}

int aspace_drop(struct aspace *as, vaddr_t va, u64 len)
{
	struct change change;
	/* The write side: no fault may map another page there before the flush is complete (I6). */
	write_lock(&as->lock);
	int err = prepare_range(as, va, len);

	if (!err)
		err = change_begin(&change, as, CHANGE_DROP, va, va + len);
	if (!err) {
		zap(as, va, va + len);
		change_end(&change);
	}
	write_unlock(&as->lock);
	return err;
}

const pte_t *aspace_entry(struct aspace *as, vaddr_t va)
{
	struct pt_pos pos = pgwalk_find(as->root, va, 0);

	return pos.level <= 1 ? pos.ptep : NULL;
}

/* Reads entries without their PTL: pages that move meanwhile count once, on either node. */
void aspace_count_nodes(struct aspace *as, vaddr_t va, u64 len, u64 pages[])
{
	vaddr_t end = va + len;

	while (va < end) {
		struct pt_pos pos = pgwalk_find(as->root, va, 0);
		u64 size = PT_LEVEL_SIZE(pos.level);
		vaddr_t next = MIN(ALIGN_DOWN(va, size) + size, end);
		pte_t pte = pte_load(pos.ptep);

		if (pte_is_table(pte, pos.level))
			continue; /* split meanwhile: its parts, then */
		if (!pte_is_none(pte))
			pages[phys_to_page(pte_pa(pte, pos.level))->node] +=
				(next - va) >> PAGE_SHIFT;
		va = next;
	}
}
